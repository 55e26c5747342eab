/*
 * Collects the bitmap runs of a dump, slot after slot, and writes them interleaved in one pass. Runs are cut into the
 * same segments that dumping uses; uniform ones cost nothing.
 */
import { wordsPerBuffer } from '../metadata/dump-bitmap';
import { roundUp } from '../metadata/layout';
import { SegmentStore } from './segment-store';

export class BitmapCollector {
  private readonly store = new SegmentStore();
  private readonly segmentWords: number;
  private readonly words: Uint32Array;
  private readonly limit: number;
  private slot = -1;
  private filled = 0;
  /** Words of the current slot so far, and those that are kept. */
  private total = 0;
  private kept = 0;
  private longest = 0;
  /** Words a slot that are written; what pads the last sector is zero. */
  private wordsUsed = 0;

  /** Keeps no more than fits into `areaBytes`. */
  constructor(
    private readonly maxPeers: number,
    areaBytes: number,
  ) {
    this.segmentWords = wordsPerBuffer(maxPeers);
    this.limit = Math.ceil(areaBytes / 4 / maxPeers);
    this.words = new Uint32Array(Math.min(this.segmentWords, this.limit));
  }

  run(slot: number, count: number, high: number, low: number): void {
    if (slot !== this.slot) this.startSlot(slot);
    this.total += 2 * count;
    this.longest = Math.max(this.longest, this.total);
    let remaining = Math.min(2 * count, this.limit - this.kept);
    let odd = false;
    while (remaining > 0) {
      const part = Math.min(remaining, this.words.length - this.filled);
      this.put(part, odd ? high : low, odd ? low : high);
      if (part % 2 === 1) odd = !odd;
      remaining -= part;
    }
  }

  private put(part: number, first: number, second: number): void {
    if (first === second) this.words.fill(first, this.filled, this.filled + part);
    else for (let i = 0; i < part; i++) this.words[this.filled + i] = i % 2 === 0 ? first : second;
    this.filled += part;
    this.kept += part;
    if (this.filled === this.words.length) this.endSegment();
  }

  private startSlot(slot: number): void {
    this.endSegment();
    this.slot = slot;
    this.total = 0;
    this.kept = 0;
  }

  private endSegment(): void {
    if (this.filled === 0) return;
    const words = this.words.subarray(0, this.filled);
    const [value = 0] = words;
    if (words.every((word) => word === value))
      this.store.add(this.slot, { length: words.length, words: undefined, value });
    else this.store.add(this.slot, { length: words.length, words, value: 0 });
    this.filled = 0;
  }

  /**
   * Bytes to write, padded to the sector size. The reference goes by the last slot; here a longer slot counts too, as far
   * as its words can mean anything (`meaningful` words a slot).
   */
  byteCount(sectorSize: number, meaningful: number): number {
    this.wordsUsed = Math.max(this.total, Math.min(this.longest, meaningful));
    return roundUp(this.wordsUsed * this.maxPeers * 4, sectorSize);
  }

  /** Hands out the interleaved bitmap, `bytes` in all, in pieces that are only valid during the call. */
  interleave(bytes: number, buffer: Uint8Array, write: (piece: Uint8Array, offset: number) => void): void {
    this.endSegment();
    const step = this.segmentWords * this.maxPeers * 4;
    const cursors = Array.from({ length: this.maxPeers }, (_, slot) => this.store.cursor(slot));
    for (let at = 0; at < bytes; at += step) {
      const piece = buffer.subarray(0, Math.min(step, bytes - at));
      const out = new Uint32Array(piece.buffer, piece.byteOffset, piece.length / 4);
      out.fill(0);
      cursors.forEach((next, slot) => {
        const segment = next();
        if (segment === undefined) return;
        const used = Math.min(segment.length, this.wordsUsed - at / 4 / this.maxPeers);
        for (let k = 0, to = slot; k < used && to < out.length; k++, to += this.maxPeers)
          out[to] = segment.words === undefined ? segment.value : (segment.words[k] ?? 0);
      });
      write(piece, at);
    }
  }

  close(): void {
    this.store.close();
  }
}
