/** Less usual things between a kernel DRBD 9 and us: discards, two Primaries, sizes, interrupted resyncs. */
import { execFileSync } from 'node:child_process';
import { onKernel } from './kernel-host';
import { Pair, until } from './pair';

const kernel = onKernel('less usual things with a kernel peer');
let pair: Pair;
beforeAll(async () => {
  if (kernel.lab !== undefined) pair = await Pair.start(kernel.lab);
}, 180_000);
afterAll(async () => {
  if (kernel.lab !== undefined) await pair.end();
});

const uri = (): string => `nbd+unix:///?socket=${pair.ours.socket}`;

kernel.test(
  'discards and zeroes of either Primary',
  async () => {
    await pair.ready();
    await pair.ours.setup('primary', 'r0');
    await pair.ours.write([0], 4 << 20);
    execFileSync('qemu-io', ['-f', 'raw', uri(), '-c', 'discard 1M 1M', '-c', 'write -z 2M 512k']);
    await pair.ours.setup('secondary', 'r0');
    expect(await pair.difference()).toBeUndefined();
    await pair.kernel.sh(`drbdsetup primary r0
    dd if=/dev/urandom of=/dev/drbd0 bs=1M seek=6 count=4 oflag=direct 2>/dev/null
    blkdiscard -o 7M -l 1M /dev/drbd0 2>/dev/null || true
    blkdiscard -z -o 8M -l 1M /dev/drbd0 2>/dev/null || true
    drbdsetup secondary r0`);
    await pair.untilDisks('UpToDate', 'UpToDate');
    const data = await pair.kernel.sh('drbdsetup primary r0; md5sum </dev/drbd0; drbdsetup secondary r0');
    await pair.ours.setup('primary', 'r0');
    const read = execFileSync('sh', ['-c', `nbdcopy '${uri()}' - | md5sum`], { encoding: 'utf8' });
    await pair.ours.setup('secondary', 'r0');
    expect(read.split(' ')[0]).toBe(data.split(' ')[0]);
  },
  120_000,
);

kernel.test(
  'two Primaries write different blocks at the same time',
  async () => {
    await pair.ready({ net: ['--allow-two-primaries=yes'] });
    await pair.ours.setup('primary', 'r0');
    await pair.kernel.sh('drbdsetup primary r0');
    const theirs = pair.kernel.sh(
      'for i in 1 2 3; do dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=2048 count=400 oflag=direct 2>/dev/null; done',
    );
    for (let round = 0; round < 5; round++)
      await pair.ours.write(Array.from({ length: 40 }, (_, index) => index * 50 + round));
    await theirs;
    await pair.ours.setup('secondary', 'r0');
    await pair.kernel.sh('drbdsetup secondary r0');
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'a smaller size and back, asked for by either',
  async () => {
    await pair.ready();
    const sizes = async (): Promise<string> => {
      const mine = (await pair.ours.setup('status', 'r0', '--verbose', '--statistics')).match(
        /size:(\d+)/,
      )?.[1];
      const its = /size:(\d+)/.exec(await pair.kernel.sh('drbdsetup status r0 --verbose --statistics'))?.[1];
      return `${mine} ${its}`;
    };
    expect(await sizes()).toBe('16344 16344');
    await pair.ours.setup('resize', '0', '--size=8192K');
    expect(await sizes()).toBe('8192 8192');
    await pair.kernel.sh('drbdsetup resize 0');
    await until(
      () => 'size 16344 on both',
      async () => (await sizes()) === '16344 16344',
    );
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.kernel.sh('drbdsetup resize 0 --size=12288K');
    expect(await sizes()).toBe('12288 12288');
    await pair.ours.setup('resize', '0');
    expect(await sizes()).toBe('16344 16344');
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

for (const target of ['ours', 'the kernel'])
  kernel.test(
    `a resync towards ${target} goes on after the cable was pulled`,
    async () => {
      await pair.ready({ peerDevice: ['--c-plan-ahead=0', '--resync-rate=2M'] });
      if (target === 'ours') await pair.ours.setup('invalidate', '0');
      else await pair.kernel.sh('drbdsetup invalidate 0');
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await pair.kernel.link('down');
      await pair.untilConnection('Connecting');
      await pair.kernel.link('up');
      await pair.untilDisks('UpToDate', 'UpToDate');
      expect(await pair.difference()).toBeUndefined();
    },
    120_000,
  );

kernel.test(
  'pause and resume of a resync by either side',
  async () => {
    await pair.ready({ peerDevice: ['--c-plan-ahead=0', '--resync-rate=2M'] });
    await pair.kernel.sh('drbdsetup invalidate 0; drbdsetup pause-sync r0 0 0');
    await until(
      () => 'PausedSyncS',
      async () => (await pair.ours.setup('status', 'r0')).includes('PausedSyncS'),
    );
    await pair.ours.setup('pause-sync', 'r0', '1', '0');
    await pair.kernel.sh('drbdsetup resume-sync r0 0 0');
    expect(await pair.ours.setup('status', 'r0')).toContain('PausedSyncS');
    await pair.ours.setup('resume-sync', 'r0', '1', '0');
    await pair.untilDisks('UpToDate', 'UpToDate');
  },
  120_000,
);

kernel.test(
  'options of the connection change while it is up',
  async () => {
    await pair.ready();
    await pair.ours.setup('primary', 'r0');
    for (const protocol of ['A', 'B', 'C']) {
      await pair.ours.setup('net-options', 'r0', '1', `--protocol=${protocol}`);
      await pair.kernel.sh(`drbdsetup net-options r0 0 --protocol=${protocol}`);
      await pair.ours.write([1, 2, 3]);
    }
    await pair.kernel.sh('drbdsetup net-options r0 0 --verify-alg=sha1');
    await pair.ours.setup('net-options', 'r0', '1', '--verify-alg=sha1', '--data-integrity-alg=sha1');
    await pair.ours.write([4, 5, 6]);
    await pair.ours.setup('secondary', 'r0');
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'the kernel is frozen longer than the ping timeout while we write',
  async () => {
    await pair.ready();
    await pair.ours.setup('primary', 'r0');
    await pair.kernel.freeze(true);
    await pair.ours.write([1, 20, 300]);
    await pair.kernel.freeze(false);
    await pair.untilDisks('UpToDate', 'UpToDate');
    await pair.ours.setup('secondary', 'r0');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'after-sb policies resolve a split brain in which one side wrote nothing',
  async () => {
    await pair.ready({ net: ['--after-sb-0pri=discard-zero-changes'] });
    await pair.ours.setup('disconnect', 'r0', '1');
    await pair.ours.setup('primary', 'r0', '--force');
    await pair.ours.write([10, 11]);
    await pair.ours.setup('secondary', 'r0');
    await pair.kernel.ask('drbdsetup disconnect r0 0');
    await pair.kernel.sh('drbdsetup primary r0 --force; drbdsetup secondary r0; drbdsetup connect r0 0');
    await pair.ours.setup('connect', 'r0', '1');
    await pair.untilDisks('UpToDate', 'UpToDate');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);
