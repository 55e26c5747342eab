/**
 * Giving space back: Node has neither fallocate(2) nor BLKDISCARD, so large ranges are given to the programs
 * `fallocate` and `blkdiscard` of util-linux. One runs at a time for each disk, ranges that touch each other share one,
 * and what a program does not do is done by writing zeros. A program may outlive a daemon that is killed:
 * it inherits what claims the disk, so that no other daemon takes the disk while it runs.
 */
import fs from 'node:fs';
import { findProgram, runProgram } from './block-device/run-program';
import { deviceNumbers } from './disk-geometry';

/** Smaller ranges are written faster than a program starts. */
const LEAST = 64 * 1024;
/** Zeroing without giving back space: written up to this size. */
const LEAST_ZEROED = 8 * 1024 * 1024;

/** File systems that punch holes (statfs(2)): ext4, xfs, btrfs, tmpfs, f2fs, bcachefs. */
const PUNCHING: readonly number[] = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0xca451a4e];

export type RangeOperation =
  /** Reads as zeros afterwards, space is given back. */
  | 'punch'
  /** Reads as zeros afterwards, space is kept. */
  | 'zero'
  /** What it reads as afterwards does not matter. */
  | 'discard';

function argumentsOf(program: string, operation: RangeOperation, offset: number, length: number): string[] {
  const range = ['--offset', String(offset), '--length', String(length), '/proc/self/fd/3'];
  if (program === 'fallocate')
    return [operation === 'zero' ? '--zero-range' : '--punch-hole', '-n', ...range];
  // --force: the daemon itself has the device open exclusively.
  return ['--force', ...(operation === 'discard' ? [] : ['--zeroout']), ...range];
}

/** An attribute of a block device's queue, in bytes; 0 without it. */
function queueLimit(rdev: number, name: string): number {
  const { major, minor } = deviceNumbers(rdev);
  for (const queue of ['queue', '../queue']) {
    try {
      const file = `/sys/dev/block/${major}:${minor}/${queue}/${name}`;
      return Number(fs.readFileSync(file, 'latin1').trim());
    } catch {
      // A partition has no queue of its own.
    }
  }
  return 0;
}

interface Job {
  readonly operation: RangeOperation;
  offset: number;
  length: number;
  readonly done: ((ok: boolean) => void)[];
}

export class HolePunching {
  private readonly queued: Job[] = [];
  private running = false;

  private constructor(
    private readonly fds: readonly number[],
    private readonly program: string,
    private readonly able: Set<RangeOperation>,
    /** Bytes. */
    readonly granularity: number,
  ) {}

  /** What can be done with the opened file or block device. */
  static of(fd: number, claimFd: number | undefined): HolePunching {
    const able = new Set<RangeOperation>();
    let program = 'fallocate';
    let granularity = 512;
    try {
      const stat = fs.fstatSync(fd);
      if (stat.isBlockDevice()) {
        program = 'blkdiscard';
        able.add('punch').add('zero');
        if (queueLimit(stat.rdev, 'discard_max_bytes') > 0) able.add('discard');
        granularity = Math.max(granularity, queueLimit(stat.rdev, 'discard_granularity'));
      } else if (PUNCHING.includes(fs.statfsSync(`/proc/self/fd/${fd}`).type))
        able.add('punch').add('zero').add('discard');
    } catch {
      able.clear();
    }
    if (findProgram(program) === undefined || claimFd === -1) able.clear();
    return new HolePunching(claimFd === undefined ? [fd] : [fd, claimFd], program, able, granularity);
  }
  get canDiscard(): boolean {
    return this.able.has('discard');
  }
  /** A hole in a file reads as zeros; no kernel says so of a discarded block device any more. */
  get discardZeroes(): boolean {
    return this.program === 'fallocate';
  }
  /** Is it worth a program? */
  takes(operation: RangeOperation, length: number): boolean {
    return this.able.has(operation) && length >= (operation === 'zero' ? LEAST_ZEROED : LEAST);
  }

  /** `done(false)`: the range is to be zeroed by other means. */
  start(operation: RangeOperation, offset: number, length: number, done: (ok: boolean) => void): void {
    const neighbour = this.queued.find(
      (job) =>
        job.operation === operation && (job.offset + job.length === offset || offset + length === job.offset),
    );
    if (neighbour !== undefined) {
      neighbour.offset = Math.min(neighbour.offset, offset);
      neighbour.length += length;
      neighbour.done.push(done);
      return;
    }
    this.queued.push({ operation, offset, length, done: [done] });
    if (!this.running) this.next();
  }
  private next(): void {
    const job = this.queued.shift();
    this.running = job !== undefined;
    if (job === undefined) return;
    const { operation, offset, length } = job;
    const finish = (ok: boolean): void => {
      for (const done of job.done) done(ok);
      this.next();
    };
    runProgram(this.program, argumentsOf(this.program, operation, offset, length), ...this.fds).then(
      () => finish(true),
      () => {
        // It will not be able to next time either; meanwhile it is not asked again.
        this.able.delete(operation);
        finish(false);
      },
    );
  }
}
