/*
 * What drbdmeta does differently from the reference on purpose; one test for a row of docs/differences.md that no other
 * test pins.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BitmapSlotPrinter, wordsPerBuffer } from '../../src/metadata/dump-bitmap';
import { DumpWriter } from '../../src/metadata/dump-writer';
import { computeLayout, INDEX_INTERNAL } from '../../src/metadata/layout';
import { decodeSuperblock09, encodeSuperblock09 } from '../../src/metadata/superblock-09';
import { type BlockStore } from '../../src/drbdmeta/block-store';
import { goldenText } from '../metadata/golden-images';
import { runHere, ScratchHost } from './scratch-host';

jest.setTimeout(180_000);

const scratch = new ScratchHost();
afterAll(() => scratch.remove());
const argv = (...words: string[]) => ['--force', '-', 'v09', 'disk.img', 'internal', ...words];

function patch(offset: number, bytes: Uint8Array): void {
  const fd = fs.openSync(scratch.file('disk.img'), 'r+');
  fs.writeSync(fd, bytes, 0, bytes.length, offset);
  fs.closeSync(fd);
}

function read(offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const fd = fs.openSync(scratch.file('disk.img'), 'r');
  fs.readSync(fd, buffer, 0, length, offset);
  fs.closeSync(fd);
  return buffer;
}

function layoutOf(deviceBytes: number, maxPeers: number) {
  return computeLayout({
    deviceBytes,
    index: INDEX_INTERNAL,
    maxPeers,
    bytesPerBit: 4096,
    alStripes: 1,
    alStripeSize4k: 8,
  });
}

test('restore-md restores what lies beyond the first 32 MiB of bitmap', async () => {
  const size = 3 * 2 ** 40;
  scratch.blank('disk.img', size);
  await runHere(scratch, argv('create-md', '3'));
  const layout = layoutOf(size, 3);
  const sb = decodeSuperblock09(read(layout.superblockByte, 4096));
  patch(layout.superblockByte, encodeSuperblock09({ ...sb, effectiveSize: layout.usableSectors }));
  const marks = [0, 2 ** 25 - 16, 2 ** 25 + 4, 100_000_000, 201_326_592, 301_900_000];
  for (const at of marks) patch(layout.bitmapByte + at, Buffer.from('a55a1234', 'hex'));
  const dump = await runHere(scratch, argv('dump-md'));
  fs.writeFileSync(scratch.file('dump.txt'), dump.stdout, 'latin1');
  for (const at of marks) patch(layout.bitmapByte + at, Buffer.from('ffffffff', 'hex'));
  expect((await runHere(scratch, argv('restore-md', 'dump.txt'))).status).toBe(0);
  for (const at of marks)
    expect([at, read(layout.bitmapByte + at, 4).toString('hex')]).toEqual([at, 'a55a1234']);
});

test('restore-md goes by the longest slot, not by the last', async () => {
  scratch.blank('disk.img', 2 ** 26);
  await runHere(scratch, [...argv('create-md', '2'), '-Z', '100000s']);
  const dump = (await runHere(scratch, argv('dump-md'))).stdout;
  const edited = dump
    .replace(/bitmap\[0\] \{[^}]*\}/, 'bitmap[0] { 150 times 0xFFFFFFFFFFFFFFFF; }')
    .replace(/bitmap\[1\] \{[^}]*\}/, 'bitmap[1] { }');
  fs.writeFileSync(scratch.file('dump.txt'), edited, 'latin1');
  expect((await runHere(scratch, argv('restore-md', 'dump.txt'))).status).toBe(0);
  const bitmap = read(layoutOf(2 ** 26, 2).bitmapByte, 2400);
  for (let at = 0; at < 2400; at += 8) expect(bitmap.readBigUInt64BE(at)).toBe(0xffffffff00000000n);
});

test('verify-dump and restore-md read pipes', async () => {
  scratch.blank('disk.img', 2 ** 26);
  await runHere(scratch, argv('create-md', '1'));
  const dump = (await runHere(scratch, argv('dump-md'))).stdout;
  const result = await runHere(scratch, argv('verify-dump'), { stdin: () => dump });
  expect([result.status, result.stdout]).toEqual([0, 'input file parsed ok\n']);
});

test('create-md refuses a bitmap block size for indexed meta data', async () => {
  scratch.blank('disk.img', 2 ** 28);
  const result = await runHere(scratch, [
    '--force',
    '-',
    'v09',
    'disk.img',
    '1',
    'create-md',
    '1',
    '-B',
    '64k',
  ]);
  expect([result.status, result.stderr, result.changes]).toEqual([
    10,
    'bitmap-block-size must be 4k with indexed meta data\n',
    0,
  ]);
});

test('a device larger than 2^50 bytes is refused with a message', async () => {
  const store: BlockStore = {
    size: 2 ** 50 + 4096,
    isBlockDevice: true,
    isPlainFile: false,
    sectorSize: 512,
    read: () => 0,
    write: () => 0,
    zeroOut: () => false,
    punchHole: () => false,
    flush: () => undefined,
    close: () => undefined,
  };
  const result = await runHere(scratch, argv('create-md', '1'), { openStore: () => store });
  expect(result.status).toBe(10);
  expect(result.stderr).toContain('more than 2^50');
});

test.each([
  ['al-stripes', 96, 0x7fffffff],
  ['al-stripe-size-4k', 100, 0],
  ['bm-byte-per-bit', 80, 12345],
])(
  'a superblock with %s out of bounds is not valid, and nothing is allocated for it',
  async (_name, offset, value) => {
    scratch.blank('disk.img', 2 ** 26);
    await runHere(scratch, argv('create-md', '1'));
    const field = Buffer.alloc(4);
    field.writeUInt32BE(value);
    patch(layoutOf(2 ** 26, 1).superblockByte + offset, field);
    const result = await runHere(scratch, argv('apply-al'));
    expect([result.status, result.changes]).toEqual([255, 0]);
    expect(result.stderr).toContain('No valid meta data found');
  },
);

test('wipe-md --dry-run keeps the last-known size', async () => {
  scratch.blank('disk.img', 2 ** 26);
  await runHere(scratch, argv('create-md', '1'));
  const file = path.join(scratch.host.stateFolder, 'drbd-minor--1.lkbd');
  expect(fs.existsSync(file)).toBe(true);
  await runHere(scratch, [...argv('wipe-md'), '--dry-run']);
  expect(fs.existsSync(file)).toBe(true);
  await runHere(scratch, argv('wipe-md'));
  expect(fs.existsSync(file)).toBe(false);
});

test('a last-known place that is only partly inside the device counts as nothing', async () => {
  scratch.blank('disk.img', 2 ** 26 + 512);
  const file = path.join(scratch.host.stateFolder, 'drbd-minor--1.lkbd');
  fs.mkdirSync(scratch.host.stateFolder, { recursive: true });
  fs.writeFileSync(file, `${2 ** 26 + 4096}\tdisk.img\n`);
  expect((await runHere(scratch, argv('dstate'))).status).toBe(255);
  fs.rmSync(file);
});

test('more than 2^32 words of bitmap are counted exactly', () => {
  let text = '';
  const writer = new DumpWriter((bytes) => (text += Buffer.from(bytes).toString('latin1')));
  const buffers = 640;
  const length = wordsPerBuffer(1);
  const printer = new BitmapSlotPrinter(writer, buffers * length, 1, true);
  for (let i = 0; i < buffers; i++) printer.segment({ length, words: undefined, value: 0 });
  printer.end();
  writer.end();
  expect(buffers * length).toBeGreaterThan(2 ** 32);
  expect(text).toBe(`{\n   # at 0kB\n    ${(buffers * length) / 2} times 0x0000000000000000;\n}\n`);
});

test('a dump that HEAD made is restored with its members', async () => {
  scratch.blank('disk.img', 2 ** 26);
  const text = goldenText('v09-internal-restored.dump.txt');
  fs.writeFileSync(scratch.file('dump.txt'), text, 'latin1');
  scratch.blank('disk.img', 2 ** 30);
  expect((await runHere(scratch, argv('restore-md', 'dump.txt'))).status).toBe(0);
  const members = decodeSuperblock09(read(layoutOf(2 ** 30, 3).superblockByte, 4096)).members;
  expect(members).toBe(0xbn);
});

test('apply-al tells what it marked, for every bitmap block size', async () => {
  const { goldenImages, goldenRegion } = await import('../metadata/golden-images');
  const image = goldenImages().find(({ id }) => id === 'kernel-9.3.3-crash-striped-bm64k');
  if (image === undefined) throw new Error('fixture missing');
  scratch.blank('disk.img', image.device_bytes);
  patch(image.region_offset, goldenRegion(image));
  const result = await runHere(scratch, argv('apply-al'));
  expect(result.stderr).toMatch(/Marked additional [1-9][0-9]* [KM]B as out-of-sync/);
});

test('plain files are disks of our daemon: no --force needed, unless the reference is to be followed', async () => {
  scratch.blank('disk.img', 2 ** 26);
  const words = ['-', 'v09', 'disk.img', 'internal', 'create-md', '1'];
  const strict = await runHere(scratch, words);
  expect([strict.status, strict.stderr]).toEqual([20, "'disk.img' is not a block device!\n"]);
  const own = await runHere(scratch, words, { env: {} });
  expect([own.status, own.stderr]).toEqual([
    0,
    'initializing bitmap (4 KB) to all zero\ninitializing bitmap (4 KB) to all zero using pwrite\n',
  ]);
});

test('sparse files stay sparse: a bitmap of 224 MiB takes no room, and a used one becomes a hole', async () => {
  const size = 2 ** 40;
  scratch.blank('disk.img', size);
  const used = () => fs.statSync(scratch.file('disk.img')).blocks * 512;
  expect((await runHere(scratch, argv('create-md', '7'))).status).toBe(0);
  expect(used()).toBeLessThan(2 ** 20);
  const layout = layoutOf(size, 7);
  patch(layout.bitmapByte + 2 ** 26, Buffer.alloc(2 ** 22, 0xa5));
  expect(used()).toBeGreaterThan(2 ** 22);
  expect((await runHere(scratch, argv('create-md', '7'))).status).toBe(0);
  expect(read(layout.bitmapByte + 2 ** 26, 2 ** 22).every((byte) => byte === 0)).toBe(true);
  expect(used()).toBeLessThan(2 ** 20);
});

test('restore-md leaves a sparse file sparse, and makes holes where the dump has zeros', async () => {
  const size = 2 ** 40;
  scratch.blank('disk.img', size);
  await runHere(scratch, argv('create-md', '7'));
  const layout = layoutOf(size, 7);
  const sb = decodeSuperblock09(read(layout.superblockByte, 4096));
  patch(layout.superblockByte, encodeSuperblock09({ ...sb, effectiveSize: layout.usableSectors }));
  patch(layout.bitmapByte + 100, Buffer.from('a55a1234', 'hex'));
  fs.writeFileSync(scratch.file('dump.txt'), (await runHere(scratch, argv('dump-md'))).stdout, 'latin1');
  patch(layout.bitmapByte + 2 ** 27, Buffer.alloc(2 ** 22, 0xa5));
  expect((await runHere(scratch, argv('restore-md', 'dump.txt'))).status).toBe(0);
  expect(read(layout.bitmapByte + 100, 4).toString('hex')).toBe('a55a1234');
  expect(read(layout.bitmapByte + 2 ** 27, 2 ** 22).every((byte) => byte === 0)).toBe(true);
  expect(fs.statSync(scratch.file('disk.img')).blocks * 512).toBeLessThan(2 ** 26);
});

const blkidMissing = spawnSync('blkid', ['--version']).status !== 0;
if (blkidMissing) process.stderr.write('SKIPPED: blkid is not installed\n');
(blkidMissing ? test.skip : test)('what the reference calls some data is named by blkid', async () => {
  scratch.blank('disk.img', 2 ** 26);
  patch(0, Buffer.from('LUKS\xba\xbe\0\x01', 'latin1'));
  const result = await runHere(scratch, ['-', 'v09', 'disk.img', 'internal', 'create-md', '1'], { env: {} });
  expect([result.status, result.changes]).toEqual([1, 0]);
  expect(result.stdout).toContain('Found some data\n\n ==> This might destroy existing data! <==\n');
  expect(result.stderr).toContain('blkid finds: crypto_LUKS\n');
});
