/** What was acknowledged under protocol C is there after both daemons were killed at once. */
import fs from 'node:fs';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster } from './cluster';

const BLOCK = 4096;
const ROUNDS = 3;

/** Version numbers of blocks: what was acknowledged, and what was asked for later. */
interface Ledger {
  readonly acknowledged: Map<number, number>;
  readonly pending: Map<number, number[]>;
}
function blockOf(index: number, version: number): Buffer {
  const bytes = Buffer.alloc(BLOCK, (index * 31 + version) & 0xff);
  bytes.writeUInt32BE(index, 0);
  bytes.writeUInt32BE(version, 4);
  return bytes;
}

/** Writes random blocks, one after the other, until the connection breaks. */
async function writeUntilBroken(socket: string, ledger: Ledger, seed: number): Promise<number> {
  const client = await NbdClient.open(socket);
  const blocks = Math.floor(client.size / BLOCK);
  let random = seed;
  let written = 0;
  try {
    for (;;) {
      random = (random * 1103515245 + 12345) & 0x7fffffff;
      const index = random % blocks;
      const version = (ledger.acknowledged.get(index) ?? 0) + (ledger.pending.get(index)?.length ?? 0) + 1;
      const queue = ledger.pending.get(index) ?? [];
      ledger.pending.set(index, [...queue, version]);
      await client.write(index * BLOCK, blockOf(index, version));
      ledger.acknowledged.set(index, version);
      ledger.pending.set(index, []);
      written++;
    }
  } catch {
    return written;
  }
}

test('acknowledged writes survive kill -9 of both daemons', async () => {
  const cluster = await Cluster.ready(2);
  try {
    const ledger: Ledger = { acknowledged: new Map(), pending: new Map() };
    for (let round = 0; round < ROUNDS; round++) {
      const primary = round % 2;
      await cluster.run(primary, 'drbdadm', 'primary', 'r0');
      const writing = writeUntilBroken(deviceSocket(cluster.host(primary), 0), ledger, 7 + round);
      const before = ledger.acknowledged.size;
      await new Promise((resolve) => setTimeout(resolve, 700));
      // A busy machine takes longer for a few writes.
      for (let i = 0; i < 400 && ledger.acknowledged.size <= before + 20; i++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      for (const pid of [cluster.daemon(0), cluster.daemon(1)]) process.kill(pid, 'SIGKILL');
      expect(await writing).toBeGreaterThan(20);
      for (const index of [0, 1]) await cluster.run(index, 'drbdadm', 'up', 'r0');
      await cluster.untilDisks(0, 'UpToDate/UpToDate');
      await cluster.untilDisks(1, 'UpToDate/UpToDate');
      await cluster.run(primary, 'drbdadm', 'primary', 'r0');
      const reader = await NbdClient.open(deviceSocket(cluster.host(primary), 0));
      for (const [index, version] of ledger.acknowledged) {
        const found = await reader.read(index * BLOCK, BLOCK);
        const allowed = [version, ...(ledger.pending.get(index) ?? [])];
        const readVersion = found.readUInt32BE(4);
        expect(allowed).toContain(readVersion);
        expect(found.equals(blockOf(index, readVersion))).toBe(true);
        ledger.acknowledged.set(index, readVersion);
      }
      ledger.pending.clear();
      const { size } = reader;
      await reader.close();
      await cluster.run(primary, 'drbdadm', 'secondary', 'r0');
      const [one, two] = [0, 1].map((index) => fs.readFileSync(cluster.host(index).disk).subarray(0, size));
      expect(one !== undefined && two?.equals(one)).toBe(true);
    }
  } finally {
    await cluster.destroy();
  }
}, 180_000);
