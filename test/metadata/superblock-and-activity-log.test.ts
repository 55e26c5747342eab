import {
  AL_BLOCK_BYTES,
  alBlockOfTransaction,
  alMaxExtents,
  classifyAlBlock,
  decodeAlBlock,
  encodeAlTransaction,
  initializedAlBlock,
  nextContextStart,
} from '../../src/metadata/activity-log';
import { replayActivityLog } from '../../src/metadata/activity-log-replay';
import { bitmapBytePosition, extentByteRange } from '../../src/metadata/bitmap-geometry';
import { crc32c, rawCrc32c } from '../../src/metadata/crc32c';
import {
  attachCapacitySectors,
  computeLayout,
  INDEX_FLEX_EXTERNAL,
  INDEX_INTERNAL,
  INDEX_V07_INTERNAL,
} from '../../src/metadata/layout';
import { decodeSuperblock09, encodeSuperblock09, freshSuperblock09 } from '../../src/metadata/superblock-09';
import { goldenImages, goldenRegion, type GoldenImage } from './golden-images';

const MiB = 2 ** 20;
const indexCode: Readonly<Record<string, number>> = {
  internal: INDEX_INTERNAL,
  'flex-internal': INDEX_INTERNAL,
  'flex-external': INDEX_FLEX_EXTERNAL,
  '0': 0,
};
const v09 = goldenImages().filter((image) => image.format === 'v09' && image.id !== 'resize-before');

function open09(image: GoldenImage) {
  const region = goldenRegion(image);
  const probe = computeLayout({
    deviceBytes: image.device_bytes,
    index: indexCode[image.index] ?? NaN,
    maxPeers: 1,
    bytesPerBit: 4096,
    alStripes: 1,
    alStripeSize4k: 8,
  });
  const at = probe.superblockByte - image.region_offset;
  const block = region.subarray(at, at + 4096);
  const sb = decodeSuperblock09(block);
  const layout = computeLayout({
    deviceBytes: image.device_bytes,
    index: indexCode[image.index] ?? NaN,
    maxPeers: sb.bmMaxPeers,
    bytesPerBit: sb.bmBytesPerBit,
    alStripes: sb.alStripes,
    alStripeSize4k: sb.alStripeSize4k,
  });
  const al = region.subarray(layout.alByte - image.region_offset).subarray(0, layout.alBytes);
  return { block, sb, layout, al };
}

test('crc32c has the check values of metadata.md 6.1', () => {
  const text = new TextEncoder().encode('123456789');
  expect(rawCrc32c(text)).toBe(0x58e3fa20);
  expect(crc32c(text)).toBe(0xe3069283);
});

test('every golden v09 superblock re-encodes to its own bytes and its offsets are the computed ones', () => {
  expect(v09.length).toBeGreaterThanOrEqual(40);
  for (const image of v09) {
    const { block, sb, layout } = open09(image);
    expect([image.id, Buffer.from(encodeSuperblock09(sb)).equals(block)]).toEqual([image.id, true]);
    expect([image.id, sb.mdSizeSect, sb.alOffset, sb.bmOffset]).toEqual([
      image.id,
      layout.mdSizeSect,
      layout.alOffset,
      layout.bmOffset,
    ]);
  }
});

test('the fresh superblock is the one that create-md writes', () => {
  const image = v09.find((candidate) => candidate.id === 'v09-internal-p3');
  if (image === undefined) throw new Error('fixture missing');
  const { block, layout } = open09(image);
  const { mdSizeSect, alOffset, bmOffset } = layout;
  const fresh = { ...freshSuperblock09(3), mdSizeSect, alOffset, bmOffset };
  expect(Buffer.from(encodeSuperblock09(fresh)).equals(block)).toBe(true);
});

test('activity-log blocks written by kernels re-encode to their own bytes', () => {
  let blocks = 0;
  for (const image of v09.filter((candidate) => candidate.origin === 'kernel')) {
    const { al } = open09(image);
    for (let at = 0; at < al.length; at += AL_BLOCK_BYTES) {
      const block = al.subarray(at, at + AL_BLOCK_BYTES);
      if (classifyAlBlock(block) !== 'update') continue;
      const fields = decodeAlBlock(block);
      const slots: number[] = [];
      fields.context.forEach((extent, i) => (slots[fields.contextStart + i] = extent));
      const again = new Uint8Array(AL_BLOCK_BYTES);
      encodeAlTransaction(
        {
          number: fields.trNumber,
          contextSize: fields.contextSize,
          contextStart: fields.contextStart,
          slots,
          updates: fields.updateSlots
            .slice(0, fields.nUpdates)
            .map((slot, i) => ({ slot, extent: fields.updateExtents[i] ?? 0 })),
        },
        again,
      );
      expect(Buffer.from(again).equals(block)).toBe(true);
      blocks++;
    }
  }
  process.stderr.write(`activity log: ${blocks} kernel-written blocks re-encoded\n`);
  expect(blocks).toBeGreaterThanOrEqual(8);
});

