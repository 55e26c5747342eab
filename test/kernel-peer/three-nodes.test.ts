/** Two kernel DRBD 9 hosts and one of ours in one resource. */
import { randomBytes } from 'node:crypto';
import { NbdClient } from '../../src/lab/nbd-client';
import { onKernel } from './kernel-host';
import { Trio } from './trio';

const kernel = onKernel('three nodes, two of them kernels');
let trio: Trio;
beforeAll(async () => {
  if (kernel.lab !== undefined) trio = await Trio.start(kernel.lab);
}, 360_000);
afterAll(async () => {
  if (kernel.lab !== undefined) await trio.end();
});

kernel.test(
  'each in turn is Primary, all get what it writes',
  async () => {
    await trio.ready();
    await trio.ours.setup('primary', 'r0');
    await trio.ours.write([1, 2, 300, 4085]);
    await trio.ours.setup('secondary', 'r0');
    for (const id of [1, 2])
      await trio.kernel(id).sh(`drbdsetup primary r0
      dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=${id * 700} count=100 oflag=direct 2>/dev/null
      drbdsetup secondary r0`);
    await trio.untilAllUpToDate();
    expect(await trio.difference()).toBeUndefined();
  },
  180_000,
);

kernel.test(
  'a host that was away gets what the two others wrote, whoever was away',
  async () => {
    await trio.ready();
    await trio.ours.setup('primary', 'r0');
    await trio.kernel(1).sh('drbdsetup down r0');
    await trio.ours.write([10, 20, 30]);
    await trio.kernelUp(1);
    await trio.untilAllUpToDate();
    expect(await trio.difference()).toBeUndefined();
    await trio.ours.setup('down', 'r0').catch(() => trio.ours.setup('secondary', 'r0'));
    await trio.ours.setup('down', 'r0');
    await trio.kernel(2).sh(`drbdsetup primary r0
    dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=2000 count=50 oflag=direct 2>/dev/null`);
    await trio.oursUp();
    await trio.untilAllUpToDate();
    await trio.kernel(2).sh('drbdsetup secondary r0');
    expect(await trio.difference()).toBeUndefined();
  },
  240_000,
);

kernel.test(
  'we die as Primary; the kernels reconcile, we come back',
  async () => {
    await trio.ready();
    await trio.ours.setup('primary', 'r0');
    const client = await NbdClient.open(trio.ours.socket);
    const writing = (async () => {
      for (let count = 0; ; count++)
        try {
          await client.write((count * 53248) % (15 << 20), randomBytes(4096));
        } catch {
          return count;
        }
    })();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await trio.ours.kill();
    expect(await writing).toBeGreaterThan(3);
    await trio.untilStatus(1, /disk:UpToDate[^]*node2 role:Secondary\s+peer-disk:UpToDate/);
    await trio.kernel(1).sh(`drbdsetup primary r0
    dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=100 count=20 oflag=direct 2>/dev/null`);
    await trio.oursUp();
    await trio.untilAllUpToDate();
    await trio.kernel(1).sh('drbdsetup secondary r0');
    expect(await trio.difference()).toBeUndefined();
  },
  240_000,
);

kernel.test(
  'a kernel Primary loses power; we and the other kernel reconcile',
  async () => {
    await trio.ready();
    await trio.kernel(1).sh('drbdsetup primary r0');
    const writing = trio
      .kernel(1)
      .sh('dd if=/dev/urandom of=/dev/drbd0 bs=4k count=4000 oflag=direct 2>/dev/null')
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    await trio.kernel(1).kill();
    await writing;
    await trio.untilStatus(0, /disk:UpToDate[^]*node2 role:Secondary\s+peer-disk:UpToDate/);
    await trio.ours.setup('primary', 'r0');
    await trio.ours.write([5, 55, 555]);
    await trio.kernel(1).boot();
    await trio.kernelUp(1);
    await trio.untilAllUpToDate();
    await trio.ours.setup('secondary', 'r0');
    expect(await trio.difference()).toBeUndefined();
  },
  300_000,
);

kernel.test(
  'with quorum majority a lone host refuses writes and goes on when a peer is back',
  async () => {
    const options = ['--quorum=majority', '--on-no-quorum=io-error'];
    await trio.ready(options);
    await trio.ours.setup('primary', 'r0');
    const client = await NbdClient.open(trio.ours.socket);
    await client.write(4096, randomBytes(4096));
    for (const id of [1, 2]) await trio.kernel(id).link('down');
    await trio.untilStatus(0, /quorum:no/);
    await expect(client.write(8192, randomBytes(4096))).rejects.toThrow('I/O error');
    for (const id of [1, 2]) await trio.kernel(id).link('up');
    await trio.untilAllUpToDate();
    await client.write(12288, randomBytes(4096));
    await client.close();
    await trio.ours.setup('secondary', 'r0');
    expect(await trio.difference()).toBeUndefined();
  },
  240_000,
);
