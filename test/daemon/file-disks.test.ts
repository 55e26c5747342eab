import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { deviceNumbers, geometryOf } from '../../src/daemon/disk-geometry';
import { FileDisks } from '../../src/daemon/file-disks';
import { InputQueue } from '../../src/daemon/input-queue';
import { Errno } from '../../src/engine/ports';
import { diskDone, mustOpen, openDisk, throwing } from './port-waiters';

const MiB = 1024 * 1024;
let folder: string;
let disks: FileDisks;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-disk-'));
  disks = new FileDisks(new InputQueue(throwing));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

function image(size: number, name = 'disk'): string {
  const file = path.join(folder, name);
  fs.closeSync(fs.openSync(file, 'w'));
  fs.truncateSync(file, size);
  return file;
}

describe('a backing file', () => {
  test('has the size of the file, in whole sectors', async () => {
    const disk = await mustOpen(disks, image(1024 * 1024 + 100));
    expect(disk).toMatchObject({ size: 1024 * 1024, blockSize: 512 });
  });
  test('holds what was written, at once visible to other readers', async () => {
    const file = image(64 * 1024);
    const disk = await mustOpen(disks, file);
    const bytes = new Uint8Array(4096).fill(7);
    expect(await diskDone((w) => disk.write(8192, bytes, false, w))).toBe(0);
    expect(fs.readFileSync(file).subarray(8192, 12288).equals(Buffer.from(bytes))).toBe(true);
    const back = new Uint8Array(4096);
    expect(await diskDone((w) => disk.read(8192, back, w))).toBe(0);
    expect(back).toEqual(bytes);
  });
  test('lets whoever waits for the first of many writes go on before the last is done', async () => {
    const queue = new InputQueue(throwing);
    const file = image(64 * 4096);
    const disk = await mustOpen(new FileDisks(queue), file);
    const bytes = new Uint8Array(4096).fill(9);
    const order: number[] = [];
    const writtenAtFirst: number[] = [];
    const writes = Array.from({ length: 40 }, (_, index) =>
      diskDone((w) => disk.write(index * 4096, bytes, false, w)).then(() => order.push(index)),
    );
    let asked = false;
    const first = diskDone((w) =>
      disk.read(0, new Uint8Array(512), {
        onDiskDone: (error) => {
          asked = true;
          w.onDiskDone(error);
        },
      }),
    );
    queue.afterInputs({
      endRound: function look(): void {
        const done = fs.readFileSync(file).filter((byte) => byte === 9).length / 4096;
        writtenAtFirst.push(done);
        if (!asked) queue.input(() => queue.afterInputs({ endRound: look }));
      },
    });
    await Promise.all([...writes, first]);
    expect(order).toEqual(Array.from({ length: 40 }, (_, index) => index));
    expect(writtenAtFirst.some((done) => done > 0 && done < 40)).toBe(true);
  });
  test('behaves as an array of bytes under any sequence of operations', async () => {
    const operation = fc.record({
      kind: fc.constantFrom('write' as const, 'fua' as const, 'zero' as const, 'flush' as const),
      sector: fc.nat(60),
      sectors: fc.integer({ min: 1, max: 4 }),
      fill: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
        const file = image(64 * 512, `disk${Math.random()}`);
        const disk = await mustOpen(disks, file);
        const model = new Uint8Array(64 * 512);
        const results = operations.map(({ kind, sector, sectors, fill }) =>
          diskDone((w) => {
            const [from, length] = [sector * 512, sectors * 512];
            if (kind === 'flush') disk.flush(w);
            else if (kind === 'zero') {
              model.fill(0, from, from + length);
              disk.zeroOut(from, length, true, w);
            } else {
              model.fill(fill, from, from + length);
              disk.write(from, new Uint8Array(length).fill(fill), kind === 'fua', w);
            }
          }),
        );
        expect(new Set(await Promise.all(results))).toEqual(new Set(operations.length > 0 ? [0] : []));
        const back = new Uint8Array(model.length);
        expect(await diskDone((w) => disk.read(0, back, w))).toBe(0);
        expect(back).toEqual(model);
        await diskDone((w) => disk.close(w));
      }),
      { numRuns: 40 },
    );
  });
  test('zeroes a large range piece by piece', async () => {
    const file = path.join(folder, 'large');
    fs.writeFileSync(file, Buffer.alloc(5 * 1024 * 1024, 1));
    const disk = await mustOpen(disks, file);
    expect(await diskDone((w) => disk.zeroOut(512, 4 * 1024 * 1024, false, w))).toBe(0);
    const after = fs.readFileSync(file);
    expect(after.indexOf(0)).toBe(512);
    expect(after.lastIndexOf(0)).toBe(512 + 4 * 1024 * 1024 - 1);
  });
  test('beyond its end there is an I/O error, also when it was cut behind our back', async () => {
    const file = image(8192);
    const disk = await mustOpen(disks, file);
    expect(await diskDone((w) => disk.write(8192, new Uint8Array(512), false, w))).toBe(Errno.EIO);
    fs.truncateSync(file, 4096);
    expect(await diskDone((w) => disk.read(4096, new Uint8Array(512), w))).toBe(Errno.EIO);
  });
  test('sees growth when asked to', async () => {
    const file = image(8192);
    const disk = await mustOpen(disks, file);
    fs.truncateSync(file, 16384);
    expect(disk.size).toBe(8192);
    expect(await diskDone((w) => disk.refreshSize(w))).toBe(0);
    expect(disk.size).toBe(16384);
  });
  test('gives space back, and says whether it can', async () => {
    const file = image(0);
    fs.writeFileSync(file, Buffer.alloc(8 * MiB, 1));
    const disk = await mustOpen(disks, file);
    if (!disk.canDiscard) {
      process.stderr.write('SKIPPED: no discards: no fallocate here, or the file system punches no holes\n');
      expect(await diskDone((w) => disk.discard(0, 512, w))).toBe(Errno.EOPNOTSUPP);
      return;
    }
    expect(disk.discardZeroes).toBe(true);
    const before = fs.statSync(file).blocks;
    const results = await Promise.all([
      diskDone((w) => disk.discard(0, MiB, w)),
      diskDone((w) => disk.discard(MiB, MiB, w)),
      diskDone((w) => disk.zeroOut(3 * MiB, MiB, true, w)),
      // Too small for a program.
      diskDone((w) => disk.discard(6 * MiB, 512, w)),
    ]);
    expect(results).toEqual([0, 0, 0, 0]);
    expect(before - fs.statSync(file).blocks).toBeGreaterThanOrEqual((2.9 * MiB) / 512);
    const expected = Buffer.alloc(8 * MiB, 1)
      .fill(0, 0, 2 * MiB)
      .fill(0, 3 * MiB, 4 * MiB);
    expect(fs.readFileSync(file).equals(expected.fill(0, 6 * MiB, 6 * MiB + 512))).toBe(true);
    expect(fs.statSync(file).size).toBe(8 * MiB);
  });
  test('zeroes without giving space back if that is not wanted', async () => {
    const file = image(0);
    fs.writeFileSync(file, Buffer.alloc(10 * MiB, 1));
    const disk = await mustOpen(disks, file);
    const before = fs.statSync(file).blocks;
    expect(await diskDone((w) => disk.zeroOut(0, 9 * MiB, false, w))).toBe(0);
    expect(fs.statSync(file).blocks).toBeGreaterThanOrEqual(before);
    expect(fs.readFileSync(file).equals(Buffer.alloc(10 * MiB, 1).fill(0, 0, 9 * MiB))).toBe(true);
  });
  test('a full file system is ENOSPC, not an exception', async () => {
    if (!fs.existsSync('/dev/full')) return;
    // A regular file on a full file system cannot be had without root; the write path is the same.
    const writeSync = fs.writeSync.bind(fs);
    const disk = await mustOpen(disks, image(8192));
    const full = fs.openSync('/dev/full', 'w');
    const spy = jest
      .spyOn(fs, 'writeSync')
      .mockImplementation(((_fd: number, bytes: Uint8Array) =>
        writeSync(full, bytes)) as typeof fs.writeSync);
    try {
      expect(await diskDone((w) => disk.write(0, new Uint8Array(512), false, w))).toBe(Errno.ENOSPC);
    } finally {
      spy.mockRestore();
      fs.closeSync(full);
    }
  });
});

