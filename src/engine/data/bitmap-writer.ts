/**
 * Writes dirty pages of the bitmap, one job after the other, so that two versions of one page are never in flight
 * (engine.md 11.2). A page in which bits were cleared claims that data is on disk: such pages are copied first, then
 * the data disk is flushed, then the copies are written.
 */
import { type DiskWaiter, Errno, type ErrnoCode, type Task } from '../ports';
import { BITMAP_PAGE_BYTES, type DeviceBitmap, PAGE_CLEARED } from './device-bitmap';
import { DiskBatch, flushBefore, type MetaDataTarget } from './meta-data-target';

/** Contiguous pages are written together, at most this many. */
const RUN_PAGES = 64;

interface Job {
  /** Undefined: every dirty page. */
  readonly pages: readonly number[] | undefined;
  readonly waiter: DiskWaiter | undefined;
}
interface Run {
  readonly firstPage: number;
  readonly bytes: Uint8Array;
}

export class BitmapWriter implements Task {
  /** Writes issued: the statistics counter bm-writes. */
  bmWrites = 0;
  private readonly jobs: Job[] = [];
  private busy = false;
  private scheduled = false;
  private held = false;
  private holder: Task | undefined;

  constructor(
    private readonly target: MetaDataTarget,
    private readonly current: () => DeviceBitmap,
    /** Absolute byte of the bitmap on the meta-data disk. */
    private bitmapByte: number,
  ) {}

  private get bitmap(): DeviceBitmap {
    return this.current();
  }
  get idle(): boolean {
    return !this.busy && !this.held && this.jobs.length === 0;
  }

  /** Writes all pages that are dirty when the job's turn comes. The bytes are not yet flushed when it is done. */
  writeDirty(waiter?: DiskWaiter): void {
    this.enqueue({ pages: undefined, waiter });
  }
  /** Writes those of the pages that are dirty when the job's turn comes. */
  writePages(pages: readonly number[], waiter: DiskWaiter): void {
    this.enqueue({ pages, waiter });
  }

  private enqueue(job: Job): void {
    this.jobs.push(job);
    if (this.busy || this.scheduled) return;
    this.scheduled = true;
    this.target.scheduler.soon(this);
  }
  run(): void {
    this.scheduled = false;
    this.next();
  }

  // --- moving (move-meta-data.ts)

  /** Nothing is written until `letGo`; `ready` runs when no write is under way. */
  hold(ready: Task): void {
    this.holder = ready;
    this.target.scheduler.soon(this);
  }
  /** Goes on, with the bitmap at `bitmapByte`. */
  letGo(bitmapByte: number): void {
    this.bitmapByte = bitmapByte;
    this.held = false;
    this.next();
  }
  /** The whole bitmap, to `bitmapByte`; for whoever holds the writer. Not yet flushed when it is done. */
  writeAllAt(bitmapByte: number, waiter: DiskWaiter): void {
    this.writeAllAgain();
    this.bitmapByte = bitmapByte;
    this.begin({ pages: undefined, waiter });
  }
  /** No page is taken to be on disk any more. */
  writeAllAgain(): void {
    for (let page = 0; page < this.bitmap.pages; page++) this.bitmap.markPage(page);
  }

  private next(): void {
    if (this.busy || this.held) return;
    if (this.holder !== undefined) {
      const { holder } = this;
      this.holder = undefined;
      this.held = true;
      holder.run();
      return;
    }
    const job = this.jobs.shift();
    if (job !== undefined) this.begin(job);
  }
  private begin(job: Job): void {
    this.busy = true;
    if (this.target.closed) {
      this.finish(job, [], Errno.EIO);
      return;
    }
    const { runs, cleared } = this.takePages(job);
    if (runs.length === 0) this.finish(job, runs, 0);
    else if (!cleared) this.write(job, runs);
    else
      flushBefore(this.target, (error) => {
        if (error === 0) this.write(job, runs);
        else this.finish(job, runs, error);
      });
  }

  private takePages(job: Job): { runs: Run[]; cleared: boolean } {
    const runs: Run[] = [];
    let cleared = false;
    const dirty = (page: number) => this.bitmap.pageMarks(page) !== 0;
    const pages = job.pages ? job.pages.filter(dirty) : this.allDirty();
    for (let i = 0; i < pages.length;) {
      const firstPage = pages[i] ?? 0;
      let length = 1;
      while (length < RUN_PAGES && pages[i + length] === firstPage + length) length++;
      const bytes = new Uint8Array(length * BITMAP_PAGE_BYTES);
      for (let k = 0; k < length; k++) {
        if (this.bitmap.pageMarks(firstPage + k) & PAGE_CLEARED) cleared = true;
        this.bitmap.takePage(firstPage + k, bytes.subarray(k * BITMAP_PAGE_BYTES));
      }
      runs.push({ firstPage, bytes });
      i += length;
    }
    return { runs, cleared };
  }
  private allDirty(): number[] {
    const pages: number[] = [];
    if (this.bitmap.dirtyPages === 0) return pages;
    for (let page = 0; page < this.bitmap.pages; page++)
      if (this.bitmap.pageMarks(page) !== 0) pages.push(page);
    return pages;
  }

  private write(job: Job, runs: readonly Run[]): void {
    const batch = new DiskBatch((error) => this.finish(job, runs, error));
    for (const { firstPage, bytes } of runs) {
      this.bmWrites++;
      this.target.metaDisk.write(this.bitmapByte + firstPage * BITMAP_PAGE_BYTES, bytes, false, batch.add());
    }
    batch.started();
  }

  private finish(job: Job, runs: readonly Run[], error: ErrnoCode): void {
    this.busy = false;
    if (error !== 0) {
      for (const { firstPage, bytes } of runs)
        for (let k = 0; k * BITMAP_PAGE_BYTES < bytes.length; k++) this.bitmap.markPage(firstPage + k);
      this.target.onMetaDataError('bm_rw_range', error);
    }
    job.waiter?.onDiskDone(error);
    this.next();
    if (this.idle) this.target.writerPaused();
  }
}
