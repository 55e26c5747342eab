import {
  Errno,
  type Disk,
  type DiskOpenFailure,
  type DiskOpenWaiter,
  type Disks,
  type DiskWaiter,
} from '../../engine/ports';
import { type DiskMedium } from './disk-medium';
import { type EventQueue } from './event-queue';
import { HostEvent, type HostLife } from './host-life';
import { type RandomStream } from './random-stream';
import { type Trace } from './trace';

/** What may go wrong with one disk; probabilities per operation. */
export interface DiskFaults {
  readError: number;
  writeError: number;
  flushError: number;
  /** Milliseconds a usual operation takes at most; some take ten times as long. */
  slowest: number;
}
export const healthyDisk = (): DiskFaults => ({ readError: 0, writeError: 0, flushError: 0, slowest: 0.4 });

/** What a disk needs of its surroundings. */
export interface DiskSurroundings {
  readonly events: EventQueue;
  readonly random: RandomStream;
  readonly trace: Trace;
  now(): number;
}

type DiskAction = 'read' | 'write' | 'flush' | 'discard' | 'zero-out' | 'refresh-size' | 'close';

class DiskOperation extends HostEvent {
  flushMark = 0;
  constructor(
    life: HostLife,
    readonly disk: SimulatedDisk,
    readonly action: DiskAction,
    readonly offset: number,
    readonly length: number,
    readonly bytes: Uint8Array | undefined,
    readonly fua: boolean,
    readonly waiter: DiskWaiter,
  ) {
    super(life);
  }
  protected override handle(): void {
    this.disk.complete(this);
  }
}

/** An opened simulated disk. Operations take effect when they complete, in any order. */
export class SimulatedDisk implements Disk {
  readonly discardZeroes = true;
  readonly discardGranularity = 512;
  readonly canDiscard = true;
  size: number;
  private readonly inFlight = new Set<DiskOperation>();

  private closed = false;

  constructor(
    readonly medium: DiskMedium,
    private readonly faults: DiskFaults,
    private readonly life: HostLife,
    private readonly world: DiskSurroundings,
    private readonly whenClosed: () => void,
  ) {
    this.size = medium.size;
  }
  get path(): string {
    return this.medium.path;
  }
  get blockSize(): number {
    return this.medium.blockSize;
  }

  read(offset: number, into: Uint8Array, waiter: DiskWaiter): void {
    this.start('read', offset, into.length, into, false, waiter);
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: DiskWaiter): void {
    this.start('write', offset, from.length, from, fua, waiter);
  }
  flush(waiter: DiskWaiter): void {
    this.start('flush', 0, 0, undefined, false, waiter);
  }
  discard(offset: number, length: number, waiter: DiskWaiter): void {
    this.start('discard', offset, length, undefined, false, waiter);
  }
  zeroOut(offset: number, length: number, _mayUnmap: boolean, waiter: DiskWaiter): void {
    this.start('zero-out', offset, length, undefined, false, waiter);
  }
  refreshSize(waiter: DiskWaiter): void {
    if (!this.life.alive) return;
    if (this.closed) throw new Error(`${this.path}: size asked for after it was closed`);
    // The kernel knows it: the disk is not asked.
    const look = new DiskOperation(this.life, this, 'refresh-size', 0, 0, undefined, false, waiter);
    this.inFlight.add(look);
    this.world.events.push(look, this.world.now());
  }
  close(waiter: DiskWaiter): void {
    if (this.inFlight.size > 0) throw new Error(`${this.path} closed with operations in flight`);
    this.start('close', 0, 0, undefined, false, waiter);
    this.closed = true;
  }

  private start(
    action: DiskAction,
    offset: number,
    length: number,
    bytes: Uint8Array | undefined,
    fua: boolean,
    waiter: DiskWaiter,
  ): void {
    if (!this.life.alive) return;
    if (this.closed) throw new Error(`${this.path}: ${action} after it was closed`);
    this.life.countCall();
    const end = offset + length;
    if (!(
      offset >= 0 &&
      offset % this.blockSize === 0 &&
      length % this.blockSize === 0 &&
      end <= this.size
    )) {
      throw new Error(`${this.path}: ${action} of ${length} bytes at ${offset} is unaligned or out of range`);
    }
    const operation = new DiskOperation(this.life, this, action, offset, length, bytes, fua, waiter);
    operation.flushMark = this.medium.flushMark;
    this.inFlight.add(operation);
    const slow = this.world.random.below(64) === 0 ? 10 : 1;
    const takes = 0.01 + this.world.random.fraction() * this.faults.slowest * slow;
    this.world.events.push(operation, this.world.now() + takes);
  }

