/** `udrbd demo`: the walkthrough of fixtures/config/walkthrough.conf, from empty disks to a resync after a failover. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { createLab, destroyLab, undoneOnInterrupt } from '../lab';
import { programDirectory } from '../lab-host';
import { DemoFailure, Narrator } from './narrator';
import { sha256, Stage } from './stage';
import { placeWalkthrough } from './walkthrough-configuration';

const DISK_BYTES = 64 * 1024 * 1024;
/** What node2 writes after the failover, and where. */
const LITTLE = { offset: 40 * 1024 * 1024, length: 256 * 1024 } as const;

function fixture(...names: readonly string[]): string {
  return path.join(programDirectory(), '..', 'fixtures', ...names);
}

async function bringUp(stage: Stage): Promise<void> {
  const { narrator } = stage;
  const [node1, node2] = [stage.host('node1'), stage.host('node2')];
  narrator.title('Meta-data on both disks, then both hosts start');
  for (const node of [node1, node2]) await stage.run(node, 'drbdadm', 'create-md', 'r0');
  for (const node of [node1, node2]) await stage.run(node, 'drbdadm', 'up', 'r0');
  await stage.waitFor(node1, 'the hosts find each other', ({ connection }) => connection === 'Connected');
  await stage.run(node1, 'drbdadm', 'status');
}

async function firstSync(stage: Stage): Promise<void> {
  const { narrator } = stage;
  const node1 = stage.host('node1');
  narrator.title('node1 becomes Primary by force; its disk is copied to node2');
  await stage.run(node1, 'drbdadm', '--', '--overwrite-data-of-peer', 'primary', 'all');
  const done = await stage.waitFor(
    node1,
    'both disks become UpToDate',
    ({ disk, peerDisk }) => disk === 'UpToDate' && peerDisk === 'UpToDate',
    ({ percentInSync }) => narrator.progress(percentInSync),
  );
  narrator.endProgress();
  await stage.run(node1, 'drbdadm', 'status');
  narrator.check('node1 is Primary, both disks are UpToDate', done.role === 'Primary');
}

/** Returns the content of the device. */
async function writeFileSystem(stage: Stage): Promise<Buffer> {
  const { narrator } = stage;
  const node1 = stage.host('node1');
  narrator.title("An ext4 file system with a file 'hello' is written through node1's device");
  const image = zlib.gunzipSync(fs.readFileSync(fixture('demo', 'ext4-with-hello.img.gz')));
  narrator.note(`  ${image.length} bytes, sha256 ${sha256(image)}`);
  await stage.writeDevice(node1, 0, image);
  const content = await stage.readDevice(node1);
  narrator.check(
    `node1 reads back what was written (device: ${content.length} bytes, sha256 ${sha256(content).slice(0, 16)}...)`,
    content.subarray(0, image.length).equals(image),
  );
  return content;
}

function showHello(stage: Stage, content: Uint8Array): void {
  const { narrator } = stage;
  const copy = path.join(stage.lab.directory, 'device.img');
  fs.writeFileSync(copy, content);
  const searchPath = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
  const result = spawnSync('debugfs', ['-R', 'cat hello', copy], {
    encoding: 'utf8',
    env: { PATH: searchPath },
  });
  fs.rmSync(copy);
  if (result.error !== undefined) {
    narrator.note("  (debugfs of e2fsprogs is not installed: the file 'hello' is not shown, only compared)");
    return;
  }
  narrator.command('node2', ['debugfs', '-R', "'cat hello'", 'COPY-OF-THE-DEVICE']);
  narrator.answer(result.stdout, '');
  narrator.check("'hello' is there", result.stdout.startsWith('Hello from node1'), result.stderr);
}

async function failOver(stage: Stage, expected: Buffer): Promise<void> {
  const { narrator } = stage;
  const [node1, node2] = [stage.host('node1'), stage.host('node2')];
  narrator.title('node1 is stopped, node2 takes over');
  await stage.run(node1, 'drbdadm', 'down', 'all');
  await stage.run(node2, 'drbdadm', 'status');
  await stage.run(node2, 'drbdadm', 'primary', 'r0');
  await stage.run(node2, 'drbdadm', 'role', 'r0');
  const content = await stage.readDevice(node2);
  const [there, here] = [sha256(expected), sha256(content)];
  narrator.note(`  sha256 on node1 ${there}\n  sha256 on node2 ${here}`);
  narrator.check(`all ${content.length} bytes of the device are the same`, there === here);
  showHello(stage, content);
}

