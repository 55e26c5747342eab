/** A daemon that is asked to end: what was acknowledged is on both disks, and nothing is to be synchronized afterwards. */
import fs from 'node:fs';
import path from 'node:path';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster, daemonsBelow, until } from './cluster';

const BLOCK = 64 * 1024;
const DATA = 15 * 1024 * 1024;

/** Writes one block after the other until it is refused; returns how many were acknowledged. */
async function writeUntilRefused(socket: string, onFirst: () => void): Promise<number> {
  const client = await NbdClient.open(socket);
  let written = 0;
  try {
    for (; written < DATA / BLOCK; written++) {
      await client.write(written * BLOCK, Buffer.alloc(BLOCK, 1 + (written % 250)));
      if (written === 20) onFirst();
    }
  } catch {
    // The daemon has gone.
  }
  return written;
}

test('SIGTERM to a Primary that is being written to: demoted, flushed, down; no resync when it is back', async () => {
  const cluster = await Cluster.ready(2);
  try {
    const logOf = (index: number): string =>
      fs.readFileSync(path.join(cluster.host(index).runDirectory, 'drbdd.log'), 'utf8');
    const before = [0, 1].map((index) => logOf(index).length);
    const pid = cluster.daemon(0);
    const written = await writeUntilRefused(deviceSocket(cluster.host(0), 0), () =>
      process.kill(pid, 'SIGTERM'),
    );
    expect(written).toBeGreaterThanOrEqual(20);
    await until('the daemon has ended', () => !daemonsBelow(cluster.lab.directory).includes(pid));
    expect(logOf(0)).toMatch(/drbdd ended\n$/);
    expect((await cluster.run(1, 'drbdadm', 'role', 'r0')).trim()).toBe('Secondary');
    await cluster.run(0, 'drbdadm', 'up', 'r0');
    await cluster.untilDisks(0, 'UpToDate/UpToDate');
    for (const index of [0, 1])
      expect(logOf(index).slice(before[index])).not.toMatch(/Began resync|Becoming sync/);
    const [one, two] = [0, 1].map((index) => fs.readFileSync(cluster.host(index).disk).subarray(0, DATA));
    expect(one !== undefined && two?.equals(one)).toBe(true);
    for (let i = 0; i < written; i++) expect(one?.[i * BLOCK]).toBe(1 + (i % 250));
  } finally {
    await cluster.destroy();
  }
}, 120_000);