test('replay finds the extents that the kernel had active when it lost power', () => {
  const image = v09.find((candidate) => candidate.id === 'kernel-9.3.3-crash');
  if (image === undefined) throw new Error('fixture missing');
  const { al, sb } = open09(image);
  const replay = replayActivityLog(al, sb);
  expect(replay.outcome).toBe('replay');
  expect([...replay.hotExtents]).toEqual([0, 1, 5, 7, 8, 13, 15]);
});

test('a ring of initialized blocks has nothing to replay, also with only block 0 torn', () => {
  const geometry = { alStripes: 2, alStripeSize4k: 4 };
  const ring = new Uint8Array(8 * 4096);
  for (let i = 0; i < 8; i++) ring.set(initializedAlBlock(), i * 4096);
  expect(replayActivityLog(ring, geometry).outcome).toBe('nothing');
  ring[100] = 1;
  expect(replayActivityLog(ring, geometry).outcome).toBe('nothing');
  ring[3 * 4096 + 100] = 1;
  expect(replayActivityLog(ring, geometry).outcome).toBe('no-update');
  expect(replayActivityLog(new Uint8Array(8 * 4096), geometry).outcome).toBe('unusable');
});

test('transactions wrap at 2^31 and 2^32 without losing the order', () => {
  for (const start of [0x7ffffffd, 0xfffffffd]) {
    const geometry = { alStripes: 2, alStripeSize4k: 4 };
    const ring = new Uint8Array(8 * 4096);
    for (let i = 0; i < 8; i++) ring.set(initializedAlBlock(), i * 4096);
    const slots = new Uint32Array(100).fill(0xffffffff);
    let contextStart = 0;
    for (let step = 0; step < 12; step++) {
      const number = (start + step) >>> 0;
      const at = alBlockOfTransaction(number, geometry) * 4096;
      const update = { slot: 99 - (step % 10), extent: step };
      encodeAlTransaction(
        { number, contextSize: 100, contextStart, slots, updates: [update] },
        ring.subarray(at, at + 4096),
      );
      slots[update.slot] = update.extent;
      contextStart = nextContextStart(contextStart, 100);
    }
    const replay = replayActivityLog(ring, geometry);
    expect([...replay.hotExtents]).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(replay.newest).toBe((start + 11) >>> 0);
  }
});

test('the layout table of metadata.md 1', () => {
  const base = { bytesPerBit: 4096, alStripes: 1, alStripeSize4k: 8 };
  const internal = (deviceBytes: number, maxPeers: number, bytesPerBit = 4096) =>
    computeLayout({ ...base, deviceBytes, maxPeers, bytesPerBit, index: INDEX_INTERNAL });
  expect(internal(64 * MiB, 7)).toMatchObject({ mdSizeSect: 104, bmOffset: -96, usableSectors: 130968 });
  expect(internal(2 ** 40, 31)).toMatchObject({ mdSizeSect: 2031688, usableSectors: 2145451960 });
  expect(internal(2 ** 44, 31).bitmapAreaBytes).toBe(16642998272);
  expect(internal(2 ** 50, 31)).toMatchObject({ bmOffset: -2080374848, usableSectors: 2196942880696 });
  expect(internal(2 ** 40, 3, 65536).bitmapAreaBytes).toBe(6291456);
  expect(internal(2 ** 40, 3, MiB).bitmapAreaBytes).toBe(393216);
  const indexed = (maxPeers: number) => computeLayout({ ...base, deviceBytes: 2 ** 40, maxPeers, index: 3 });
  expect(indexed(1)).toMatchObject({ superblockByte: 3 * 2 ** 27, usableSectors: 8587575296 });
  expect(indexed(31).usableSectors).toBe(277018112);
  const external = computeLayout({ ...base, deviceBytes: MiB, maxPeers: 3, index: INDEX_FLEX_EXTERNAL });
  expect(external).toMatchObject({ usableSectors: 21582848, alByte: 4096, bitmapByte: 36864 });
  expect(attachCapacitySectors(external, INDEX_FLEX_EXTERNAL, 4096, 3)).toBeGreaterThanOrEqual(21582848);
  const fixed = computeLayout({ ...base, deviceBytes: 2 ** 30, maxPeers: 1, index: INDEX_V07_INTERNAL });
  expect(fixed).toMatchObject({ superblockByte: 2 ** 30 - 2 ** 27, bmOffset: 72 });
});

test('bitmap positions are those of the kernel image in metadata.md 5', () => {
  expect(bitmapBytePosition(3, 0, 3)).toEqual({ byte: 0, mask: 8 });
  expect(bitmapBytePosition(1027, 0, 3)).toEqual({ byte: 0x180, mask: 8 });
  expect(bitmapBytePosition(8190, 0, 3)).toEqual({ byte: 0xbf7, mask: 0x40 });
  expect(extentByteRange(1, 1, 4096, 3)).toEqual({ start: 384, end: 768 });
  expect(extentByteRange(1, 1, MiB, 3)).toEqual({ start: 0, end: 12 });
});

test('al-extents is limited by the ring', () => {
  expect(alMaxExtents({ alStripes: 1, alStripeSize4k: 8 })).toBe(6433);
  expect(alMaxExtents({ alStripes: 4, alStripeSize4k: 64 })).toBe(65534);
});
