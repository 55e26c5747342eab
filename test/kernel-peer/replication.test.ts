/** Writes in both directions between a kernel DRBD 9 and us. */
import { randomBytes } from 'node:crypto';
import { NbdClient } from '../../src/lab/nbd-client';
import { onKernel } from './kernel-host';
import { Pair } from './pair';

const kernel = onKernel('replication with a kernel peer');
let pair: Pair;
beforeAll(async () => {
  if (kernel.lab !== undefined) pair = await Pair.start(kernel.lab);
}, 180_000);
afterAll(async () => {
  if (kernel.lab !== undefined) await pair.end();
});

const writeKernel = (on: Pair, seek: number, count: number, flags = 'oflag=direct'): Promise<string> =>
  on.kernel.sh(`dd if=/dev/urandom of=/dev/drbd0 bs=4k seek=${seek} count=${count} ${flags} 2>&1`);

for (const protocol of ['A', 'B', 'C'])
  kernel.test(
    `writes of either Primary reach the other under protocol ${protocol}`,
    async () => {
      await pair.ready({ net: [`--protocol=${protocol}`] });
      await pair.ours.setup('primary', 'r0');
      await pair.ours.write([1, 5, 9, 200, 4000, 4085]);
      await pair.ours.write([512], 1 << 20);
      await pair.ours.setup('secondary', 'r0');
      expect(await pair.difference()).toBeUndefined();
      await pair.kernel.sh('drbdsetup primary r0');
      await writeKernel(pair, 7, 30);
      await writeKernel(pair, 1000, 300, 'conv=fsync');
      await pair.kernel.sh('drbdsetup secondary r0');
      expect(await pair.difference()).toBeUndefined();
      await pair.untilDisks('UpToDate', 'UpToDate');
    },
    120_000,
  );

kernel.test(
  'a first sync from the kernel, then digests of every packet, shared secret',
  async () => {
    await pair.fresh({
      net: ['--data-integrity-alg=crc32c', '--cram-hmac-alg=sha256', '--shared-secret=abc'],
    });
    await pair.kernel.sh('drbdsetup primary r0 --force');
    await writeKernel(pair, 0, 500);
    await pair.untilDisks('UpToDate', 'UpToDate');
    await writeKernel(pair, 100, 500);
    await pair.kernel.sh('drbdsetup secondary r0');
    expect(await pair.difference()).toBeUndefined();
    await pair.ours.setup('primary', 'r0');
    await pair.ours.write([3, 33, 333]);
    await pair.ours.setup('secondary', 'r0');
    expect(await pair.difference()).toBeUndefined();
  },
  120_000,
);

kernel.test(
  'a wrong secret is refused by both',
  async () => {
    await pair.ready();
    await pair.ours.setup('disconnect', 'r0', '1');
    await pair.kernel.ask(
      'drbdsetup disconnect r0 0; drbdsetup net-options r0 0 --cram-hmac-alg=sha1 --shared-secret=a',
    );
    await pair.ours.setup('net-options', 'r0', '1', '--cram-hmac-alg=sha1', '--shared-secret=b');
    await pair.kernel.sh('drbdsetup connect r0 0');
    await pair.ours.ask('drbdsetup', 'connect', 'r0', '1');
    await pair.untilConnection('StandAlone');
    expect((await pair.kernel.ask('drbdsetup cstate r0 0')).output.trim()).toBe('StandAlone');
  },
  120_000,
);

kernel.test(
  'a diskless host of ours reads and writes through the kernel',
  async () => {
    await pair.fresh({ diskless: 'ours' });
    await pair.kernel.sh('drbdsetup new-current-uuid --clear-bitmap 0');
    await pair.untilDisks('Diskless', 'UpToDate');
    await pair.ours.setup('primary', 'r0');
    const data = randomBytes(65536);
    const client = await NbdClient.open(pair.ours.socket);
    await client.write(65536, data);
    expect((await client.read(65536, 65536)).equals(data)).toBe(true);
    await client.close();
    await pair.ours.setup('secondary', 'r0');
  },
  120_000,
);

kernel.test(
  'a diskless kernel reads and writes through us',
  async () => {
    await pair.fresh({ diskless: 'kernel' });
    await pair.ours.setup('new-current-uuid', '--clear-bitmap', '0');
    await pair.untilDisks('UpToDate', 'Diskless');
    await pair.kernel.sh(`drbdsetup primary r0
    dd if=/dev/urandom of=/tmp/x bs=64k count=4 2>/dev/null
    dd if=/tmp/x of=/dev/drbd0 bs=64k seek=3 oflag=direct 2>/dev/null
    echo 3 >/proc/sys/vm/drop_caches
    dd if=/dev/drbd0 of=/tmp/y bs=64k skip=3 count=4 iflag=direct 2>/dev/null
    cmp /tmp/x /tmp/y
    drbdsetup secondary r0`);
  },
  120_000,
);