async function comeBack(stage: Stage): Promise<void> {
  const { narrator } = stage;
  const [node1, node2] = [stage.host('node1'), stage.host('node2')];
  narrator.title('node2 writes a little, node1 comes back and catches up');
  await stage.writeDevice(node2, LITTLE.offset, Buffer.alloc(LITTLE.length, 'written on node2 '));
  const apart = await stage.state(node2);
  narrator.note(
    `  node2 wrote ${LITTLE.length / 1024} KiB and knows of ${apart.outOfSync} KiB that node1 lacks`,
  );
  await stage.run(node1, 'drbdadm', 'up', 'r0');
  const after = await stage.waitFor(
    node1,
    'node1 catches up',
    ({ disk, peerDisk, replication }) =>
      disk === 'UpToDate' && peerDisk === 'UpToDate' && replication === 'Established',
    ({ percentInSync, connection }) => {
      if (connection === 'Connected') narrator.progress(percentInSync);
    },
  );
  narrator.endProgress();
  await stage.run(node1, 'drbdadm', 'status');
  const share = (100 * after.received) / after.size;
  narrator.check(
    `only what had changed was sent: ${after.received} of ${after.size} KiB (${share.toFixed(2)} %)`,
    after.received > 0 && share < 5,
    `${share} %`,
  );
  const length = (await stage.readDevice(node2)).length;
  const [first, second] = [node1, node2].map((node) => sha256(stage.readDisk(node, length)));
  narrator.note(`  sha256 of node1's disk ${first}\n  sha256 of node2's disk ${second}`);
  narrator.check('both disks are the same again', first === second);
}

async function play(stage: Stage): Promise<void> {
  const began = Date.now();
  await bringUp(stage);
  await firstSync(stage);
  const content = await writeFileSystem(stage);
  await failOver(stage, content);
  await comeBack(stage);
  stage.narrator.title('Both hosts are taken down');
  for (const host of stage.lab.hosts) await stage.run(host, 'drbdadm', 'down', 'r0');
  stage.narrator.note(`\nAll as it should be, in ${((Date.now() - began) / 1000).toFixed(1)} s.`);
}

function showLogs(stage: Stage): void {
  for (const { name, runDirectory } of stage.lab.hosts) {
    const file = path.join(runDirectory, 'drbdd.log');
    if (!fs.existsSync(file)) continue;
    const tail = fs.readFileSync(file, 'utf8').trimEnd().split('\n').slice(-40);
    stage.narrator.note(`\nLast words of ${name}'s daemon:\n${tail.join('\n')}`);
  }
}

/** Plays the whole walkthrough; the result is the exit code. */
export async function runDemo(fd: number, terminal: boolean): Promise<number> {
  // Nothing is left behind, a start-up snapshot neither.
  process.env.UDRBD_SNAPSHOT = 'no';
  const narrator = new Narrator(fd, terminal && !process.env.NO_COLOR, terminal);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-demo-'));
  const original = fs.readFileSync(fixture('config', 'walkthrough.conf'), 'utf8');
  const lab = await createLab({
    directory,
    names: ['node1', 'node2'],
    size: DISK_BYTES,
    configuration: (hosts) => placeWalkthrough(original, hosts),
  });
  const stage = new Stage(lab, narrator);
  narrator.note(`Two hosts on this machine in ${directory}: no root, no kernel module. Their drbd.conf:`);
  narrator.answer(fs.readFileSync(lab.configFile, 'utf8'), '');
  const cleanUp = (): Promise<void> => destroyLab(lab);
  return undoneOnInterrupt(async () => {
    try {
      await play(stage);
      return 0;
    } catch (error) {
      if (!(error instanceof DemoFailure))
        narrator.note(`\n${error instanceof Error ? error.stack : String(error)}`);
      showLogs(stage);
      narrator.note('\nThe demo failed.');
      return 1;
    } finally {
      await cleanUp();
    }
  }, cleanUp);
}
