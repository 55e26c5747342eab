/** Block devices of whole hosts: file systems, openers, growth, sudden death. Needs root, /dev/fuse and loop devices. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { whatIsMissing } from '../../src/daemon/block-device/block-device-settings';
import { findProgram } from '../../src/daemon/block-device/run-program';
import { loopsBelow } from '../../src/daemon/block-device/loop-device';
import { makeReady } from '../../src/lab/ready-cluster';
import { Cluster, until } from './cluster';

const tools = ['mkfs.ext4', 'e2fsck', 'fio', 'blockdev', 'blkdiscard', 'lsblk', 'sqlite3', 'fallocate'];
const missing =
  whatIsMissing() ??
  tools.filter((name) => findProgram(name) === undefined).map((name) => `${name} is not installed`)[0];
if (missing !== undefined) process.stderr.write(`SKIPPED: no test of block devices: ${missing}\n`);
const onMachine = missing === undefined ? test : test.skip;

const MiB = 1024 * 1024;
const deviceDirectory = (cluster: Cluster, index: number): string =>
  path.join(cluster.host(index).directory, 'dev');
const device = (cluster: Cluster, index: number): string =>
  path.join(deviceDirectory(cluster, index), 'drbd0');
const sh = (command: string, ...words: readonly string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const role = async (cluster: Cluster, index: number): Promise<string> =>
  (await cluster.run(index, 'drbdadm', 'role', 'r0')).trim();
const hashOf = (file: string): string => createHash('sha256').update(fs.readFileSync(file)).digest('hex');

async function startDaemon(cluster: Cluster, index: number): Promise<void> {
  const environment = ['UDRBD_BLOCK_DEVICES=yes', `UDRBD_DEVICE_DIR=${deviceDirectory(cluster, index)}`];
  await cluster.run(index, 'env', ...environment, 'drbdd', '-d');
}
async function start(hosts: number): Promise<Cluster> {
  const cluster = await Cluster.create(hosts);
  try {
    for (let index = 0; index < hosts; index++) await startDaemon(cluster, index);
    await makeReady(cluster.lab);
    return cluster;
  } catch (error) {
    process.stderr.write(cluster.logs());
    await end(cluster);
    throw error;
  }
}
function mount(cluster: Cluster, index: number): string {
  const point = path.join(cluster.host(index).directory, 'mnt');
  fs.mkdirSync(point, { recursive: true });
  sh('mount', device(cluster, index), point);
  return point;
}
const isMounted = (point: string): boolean =>
  fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(` ${point} `);
      } catch {
        return false;
      }
    });
/** Other tests make mount namespaces, which begin with a copy of every mount and keep the device open with it. */
async function unmount(point: string): Promise<void> {
  sh('umount', point);
  await until(`${point} is mounted nowhere`, () => !isMounted(point));
}
function unmountAll(directory: string): void {
  const points = fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`) && point.endsWith('/mnt'));
  for (const point of points) sh('umount', '-l', point);
}
async function end(cluster: Cluster): Promise<void> {
  unmountAll(cluster.lab.directory);
  await cluster.destroy();
}
/** What a host must not leave behind. */
function remains(cluster: Cluster, index: number): readonly string[] {
  const { directory, runDirectory } = cluster.host(index);
  const names = fs.existsSync(deviceDirectory(cluster, index))
    ? fs.readdirSync(deviceDirectory(cluster, index))
    : [];
  const mounts = fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` ${directory}/`));
  return [...names, ...mounts, ...loopsBelow(path.join(runDirectory, 'block')).map((loop) => `loop${loop}`)];
}

onMachine(
  'a file system moves from host to host; whoever uses it is in the way of demotion and down',
  async () => {
    const cluster = await start(2);
    try {
      const first = device(cluster, 0);
      expect(fs.realpathSync(path.join(deviceDirectory(cluster, 0), 'drbd/by-res/r0/0'))).toBe(
        fs.realpathSync(first),
      );
      sh('mkfs.ext4', '-q', first);
      // The last close demotes.
      await until('Secondary after mkfs', async () => (await role(cluster, 0)) === 'Secondary');

      const point = mount(cluster, 0);
      const file = path.join(point, 'file');
      fs.writeFileSync(file, Buffer.alloc(3 * MiB, 'some data '), { flush: true });
      const hash = hashOf(file);
      expect(await role(cluster, 0)).toBe('Primary');
      for (const command of ['secondary', 'down']) {
        const answer = await cluster.ask(0, 'drbdadm', command, 'r0');
        expect(answer.exitCode).toBe(11);
        expect(answer.stderr).toContain('held open');
      }
      // The other host may neither read nor write meanwhile; its openers wait for auto-promote-timeout.
      const refused = (...words: readonly string[]): Promise<unknown> =>
        cluster.ask(1, 'dd', ...words, 'bs=4k', 'count=1').then(({ exitCode }) => expect(exitCode).toBe(1));
      await refused('if=/dev/zero', `of=${device(cluster, 1)}`, 'oflag=direct');
      await refused(`if=${device(cluster, 1)}`, 'of=/dev/null', 'iflag=direct');
      expect(await role(cluster, 1)).toBe('Secondary');
      await unmount(point);
      await cluster.run(0, 'drbdadm', 'secondary', 'r0');

      const other = mount(cluster, 1);
      expect(hashOf(path.join(other, 'file'))).toBe(hash);
      fs.writeFileSync(path.join(other, 'second'), 'from beta', { flush: true });
      expect(await role(cluster, 1)).toBe('Primary');
      await unmount(other);
      await cluster.run(1, 'drbdadm', 'secondary', 'r0');
      sh('e2fsck', '-fn', first);

      const size = Number(sh('blockdev', '--getsize64', first));
      for (const index of [0, 1]) await cluster.run(index, 'drbdadm', 'down', 'r0');
      for (const index of [0, 1]) expect(remains(cluster, index)).toEqual([]);
      const [one, two] = [0, 1].map((index) => fs.readFileSync(cluster.host(index).disk).subarray(0, size));
      expect(one !== undefined && two?.equals(one)).toBe(true);
    } finally {
      await end(cluster);
    }
  },
  120_000,
);

onMachine(
  'direct I/O, openers that only hold, and growth',
  async () => {
    const cluster = await start(1);
    try {
      const node = device(cluster, 0);
      const job = [
        '--direct=1',
        '--ioengine=libaio',
        '--iodepth=16',
        '--bs=4k',
        '--size=8M',
        '--rw=randwrite',
      ];
      sh(
        'fio',
        '--name=t',
        `--filename=${node}`,
        ...job,
        '--verify=crc32c',
        '--do_verify=1',
        '--verify_state_save=0',
      );
      sh('blkdiscard', '-z', '-o', String(4 * MiB), '-l', String(MiB), node);
      const zeroed = Buffer.alloc(MiB, 1);
      const reader = fs.openSync(node, 'r');
      await fs.promises.open(node).then(async (handle) => {
        await handle.read(zeroed, 0, MiB, 4 * MiB);
        await handle.close();
      });
      expect(zeroed.every((byte) => byte === 0)).toBe(true);

      // A reader is not in the way of demotion, but of down.
      await cluster.run(0, 'drbdadm', 'primary', 'r0');
      await cluster.run(0, 'drbdadm', 'secondary', 'r0');
      expect((await cluster.ask(0, 'drbdadm', 'down', 'r0')).exitCode).not.toBe(0);
      fs.closeSync(reader);

      // A writer that never wrote is found when it matters.
      const idle = fs.openSync(node, 'r+');
      expect((await cluster.ask(0, 'drbdadm', 'secondary', 'r0')).exitCode).toBe(11);
      fs.closeSync(idle);
      await cluster.run(0, 'drbdadm', 'secondary', 'r0');

      const size = (): number => Number(sh('blockdev', '--getsize64', node));
      const whole = size();
      await cluster.run(0, 'drbdsetup', 'resize', '0', '--size=8M');
      expect(size()).toBe(8 * MiB);
      await cluster.run(0, 'drbdsetup', 'resize', '0', '--size=0');
      expect(size()).toBe(whole);
      await cluster.run(0, 'drbdadm', 'down', 'r0');
      expect(remains(cluster, 0)).toEqual([]);
    } finally {
      await end(cluster);
    }
  },
  120_000,
);

onMachine(
  'a database on it, copied to the peer as it is; what is discarded is given back below, on both hosts',
  async () => {
    const cluster = await start(2);
    try {
      const node = device(cluster, 0);
      const listed = JSON.parse(sh('lsblk', '-bJo', 'TYPE,SIZE,LOG-SEC,RO', node)).blockdevices;
      const size = Number(sh('blockdev', '--getsize64', node));
      expect(listed).toEqual([{ type: 'loop', size, 'log-sec': 512, ro: false }]);

      sh('mkfs.ext4', '-q', '-E', 'nodiscard', node);
      const point = mount(cluster, 0);
      const database = path.join(point, 'people.db');
      sh('sqlite3', database, 'create table people (id integer primary key, name text);');
      for (let i = 0; i < 20; i++)
        sh(
          'sqlite3',
          database,
          `begin; insert into people (name) values ('person ${i}'), ('again ${i}'); commit;`,
        );
      fs.writeFileSync(path.join(point, 'ballast'), Buffer.alloc(5 * MiB, 7), { flush: true });
      const blocks = (index: number): number => fs.statSync(cluster.host(index).disk).blocks;
      const before = [blocks(0), blocks(1)];
      fs.rmSync(path.join(point, 'ballast'));
      sh('sync', '-f', point);
      sh('fstrim', point);
      for (const index of [0, 1])
        await until('space is given back', () => (before[index] ?? 0) - blocks(index) > (4 * MiB) / 512);

      // The host dies with the database open; the other one has all that was committed.
      process.kill(cluster.daemon(0), 'SIGKILL');
      await until('the peer has noticed', async () =>
        /Connecting/.test(await cluster.run(1, 'drbdadm', 'cstate', 'r0')),
      );
      const other = path.join(mount(cluster, 1), 'people.db');
      expect(sh('sqlite3', other, 'pragma integrity_check; select count(*) from people;').trim()).toBe(
        'ok\n40',
      );
    } finally {
      await end(cluster);
    }
  },
  120_000,
);

onMachine(
  'a killed daemon leaves nothing that its successor does not clear away',
  async () => {
    const cluster = await start(1);
    try {
      const node = device(cluster, 0);
      sh('mkfs.ext4', '-q', node);
      const point = mount(cluster, 0);
      fs.writeFileSync(path.join(point, 'file'), 'kept', { flush: true });
      process.kill(cluster.daemon(0), 'SIGKILL');
      await until('the daemon is gone', () => remains(cluster, 0).length > 0 && !alive(cluster));
      // Nothing hangs: the file system gets errors.
      expect(() => fs.writeFileSync(path.join(point, 'lost'), 'x', { flush: true })).toThrow();
      await startDaemon(cluster, 0);
      await until('what was left is gone', () => remains(cluster, 0).every((name) => name.includes('/mnt ')));
      await unmount(point);
      await cluster.run(0, 'drbdadm', 'up', 'r0');
      expect(fs.readFileSync(path.join(mount(cluster, 0), 'file'), 'utf8')).toBe('kept');
      await unmount(point);

      // It ends on request with everything taken down.
      const pid = cluster.daemon(0);
      process.kill(pid, 'SIGTERM');
      await until('the daemon has ended', () => !alive(cluster));
      expect(remains(cluster, 0)).toEqual([]);
    } finally {
      await end(cluster);
    }
  },
  120_000,
);
function alive(cluster: Cluster): boolean {
  try {
    return cluster.daemon(0) > 0;
  } catch {
    return false;
  }
}
