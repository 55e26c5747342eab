/** Bitmap exchange, resync, verify and crashes between a kernel DRBD 9 and us. */
import { randomBytes } from 'node:crypto';
import { NbdClient } from '../../src/lab/nbd-client';
import { onKernel } from './kernel-host';
import { Pair, until } from './pair';

const kernel = onKernel('resync with a kernel peer');
let pair: Pair;
beforeAll(async () => {
  if (kernel.lab !== undefined) pair = await Pair.start(kernel.lab);
}, 180_000);
afterAll(async () => {
  if (kernel.lab !== undefined) await pair.end();
});

const writeKernel = (on: Pair, seek: number, count: number): Promise<string> =>
  on.kernel.sh(`dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=${seek} count=${count} oflag=direct 2>&1`);

for (const rle of ['yes', 'no'])
  kernel.test(
    `what a lone Primary wrote is resynced, use-rle=${rle}`,
    async () => {
      await pair.ready({ net: [`--use-rle=${rle}`] });
      await pair.ours.setup('disconnect', 'r0', '1');
      await pair.ours.setup('primary', 'r0', '--force');
      await pair.ours.write([0, 77, 78, 79, 2048, 4085]);
      await pair.ours.setup('connect', 'r0', '1');
      await pair.kernel.ask('drbdsetup connect r0 0');
      await pair.untilDisks('UpToDate', 'UpToDate');
      expect(await pair.difference()).toBeUndefined();
      await pair.ours.setup('secondary', 'r0');
      await pair.kernel.sh('drbdsetup primary r0; drbdsetup disconnect r0 0');
      await writeKernel(pair, 3000, 400);
      await pair.kernel.sh('drbdsetup connect r0 0');
      await pair.untilDisks('UpToDate', 'UpToDate');
      await pair.kernel.sh('drbdsetup secondary r0');
      expect(await pair.difference()).toBeUndefined();
    },
    120_000,
  );

kernel.test(
  'checksum based resync after invalidate on either side',
  async () => {
    await pair.ready({ net: ['--csums-alg=sha1'] });
    await pair.ours.setup('invalidate', '0');
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.kernel.sh('drbdsetup invalidate 0');
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.ours.setup('invalidate-remote', 'r0', '1', '0');
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.kernel.sh('drbdsetup invalidate-remote r0 0 0');
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

const outOfSync = async (on: Pair): Promise<number> =>
  Number(/out-of-sync:(\d+)/.exec(await on.ours.setup('status', 'r0', '--verbose', '--statistics'))?.[1]);

for (const starter of ['us', 'the kernel'])
  kernel.test(
    `a verify started by ${starter} finds the difference`,
    async () => {
      await pair.ready({ net: ['--verify-alg=sha1'] });
      const client = await NbdClient.open(pair.ours.socket);
      await client.close();
      await pair.kernel.sh(
        'dd if=/dev/urandom of=/dev/vda bs=4k seek=100 count=2 conv=notrunc,fsync 2>/dev/null',
      );
      if (starter === 'us') await pair.ours.setup('verify', 'r0', '1', '0');
      else await pair.kernel.sh('drbdsetup verify r0 0 0');
      await pair.ours.setup('wait-sync-volume', 'r0', '1', '0');
      await until(
        () => 'out-of-sync:8',
        async () => (await outOfSync(pair)) === 8,
      );
      await pair.kernel.sh('drbdsetup invalidate 0 --reset-bitmap=no');
      await pair.untilDisks('UpToDate', 'UpToDate');
      expect(await pair.difference()).toBeUndefined();
    },
    120_000,
  );

kernel.test(
  'our daemon is killed under writes of the kernel and catches up',
  async () => {
    await pair.ready();
    await pair.kernel.sh('drbdsetup primary r0');
    const writing = pair.kernel.sh(
      'for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=$((i*300)) count=150 oflag=direct 2>/dev/null; done',
    );
    await new Promise((resolve) => setTimeout(resolve, 700));
    await pair.ours.kill();
    await writing;
    await pair.oursUp();
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.kernel.sh('drbdsetup secondary r0');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'our daemon is killed as Primary; the kernel gets what was in flight',
  async () => {
    await pair.ready();
    await pair.ours.setup('primary', 'r0');
    const client = await NbdClient.open(pair.ours.socket);
    const writing = (async () => {
      let count = 0;
      try {
        for (;;) {
          await client.write(((count * 4096 * 13) % (16 << 20)) & ~4095, randomBytes(4096));
          count++;
        }
      } catch {
        return count;
      }
    })();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await pair.ours.kill();
    expect(await writing).toBeGreaterThan(3);
    await pair.oursUp();
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'the kernel host loses power as Primary; we get what was in flight',
  async () => {
    await pair.ready();
    await pair.kernel.sh('drbdsetup primary r0');
    const writing = pair.kernel
      .sh('dd if=/dev/urandom of=/dev/drbd0 bs=4k count=4000 oflag=direct 2>/dev/null')
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await pair.kernel.kill();
    await writing;
    await pair.kernel.boot();
    await pair.kernel.sh('drbdmeta 0 v09 /dev/vda internal apply-al');
    await pair.kernelUp();
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  180_000,
);

kernel.test(
  'split brain is found by both, and --discard-my-data heals it either way',
  async () => {
    for (const victim of ['us', 'the kernel']) {
      await pair.ready();
      await pair.ours.setup('disconnect', 'r0', '1');
      await pair.ours.setup('primary', 'r0', '--force');
      await pair.kernel.sh('drbdsetup primary r0 --force');
      await pair.ours.write([10, 11]);
      await writeKernel(pair, 20, 2);
      await pair.ours.setup('secondary', 'r0');
      await pair.kernel.sh(
        'drbdsetup secondary r0; drbdsetup disconnect r0 0 || true; drbdsetup connect r0 0',
      );
      await pair.ours.setup('connect', 'r0', '1');
      await pair.untilConnection('StandAlone');
      expect(pair.ours.log()).toContain('Split-Brain detected');
      await pair.kernel.ask('drbdsetup disconnect r0 0');
      await pair.kernel.sh(`drbdsetup connect r0 0${victim === 'us' ? '' : ' --discard-my-data'}`);
      await pair.ours.setup('connect', 'r0', '1', ...(victim === 'us' ? ['--discard-my-data'] : []));
      await pair.untilDisks('UpToDate', 'UpToDate');
      expect(await pair.difference()).toBeUndefined();
    }
  },
  180_000,
);

kernel.test(
  'a cable pulled while we write: we go on alone and resync',
  async () => {
    await pair.ready();
    await pair.ours.setup('primary', 'r0');
    await pair.kernel.link('down');
    await pair.ours.write([1, 2, 3]);
    await pair.kernel.link('up');
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.ours.setup('secondary', 'r0');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'detach and attach on either side',
  async () => {
    await pair.ready();
    await pair.ours.setup('primary', 'r0');
    await pair.ours.setup('detach', '0');
    await pair.ours.write([9, 90, 900]);
    await pair.oursAttach();
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.kernel.sh('drbdsetup detach 0');
    await pair.ours.write([8, 80, 800]);
    await pair.kernel.sh(
      'drbdmeta 0 v09 /dev/vda internal apply-al; drbdsetup attach 0 /dev/vda /dev/vda internal',
    );
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.ours.setup('secondary', 'r0');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);