  /** The operation takes effect and its waiter is told. */
  complete(operation: DiskOperation): void {
    this.inFlight.delete(operation);
    const error = this.apply(operation);
    const trace = this.world.trace;
    trace.number(operation.offset);
    trace.number(operation.length + error);
    if (operation.bytes !== undefined) trace.bytes(operation.bytes);
    trace.line(
      () =>
        `${this.life.hostName} disk ${this.path} ${operation.action}${operation.fua ? '+fua' : ''} ` +
        `${operation.offset}+${operation.length}${error === 0 ? '' : ` error ${error}`}`,
    );
    operation.waiter.onDiskDone(error);
  }

  private apply(operation: DiskOperation): number {
    const { medium, faults } = this;
    const random = this.world.random;
    switch (operation.action) {
      case 'read':
        if (faults.readError > 0 && random.chance(faults.readError)) return Errno.EIO;
        if (operation.bytes !== undefined) medium.visible.read(operation.offset, operation.bytes);
        return 0;
      case 'write':
      case 'discard':
      case 'zero-out': {
        const fails = faults.writeError > 0 && random.chance(faults.writeError);
        // A failed write may have changed the disk or not.
        if (fails && random.chance(0.5)) return Errno.EIO;
        medium.write(operation.offset, operation.length, operation.bytes, operation.fua && !fails);
        return fails ? Errno.EIO : 0;
      }
      case 'flush':
        if (faults.flushError > 0 && random.chance(faults.flushError)) return Errno.EIO;
        medium.flushUpTo(operation.flushMark);
        return 0;
      case 'refresh-size':
        this.size = medium.size;
        return 0;
      case 'close':
        this.whenClosed();
        return 0;
    }
  }

  /** Writes the host had asked for and that had not completed when it stopped, oldest first. */
  interruptedWrites(): { offset: number; length: number; bytes: Uint8Array | undefined; stable: false }[] {
    const writes = [];
    for (const operation of this.inFlight) {
      if (operation.action !== 'write' && operation.action !== 'zero-out' && operation.action !== 'discard') {
        continue;
      }
      const { offset, length, bytes } = operation;
      writes.push({ offset, length, bytes: bytes?.slice(), stable: false as const });
    }
    return writes;
  }
}

class OpenResult extends HostEvent {
  constructor(
    life: HostLife,
    private readonly waiter: DiskOpenWaiter,
    private readonly result: Disk | DiskOpenFailure,
  ) {
    super(life);
  }
  protected override handle(): void {
    if ('kind' in this.result) this.waiter.onDiskOpenFailed(this.result);
    else this.waiter.onDiskOpened(this.result);
  }
}

export interface DiskSlot {
  readonly medium: DiskMedium;
  readonly faults: DiskFaults;
}

/** The disks of one life of a host. */
export class SimulatedDisks implements Disks {
  private readonly claims = new Map<string, { readonly claim: string; opened: number }>();
  private readonly opened = new Set<SimulatedDisk>();

  constructor(
    private readonly slots: ReadonlyMap<string, DiskSlot>,
    private readonly life: HostLife,
    private readonly world: DiskSurroundings,
  ) {}

  open(path: string, claim: string, waiter: DiskOpenWaiter): void {
    if (!this.life.alive) return;
    this.life.countCall();
    const event = new OpenResult(this.life, waiter, this.tryOpen(path, claim));
    this.world.events.push(event, this.world.now() + 0.05);
  }
  private tryOpen(path: string, claim: string): Disk | DiskOpenFailure {
    const slot = this.slots.get(path);
    if (slot === undefined) return { kind: 'cannot-open', errno: Errno.ENOENT };
    const held = this.claims.get(path) ?? { claim, opened: 0 };
    if (held.claim !== claim) return { kind: 'claimed' };
    held.opened++;
    this.claims.set(path, held);
    const disk: SimulatedDisk = new SimulatedDisk(slot.medium, slot.faults, this.life, this.world, () => {
      this.opened.delete(disk);
      if (--held.opened === 0) this.claims.delete(path);
    });
    this.opened.add(disk);
    return disk;
  }
  /** The power fails for all of them. */
  losePower(random: RandomStream): void {
    const interrupted = new Map<DiskMedium, ReturnType<SimulatedDisk['interruptedWrites']>>();
    for (const slot of this.slots.values()) interrupted.set(slot.medium, []);
    for (const disk of this.opened) interrupted.get(disk.medium)?.push(...disk.interruptedWrites());
    for (const [medium, writes] of interrupted) medium.losePower(random, writes);
  }
  /** The process is gone but the machine runs on: what the kernel was given is written. */
  loseProcess(random: RandomStream): void {
    for (const disk of this.opened) {
      for (const write of disk.interruptedWrites()) {
        if (random.chance(0.5)) disk.medium.write(write.offset, write.length, write.bytes, false);
      }
    }
  }
  get openCount(): number {
    return this.opened.size;
  }
}
