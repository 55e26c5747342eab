/** Names of block devices, with a loop device over a plain file. Needs root and loop devices. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { whatIsMissing } from '../../../src/daemon/block-device/block-device-settings';
import { DeviceNode, majorOf, minorOf } from '../../../src/daemon/block-device/device-node';
import { attachLoop, detachLoop, loopFile, loopsBelow } from '../../../src/daemon/block-device/loop-device';
import { findHolders } from '../../../src/daemon/block-device/openers';
import { mountsBelow } from '../../../src/daemon/block-device/stale-devices';

const missing = whatIsMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: no test of device nodes: ${missing}\n`);
const onMachine = missing === undefined ? test : test.skip;

test('mount points are found by their directory, also with blanks', () => {
  const text =
    '30 20 0:50 / /run/udrbd/block/minor-1 rw,relatime - fuse udrbd rw\n' +
    '31 20 0:51 / /my\\040run/block/minor-2 rw - fuse udrbd rw\n' +
    '32 20 0:52 / /run/udrbd/blocks rw - tmpfs tmpfs rw\n';
  expect(mountsBelow('/run/udrbd/block', text)).toEqual(['/run/udrbd/block/minor-1']);
  expect(mountsBelow('/my run/block', text)).toEqual(['/my run/block/minor-2']);
});

test('device numbers are taken apart as stat(2) packs them', () => {
  expect([majorOf(0x707), minorOf(0x707)]).toEqual([7, 7]);
  expect([majorOf(0x10_0093_ab), minorOf(0x10_0093_ab)]).toEqual([0x93, 0x100ab]);
});

interface Place {
  readonly top: string;
  readonly dev: string;
  readonly files: string;
  readonly loop: number;
}
async function withLoop(use: (place: Place) => Promise<void>): Promise<void> {
  const top = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-node-'));
  const files = path.join(top, 'block');
  fs.mkdirSync(files);
  const file = path.join(files, 'minor-3');
  fs.writeFileSync(file, '');
  fs.truncateSync(file, 1 << 20);
  const loop = await attachLoop(file, 512);
  try {
    await use({ top, dev: path.join(top, 'dev'), files, loop });
  } finally {
    await detachLoop(loop);
    fs.rmSync(top, { recursive: true });
  }
}

onMachine('a node and its links come and go together', async () => {
  await withLoop(async ({ dev, files, loop }) => {
    expect(loopFile(loop)).toBe(path.join(files, 'minor-3'));
    expect(loopsBelow(files)).toEqual([loop]);
    const node = new DeviceNode(dev, 3, files);
    await node.create(loop);
    node.linkResource('r0', 2);
    node.linkDisk('/dev/vg/lv');
    node.linkDisk('/srv/disks/../../etc/passwd');
    const names = fs.readdirSync(dev, { recursive: true }).map(String).sort();
    expect(names.filter((name) => !/^drbd$|^drbd\/by-[a-z]+(\/(r0|vg))?$/.test(name))).toEqual([
      'drbd/by-disk/vg/lv',
      'drbd/by-res/r0/2',
      'drbd3',
    ]);
    expect(fs.realpathSync(path.join(dev, 'drbd/by-disk/vg/lv'))).toBe(fs.realpathSync(node.path));
    node.remove();
    expect(fs.readdirSync(dev)).toEqual([]);
  });
});

onMachine("another's node is neither replaced nor removed", async () => {
  await withLoop(async ({ top, dev, files, loop }) => {
    await new DeviceNode(dev, 3, files).create(loop);
    const other = new DeviceNode(dev, 3, path.join(top, 'elsewhere'));
    await expect(other.create(loop)).rejects.toThrow(/drbd3 belongs to another daemon .*UDRBD_DEVICE_DIR/);
    other.remove();
    expect(fs.existsSync(path.join(dev, 'drbd3'))).toBe(true);
    fs.writeFileSync(path.join(dev, 'drbd4'), '');
    expect(new DeviceNode(dev, 4, files).objection()).toContain('is no block device');
    execFileSync('mknod', [path.join(dev, 'drbd5'), 'b', '147', '5']);
    expect(new DeviceNode(dev, 5, files).objection()).toContain('another driver (major number 147)');
  });
});

onMachine('openers are found, with how they opened it, and are missed when they are gone', async () => {
  await withLoop(async ({ dev, files, loop }) => {
    const node = new DeviceNode(dev, 3, files);
    await node.create(loop);
    const holders = () => findHolders([{ loop, name: 'drbd3' }]).get(loop) ?? [];
    expect(holders()).toEqual([]);
    const reader = fs.openSync(node.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const [found] = holders();
    expect(found).toMatchObject({ pid: process.pid, write: false, nonBlocking: true });
    expect(found?.stillThere()).toBe(true);
    fs.closeSync(reader);
    expect(found?.stillThere()).toBe(false);
    const writer = fs.openSync(node.path, 'r+');
    expect(holders()).toMatchObject([{ pid: process.pid, write: true, nonBlocking: false }]);
    // The descriptor's number is used again, for writing: that is another opener.
    expect(found?.stillThere()).toBe(false);
    fs.closeSync(writer);
  });
});
