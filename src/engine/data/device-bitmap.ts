/**
 * The bitmap of one device in memory, all slots, in the very layout of the disk (metadata.md 5): 32-bit words
 * interleaved over the slots, so that a page of 4 KiB is written as it stands. A set bit is a block out of sync.
 * Every change makes its page dirty; who writes pages, and when, is bitmap-writer.ts.
 */
import { bitmapBits, bitmapWordsPerSlot } from '../../metadata/bitmap-geometry';
import { bitmapBytes } from '../../metadata/layout';

/** 32-bit words of one page of 4 KiB. */
const PAGE_WORDS = 1024;
export const BITMAP_PAGE_BYTES = 4096;
/** Marks of a dirty page: bits were set in it; bits were cleared in it. */
export const PAGE_SET = 1;
export const PAGE_CLEARED = 2;

function popcount(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bits `from`..`to`-1 of a word (0 <= from < to <= 32). */
function maskOf(from: number, to: number): number {
  const upTo = to === 32 ? 0xffffffff : (1 << to) - 1;
  return (upTo & ~((1 << from) - 1)) >>> 0;
}

/** Bits `from`..`end`-1. */
export interface BitRange {
  readonly from: number;
  readonly end: number;
}

export class DeviceBitmap {
  /** Interleaved words; their bytes are those of the disk (little endian hosts only). */
  readonly words: Uint32Array;
  readonly pages: number;
  /** Bits per slot. */
  readonly bits: number;
  private readonly wordsPerSlot: number;
  private readonly blockSectors: number;
  private readonly marks: Uint8Array;
  private readonly counts: number[];
  private dirtyPageCount = 0;
  /** Slots of which bits were cleared: by a resync that may have been interrupted. */
  private readonly partial: boolean[];
  /** Sector from which on the storage is new in this life of the disk: hosts of one generation may differ there. */
  private grownFrom = Infinity;
  /** Slots in which nothing was set since the disk was attached. */
  private readonly old: boolean[];

  constructor(
    readonly sectors: number,
    readonly slots: number,
    readonly bytesPerBit: number,
  ) {
    this.bits = bitmapBits(sectors, bytesPerBit);
    this.wordsPerSlot = bitmapWordsPerSlot(sectors, bytesPerBit);
    this.blockSectors = bytesPerBit / 512;
    this.words = new Uint32Array(bitmapBytes(sectors, bytesPerBit, slots) / 4);
    this.pages = this.words.length / PAGE_WORDS;
    this.marks = new Uint8Array(this.pages);
    this.counts = new Array<number>(slots).fill(0);
    this.partial = new Array<boolean>(slots).fill(false);
    this.old = new Array<boolean>(slots).fill(true);
  }

  /**
   * False if the slot is known to tell everything that has changed since the generation that it counts from: only then
   * may it stand in for the slot of another node that is at this generation.
   */
  isPartial(slot: number): boolean {
    return this.partial[slot] !== false;
  }
  /** Everything that is marked was so when the disk was attached. */
  isOld(slot: number): boolean {
    return this.old[slot] !== false;
  }
  /** The slot counts from a new generation. */
  beginGeneration(slot: number): void {
    if (slot < this.slots) this.partial[slot] = false;
  }

  /** Takes the bytes read from disk into `words` for granted: masks what lies beyond the device, counts. */
  adoptLoadedWords(): void {
    for (let slot = 0; slot < this.slots; slot++) {
      this.maskTail(slot);
      let count = 0;
      for (let w = 0, at = slot; w < this.wordsPerSlot; w++, at += this.slots)
        count += popcount(this.words[at] ?? 0);
      this.counts[slot] = count;
      // What happened before nobody knows any more.
      this.partial[slot] = count < this.bits;
    }
    this.marks.fill(0);
    this.dirtyPageCount = 0;
  }

  private maskTail(slot: number): void {
    for (let w = Math.floor(this.bits / 32); w < this.wordsPerSlot; w++) {
      const used = this.bits - w * 32;
      const at = w * this.slots + slot;
      this.words[at] = used <= 0 ? 0 : (this.words[at] ?? 0) & maskOf(0, used);
    }
  }

  /** Bits set in the slot. */
  count(slot: number): number {
    return this.counts[slot] ?? 0;
  }
  /** Sectors that the set bits of the slot stand for. */
  outOfSyncSectors(slot: number): number {
    return Math.min(this.count(slot) * this.blockSectors, this.sectors);
  }
  allSet(): boolean {
    return this.counts.every((count) => count === this.bits);
  }

  bitOfSector(sector: number): number {
    return Math.floor(sector / this.blockSectors);
  }
  sectorOfBit(bit: number): number {
    return bit * this.blockSectors;
  }
  private endBit(sector: number, sectors: number): number {
    return Math.min(this.bits, Math.ceil((sector + sectors) / this.blockSectors));
  }
  /** First bit of a range being cleared: only blocks completely covered (engine.md 11.2). */
  private coveredFrom(sector: number): number {
    return Math.ceil(sector / this.blockSectors);
  }
  private coveredTo(sector: number, sectors: number): number {
    const end = sector + sectors;
    return end >= this.sectors ? this.bits : Math.floor(end / this.blockSectors);
  }

  /** The blocks that a range touches: bits `from`..`end`-1. */
  touchedBits(sector: number, sectors: number): BitRange {
    return { from: this.bitOfSector(sector), end: this.endBit(sector, sectors) };
  }
  /** The blocks that a range covers completely. */
  coveredBits(sector: number, sectors: number): BitRange {
    return { from: this.coveredFrom(sector), end: this.coveredTo(sector, sectors) };
  }

  /** Marks a range out of sync, widened to whole blocks. Returns how many bits are newly set. */
  setRange(slot: number, sector: number, sectors: number): number {
    return this.setBits(slot, this.bitOfSector(sector), this.endBit(sector, sectors));
  }
  /** Marks the blocks that a range covers completely in sync. Returns how many bits are newly cleared. */
  clearRange(slot: number, sector: number, sectors: number): number {
    return this.clearBits(slot, this.coveredFrom(sector), this.coveredTo(sector, sectors));
  }
  /** The same, but what is marked in slot `guard` as well stays. */
  clearRangeWhereClear(slot: number, guard: number, sector: number, sectors: number): number {
    const guarded = guard >= 0 && guard !== slot && this.count(guard) > 0;
    const [from, to] = [this.coveredFrom(sector), this.coveredTo(sector, sectors)];
    return this.clearBits(slot, from, to, guarded ? guard : -1);
  }
  /** Is any block touched by the range out of sync? */
  anyInRange(slot: number, sector: number, sectors: number): boolean {
    const next = this.findNext(slot, this.bitOfSector(sector));
    return next >= 0 && next < this.endBit(sector, sectors);
  }

  /** Is any block of storage out of sync that came with a larger size? */
  anyInNewStorage(slot: number): boolean {
    return (
      this.grownFrom < this.sectors && this.anyInRange(slot, this.grownFrom, this.sectors - this.grownFrom)
    );
  }

  /** Sets bits `from`..`end`-1. */
  setBits(slot: number, from: number, end: number): number {
    let changed = 0;
    for (let bit = from; bit < end;) {
      const word = Math.floor(bit / 32);
      const to = Math.min(32, end - word * 32);
      const at = word * this.slots + slot;
      const old = this.words[at] ?? 0;
      const now = (old | maskOf(bit - word * 32, to)) >>> 0;
      if (now !== old) {
        this.words[at] = now;
        changed += popcount(now ^ old);
        this.mark(at, PAGE_SET);
      }
      bit = word * 32 + to;
    }
    this.counts[slot] = this.count(slot) + changed;
    if (changed > 0) this.old[slot] = false;
    return changed;
  }
  /** Clears bits `from`..`end`-1, but for those that are set in slot `guard`, if that is not negative. */
  clearBits(slot: number, from: number, end: number, guard = -1): number {
    let changed = 0;
    for (let bit = from; bit < end;) {
      const word = Math.floor(bit / 32);
      const to = Math.min(32, end - word * 32);
      const at = word * this.slots + slot;
      const old = this.words[at] ?? 0;
      const keep = guard < 0 ? 0 : (this.words[word * this.slots + guard] ?? 0);
      const now = (old & (keep | ~maskOf(bit - word * 32, to))) >>> 0;
      if (now !== old) {
        this.words[at] = now;
        changed += popcount(now ^ old);
        this.mark(at, PAGE_CLEARED);
      }
      bit = word * 32 + to;
    }
    this.counts[slot] = this.count(slot) - changed;
    if (changed > 0) this.partial[slot] = true;
    return changed;
  }
  setAll(slot: number): number {
    this.partial[slot] = false;
    return this.setBits(slot, 0, this.bits);
  }
  clearAll(slot: number): number {
    return this.clearBits(slot, 0, this.bits);
  }
  setEverything(): void {
    for (let slot = 0; slot < this.slots; slot++) this.setAll(slot);
  }

  /** `to` := `from`. */
  copySlot(from: number, to: number): void {
    for (let w = 0; w < this.wordsPerSlot; w++)
      this.replaceWord(w * this.slots + to, this.words[w * this.slots + from] ?? 0);
    this.counts[to] = this.count(from);
    this.partial[to] = this.isPartial(from);
    this.old[to] = this.isOld(from);
  }
  /** `to` gets the bits of `from` as well. */
  mergeSlot(from: number, to: number): void {
    for (let w = 0; w < this.wordsPerSlot; w++) this.orSlotWord(to, w, this.slotWord(from, w));
    this.partial[to] = this.isPartial(from);
  }
  private replaceWord(at: number, now: number): void {
    const old = this.words[at] ?? 0;
    if (old === now) return;
    this.words[at] = now;
    this.mark(at, ((now & ~old) !== 0 ? PAGE_SET : 0) | ((old & ~now) !== 0 ? PAGE_CLEARED : 0));
  }

  /** First set bit at or after `from`, -1 if there is none. */
  findNext(slot: number, from: number): number {
    return this.scan(slot, from, 0);
  }
  /** First clear bit at or after `from`; the number of bits if there is none. */
  findNextClear(slot: number, from: number): number {
    const bit = this.scan(slot, from, 0xffffffff);
    return bit < 0 ? this.bits : bit;
  }
  /** First bit that differs from the pattern, which is all zero or all one. */
  private scan(slot: number, from: number, pattern: number): number {
    if (from >= this.bits) return -1;
    let word = Math.floor(from / 32);
    let diff = ((this.words[word * this.slots + slot] ?? 0) ^ pattern) & maskOf(from - word * 32, 32);
    while (diff === 0) {
      word++;
      if (word * 32 >= this.bits) return -1;
      diff = (this.words[word * this.slots + slot] ?? 0) ^ pattern;
    }
    const bit = word * 32 + (31 - Math.clz32(diff & -diff));
    return bit < this.bits ? bit : -1;
  }

  /** The little endian 32-bit word `index` of one slot, as on the wire. Beyond the device: 0. */
  slotWord(slot: number, index: number): number {
    return index < this.wordsPerSlot ? (this.words[index * this.slots + slot] ?? 0) : 0;
  }
  /** ORs a word received from a peer. Bits beyond the device are dropped. */
  orSlotWord(slot: number, index: number, value: number): void {
    const used = this.bits - index * 32;
    if (used <= 0) return;
    const at = index * this.slots + slot;
    const old = this.words[at] ?? 0;
    const now = (old | (used < 32 ? value & maskOf(0, used) : value)) >>> 0;
    if (now === old) return;
    this.words[at] = now;
    this.old[slot] = false;
    this.counts[slot] = this.count(slot) + popcount(now ^ old);
    this.mark(at, PAGE_SET);
  }

  /** Carries the bits of a bitmap of another size over (resize); bits of new blocks are `newBits`. */
  adoptFrom(other: DeviceBitmap, newBits: boolean): void {
    this.grownFrom = Math.min(other.grownFrom, newBits && other.sectors > 0 ? other.sectors : Infinity);
    for (let slot = 0; slot < Math.min(this.slots, other.slots); slot++) {
      for (let bit = other.findNext(slot, 0); bit >= 0 && bit < this.bits;) {
        const end = other.findNextClear(slot, bit);
        this.setBits(slot, bit, Math.min(end, this.bits));
        bit = other.findNext(slot, end);
      }
      this.partial[slot] = other.isPartial(slot);
      this.old[slot] = other.isOld(slot);
      if (newBits && this.bits > other.bits) this.setBits(slot, other.bits, this.bits);
    }
    for (let page = 0; page < this.pages; page++) this.mark(page * PAGE_WORDS, PAGE_SET | PAGE_CLEARED);
  }

  // --- dirty pages

  private mark(word: number, kind: number): void {
    const page = Math.floor(word / PAGE_WORDS);
    const old = this.marks[page] ?? 0;
    if (old === 0) this.dirtyPageCount++;
    this.marks[page] = old | kind;
  }
  get dirtyPages(): number {
    return this.dirtyPageCount;
  }
  /** PAGE_SET | PAGE_CLEARED, 0 for a clean page. */
  pageMarks(page: number): number {
    return this.marks[page] ?? 0;
  }
  /** The page's bytes as they are now, and the page clean. */
  takePage(page: number, into: Uint8Array): void {
    into.set(this.pageBytes(page));
    if (this.marks[page] !== 0) this.dirtyPageCount--;
    this.marks[page] = 0;
  }
  /** After a failed write. */
  markPage(page: number): void {
    this.mark(page * PAGE_WORDS, PAGE_SET | PAGE_CLEARED);
  }
  private pageBytes(page: number): Uint8Array {
    return new Uint8Array(
      this.words.buffer,
      this.words.byteOffset + page * BITMAP_PAGE_BYTES,
      BITMAP_PAGE_BYTES,
    );
  }
  get bytes(): Uint8Array {
    return new Uint8Array(this.words.buffer, this.words.byteOffset, this.words.byteLength);
  }
}
