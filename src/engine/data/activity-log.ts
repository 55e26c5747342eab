/**
 * The activity log of an attached disk (engine.md 11.3): which extents of 4 MiB may differ from the peers after a
 * crash. A write takes references on its extents first; if one of them is not in the log, the write waits until the
 * transaction that puts it there is on stable storage.
 *
 * Before a transaction that evicts extents, dirty bitmap pages of the evicted ones are written and both disks are
 * flushed: from then on only the bitmap remembers what is owed for them.
 */
import { bitmapWordIndex, bitsPerExtent } from '../../metadata/bitmap-geometry';
import {
  AL_BLOCK_BYTES,
  AL_FREE,
  AL_UPDATES_PER_TRANSACTION,
  alBlockOfTransaction,
  alBlocks,
  type AlUpdate,
  encodeAlTransaction,
  initializedActivityLog,
  nextContextStart,
} from '../../metadata/activity-log';
import { type ActivityLogGeometry } from '../../metadata/layout';
import { type DiskWaiter, type ErrnoCode, type Task } from '../ports';
import { type BitmapWriter } from './bitmap-writer';
import { type DeviceBitmap } from './device-bitmap';
import { flushBefore, type MetaDataTarget, WhenDone } from './meta-data-target';

/** Sectors of one extent. */
export const AL_EXTENT_SECTORS = 8192;
export const extentOfSector = (sector: number): number => Math.floor(sector / AL_EXTENT_SECTORS);

export interface ExtentWaiter {
  /** The extents are in the log on stable storage and referenced; or, with an error, none of that. */
  onExtentsActive(error: ErrnoCode): void;
}

/** One slot of the log. Unreferenced slots form a doubly linked list by age. */
class Slot {
  extent = AL_FREE;
  references = 0;
  /** In a transaction that is not on disk yet. */
  pending = false;
  newer: Slot | undefined;
  older: Slot | undefined;
  constructor(readonly index: number) {}
}
interface Waiting {
  readonly first: number;
  readonly last: number;
  readonly waiter: ExtentWaiter;
}

export interface ActivityLogSettings {
  readonly slots: number;
  readonly geometry: ActivityLogGeometry;
  /** Absolute byte of the ring on the meta-data disk. */
  readonly alByte: number;
  /** Number of the first transaction to write. */
  readonly firstTransaction: number;
}

/** Where the ring is. */
export type ActivityLogPlace = Pick<ActivityLogSettings, 'geometry' | 'alByte'>;

export class ActivityLog implements Task {
  /** Transactions written: the statistics counter al-writes. */
  writes = 0;
  /** Without log writes every extent counts as active (disk option al-updates, engine.md 11.5). */
  updatesDisabled = false;
  /** Called when requests wait and no slot is free of references: whoever can should let go of some. */
  onStarving: () => void = () => undefined;
  /** Called when the last write of an extent has let go of it. */
  onExtentIdle: (extent: number) => void = () => undefined;

  /**
   * Those that were ever taken: new extents take slots from the highest index down (metadata.md 6.2). Most disks never
   * use most of theirs.
   */
  private readonly taken: Slot[] = [];
  private readonly byExtent = new Map<number, Slot>();
  private oldest: Slot | undefined;
  private newest: Slot | undefined;
  private unreferenced = 0;
  private queue: Waiting[] = [];
  private writing = false;
  private contextStart = 0;
  private nextTransaction: number;
  private place: ActivityLogPlace;
  private held = false;
  private holder: Task | undefined;
  private readonly block = new Uint8Array(AL_BLOCK_BYTES);

  constructor(
    private readonly target: MetaDataTarget,
    private readonly bitmap: () => { readonly bitmap: DeviceBitmap; readonly writer: BitmapWriter },
    private readonly settings: ActivityLogSettings,
  ) {
    this.nextTransaction = settings.firstTransaction;
    this.place = settings;
  }

