/** What a daemon costs: wake-ups of an idle one, memory of one that replicates. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster } from './cluster';

const MiB = 1024 * 1024;
const daemons = [0, 1];
const seconds = 4;

/** How often all threads of a process went to sleep of their own accord. */
function sleeps(pid: number): number {
  let count = 0;
  for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
    const status = fs.readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1');
    count += Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)?.[1]);
  }
  return count;
}
function peakMemory(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) / 1024;
}

test('two connected daemons with nothing to do wake less than ten times a second', async () => {
  const cluster = await Cluster.ready(2);
  try {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const before = daemons.map((index) => sleeps(cluster.daemon(index)));
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    for (const index of daemons) {
      const start = before[index] ?? 0;
      expect(start).toBeGreaterThan(0);
      expect((sleeps(cluster.daemon(index)) - start) / seconds).toBeLessThan(10);
    }
  } finally {
    await cluster.destroy();
  }
}, 60_000);

test('replicating large and small writes takes less than 150 MiB', async () => {
  const cluster = await Cluster.ready(2);
  try {
    await cluster.run(0, 'drbdadm', 'primary', 'r0');
    // A client has one request under way.
    const writer = async (place: number): Promise<void> => {
      const client = await NbdClient.open(deviceSocket(cluster.host(0), 0));
      for (const [size, rounds] of [
        [MiB, 40],
        [4096, 200],
      ] as const) {
        const data = randomBytes(size);
        for (let round = 0; round < rounds; round++) await client.write(place * size, data);
      }
      await client.close();
    };
    await Promise.all(Array.from({ length: 8 }, (_, place) => writer(place)));
    for (const index of daemons) expect(peakMemory(cluster.daemon(index))).toBeLessThan(150);
  } finally {
    await cluster.destroy();
  }
}, 60_000);
