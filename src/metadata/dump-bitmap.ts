/*
 * One bitmap slot as dump text (metadata.md 10.1): 64-bit values, high word first, runs of 32-bit words, which start at
 * multiples of 8 and end at the latest where the reference's 32 MiB buffer ends.
 */
import { type DumpWriter } from './dump-writer';
import { popCount } from './mark-extents';

/** Words of one slot in the reference's buffer; output depends on it. */
export function wordsPerBuffer(maxPeers: number): number {
  return Math.floor((32 * 2 ** 20) / (4096 * maxPeers)) * 1024;
}

/** Words of slot `slot` in a bitmap area of `areaBytes` (the meaningful part). */
export function wordsOfSlot(areaBytes: number, slot: number, maxPeers: number): number {
  return Math.max(0, Math.ceil((areaBytes / 4 - slot) / maxPeers));
}

/** Part of a slot: either words, or one value that fills it. */
export interface SlotSegment {
  readonly length: number;
  readonly words: Uint32Array | undefined;
  /** Only without words. */
  readonly value: number;
}

/** Takes the segments of a slot in order; all but the last have wordsPerBuffer() words. */
export class BitmapSlotPrinter {
  private position = 0;
  private count = 0;
  private repeated = 0;
  bitsSet = 0;

  constructor(
    private readonly writer: DumpWriter,
    private readonly total: number,
    private readonly maxPeers: number,
    private readonly countBits: boolean,
  ) {
    writer.text('{');
  }

  segment(segment: SlotSegment): void {
    if (this.countBits) this.bitsSet += bitsIn(segment, this.writer);
    const { length } = segment;
    let k = 0;
    // One group of eight words a turn.
    while (k < length) {
      k = this.fastLines(segment, k);
      const equal = this.startGroup(segment, k);
      const run = equal - (equal % 8);
      if (run > 8) {
        this.count += run;
        k += run;
        // More of the same may follow in the next buffer.
        if (k - run + equal === length && this.position + k < this.total) continue;
      }
      if (this.count > 0) this.endRun();
      else k = this.unmarkedLines(segment, this.group(segment, k));
    }
    this.position += length;
  }

  /** Never reaches the end: what is left there is up to the rules for runs. */
  private fastLines({ words, length }: SlotSegment, from: number): number {
    const at = this.position + from;
    if (words === undefined || this.count > 0 || at % 8 !== 0) return from;
    return this.writer.fastLines(words, from, length, at, this.maxPeers);
  }

  /** Writes single values; an odd last word is not printed. Returns where the next group starts. */
  private group(segment: SlotSegment, from: number): number {
    const { words, value } = segment;
    const end = Math.min(from + 8, segment.length);
    for (let k = from; k + 1 < end; k += 2) {
      if (words === undefined) this.writer.hexPair(value, value);
      else this.writer.hexPair(words[k + 1] ?? 0, words[k] ?? 0);
    }
    return end;
  }

  /** The lines up to the next mark that are no runs, without a look at each. */
  private unmarkedLines({ words, length }: SlotSegment, from: number): number {
    const at = this.position + from;
    if (words === undefined || at % 8 !== 0) return from;
    const marked = (this.maxPeers * (at / 8)) % 8;
    if (marked === 0) return from;
    let lines = 1;
    while ((marked + lines * this.maxPeers) % 8 !== 0) lines++;
    return this.writer.lines(words, from, Math.min(length, from + 8 * lines));
  }

  private startGroup(segment: SlotSegment, k: number): number {
    if (this.count === 0) {
      const at = this.position + k;
      this.repeated = segment.words === undefined ? segment.value : (segment.words[k] ?? 0);
      if ((this.maxPeers * (at / 8)) % 8 === 0) this.writer.mark((128 * at * this.maxPeers) % 2 ** 39);
      this.writer.startLine();
    }
    return equalFrom(segment, k, this.repeated);
  }

  private endRun(): void {
    this.writer.text(` ${this.count / 2} times`);
    this.writer.hexPair(this.repeated, this.repeated);
    this.count = 0;
  }

  end(): void {
    if (this.count > 0) this.endRun();
    this.writer.text('\n}\n');
  }
}

function equalFrom(segment: SlotSegment, from: number, value: number): number {
  const { words, length } = segment;
  if (words === undefined) return segment.value === value ? length - from : 0;
  let k = from;
  while (k < length && words[k] === value) k++;
  return k - from;
}

function bitsIn(segment: SlotSegment, writer: DumpWriter): number {
  if (segment.words === undefined) return popCount(segment.value) * segment.length;
  const counted = writer.countBits(segment.words);
  if (counted !== undefined) return counted;
  let bits = 0;
  for (let k = 0; k < segment.length; k++) bits += popCount(segment.words[k] ?? 0);
  return bits;
}
