/**
 * The lock that lets exactly one daemon serve a run directory. It is an abstract unix socket named after the
 * directory's device and inode: binding is atomic, and the kernel drops it when the daemon dies, however it dies.
 * A lock file could be left behind, and no two of its finders could agree who removes it.
 */
import fs from 'node:fs';
import net from 'node:net';
import { errorCode } from './control-error';

export interface HostLock {
  release(): Promise<void>;
}

/** Takes the lock; undefined if another process holds it. */
export function takeHostLock(directory: string): Promise<HostLock | undefined> {
  const { dev, ino, uid } = fs.statSync(directory);
  const server = net.createServer((connection) => connection.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0udrbd/${uid}/${dev}/${ino}`, () => {
      server.unref();
      resolve({
        release: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}
