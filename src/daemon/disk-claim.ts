/**
 * One daemon at a time may use a backing file. The lock is an abstract unix socket named after device and inode, as
 * the lock of the run directory: it ends with the process, however that ends. (Block devices are claimed by O_EXCL.)
 */
import net from 'node:net';

export interface DiskClaim {
  release(): void;
}

/** Undefined if another process holds the claim. */
export function claimFile(identity: string): Promise<DiskClaim | undefined> {
  const server = net.createServer((connection) => connection.destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen(`\0udrbd-disk/${identity}`, () => {
      server.unref();
      resolve({ release: () => void server.close() });
    });
  });
}
