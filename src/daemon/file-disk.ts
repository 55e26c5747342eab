/**
 * Backing disks: plain files, sparse images and block devices, through the page cache. Reads and writes are done
 * synchronously at the end of a round of inputs (a 4 KiB write takes 2 us that way and 47 us through the thread pool,
 * performance.md 3) unless they are large; a disk whose reads turn out to be slow is read through the thread pool.
 * Flushes are always asynchronous, and all that are asked for while one runs share the next.
 */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';
import { Errno, type Disk, type DiskWaiter, type ErrnoCode, type Task } from '../engine/ports';
import { geometryOf } from './disk-geometry';
import { HolePunching, type RangeOperation } from './hole-punching';
import { type InputQueue, type RoundEnd } from './input-queue';
import { errnoOf } from './os-error';

/** Zeros are written in pieces of this size. */
const ZERO_PIECE = 1024 * 1024;
/** Larger reads and writes go through the thread pool: the event loop receives and sends others meanwhile. */
const LARGE = 128 * 1024;
/** Operations in one go. */
const BATCH = 16;
/** A read that takes longer did not come from the page cache, in milliseconds. */
const SLOW_READ = 0.5;
/** After slow reads, this many go through the thread pool before one is tried directly again. */
const POOLED_READS = 256;

/** File systems in memory (statfs(2)): a flush has nothing to wait for, and the thread pool would take 20 times as long. */
const MEMORY_FILE_SYSTEMS: readonly number[] = [0x01021994, 0x858458f6];

/** Taken from the module once: a bundle looks up what is imported with every use. */
const files = fs;
const clock = performance;

let zeros: Uint8Array | undefined;

/** A block device is not where its node is: /dev is a file system in memory, too. */
function isInMemory(fd: number): boolean {
  try {
    return (
      fs.fstatSync(fd).isFile() && MEMORY_FILE_SYSTEMS.includes(fs.statfsSync(`/proc/self/fd/${fd}`).type)
    );
  } catch {
    return false;
  }
}

type JobKind = 'read' | 'write' | 'flush' | RangeOperation;

/** One operation; as a task it is its own completion. */
class Job implements Task {
  error: ErrnoCode = 0;
  constructor(
    private readonly disk: FileDisk,
    readonly kind: JobKind,
    public offset: number,
    public length: number,
    readonly bytes: Uint8Array,
    readonly fua: boolean,
    private readonly waiter: DiskWaiter,
  ) {}
  run(): void {
    this.disk.inFlight--;
    this.waiter.onDiskDone(this.error);
  }
}
const NO_BYTES = new Uint8Array(0);

/** The opened file, shared by all who opened it with the same claim. */
export interface OpenedFile {
  readonly fd: number;
  /** What keeps other daemons away from a file; -1 if it is not known. Block devices need none. */
  readonly claimFd: number | undefined;
  release(): void;
}

export class FileDisk implements Disk, RoundEnd {
  size: number;
  readonly blockSize: number;
  private jobs: Job[] = [];
  /** Operations asked for and not completed. */
  inFlight = 0;
  private closed = false;
  private flushing = false;
  private readonly flushQueue: Job[] = [];
  private pooledReads = 0;
  private readonly inMemory: boolean;
  private readonly holes: HolePunching;

  constructor(
    readonly path: string,
    private readonly file: OpenedFile,
    geometry: { readonly size: number; readonly blockSize: number },
    private readonly queue: InputQueue,
  ) {
    this.size = geometry.size;
    this.blockSize = geometry.blockSize;
    this.inMemory = isInMemory(file.fd);
    this.holes = HolePunching.of(file.fd, file.claimFd);
  }
  get canDiscard(): boolean {
    return this.holes.canDiscard;
  }
  get discardGranularity(): number {
    return this.holes.granularity;
  }
  get discardZeroes(): boolean {
    return this.canDiscard && this.holes.discardZeroes;
  }

  read(offset: number, into: Uint8Array, waiter: DiskWaiter): void {
    this.ask(new Job(this, 'read', offset, into.length, into, false, waiter));
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: DiskWaiter): void {
    this.ask(new Job(this, 'write', offset, from.length, from, fua, waiter));
  }
  flush(waiter: DiskWaiter): void {
    this.ask(new Job(this, 'flush', 0, 0, NO_BYTES, false, waiter));
  }
  discard(offset: number, length: number, waiter: DiskWaiter): void {
    if (this.canDiscard) this.ask(new Job(this, 'discard', offset, length, NO_BYTES, false, waiter));
    else this.queue.later(() => waiter.onDiskDone(Errno.EOPNOTSUPP));
  }
  zeroOut(offset: number, length: number, mayUnmap: boolean, waiter: DiskWaiter): void {
    this.ask(new Job(this, mayUnmap ? 'punch' : 'zero', offset, length, NO_BYTES, false, waiter));
  }
  refreshSize(waiter: DiskWaiter): void {
    let error: ErrnoCode = 0;
    try {
      this.size = geometryOf(this.file.fd)?.size ?? this.size;
    } catch (failure) {
      error = errnoOf(failure);
    }
    this.queue.later(() => waiter.onDiskDone(error));
  }
  close(waiter: DiskWaiter): void {
    if (this.inFlight > 0) throw new Error(`${this.path} closed with operations in flight`);
    if (!this.closed) this.file.release();
    this.closed = true;
    this.queue.later(() => waiter.onDiskDone(0));
  }