  get transactionNumber(): number {
    return this.nextTransaction;
  }
  /** Requests wait and every slot is referenced. */
  starving = false;
  /** Requests wait for a transaction. */
  get contended(): boolean {
    return this.queue.length > 0;
  }
  get usedExtents(): number {
    return this.byExtent.size;
  }
  /** Extents with references. */
  get referenced(): number {
    return this.byExtent.size - this.unreferenced;
  }
  get idle(): boolean {
    return !this.writing && this.queue.length === 0;
  }
  /** Some extent of the range is referenced by a write. */
  inUse(sector: number, sectors: number): boolean {
    const last = extentOfSector(sector + sectors - 1);
    for (let extent = extentOfSector(sector); extent <= last; extent++)
      if ((this.byExtent.get(extent)?.references ?? 0) > 0) return true;
    return false;
  }

  /**
   * Takes a reference on every extent of the range. True: the write may be submitted now. False: the waiter will be
   * called, as a later input.
   */
  begin(sector: number, sectors: number, waiter: ExtentWaiter): boolean {
    const first = extentOfSector(sector);
    const last = extentOfSector(sector + Math.max(sectors, 1) - 1);
    if (this.queue.length === 0 && this.target.isMarkedInUse()) {
      if (first === last) {
        const slot = this.byExtent.get(first);
        if (slot !== undefined && !slot.pending) {
          if (slot.references++ === 0) this.unlink(slot);
          return true;
        }
      } else if (this.allActive(first, last)) {
        this.reference(first, last);
        return true;
      }
    }
    this.queue.push({ first, last, waiter });
    this.schedule();
    return false;
  }
  /** Drops the references that `begin` took. */
  end(sector: number, sectors: number): void {
    const last = extentOfSector(sector + Math.max(sectors, 1) - 1);
    for (let extent = extentOfSector(sector); extent <= last; extent++) {
      const slot = this.byExtent.get(extent);
      if (slot === undefined || slot.references === 0)
        throw new RangeError(`extent ${extent} is not referenced`);
      if (--slot.references > 0) continue;
      this.pushNewest(slot);
      this.onExtentIdle(extent);
    }
    if (this.queue.length > 0) this.schedule();
  }
  /** Calls every waiting request back with an error (forced detach). */
  abort(error: ErrnoCode): void {
    const waiting = this.queue;
    this.queue = [];
    for (const { waiter } of waiting) waiter.onExtentsActive(error);
  }

  private allActive(first: number, last: number): boolean {
    for (let extent = first; extent <= last; extent++) {
      const slot = this.byExtent.get(extent);
      if (slot === undefined || slot.pending) return false;
    }
    return true;
  }
  private reference(first: number, last: number): void {
    for (let extent = first; extent <= last; extent++) {
      const slot = this.byExtent.get(extent);
      if (slot !== undefined && slot.references++ === 0) this.unlink(slot);
    }
  }

  private scheduled = false;
  /** Requests that arrive in one turn share a transaction. */
  private schedule(): void {
    if (this.scheduled || this.writing) return;
    this.scheduled = true;
    this.target.scheduler.soon(this);
  }
  run(): void {
    this.scheduled = false;
    if (this.holder !== undefined) this.checkHeld();
    if (this.writing || this.held) return;
    if (this.target.isMarkedInUse()) {
      this.startTransaction();
      return;
    }
    this.writing = true;
    this.target.markInUse(
      new WhenDone((error) => {
        this.writing = false;
        if (error === 0) this.run();
        else {
          this.abort(error);
          this.checkHeld();
          this.target.writerPaused();
        }
      }),
    );
  }

  // --- moving (move-meta-data.ts)

