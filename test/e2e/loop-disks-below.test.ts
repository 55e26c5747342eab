/** Hosts whose disks are loop devices with sectors of 4096 bytes. Needs root, loop devices and libnbd for Python. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { whatIsMissing as whatBlockDevicesMiss } from '../../src/daemon/block-device/block-device-settings';
import { labConfiguration } from '../../src/lab/lab-configuration';
import { deviceSocket } from '../../src/lab/lab-host';
import { NbdClient } from '../../src/lab/nbd-client';
import { makeReady } from '../../src/lab/ready-cluster';
import { Cluster } from './cluster';

const MiB = 1024 * 1024;
const sh = (command: string, ...words: readonly string[]): string =>
  execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

function whatIsMissing(): string | undefined {
  for (const [program, ...words] of [
    ['losetup', '--version'],
    ['blkdiscard', '--version'],
    ['/usr/bin/python3', '-c', 'import nbd'],
  ] as const)
    if (spawnSync(program, words).status !== 0) return `no ${[program, ...words].join(' ')}`;
  return spawnSync('losetup', ['-f']).status === 0 ? undefined : 'not root, or no loop devices';
}
const missing = whatIsMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: no test of loop devices as disks: ${missing}\n`);
const noBlockDevices = missing ?? whatBlockDevicesMiss();
if (noBlockDevices !== undefined)
  process.stderr.write(`SKIPPED: no test of the sectors of a block device: ${noBlockDevices}\n`);
const onMachine = missing === undefined ? test : test.skip;

let cluster: Cluster;
const loops: string[] = [];
const images: string[] = [];
let small = '';
const loopLink = (directory: string): string => path.join(directory, 'loop');

const blockDevice = (): string => path.join(cluster.host(0).directory, 'dev', 'drbd0');

/** The first host's image lies in a file system that cannot hold all of it. */
function attachLoop(index: number): void {
  const { directory, disk } = cluster.host(index);
  let image = disk;
  if (index === 0) {
    small = path.join(directory, 'small');
    fs.mkdirSync(small);
    sh('mount', '-t', 'tmpfs', '-o', 'size=10m', 'small', small);
    image = path.join(small, 'disk');
    fs.writeFileSync(image, '');
    fs.truncateSync(image, fs.statSync(disk).size);
  }
  const loop = sh('losetup', '-f', '--show', '--sector-size', '4096', image);
  loops.push(loop);
  images.push(image);
  fs.symlinkSync(loop, loopLink(directory));
}
beforeAll(async () => {
  if (missing !== undefined) return;
  cluster = await Cluster.create(2, (hosts) =>
    labConfiguration(hosts.map((host) => ({ ...host, disk: loopLink(host.directory) }))),
  );
  for (const index of [0, 1]) attachLoop(index);
  if (noBlockDevices === undefined)
    await cluster.run(
      0,
      'env',
      'UDRBD_BLOCK_DEVICES=yes',
      `UDRBD_DEVICE_DIR=${path.dirname(blockDevice())}`,
      'drbdd',
      '-d',
    );
  await makeReady(cluster.lab);
  await cluster.run(0, 'drbdadm', 'primary', 'r0');
}, 60_000);
afterAll(async () => {
  if (missing !== undefined) return;
  for (const index of [0, 1]) await cluster.ask(index, 'drbdadm', 'down', 'r0');
  for (const loop of loops) sh('losetup', '-d', loop);
  if (small !== '') sh('umount', '-l', small);
  await cluster.destroy();
}, 60_000);

/** What Python prints that has `h`, a client of the first host's device. */
const nbd = (script: string): string =>
  sh(
    '/usr/bin/python3',
    '-c',
    `import nbd\nh = nbd.NBD()\nh.connect_unix(${JSON.stringify(deviceSocket(cluster.host(0), 0))})\n${script}\nh.shutdown()`,
  );
async function withClient<T>(work: (client: NbdClient) => Promise<T>): Promise<T> {
  const client = await NbdClient.open(deviceSocket(cluster.host(0), 0));
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
function readLoop(loop: string, offset: number, length: number): Buffer {
  const fd = fs.openSync(loop, 'r');
  const found = Buffer.alloc(length);
  fs.readSync(fd, found, 0, length, offset);
  fs.closeSync(fd);
  return found;
}

onMachine('the device has the sectors of the disks, and what is written reaches both', async () => {
  expect(nbd('print(h.get_block_size(nbd.SIZE_MINIMUM))')).toBe('4096');
  await withClient((client) => client.write(4096, Buffer.alloc(MiB, 0x5a)));
  for (const loop of loops) expect(readLoop(loop, 4096, MiB).equals(Buffer.alloc(MiB, 0x5a))).toBe(true);
});

(noBlockDevices === undefined ? test : test.skip)('so has the block device', () => {
  expect(sh('blockdev', '--getss', '--getsize64', blockDevice()).split('\n')).toEqual([
    '4096',
    nbd('print(h.get_size())'),
  ]);
});

onMachine('discards reach the files below, and what is not aligned is zeroed', async () => {
  await withClient((client) => client.write(4 * MiB, Buffer.alloc(4 * MiB, 0x77)));
  for (const loop of loops) sh('blockdev', '--flushbufs', loop);
  const used = (): readonly number[] => images.map((image) => fs.statSync(image).blocks * 512);
  const before = used();
  nbd('h.trim(3 * 1024 * 1024, 4 * 1024 * 1024 + 4096)');
  const after = used();
  for (const index of [0, 1])
    expect((before[index] ?? 0) - (after[index] ?? 0)).toBeGreaterThanOrEqual(3 * MiB - 64 * 1024);
  const rest = Buffer.concat([Buffer.alloc(3 * MiB), Buffer.alloc(MiB - 4096, 0x77)]);
  for (const loop of loops) expect(readLoop(loop, 4 * MiB + 4096, rest.length).equals(rest)).toBe(true);
});

onMachine(
  'a disk that cannot keep what it took is detached; the Primary goes on with that of its peer',
  async () => {
    const data = Buffer.alloc(12 * MiB, 0x11);
    await withClient(async (client) => {
      for (let offset = 0; offset < data.length; offset += MiB)
        await client.write(offset, data.subarray(offset, offset + MiB));
      await client.flush();
    });
    await cluster.untilDisks(0, 'Diskless/UpToDate');
    const found = await withClient((client) => client.read(0, data.length));
    expect(found.equals(data)).toBe(true);
  },
  60_000,
);
