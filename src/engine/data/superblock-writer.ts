/**
 * The superblock of an attached disk and its way to the disk: changed in memory by uuid/, state/ and data/, written at
 * the next sync, at the latest 5 s after the change (engine.md 11.1). Never two writes at once.
 */
import { DeviceFlag, PeerFlag } from '../../metadata/superblock-flags';
import { encodeSuperblock09, type Superblock09 } from '../../metadata/superblock-09';
import {
  type DiskWaiter,
  Errno,
  type ErrnoCode,
  type Task,
  type TimerHandle,
  type TimerWaiter,
} from '../ports';
import { flushBefore, type MetaDataTarget, WhenDone } from './meta-data-target';

const DIRTY_MILLISECONDS = 5000;

/**
 * The mark PRIMARY_IND makes apply-al look at the activity log after a crash. It may only go when everything that the
 * log stands for is in the bitmap on disk.
 */
export interface PrimaryMarkGuard {
  /** Writes are under way that only the log knows of: the mark has to stay for now. */
  logIsNeeded(): boolean;
  /** Brings the bitmap to disk (not yet flushed). */
  writeBitmap(waiter: DiskWaiter): void;
}

/**
 * What the meta-data say while bitmap and activity log cannot be trusted: everything is out of sync, and the log need not
 * be looked at.
 */
export function distrustful(superblock: Superblock09): Superblock09 {
  const flags = ((superblock.flags & ~DeviceFlag.PRIMARY_IND) | DeviceFlag.AL_DISABLED) >>> 0;
  const peers = superblock.peers.map((peer) => ({
    ...peer,
    flags: (peer.flags | PeerFlag.FULL_SYNC) >>> 0,
  }));
  return { ...superblock, flags, peers };
}

export class SuperblockWriter implements Task, TimerWaiter {
  private dirty = false;
  private writing = false;
  private timer: TimerHandle | undefined;
  /** The flags that are on stable storage. */
  durableFlags: number;
  private scheduled = false;
  /** A sync was asked for during a write: what changed since is written after it. */
  private again = false;
  /** Waiting for the write that starts next. */
  private waiters: DiskWaiter[] = [];
  private held = false;
  private holder: Task | undefined;
  private contentsLost = false;

  constructor(
    private readonly target: MetaDataTarget,
    private readonly superblock: Superblock09,
    /** Absolute byte of the superblock on the meta-data disk. */
    private superblockByte: number,
    private readonly onTimerExpired: () => void,
    private readonly guard: PrimaryMarkGuard,
  ) {
    this.durableFlags = superblock.flags;
  }

  get idle(): boolean {
    return !this.writing && !this.held && !this.scheduled && !this.again && this.waiters.length === 0;
  }

  /** The record in memory was changed. */
  markDirty(): void {
    this.dirty = true;
    this.timer ??= this.target.scheduler.after(DIRTY_MILLISECONDS, this);
  }
  onTimer(): void {
    this.timer = undefined;
    if (!this.dirty) return;
    this.onTimerExpired();
    this.sync();
  }
  /** Writes the superblock if it is dirty. The waiter is called when what it says now is on stable storage. */
  sync(waiter?: DiskWaiter): void {
    if (waiter) this.waiters.push(waiter);
    if (this.writing || this.held) this.again = true;
    if (this.writing || this.held || this.scheduled) return;
    this.scheduled = true;
    this.target.scheduler.soon(this);
  }
  /** Detach: nothing is written any more by the timer. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  // --- moving (move-meta-data.ts)

  /** Nothing is written until `letGo`; `ready` runs when no write is under way. */
  hold(ready: Task): void {
    this.holder = ready;
    this.target.scheduler.soon({ run: () => this.checkHeld() });
  }
  private checkHeld(): void {
    const { holder } = this;
    if (holder === undefined || this.writing) return;
    this.holder = undefined;
    this.held = true;
    holder.run();
  }
  /** Goes on, with the superblock at `superblockByte`. */
  letGo(superblockByte: number): void {
    this.superblockByte = superblockByte;
    this.held = false;
    if (!this.again && this.waiters.length === 0) return;
    this.again = false;
    this.sync();
  }
  /** Bitmap and log are not where the superblock says: as long as this disk is attached it demands a full sync. */
  loseContents(): void {
    this.contentsLost = true;
    this.markDirty();
  }
  /** The superblock as it would be written now, but that a mark of being in use stays. */
  imageWithMark(): Superblock09 {
    const mark = this.durableFlags & DeviceFlag.PRIMARY_IND;
    return { ...this.superblock, flags: (this.superblock.flags | mark) >>> 0 };
  }
  /** Whoever holds the writer has written this. */
  wrote(image: Superblock09): void {
    this.durableFlags = image.flags;
  }

  run(): void {
    this.scheduled = false;
    if (this.held) {
      this.again = true;
      return;
    }
    if (this.writing) return;
    const waiters = this.waiters;
    this.waiters = [];
    if (!this.dirty || this.target.closed) {
      for (const waiter of waiters) waiter.onDiskDone(this.dirty ? Errno.EIO : 0);
      if (this.idle) this.target.writerPaused();
      return;
    }
    this.dirty = false;
    this.timer?.cancel();
    this.timer = undefined;
    this.writing = true;
    const clearsMark =
      (this.durableFlags & ~this.superblock.flags & DeviceFlag.PRIMARY_IND) !== 0 &&
      !this.guard.logIsNeeded();
    if (!clearsMark) this.write(waiters);
    else
      this.guard.writeBitmap(
        new WhenDone((error) => {
          if (error !== 0) this.finish(waiters, error);
          else this.write(waiters);
        }),
      );
  }

  private write(waiters: readonly DiskWaiter[]): void {
    const { superblock } = this;
    let { flags } = superblock;
    if (this.durableFlags & DeviceFlag.PRIMARY_IND && this.guard.logIsNeeded()) {
      flags |= DeviceFlag.PRIMARY_IND;
      if (flags !== superblock.flags) this.markDirty();
    }
    const trusted = { ...superblock, flags };
    const image = this.contentsLost ? distrustful(trusted) : trusted;
    const bytes = encodeSuperblock09(image);
    const finish = (error: ErrnoCode): void => {
      if (error === 0) this.durableFlags = image.flags;
      this.finish(waiters, error);
    };
    flushBefore(this.target, (error) => {
      if (error !== 0) finish(error);
      else
        this.target.metaDisk.write(this.superblockByte, bytes, this.target.mdFlushes(), new WhenDone(finish));
    });
  }

  private finish(waiters: readonly DiskWaiter[], error: ErrnoCode): void {
    this.writing = false;
    if (error !== 0) {
      this.dirty = true;
      this.target.onMetaDataError('drbd_md_write', error);
    }
    for (const waiter of waiters) waiter.onDiskDone(error);
    this.checkHeld();
    if (this.again || this.waiters.length > 0) {
      this.again = false;
      this.sync();
    }
    if (this.idle) this.target.writerPaused();
  }
}