  get slotCount(): number {
    return this.settings.slots;
  }
  /** No transaction begins until `letGo`; `ready` runs when none is under way. */
  hold(ready: Task): void {
    this.held = true;
    this.holder = ready;
    this.target.scheduler.soon({ run: () => this.checkHeld() });
  }
  private checkHeld(): void {
    const { holder } = this;
    if (holder === undefined || this.writing) return;
    this.holder = undefined;
    holder.run();
  }
  /** Goes on, in the ring at `place`. */
  letGo(place: ActivityLogPlace): void {
    this.place = place;
    this.held = false;
    if (this.queue.length > 0) this.schedule();
  }
  /** A new ring that says what the log says now; transactions go on behind it. To be called while held. */
  copyRing(geometry: ActivityLogGeometry): Uint8Array {
    const ring = initializedActivityLog(geometry);
    const blocks = alBlocks(geometry);
    const extents = this.extents();
    // From the beginning of the ring: only there a torn first transaction is recognised (metadata.md 6.4).
    this.nextTransaction = (Math.ceil(this.nextTransaction / blocks) * blocks) >>> 0;
    this.contextStart = 0;
    if (this.byExtent.size === 0) return ring;
    do {
      const number = this.nextTransaction;
      const at = alBlockOfTransaction(number, geometry) * AL_BLOCK_BYTES;
      encodeAlTransaction(
        { number, contextSize: extents.length, updates: [], contextStart: this.contextStart, slots: extents },
        ring.subarray(at, at + AL_BLOCK_BYTES),
      );
      this.nextTransaction = (number + 1) >>> 0;
      this.contextStart = nextContextStart(this.contextStart, extents.length);
    } while (this.contextStart !== 0);
    return ring;
  }

  /** What is in each slot. */
  private extents(): Uint32Array {
    const extents = new Uint32Array(this.settings.slots).fill(AL_FREE);
    for (const slot of this.taken) extents[slot.index] = slot.extent;
    return extents;
  }

  private startTransaction(): void {
    const updates: AlUpdate[] = [];
    const evicted: number[] = [];
    const granted: Waiting[] = [];
    const before = this.extents();
    for (;;) {
      const request = this.queue[granted.length];
      if (request === undefined || !this.admit(request, updates, evicted)) break;
      granted.push(request);
    }
    this.queue.splice(0, granted.length);
    if (granted.length === 0) {
      this.starving = this.queue.length > 0;
      if (this.starving) this.onStarving();
      return;
    }
    this.starving = false;
    if (updates.length === 0 || this.updatesDisabled) this.finish(granted, updates, 0);
    else this.writeTransaction(before, updates, evicted, granted);
  }

  /** Takes the request's references if the slots suffice. */
  private admit(request: Waiting, updates: AlUpdate[], evicted: number[]): boolean {
    let missing = 0;
    let idle = 0;
    for (let extent = request.first; extent <= request.last; extent++) {
      const slot = this.byExtent.get(extent);
      if (slot === undefined) missing++;
      else if (slot.references === 0) idle++;
    }
    if (updates.length + missing > AL_UPDATES_PER_TRANSACTION) return false;
    const free = this.settings.slots - this.taken.length;
    if (missing > free + this.unreferenced - idle) return false;
    this.reference(request.first, request.last);
    for (let extent = request.first; extent <= request.last; extent++) {
      if (this.byExtent.has(extent)) continue;
      const slot = this.takeSlot(evicted);
      slot.extent = extent;
      slot.references = 1;
      slot.pending = true;
      this.byExtent.set(extent, slot);
      updates.push({ slot: slot.index, extent });
    }
    return true;
  }
  private takeSlot(evicted: number[]): Slot {
    const untouched = this.settings.slots - this.taken.length - 1;
    if (untouched >= 0) {
      const fresh = new Slot(untouched);
      this.taken.push(fresh);
      return fresh;
    }
    const slot = this.oldest;
    if (slot === undefined) throw new RangeError('no slot of the activity log is free');
    this.unlink(slot);
    this.byExtent.delete(slot.extent);
    evicted.push(slot.extent);
    return slot;
  }

