/** Time and disks for tests of single parts: everything pending is run in random order, seeded. */
import {
  type Disk,
  type DiskWaiter,
  type ErrnoCode,
  type Scheduler,
  type Task,
  type TimerHandle,
  type TimerWaiter,
} from '../../../src/engine/ports';

export class FakeClock implements Scheduler {
  private time = 0;
  private readonly tasks: Task[] = [];
  private timers: { at: number; waiter: TimerWaiter; live: boolean }[] = [];
  /** Completions of disks, run in random order. */
  readonly inputs: (() => void)[] = [];
  private seed: number;

  constructor(seed = 1) {
    this.seed = seed;
  }
  now(): number {
    return this.time;
  }
  wallClock(): number {
    return 1.7e12 + this.time;
  }
  after(delay: number, waiter: TimerWaiter): TimerHandle {
    const timer = { at: this.time + delay, waiter, live: true };
    this.timers.push(timer);
    return { cancel: () => void (timer.live = false) };
  }
  soon(task: Task): void {
    this.tasks.push(task);
  }
  below(limit: number): number {
    this.seed = (Math.imul(this.seed, 1103515245) + 12345) >>> 0;
    return Math.floor((this.seed / 0x1_0000_0000) * limit);
  }
  private runTasks(): void {
    for (let task = this.tasks.shift(); task; task = this.tasks.shift()) task.run();
  }
  /** One input; false when there is none. */
  step(): boolean {
    this.runTasks();
    const [input] = this.inputs.splice(this.below(this.inputs.length), 1);
    if (input === undefined) return false;
    input();
    this.runTasks();
    return true;
  }
  settle(): void {
    for (let steps = 0; this.step(); steps++) if (steps > 1e6) throw new Error('never settles');
  }
  /** Lets time pass, with all that falls due on the way. */
  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      this.settle();
      const due = this.timers.filter((timer) => timer.live && timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      due.live = false;
      this.timers = this.timers.filter((timer) => timer.live);
      this.time = Math.max(this.time, due.at);
      due.waiter.onTimer();
    }
    this.time = end;
    this.settle();
  }
}

export interface DiskTrace {
  readonly kind: 'write' | 'fua' | 'flush' | 'discard' | 'zero';
  readonly offset: number;
  readonly length: number;
}

/** A disk with a volatile cache: a crash keeps any subset of what was neither flushed nor written with FUA. */
export class FakeDisk implements Disk {
  readonly path: string;
  readonly blockSize = 512;
  discardZeroes = true;
  discardGranularity = 512;
  canDiscard = true;
  /** What a reader sees. */
  readonly bytes: Uint8Array;
  /** What survives for certain. */
  readonly stable: Uint8Array;
  private volatile: { offset: number; bytes: Uint8Array }[] = [];
  readonly trace: DiskTrace[] = [];
  failWrites: ErrnoCode = 0;
  failReads: ErrnoCode = 0;
  inFlight = 0;
  closed = false;

  constructor(
    private readonly clock: FakeClock,
    readonly size: number,
    path = '/disk',
  ) {
    this.path = path;
    this.bytes = new Uint8Array(size);
    this.stable = new Uint8Array(size);
  }
  private later(waiter: DiskWaiter, act: () => ErrnoCode): void {
    this.inFlight++;
    this.clock.inputs.push(() => {
      this.inFlight--;
      waiter.onDiskDone(act());
    });
  }
  private check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.size || offset % 512 !== 0 || length % 512 !== 0)
      throw new RangeError(`I/O at ${offset}+${length} of ${this.size}`);
  }
  read(offset: number, into: Uint8Array, waiter: DiskWaiter): void {
    this.check(offset, into.length);
    this.later(waiter, () => {
      if (this.failReads === 0) into.set(this.bytes.subarray(offset, offset + into.length));
      return this.failReads;
    });
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: DiskWaiter): void {
    this.check(offset, from.length);
    this.trace.push({ kind: fua ? 'fua' : 'write', offset, length: from.length });
    this.later(waiter, () => {
      if (this.failWrites !== 0) return this.failWrites;
      this.put(offset, from.slice(), fua);
      return 0;
    });
  }
  private put(offset: number, bytes: Uint8Array, fua: boolean): void {
    this.bytes.set(bytes, offset);
    if (fua) this.stable.set(bytes, offset);
    else this.volatile.push({ offset, bytes });
  }
  flush(waiter: DiskWaiter): void {
    this.trace.push({ kind: 'flush', offset: 0, length: 0 });
    const covered = this.volatile.slice();
    this.later(waiter, () => {
      for (const { offset, bytes } of covered) this.stable.set(bytes, offset);
      this.volatile = this.volatile.filter((write) => !covered.includes(write));
      return 0;
    });
  }
  discard(offset: number, length: number, waiter: DiskWaiter): void {
    this.check(offset, length);
    this.trace.push({ kind: 'discard', offset, length });
    this.later(waiter, () => {
      this.put(offset, new Uint8Array(length), false);
      return 0;
    });
  }
  zeroOut(offset: number, length: number, _mayUnmap: boolean, waiter: DiskWaiter): void {
    this.check(offset, length);
    this.trace.push({ kind: 'zero', offset, length });
    this.later(waiter, () => {
      this.put(offset, new Uint8Array(length), false);
      return 0;
    });
  }
  refreshSize(waiter: DiskWaiter): void {
    this.later(waiter, () => 0);
  }
  close(waiter: DiskWaiter): void {
    this.closed = true;
    this.later(waiter, () => 0);
  }
  /** The image after a power failure. */
  crash(): Uint8Array {
    const image = this.stable.slice();
    for (const { offset, bytes } of this.volatile) if (this.clock.below(2) === 1) image.set(bytes, offset);
    return image;
  }
}
