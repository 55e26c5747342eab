/*
 * The bitmap on disk (metadata.md 5): 32-bit little endian words, interleaved over the slots: word w of slot s is word
 * `w * maxPeers + s` of the area. Slots are bitmap indexes, not node ids. 1 = out of sync.
 * On a little endian machine a Uint32Array over the area's bytes is the bitmap.
 */
import { roundUp, SECTOR } from './layout';

/** An activity log extent: 4 MiB of storage. */
export const EXTENT_BYTES = 4194304;
export const EXTENT_SECTORS = EXTENT_BYTES / SECTOR;

/** Index of the interleaved 32-bit word that holds bit `bit` of slot `slot`. Its place in the word is `bit & 31`. */
export function bitmapWordIndex(bit: number, slot: number, maxPeers: number): number {
  return Math.floor(bit / 32) * maxPeers + slot;
}

/** Byte offset in the bitmap area of the byte that holds the bit, and the mask within that byte. */
export function bitmapBytePosition(
  bit: number,
  slot: number,
  maxPeers: number,
): { byte: number; mask: number } {
  const inWord = bit % 32;
  return { byte: bitmapWordIndex(bit, slot, maxPeers) * 4 + (inWord >> 3), mask: 1 << (inWord & 7) };
}

/** Bits of one slot for a device of `sectors`. */
export function bitmapBits(sectors: number, bytesPerBit: number): number {
  return Math.ceil(sectors / (bytesPerBit / SECTOR));
}

/** 32-bit words of one slot that are meaningful (64-bit aligned, as bitmapBytes() counts). */
export function bitmapWordsPerSlot(sectors: number, bytesPerBit: number): number {
  return roundUp(bitmapBits(sectors, bytesPerBit), 64) / 32;
}

export function bitsPerExtent(bytesPerBit: number): number {
  return EXTENT_BYTES / bytesPerBit;
}

/** The byte range [start, end) of the bitmap area that covers the extents first..last of all slots, word aligned. */
export function extentByteRange(
  first: number,
  last: number,
  bytesPerBit: number,
  maxPeers: number,
): { start: number; end: number } {
  const bits = bitsPerExtent(bytesPerBit);
  return {
    start: Math.floor((first * bits) / 32) * maxPeers * 4,
    end: Math.ceil(((last + 1) * bits) / 32) * maxPeers * 4,
  };
}
