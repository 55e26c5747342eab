/**
 * An attached disk with its meta-data: superblock, bitmap, activity log. Exists from Attaching until Diskless.
 * The record `superblock` is changed by uuid/ and state/ too, each change followed by `markDirty()`.
 */
import { alMaxExtents } from '../../metadata/activity-log';
import { attachCapacitySectors, INDEX_INTERNAL, type Layout } from '../../metadata/layout';
import { type Superblock09 } from '../../metadata/superblock-09';
import { DeviceFlag, PeerFlag } from '../../metadata/superblock-flags';
import { type DiskOptions } from '../options';
import { type Disk, type DiskWaiter, type ErrnoCode, type Scheduler, type Task } from '../ports';
import { ActivityLog } from './activity-log';
import { BitmapWriter } from './bitmap-writer';
import { DeviceBitmap } from './device-bitmap';
import { DiskBatch, type MetaDataTarget, WhenDone } from './meta-data-target';
import { SuperblockWriter } from './superblock-writer';

/** Where errors of the disk go; implemented by disk-errors.ts. */
export interface BackingOwner {
  readonly scheduler: Scheduler;
  diskOptions(): DiskOptions;
  onMetaDataError(where: string, error: ErrnoCode): void;
  /** The dirty timer of the superblock expired (a log line). */
  onDirtyTimer(): void;
}

export interface OpenedDisks {
  readonly dataDisk: Disk;
  readonly metaDisk: Disk;
  /** Place of the meta-data as in layout.ts. */
  readonly metaIndex: number;
  readonly layout: Layout;
  readonly superblock: Superblock09;
  /** Number of the next activity log transaction of this minor. */
  readonly firstTransaction: number;
}

export class BackingDevice implements MetaDataTarget {
  readonly dataDisk: Disk;
  readonly metaDisk: Disk;
  readonly superblock: Superblock09;
  readonly metaIndex: number;
  /** Changes when the meta-data move (move-meta-data.ts). */
  layout: Layout;
  readonly activityLog: ActivityLog;
  readonly bitmapWriter: BitmapWriter;
  readonly superblockWriter: SuperblockWriter;
  /** Looks at the disks that wait for their turn (follow-disks.ts); undefined: nobody looks. */
  looks: Task[] | undefined;
  /** Sectors that become the effective size when the bitmap is written (persist-size.ts). */
  sizeToPersist: number | undefined;
  /** Empty until `loadBitmap`. */
  bitmap: DeviceBitmap;
  /** I/O in flight on the data disk: the statistics counter lower-pending. */
  references = 0;
  /** Set by a forced detach: I/O in flight counts as failed. */
  aborted = false;
  closed = false;
  private idleWaiter: DiskWaiter | undefined;

  constructor(
    private readonly owner: BackingOwner,
    opened: OpenedDisks,
  ) {
    this.dataDisk = opened.dataDisk;
    this.metaDisk = opened.metaDisk;
    this.superblock = opened.superblock;
    this.metaIndex = opened.metaIndex;
    this.layout = opened.layout;
    this.bitmap = this.emptyBitmap(0);
    this.bitmapWriter = new BitmapWriter(this, () => this.bitmap, opened.layout.bitmapByte);
    this.superblockWriter = new SuperblockWriter(
      this,
      opened.superblock,
      opened.layout.superblockByte,
      () => owner.onDirtyTimer(),
      {
        logIsNeeded: () => this.activityLog.referenced > 0,
        writeBitmap: (waiter) => this.bitmapWriter.writeDirty(waiter),
      },
    );
    const written = { bitmap: () => this.bitmap, writer: this.bitmapWriter };
    this.activityLog = new ActivityLog(this, () => ({ bitmap: written.bitmap(), writer: written.writer }), {
      slots: Math.min(owner.diskOptions().alExtents, alMaxExtents(opened.superblock)),
      geometry: opened.superblock,
      alByte: opened.layout.alByte,
      firstTransaction: opened.firstTransaction,
    });
  }

  // --- MetaDataTarget
  get scheduler(): Scheduler {
    return this.owner.scheduler;
  }
  mdFlushes(): boolean {
    return this.owner.diskOptions().mdFlushes;
  }
  /**
   * The superblock says on disk that there is a Primary, if there is one: without that mark apply-al ignores the log
   * after a crash (metadata.md 6.4).
   */
  isMarkedInUse(): boolean {
    const inMemory = this.superblock.flags & DeviceFlag.PRIMARY_IND;
    return inMemory === 0 || (this.superblockWriter.durableFlags & DeviceFlag.PRIMARY_IND) !== 0;
  }
  markInUse(waiter: DiskWaiter): void {
    this.superblockWriter.markDirty();
    this.superblockWriter.sync(waiter);
  }
  onMetaDataError(where: string, error: ErrnoCode): void {
    this.owner.onMetaDataError(where, error);
  }

