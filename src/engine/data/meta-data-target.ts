/**
 * What the writers of meta-data share: the disks, the flush policy and where an error goes.
 */
import { type Disk, type DiskWaiter, type ErrnoCode, type Scheduler } from '../ports';

export interface MetaDataTarget {
  readonly scheduler: Scheduler;
  readonly dataDisk: Disk;
  /** The same object as `dataDisk` with internal meta-data. */
  readonly metaDisk: Disk;
  /** Disk option md-flushes. */
  mdFlushes(): boolean;
  /** The disks are closed, or about to be: nothing may be written any more. */
  readonly closed: boolean;
  /** False while the superblock on disk does not say what makes apply-al look at the log. */
  isMarkedInUse(): boolean;
  /** The waiter is called when it does, or with an error. */
  markInUse(waiter: DiskWaiter): void;
  /** The caller's last operation ended and none is queued: a detach may wait for that. */
  writerPaused(): void;
  /** `where` is the name that the log line of engine.md 9.3 shows. */
  onMetaDataError(where: 'drbd_md_write' | '__al_write_transaction' | 'bm_rw_range', error: ErrnoCode): void;
}

/** Calls back once, when a number of disk operations are done, with the first error. */
export class DiskBatch implements DiskWaiter {
  private waitingFor = 1;
  private firstError: ErrnoCode = 0;
  constructor(private readonly done: (error: ErrnoCode) => void) {}
  add(): this {
    this.waitingFor++;
    return this;
  }
  /** Balances the count of 1 that the batch starts with: call it when all operations have been started. */
  started(): void {
    this.onDiskDone(0);
  }
  onDiskDone(error: ErrnoCode): void {
    if (this.firstError === 0) this.firstError = error;
    if (--this.waitingFor === 0) this.done(this.firstError);
  }
}

/** A waiter from a function: for the slow path only. */
export class WhenDone implements DiskWaiter {
  constructor(private readonly done: (error: ErrnoCode) => void) {}
  onDiskDone(error: ErrnoCode): void {
    this.done(error);
  }
}

/**
 * Brings everything that completed so far on either disk to stable storage, unless md-flushes is off. With external
 * meta-data the data disk is flushed too: meta-data that is about to be written may claim that its data is there.
 */
export function flushBefore(target: MetaDataTarget, done: (error: ErrnoCode) => void): void {
  if (!target.mdFlushes()) {
    done(0);
    return;
  }
  const batch = new DiskBatch(done);
  target.dataDisk.flush(batch.add());
  if (target.metaDisk !== target.dataDisk) target.metaDisk.flush(batch.add());
  batch.started();
}