describe('opening', () => {
  test('tells why it failed', async () => {
    expect(await openDisk(disks, path.join(folder, 'none'))).toEqual({
      kind: 'cannot-open',
      errno: Errno.ENOENT,
    });
    expect(await openDisk(disks, folder)).toEqual({ kind: 'not-a-disk' });
    expect(await openDisk(disks, '/dev/null')).toEqual({ kind: 'not-a-disk' });
  });
  test('the same claim may open twice, another may not, until all are closed', async () => {
    const file = image(8192);
    const [data, meta] = await Promise.all([mustOpen(disks, file), mustOpen(disks, file)]);
    expect(await openDisk(disks, file, 'minor 1')).toEqual({ kind: 'claimed' });
    await diskDone((w) => data.close(w));
    expect(await openDisk(disks, file, 'minor 1')).toEqual({ kind: 'claimed' });
    await diskDone((w) => meta.close(w));
    expect(await openDisk(disks, file, 'minor 1')).toMatchObject({ size: 8192 });
  });
  test('a symbolic link or hard link is the same disk', async () => {
    const file = image(8192);
    fs.symlinkSync(file, path.join(folder, 'soft'));
    fs.linkSync(file, path.join(folder, 'hard'));
    await mustOpen(disks, file);
    expect(await openDisk(disks, path.join(folder, 'soft'), 'minor 1')).toEqual({ kind: 'claimed' });
    expect(await openDisk(disks, path.join(folder, 'hard'), 'minor 1')).toEqual({ kind: 'claimed' });
  });
  test('another daemon cannot have it', async () => {
    const file = image(8192);
    const other = new FileDisks(new InputQueue(throwing));
    const disk = await mustOpen(disks, file);
    expect(await openDisk(other, file)).toEqual({ kind: 'claimed' });
    await diskDone((w) => disk.close(w));
    // The kernel frees the lock when the socket is closed, a moment later.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await openDisk(other, file)).toMatchObject({ size: 8192 });
  });
});

describe('geometry', () => {
  test('takes device numbers apart as Linux packs them', () => {
    expect(deviceNumbers(0x0801)).toEqual({ major: 8, minor: 1 });
    expect(deviceNumbers(0x12300745)).toEqual({ major: 7, minor: 0x12345 });
  });
  const loopsMissing = spawnSync('losetup', ['-f']).status !== 0;
  if (loopsMissing)
    process.stderr.write('SKIPPED (needs root and loop devices): geometry of a loop device\n');
  (loopsMissing ? test.skip : test)('of a loop device is what the kernel says', () => {
    const file = image(3 * 1024 * 1024);
    const loop = execFileSync('losetup', ['-f', '--show', file], { encoding: 'utf8' }).trim();
    try {
      const fd = fs.openSync(loop, 'r');
      expect(geometryOf(fd)).toMatchObject({ size: 3 * 1024 * 1024, blockSize: 512, isBlockDevice: true });
      // Without sysfs the size is found by reading.
      expect(geometryOf(fd, '/nowhere')).toMatchObject({ size: 3 * 1024 * 1024 });
      fs.closeSync(fd);
    } finally {
      execFileSync('losetup', ['-d', loop]);
    }
  });
});
