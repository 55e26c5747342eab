/*
 * Sets the bits of whole extents in all bitmap slots, as apply-al does after a crash (metadata.md 6.4 step 5).
 * Extents that the bitmap covers only in part are set as far as it goes: data is sacred.
 */
import { bitsPerExtent, extentByteRange } from './bitmap-geometry';
import { viewOf } from './field-table';

export interface MarkedBits {
  readonly newlySet: number;
}

/**
 * Marks `extents` (ascending) in `chunk`, which holds the bitmap bytes [chunkStart, chunkStart + chunk.length) of the
 * area. chunkStart is a multiple of 4 * maxPeers or the extents lie within. Returns the number of bits that changed.
 */
export function markExtents(
  chunk: Uint8Array,
  chunkStart: number,
  extents: ArrayLike<number>,
  bytesPerBit: number,
  maxPeers: number,
): MarkedBits {
  const bits = bitsPerExtent(bytesPerBit);
  const view = viewOf(chunk);
  let newlySet = 0;
  for (let i = 0; i < extents.length; i++) {
    const extent = extents[i] ?? 0;
    const range = extentByteRange(extent, extent, bytesPerBit, maxPeers);
    const from = Math.max(range.start - chunkStart, 0);
    const to = Math.min(range.end - chunkStart, chunk.length);
    // Less than a word per extent: only its bits of the word, in every slot.
    const mask = bits >= 32 ? 0xffffffff : (((1 << bits) - 1) << ((extent * bits) % 32)) >>> 0;
    for (let at = from; at + 4 <= to; at += 4) {
      const before = view.getUint32(at, true);
      const after = (before | mask) >>> 0;
      if (after === before) continue;
      newlySet += popCount(after ^ before);
      view.setUint32(at, after, true);
    }
  }
  return { newlySet };
}

export function popCount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return (((v + (v >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}
