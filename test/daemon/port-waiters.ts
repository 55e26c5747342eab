/** Waiters of the ports as promises, for tests. */
import net from 'node:net';
import { type Disk, type DiskOpenFailure, type Disks } from '../../src/engine/ports';

export const throwing = (error: unknown): void => {
  setImmediate(() => {
    throw error;
  });
};

/** Result of one disk operation; fails if it completed within the call. */
export function diskDone(start: (waiter: { onDiskDone(error: number): void }) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let returned = false;
    start({
      onDiskDone: (error) => {
        if (returned) resolve(error);
        else reject(new Error('completed within the call'));
      },
    });
    returned = true;
  });
}

export function openDisk(disks: Disks, path: string, claim = 'minor 0'): Promise<Disk | DiskOpenFailure> {
  return new Promise((resolve) =>
    disks.open(path, claim, { onDiskOpened: resolve, onDiskOpenFailed: resolve }),
  );
}

export async function mustOpen(disks: Disks, path: string, claim?: string): Promise<Disk> {
  const opened = await openDisk(disks, path, claim);
  if ('kind' in opened) throw new Error(`${path}: ${opened.kind}`);
  return opened;
}

/** A TCP port on which nobody listens now. */
export async function freePort(host: string): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen({ host, port: 0 }, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
