/**
 * One daemon at a time may use a backing file. The lock is an abstract unix socket named after device and inode, as
 * the lock of the run directory: it ends with the process, however that ends. (Block devices are claimed by O_EXCL.)
 */
import net from 'node:net';
import { descriptorOf } from './socket-handle';

export interface DiskClaim {
  /** Who inherits this descriptor keeps the claim alive; -1 if it is not known. */
  readonly descriptor: number;
  release(): void;
}

/** Undefined if another process holds the claim. */
export function claimFile(identity: string): Promise<DiskClaim | undefined> {
  const server = net.createServer((connection) => connection.destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(`\0udrbd-disk/${identity}`, () => {
      server.unref();
      resolve({ descriptor: descriptorOf(server), release: () => void server.close() });
    });
  });
}
