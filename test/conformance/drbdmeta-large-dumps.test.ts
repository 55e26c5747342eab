/*
 * Dumps of bitmaps of megabytes, where the fast paths and the reference's buffers of 32 MiB show, against the reference.
 */
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { computeLayout, INDEX_INTERNAL } from '../../src/metadata/layout';
import { REFERENCE, referenceMissing } from '../drbdmeta/compare-with-reference';
import { Random } from '../drbdmeta/generated-images';
import { runHere, ScratchHost } from '../drbdmeta/scratch-host';

const missing = referenceMissing();
if (missing !== undefined)
  process.stderr.write(`SKIPPED: large dumps are not compared with the reference: ${missing}\n`);
const compare = missing === undefined ? test : test.skip;

const GIB = 2 ** 30;
let scratch: ScratchHost;
beforeEach(() => {
  scratch = new ScratchHost();
});
afterEach(() => scratch.remove());

/** Random words, and runs of a few words or of many. */
function mixedWords(random: Random, count: number): Uint32Array {
  const words = new Uint32Array(count);
  for (let at = 0; at < count;) {
    const value = random.pick([0, 0xffffffff, random.u32()]);
    const length = random.pick([1, 5, 16, 40, 300, 5000, 400_000]);
    const end = Math.min(count, at + 1 + random.below(length));
    if (random.chance(0.6)) for (let i = at; i < end; i++) words[i] = random.u32();
    else words.fill(value, at, end);
    at = end;
  }
  return words;
}

/** The dump without what differs on purpose: date, command, members. */
function digest(pieces: readonly Buffer[]): { bytes: number; sha256: string } {
  const [first = Buffer.alloc(0), ...others] = pieces;
  const head = first
    .toString('latin1')
    .replace(/^# \d{4}-.*$/m, '')
    .replace(/^# \S+> drbdmeta .*$/m, '')
    .replace(/^members 0x[0-9A-F]{16};\n/m, '');
  const hash = crypto.createHash('sha256').update(head, 'latin1');
  let bytes = head.length;
  for (const piece of others) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** Whole lines in the first piece, so that both heads are cut alike. */
function readPieces(file: string): Buffer[] {
  const all = fs.readFileSync(file);
  const head = all.indexOf('bitmap[0]');
  return [all.subarray(0, head), all.subarray(head)];
}

compare.each([
  [64 * GIB, 1],
  [64 * GIB, 7],
  [40 * GIB, 8],
  [24 * GIB, 31],
  // More than one buffer of the reference, and more than is kept in memory.
  [1100 * GIB, 1],
  [256 * GIB, 7],
])(
  'dump-md of %i bytes with %i peers',
  async (size, maxPeers) => {
    const image = scratch.file('disk.img');
    scratch.blank('disk.img', size);
    const target = ['-', 'v09', 'disk.img', 'internal'];
    expect((await runHere(scratch, ['--force', ...target, 'create-md', String(maxPeers)])).status).toBe(0);
    const { superblockByte, bitmapByte, bitmapAreaBytes, usableSectors } = computeLayout({
      deviceBytes: size,
      index: INDEX_INTERNAL,
      maxPeers,
      bytesPerBit: 4096,
      alStripes: 1,
      alStripeSize4k: 8,
    });
    const fd = fs.openSync(image, 'r+');
    const grown = Buffer.alloc(8);
    grown.writeBigUInt64BE(BigInt(usableSectors));
    fs.writeSync(fd, grown, 0, 8, superblockByte);
    const words = mixedWords(new Random(maxPeers), bitmapAreaBytes / 4);
    fs.writeSync(fd, new Uint8Array(words.buffer), 0, bitmapAreaBytes, bitmapByte);
    fs.closeSync(fd);

    const out = fs.openSync(scratch.file('theirs.txt'), 'w');
    const theirs = spawnSync(REFERENCE, ['--force', ...target, 'dump-md'], {
      cwd: scratch.folder,
      stdio: ['ignore', out, 'ignore'],
    });
    fs.closeSync(out);
    expect(theirs.status).toBe(0);
    const ours = fs.openSync(scratch.file('ours.txt'), 'w');
    const result = await runHere(scratch, ['--force', ...target, 'dump-md'], {
      stdout: (text) => void fs.writeSync(ours, text, null, 'latin1'),
      stdoutBytes: (bytes) => void fs.writeSync(ours, bytes),
    });
    fs.closeSync(ours);
    expect(result.status).toBe(0);
    expect(digest(readPieces(scratch.file('ours.txt')))).toEqual(
      digest(readPieces(scratch.file('theirs.txt'))),
    );
  },
  120_000,
);