  private ask(job: Job): void {
    const { kind, offset, length } = job;
    if (this.closed) throw new Error(`${this.path}: ${kind} after close`);
    if (!(offset >= 0 && offset % this.blockSize === 0 && length % this.blockSize === 0))
      throw new Error(`${this.path}: ${kind} of ${length} bytes at ${offset} is not aligned`);
    this.inFlight++;
    if (offset + length > this.size) this.finish(job, Errno.EIO);
    else {
      if (this.jobs.length === 0) this.queue.afterWriters(this);
      this.jobs.push(job);
    }
  }
  private finish(job: Job, error: ErrnoCode): void {
    job.error = error;
    this.queue.laterTask(job);
  }

  /**
   * Does what was asked for, in that order; the completions are inputs of the next round. The rest of a large batch
   * comes after those: whoever waits for the first ones goes on meanwhile.
   */
  endRound(): void {
    const jobs = this.jobs;
    this.jobs = jobs.length > BATCH ? jobs.splice(BATCH) : [];
    if (this.jobs.length > 0) this.queue.afterWriters(this);
    for (const job of jobs) {
      switch (job.kind) {
        case 'read':
          this.readNow(job);
          break;
        case 'write':
          this.writeNow(job);
          break;
        case 'flush':
          this.queueFlush(job);
          break;
        default:
          this.startZero(job, job.kind);
          break;
      }
    }
  }

  private readNow(job: Job): void {
    if (this.pooledReads > 0 || job.bytes.length >= LARGE) {
      if (this.pooledReads > 0) this.pooledReads--;
      this.readPooled(job, 0);
      return;
    }
    const began = clock.now();
    let error: ErrnoCode = 0;
    try {
      for (let done = 0; done < job.bytes.length;) {
        const got = files.readSync(this.file.fd, job.bytes, done, job.bytes.length - done, job.offset + done);
        // Shorter than it was when it was opened.
        if (got === 0) throw Object.assign(new Error('short read'), { errno: -Errno.EIO });
        done += got;
      }
    } catch (failure) {
      error = errnoOf(failure);
    }
    if (clock.now() - began > SLOW_READ + job.bytes.length / 1e6) this.pooledReads = POOLED_READS;
    this.finish(job, error);
  }
  private readPooled(job: Job, done: number): void {
    const { bytes, offset } = job;
    fs.read(this.file.fd, bytes, done, bytes.length - done, offset + done, (failure, got) => {
      if (failure !== null) this.finish(job, errnoOf(failure));
      else if (got === 0) this.finish(job, Errno.EIO);
      else if (done + got < bytes.length) this.readPooled(job, done + got);
      else this.finish(job, 0);
    });
  }

  private writeNow(job: Job): void {
    if (job.bytes.length >= LARGE) this.writePooled(job, 0);
    else this.written(job, this.writeAll(job.bytes, job.bytes.length, job.offset));
  }
  private writePooled(job: Job, done: number): void {
    const { bytes, offset } = job;
    fs.write(this.file.fd, bytes, done, bytes.length - done, offset + done, (failure, put) => {
      if (failure !== null) this.written(job, errnoOf(failure));
      else if (put === 0) this.written(job, Errno.EIO);
      else if (done + put < bytes.length) this.writePooled(job, done + put);
      else this.written(job, 0);
    });
  }
  private written(job: Job, error: ErrnoCode): void {
    if (error === 0 && job.fua) this.queueFlush(job);
    else this.finish(job, error);
  }
  private writeAll(bytes: Uint8Array, length: number, offset: number): ErrnoCode {
    try {
      for (let done = 0; done < length;) {
        const put = files.writeSync(this.file.fd, bytes, done, length - done, offset + done);
        if (put === 0) return Errno.EIO;
        done += put;
      }
      return 0;
    } catch (failure) {
      return errnoOf(failure);
    }
  }
  private startZero(job: Job, operation: RangeOperation): void {
    const { offset, length } = job;
    if (!this.holes.takes(operation, length)) this.zeroNow(job);
    else
      this.holes.start(operation, offset, length, (ok) => {
        if (ok) this.finish(job, 0);
        else this.queue.input(() => this.zeroNow(job));
      });
  }
  /** A piece a round, so that others get their turn. */
  private zeroNow(job: Job): void {
    zeros ??= new Uint8Array(ZERO_PIECE);
    const length = Math.min(job.length, ZERO_PIECE);
    const error = this.writeAll(zeros, length, job.offset);
    job.offset += length;
    job.length -= length;
    if (error !== 0 || job.length === 0) this.finish(job, error);
    else this.queue.later(() => this.zeroNow(job));
  }

  private queueFlush(job: Job): void {
    if (this.inMemory) {
      this.finish(job, 0);
      return;
    }
    this.flushQueue.push(job);
    if (!this.flushing) this.flushNow();
  }
  private flushNow(): void {
    const jobs = this.flushQueue.splice(0);
    if (jobs.length === 0) return;
    this.flushing = true;
    fs.fdatasync(this.file.fd, (failure) => {
      const error = failure === null ? 0 : errnoOf(failure);
      this.flushing = false;
      this.queue.input(() => {
        for (const job of jobs) this.finish(job, error);
        this.flushNow();
      });
    });
  }
}
