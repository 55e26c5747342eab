/*
 * Random meta data, the same from the same seed: geometry, identifiers, bitmap, activity log.
 */
import {
  AL_BLOCK_BYTES,
  alBlockOfTransaction,
  encodeAlTransaction,
  nextContextStart,
} from '../../src/metadata/activity-log';
import {
  bitmapBytes,
  computeLayout,
  INDEX_FLEX_EXTERNAL,
  INDEX_INTERNAL,
  INDEX_V07_INTERNAL,
  type Layout,
} from '../../src/metadata/layout';
import { type Format } from '../../src/metadata/meta-record';

export class Random {
  constructor(private state: number) {}

  /** Uniform in [0, 2^32). */
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(limit: number): number {
    return Math.floor((this.u32() / 2 ** 32) * limit);
  }

  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability;
  }

  pick<T>(list: readonly T[]): T {
    const value = list[this.below(list.length)];
    if (value === undefined) throw new Error('empty list');
    return value;
  }

  hex64(): string {
    return (
      this.u32().toString(16).padStart(8, '0') + this.u32().toString(16).padStart(8, '0')
    ).toUpperCase();
  }
}

export interface Geometry {
  readonly format: Format;
  readonly indexWord: string;
  readonly index: number;
  readonly deviceBytes: number;
  readonly maxPeers: number;
  readonly alStripes: number;
  readonly alStripeSize4k: number;
}

const MIB = 2 ** 20;

/** B is 4096 throughout: the released reference knows nothing else. */
export function randomGeometry(random: Random): Geometry {
  const format = random.pick<Format>(['v09', 'v09', 'v09', 'v09', 'v08', 'v08', 'v07']);
  const indexWord = random.pick(
    format === 'v07'
      ? ['flex-internal', 'flex-external', 'internal']
      : ['internal', 'internal', 'flex-internal', 'flex-external', '0', '1'],
  );
  const index =
    indexWord === 'internal' && format === 'v07'
      ? INDEX_V07_INTERNAL
      : indexWord.endsWith('internal')
        ? INDEX_INTERNAL
        : indexWord === 'flex-external'
          ? INDEX_FLEX_EXTERNAL
          : Number(indexWord);
  const indexed = index >= 0 || index === INDEX_V07_INTERNAL;
  const base = indexed ? 400 * MIB : random.pick([2, 3, 16, 64, 129, 1024, 2048]) * MIB;
  const odd = random.pick([0, 0, 512, 4096, 3584, 512 * random.below(4000)]);
  const striped = format !== 'v07' && random.chance(0.4);
  const stripes = striped ? random.pick([1, 2, 3, 5]) : 1;
  const size = striped ? random.pick([8, 16, 9, 12]) : 8;
  return {
    format,
    indexWord,
    index,
    deviceBytes: base + odd,
    maxPeers: format === 'v09' ? random.pick([1, 1, 2, 3, 5, 7, 16, 31]) : 1,
    alStripes: stripes,
    alStripeSize4k: size,
  };
}

export function layoutFor(geometry: Geometry): Layout {
  return computeLayout({ ...geometry, bytesPerBit: 4096 });
}

/** Activity as a kernel would log it, sometimes with damaged blocks; on-disk order. */
export function randomActivityLog(random: Random, geometry: Geometry, extents: number): Uint8Array {
  const blocks = geometry.alStripes * geometry.alStripeSize4k;
  const ring = new Uint8Array(blocks * AL_BLOCK_BYTES);
  const contextSize = random.pick([67, 257, 1237, 2000]);
  const slots = new Uint32Array(contextSize).fill(0xffffffff);
  const first = random.pick([0, 5, 0x7ffffff0 - 5000, 0xfffffff8]);
  const count = 1 + random.below(3 * blocks);
  let contextStart = 0;
  for (let step = 0; step < count; step++) {
    const number = (first + step) >>> 0;
    const updates = Array.from({ length: 1 + random.below(random.pick([2, 64])) }, () => ({
      slot: contextSize - 1 - random.below(Math.min(contextSize, 80)),
      extent: random.chance(0.1) ? 0xffffffff : random.below(extents),
    }));
    const at = alBlockOfTransaction(number, geometry) * AL_BLOCK_BYTES;
    encodeAlTransaction(
      { number, contextSize, contextStart, slots, updates },
      ring.subarray(at, at + AL_BLOCK_BYTES),
    );
    for (const { slot, extent } of updates) slots[slot] = extent;
    contextStart = nextContextStart(contextStart, contextSize);
  }
  if (random.chance(0.3)) ring[random.below(ring.length)] = random.below(256);
  return ring;
}

/** Bitmap content with runs, sparse bits and noise. */
export function randomBitmap(random: Random, bytes: number): Uint8Array {
  const bitmap = new Uint8Array(bytes);
  const words = new Uint32Array(bitmap.buffer);
  for (let at = 0; at < words.length;) {
    const length = 1 + random.below(random.pick([3, 20, 100, 3000]));
    const value = random.pick([0, 0, 0xffffffff, random.u32()]);
    const noise = random.chance(0.2);
    for (const end = Math.min(at + length, words.length); at < end; at++)
      words[at] = noise ? random.u32() : value;
  }
  return bitmap;
}

export function meaningfulBitmapBytes(geometry: Geometry, sectors: number): number {
  return bitmapBytes(sectors, 4096, geometry.maxPeers);
}
