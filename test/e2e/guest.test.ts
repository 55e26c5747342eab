/** A virtual machine on a replicated disk: it does not notice that disks and hosts go away under it. */
import { daemonOf } from '../../src/lab/daemons';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { makeReady } from '../../src/lab/ready-cluster';
import { freePort } from '../daemon/port-waiters';
import { Cluster, until } from './cluster';
import { Guest, whyNoGuest } from './guest-machine';

const reason = whyNoGuest();
if (reason !== undefined) process.stderr.write(`SKIPPED: no test with a guest: ${reason}\n`);
const withGuest = reason === undefined ? test : test.skip;

const BLOCK = 4096;
const BLOCKS = 2048;
/** Writes numbered blocks, reads each back past the guest's cache, and says so. */
const WORK = `n=0
while :; do
  n=$((n + 1)); at=$((n % ${BLOCKS}))
  yes "block $n" | head -c ${BLOCK} > /tmp/block
  dd if=/tmp/block of=/dev/vda bs=${BLOCK} seek=$at conv=notrunc,fsync 2>/dev/null || echo "BROKEN write $n"
  echo 3 > /proc/sys/vm/drop_caches
  dd if=/dev/vda bs=${BLOCK} skip=$at count=1 2>/dev/null | cmp -s - /tmp/block || echo "BROKEN read $n"
  echo "DONE $n"
done`;
const blockOf = (n: number): Buffer => Buffer.alloc(BLOCK, `block ${n}\n`);
const lastDone = (guest: Guest): number =>
  Number([...guest.console.matchAll(/DONE (\d+)\r?\n/g)].at(-1)?.[1] ?? 0);

async function untilMore(guest: Guest, what: string): Promise<void> {
  const before = lastDone(guest);
  await until(
    `the guest goes on ${what}: ${guest.console.slice(-500)}${guest.complaints}`,
    () => guest.ended || lastDone(guest) >= before + 25,
    120_000,
  );
  expect(`${guest.ended} ${guest.complaints}`).toBe('false ');
  expect(guest.console).not.toContain('BROKEN');
}
/** Everything that the guest was told is written is there. */
async function expectBlocks(cluster: Cluster, index: number, last: number): Promise<void> {
  const client = await NbdClient.open(deviceSocket(cluster.host(index), 0));
  try {
    for (let n = Math.max(1, last - BLOCKS + 2); n <= last; n++) {
      const found = await client.read((n % BLOCKS) * BLOCK, BLOCK);
      if (!found.equals(blockOf(n))) throw new Error(`block ${n}: ${found.toString('latin1', 0, 20)}`);
    }
  } finally {
    await client.close();
  }
}

withGuest(
  'goes on when its Primary loses the backing disk, and when the disk is back',
  async () => {
    const cluster = await Cluster.ready(2);
    let guest: Guest | undefined;
    try {
      guest = new Guest(`server.type=unix,server.path=${deviceSocket(cluster.host(0), 0)}`, WORK);
      await untilMore(guest, 'at all');
      await cluster.run(0, 'drbdadm', 'detach', '--force', 'r0');
      expect((await cluster.run(0, 'drbdadm', 'dstate', 'r0')).trim()).toBe('Diskless/UpToDate');
      await untilMore(guest, 'without a local disk');
      await cluster.run(0, 'drbdadm', 'attach', 'r0');
      await cluster.untilDisks(0, 'UpToDate/UpToDate');
      await untilMore(guest, 'with its disk');
      await guest.kill();
      const last = lastDone(guest);
      await until(
        'Secondary',
        async () => (await cluster.run(0, 'drbdadm', 'role', 'r0')).trim() === 'Secondary',
      );
      await expectBlocks(cluster, 0, last);
      await expectBlocks(cluster, 1, last);
    } finally {
      await guest?.kill();
      await cluster.destroy();
    }
  },
  300_000,
);

withGuest(
  'goes on when the host of its Primary dies and the other one takes over the address',
  async () => {
    const cluster = await Cluster.create(2);
    let guest: Guest | undefined;
    try {
      // The address that moves. Who finds it taken waits for it.
      const address = '127.0.0.50';
      const port = await freePort(address);
      const start = (index: number): Promise<string> =>
        cluster.run(index, 'env', `UDRBD_NBD_LISTEN=${address}:${port}`, 'drbdd', '-d');
      await start(0);
      await start(1);
      await makeReady(cluster.lab);
      guest = new Guest(
        `server.type=inet,server.host=${address},server.port=${port},export=drbd0,reconnect-delay=100`,
        WORK,
      );
      await untilMore(guest, 'at all');
      expect((await cluster.run(0, 'drbdadm', 'role', 'r0')).trim()).toBe('Primary');
      process.kill(cluster.daemon(0), 'SIGKILL');
      await untilMore(guest, 'on the other host');
      expect((await cluster.run(1, 'drbdadm', 'role', 'r0')).trim()).toBe('Primary');
      expect(daemonOf(cluster.host(0))).toBeUndefined();
      await guest.kill();
      await expectBlocks(cluster, 1, lastDone(guest));
    } finally {
      await guest?.kill();
      await cluster.destroy();
    }
  },
  300_000,
);