  private writeTransaction(
    before: Uint32Array,
    updates: readonly AlUpdate[],
    evicted: readonly number[],
    granted: readonly Waiting[],
  ): void {
    this.writing = true;
    const finish = (error: ErrnoCode) => this.finish(granted, updates, error);
    const writeBlock = (error: ErrnoCode) => {
      if (error !== 0) finish(error);
      else this.writeBlock(before, updates, new WhenDone(finish));
    };
    if (evicted.length === 0) {
      writeBlock(0);
      return;
    }
    this.writeEvictedPages(evicted, (error) => {
      if (error !== 0) finish(error);
      else flushBefore(this.target, writeBlock);
    });
  }
  private writeEvictedPages(evicted: readonly number[], done: (error: ErrnoCode) => void): void {
    const loaded = this.bitmap();
    const pages = pagesOfExtents(loaded.bitmap, evicted);
    // A job in flight may hold versions of these pages: then an empty job waits behind it.
    if (pages.length === 0 && loaded.writer.idle) done(0);
    else loaded.writer.writePages(pages, new WhenDone(done));
  }
  private writeBlock(before: Uint32Array, updates: readonly AlUpdate[], waiter: DiskWaiter): void {
    const { slots } = this.settings;
    const { geometry, alByte } = this.place;
    const number = this.nextTransaction;
    encodeAlTransaction(
      { number, contextSize: slots, updates, contextStart: this.contextStart, slots: before },
      this.block,
    );
    this.nextTransaction = (number + 1) >>> 0;
    this.contextStart = nextContextStart(this.contextStart, slots);
    this.writes++;
    const at = alByte + alBlockOfTransaction(number, geometry) * AL_BLOCK_BYTES;
    this.target.metaDisk.write(at, this.block, this.target.mdFlushes(), waiter);
  }

  private finish(granted: readonly Waiting[], updates: readonly AlUpdate[], error: ErrnoCode): void {
    this.writing = false;
    for (const { slot } of updates) {
      const taken = this.taken[this.settings.slots - 1 - slot];
      if (taken) taken.pending = false;
    }
    if (error !== 0) {
      for (const request of granted) this.dropReferences(request);
      this.target.onMetaDataError('__al_write_transaction', error);
    }
    for (const { waiter } of granted) waiter.onExtentsActive(error);
    this.checkHeld();
    if (this.queue.length > 0) this.schedule();
    else if (!this.writing) this.target.writerPaused();
  }
  private dropReferences({ first, last }: Waiting): void {
    this.end(first * AL_EXTENT_SECTORS, (last - first + 1) * AL_EXTENT_SECTORS);
  }

  private pushNewest(slot: Slot): void {
    slot.older = this.newest;
    slot.newer = undefined;
    if (this.newest) this.newest.newer = slot;
    this.newest = slot;
    this.oldest ??= slot;
    this.unreferenced++;
  }
  private unlink(slot: Slot): void {
    if (slot.older) slot.older.newer = slot.newer;
    else this.oldest = slot.newer;
    if (slot.newer) slot.newer.older = slot.older;
    else this.newest = slot.older;
    slot.older = undefined;
    slot.newer = undefined;
    this.unreferenced--;
  }
}

/** Dirty pages of the bitmap that hold bits of the extents, ascending. */
function pagesOfExtents(bitmap: DeviceBitmap, extents: readonly number[]): number[] {
  const pages = new Set<number>();
  const bits = bitsPerExtent(bitmap.bytesPerBit);
  for (const extent of extents) {
    if (extent * bits >= bitmap.bits) continue;
    const last = Math.min((extent + 1) * bits, bitmap.bits) - 1;
    const from = bitmapWordIndex(extent * bits, 0, bitmap.slots);
    const to = bitmapWordIndex(last, bitmap.slots - 1, bitmap.slots);
    for (let page = from >> 10; page <= to >> 10; page++) if (bitmap.pageMarks(page) !== 0) pages.add(page);
  }
  return [...pages].sort((a, b) => a - b);
}