  // --- sizes, in sectors

  /** What the data disk can hold at most with this meta-data. */
  get maxSectors(): number {
    return this.maxSectorsWith(this.layout);
  }
  /** The same, if the meta-data were there. */
  maxSectorsWith(layout: Layout): number {
    const { bmBytesPerBit, bmMaxPeers } = this.superblock;
    const capacity = attachCapacitySectors(layout, this.metaIndex, bmBytesPerBit, bmMaxPeers);
    return this.metaIndex === INDEX_INTERNAL
      ? capacity
      : Math.min(Math.floor(this.dataDisk.size / 512), capacity);
  }
  private emptyBitmap(sectors: number): DeviceBitmap {
    return new DeviceBitmap(sectors, this.superblock.bmMaxPeers, this.superblock.bmBytesPerBit);
  }

  // --- superblock

  /** The superblock in memory was changed: it is written at the next sync, at the latest after 5 s. */
  markDirty(): void {
    this.superblockWriter.markDirty();
  }
  /** The waiter is called when what the superblock says now is on stable storage. */
  syncSuperblock(waiter?: DiskWaiter): void {
    this.superblockWriter.sync(waiter);
  }
  /** Bitmap slot of a node id, -1 = none. */
  slotOf(nodeId: number): number {
    return this.superblock.peers[nodeId]?.bitmapIndex ?? -1;
  }
  hasBitmapFor(nodeId: number): boolean {
    return ((this.superblock.peers[nodeId]?.flags ?? 0) & PeerFlag.HAVE_BITMAP) !== 0;
  }

  // --- bitmap

  /** Reads the bitmap for a device of `sectors`; what lies beyond is ignored. */
  loadBitmap(sectors: number, waiter: DiskWaiter): void {
    const bitmap = this.emptyBitmap(sectors);
    const bytes = bitmap.bytes;
    const batch = new DiskBatch((error) => {
      if (error === 0) {
        bitmap.adoptLoadedWords();
        this.bitmap = bitmap;
      }
      waiter.onDiskDone(error);
    });
    const step = 1 << 20;
    for (let at = 0; at < bytes.length; at += step)
      this.metaDisk.read(
        this.layout.bitmapByte + at,
        bytes.subarray(at, Math.min(at + step, bytes.length)),
        batch.add(),
      );
    if (bytes.length === 0) this.scheduler.soon({ run: () => batch.started() });
    else batch.started();
  }
  /** The device has another size: bits of new blocks are set in every slot if `setNewBits`. */
  resizeBitmap(sectors: number, setNewBits: boolean): void {
    const bitmap = this.emptyBitmap(sectors);
    bitmap.adoptFrom(this.bitmap, setNewBits);
    this.bitmap = bitmap;
  }
  /** Marks a range out of sync in every slot that `except` is not. */
  setInAllSlots(sector: number, sectors: number, except = -1): void {
    for (let slot = 0; slot < this.bitmap.slots; slot++)
      if (slot !== except) this.bitmap.setRange(slot, sector, sectors);
  }
  /** Writes the dirty pages of the bitmap, then the superblock: everything on stable storage when the waiter is called. */
  writeAll(waiter: DiskWaiter): void {
    this.bitmapWriter.writeDirty(
      new WhenDone((error) => {
        if (error !== 0) {
          waiter.onDiskDone(error);
          return;
        }
        this.markDirty();
        this.syncSuperblock(waiter);
      }),
    );
  }

  // --- references

  /** Every I/O on the data disk holds one. */
  hold(): void {
    this.references++;
  }
  release(): void {
    this.references--;
    this.checkIdle();
  }
  /** One waiter: called when nothing on the disk is in flight any more (detach). */
  whenIdle(waiter: DiskWaiter): void {
    this.idleWaiter = waiter;
    this.scheduler.soon({ run: () => this.checkIdle() });
  }
  /** Nothing on the disk is in flight or about to be. */
  get isQuiet(): boolean {
    return (
      this.references === 0 && this.activityLog.idle && this.bitmapWriter.idle && this.superblockWriter.idle
    );
  }
  /** A writer of meta-data has nothing more to do for now. */
  writerPaused(): void {
    if (this.idleWaiter !== undefined) this.scheduler.soon({ run: () => this.checkIdle() });
  }
  private checkIdle(): void {
    const waiter = this.idleWaiter;
    if (waiter === undefined || !this.isQuiet) return;
    this.idleWaiter = undefined;
    waiter.onDiskDone(0);
  }

  /** Closes both disks; nothing may be in flight. */
  close(done: () => void): void {
    this.closed = true;
    this.superblockWriter.stop();
    const batch = new DiskBatch(done);
    this.dataDisk.close(batch.add());
    if (this.metaDisk !== this.dataDisk) this.metaDisk.close(batch.add());
    batch.started();
  }
}
