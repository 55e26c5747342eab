/** A resource on top of another one: the third site of three-way replication. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { whatIsMissing } from '../../src/daemon/block-device/block-device-settings';
import { findProgram } from '../../src/daemon/block-device/run-program';
import { type LabHost, deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { Cluster, until } from './cluster';

const MiB = 1024 * 1024;

test('a device of this host is a disk without any block device', async () => {
  const cluster = await Cluster.ready(2);
  try {
    await cluster.run(0, 'drbdadm', 'primary', 'r0');
    const lower = await NbdClient.open(deviceSocket(cluster.host(0), 0));
    const { size } = lower;
    // Meta-data as drbdmeta makes it, on a file of the device's size, brought in through the device.
    const file = path.join(cluster.host(0).directory, 'upper');
    fs.closeSync(fs.openSync(file, 'w'));
    fs.truncateSync(file, size);
    await cluster.run(0, 'drbdmeta', '--force', '10', 'v09', file, 'internal', 'create-md', '1');
    const bytes = fs.readFileSync(file);
    for (let at = 0; at < size; at += MiB) await lower.write(at, bytes.subarray(at, at + MiB));
    await lower.close();
    const upper = async (...words: readonly string[]): Promise<string> =>
      cluster.run(0, 'drbdsetup', ...words);
    await upper('new-resource', 'upper', '0');
    await upper('new-minor', 'upper', '10', '0');
    await upper('attach', '10', '/dev/drbd0', '/dev/drbd0', 'internal');
    await upper('primary', 'upper', '--force');
    const data = randomBytes(MiB);
    const client = await NbdClient.open(deviceSocket(cluster.host(0), 10));
    await client.write(3 * MiB, data);
    await client.flush();
    expect((await client.read(3 * MiB, MiB)).equals(data)).toBe(true);
    await client.close();
    const refused = await cluster.ask(0, 'drbdadm', 'secondary', 'r0');
    expect(refused.exitCode).toBe(11);
    expect(refused.stderr).toContain('held open');
    for (const index of [0, 1]) {
      const disk = fs.readFileSync(cluster.host(index).disk);
      expect(disk.subarray(3 * MiB, 4 * MiB).equals(data)).toBe(true);
    }
    await upper('down', 'upper');
    await cluster.run(0, 'drbdadm', 'secondary', 'r0');
  } finally {
    await cluster.destroy();
  }
}, 60_000);

const missing =
  whatIsMissing() ??
  ['unshare', 'nsenter'].filter((name) => findProgram(name) === undefined).map((name) => `no ${name}`)[0];
if (missing !== undefined) process.stderr.write(`SKIPPED: stacked resources through drbdadm: ${missing}\n`);
const onMachine = missing === undefined ? test : test.skip;

/** Lower resource on alpha and beta, the upper one on whichever of them is Primary, and on gamma. */
function configuration(hosts: readonly LabHost[]): string {
  const [alpha, beta, gamma] = hosts;
  if (alpha === undefined || beta === undefined || gamma === undefined)
    throw new Error('three hosts are wanted');
  const on = ({ name, disk, address, port }: LabHost, id: number): string =>
    `on ${name} { disk "${disk}"; address ${address}:${port}; node-id ${id}; }`;
  return `global { usage-count no; }
resource r0 {
  device /dev/drbd0 minor 0;
  meta-disk internal;
  ${on(alpha, 0)}
  ${on(beta, 1)}
}
resource upper {
  net { protocol A; }
  stacked-on-top-of r0 { device /dev/drbd10 minor 10; address ${alpha.address}:${alpha.port + 1}; }
  on ${gamma.name} {
    device /dev/drbd10 minor 10; disk "${gamma.disk}"; meta-disk internal; address ${gamma.address}:${gamma.port + 1};
  }
}
`;
}
const OWN_DEV = `mount --make-rprivate / &&
for other in $(awk '$5 ~ "/udrbd-e2e-" { print $5 }' /proc/self/mountinfo); do umount -l $other; done
mount -t tmpfs -o mode=755,dev none /mnt &&
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/fuse /dev/loop-control /mnt/ &&
for i in $(seq 0 63); do mknod /mnt/loop$i b 7 $i; done; ln -s /proc/self/fd /mnt/fd; mkdir /mnt/shm /mnt/pts
mount --move /mnt /dev && echo ready && exec sleep 600`;

/** A mount namespace whose /dev is its own (each host has its own /dev/drbd0), without what other tests have mounted. */
async function ownDevices(): Promise<ChildProcess> {
  const child = spawn('unshare', ['-m', 'sh', '-c', OWN_DEV], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`unshare: ${code}`)));
  });
  return child;
}

onMachine(
  'three sites through drbdadm, and the upper resource moves with the lower Primary',
  async () => {
    const cluster = await Cluster.create(3, configuration);
    const spaces = await Promise.all([ownDevices(), ownDevices(), ownDevices()]);
    const on = (index: number, ...words: readonly string[]): Promise<string> =>
      cluster.run(
        index,
        'nsenter',
        '-m',
        '-t',
        `${spaces[index]?.pid}`,
        'env',
        'UDRBD_BLOCK_DEVICES=yes',
        ...words,
      );
    const untilSaid = async (index: number, resource: string, disks: string): Promise<void> => {
      const said = async (): Promise<boolean> =>
        (await on(index, 'drbdadm', 'dstate', resource)).trim() === disks;
      try {
        await until(`${resource} ${disks}`, said, 60_000);
      } catch (error) {
        throw new Error(`${resource} is not ${disks}\n${cluster.logs(60)}`, { cause: error });
      }
    };
    try {
      for (const index of [0, 1]) {
        await on(index, 'drbdadm', '--', '--force', 'create-md', 'r0');
        await on(index, 'drbdadm', 'up', 'r0');
      }
      await on(0, 'drbdadm', 'primary', '--force', 'r0');
      await untilSaid(0, 'r0', 'UpToDate/UpToDate');
      await on(0, 'drbdadm', '-S', '--', '--force', 'create-md', 'upper');
      await on(0, 'drbdadm', '-S', 'up', 'upper');
      await on(2, 'drbdadm', '--', '--force', 'create-md', 'upper');
      await on(2, 'drbdadm', 'up', 'upper');
      await on(0, 'drbdadm', '-S', 'primary', '--force', 'upper');
      await untilSaid(2, 'upper', 'UpToDate/UpToDate');
      const data = randomBytes(MiB);
      const client = await NbdClient.open(deviceSocket(cluster.host(0), 10));
      await client.write(MiB, data);
      await client.close();
      await on(0, 'drbdadm', '-S', 'down', 'upper');
      await on(0, 'drbdadm', 'secondary', 'r0');
      await on(1, 'drbdadm', 'primary', 'r0');
      await on(1, 'drbdadm', '-S', 'up', 'upper');
      await untilSaid(2, 'upper', 'UpToDate/UpToDate');
      await on(1, 'drbdadm', '-S', 'primary', 'upper');
      const second = await NbdClient.open(deviceSocket(cluster.host(1), 10));
      expect((await second.read(MiB, MiB)).equals(data)).toBe(true);
      await second.close();
      expect(
        fs
          .readFileSync(cluster.host(2).disk)
          .subarray(MiB, 2 * MiB)
          .equals(data),
      ).toBe(true);
      await on(1, 'drbdadm', '-S', 'down', 'upper');
      for (const index of [0, 1]) await on(index, 'drbdadm', 'down', 'r0');
      await on(2, 'drbdadm', 'down', 'upper');
    } finally {
      await cluster.destroy();
      for (const space of spaces) space.kill('SIGKILL');
    }
  },
  240_000,
);
