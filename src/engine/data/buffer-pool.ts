/**
 * Memory for the data of writes that are received and of reads. It is used again and again: clearing fresh memory and mapping its pages
 * takes several times as long as copying the data (performance.md 6).
 */

/** Sizes are powers of two from 4 KiB to 1 MiB. */
const SMALLEST = 12;
const LARGEST = 20;
/** Bytes kept for later, of each size. */
const MOST_KEPT = 4 << 20;

const classes: Uint8Array[][] = Array.from({ length: LARGEST + 1 }, () => []);
const classOf = (length: number): number => Math.max(SMALLEST, 32 - Math.clz32(length - 1));

/** `length` bytes of any content, to be given back. */
export function pooledMemory(length: number): Uint8Array {
  const index = length > 1 ? classOf(length) : SMALLEST;
  if (index > LARGEST) return new Uint8Array(length);
  const whole = classes[index]?.pop() ?? new Uint8Array(1 << index);
  return whole.length === length ? whole : whole.subarray(0, length);
}
/** A copy of `bytes` in memory that is to be given back. */
export function pooledCopy(bytes: Uint8Array): Uint8Array {
  const copy = pooledMemory(bytes.length);
  copy.set(bytes);
  return copy;
}

/** Nobody uses `bytes`, the result of one of these, any more. */
export function giveBack(bytes: Uint8Array): void {
  const { byteLength } = bytes.buffer;
  const index = 31 - Math.clz32(byteLength);
  const kept = classes[index];
  if (kept === undefined || index < SMALLEST || byteLength !== 1 << index || bytes.byteOffset !== 0) return;
  if (kept.length * byteLength >= MOST_KEPT) return;
  kept.push(bytes.length === byteLength ? bytes : new Uint8Array(bytes.buffer));
}
