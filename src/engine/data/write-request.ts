/**
 * One write, discard or zero-out of the application on its way to the local disk and to the peers (engine.md 10).
 * What is true of a peer is a bit `1 << node id` in a mask: a request is one object, whatever the number of peers.
 */
import { type IoWaiter } from '../application-io';
import { type Device } from '../objects';
import { type DiskWaiter, type ErrnoCode, type Task } from '../ports';
import { type ExtentWaiter } from './activity-log';
import { type BackingDevice } from './backing-device';
import { type Interval, IntervalKind } from './interval-set';
import { type ResyncedBlocks } from './resynced-blocks';

export type WriteOperation = 'write' | 'discard' | 'zero-out';
export const bitOf = (nodeId: number): number => 1 << nodeId;
const NO_DATA = new Uint8Array(0);

/** Where a request stands. */
export const WriteStage = {
  /** Not yet let in: blocked, or never started. */
  Waiting: 0,
  /** Waits for an overlapping interval. */
  Conflict: 1,
  /** Waits for the activity log. */
  Extents: 2,
  /** In the transfer log, on its way. */
  Submitted: 3,
} as const;
export type WriteStage = (typeof WriteStage)[keyof typeof WriteStage];

/** What happens to requests: write-path.ts. */
export interface WriteFlow {
  extentsActive(request: WriteRequest, error: ErrnoCode): void;
  localDone(request: WriteRequest, error: ErrnoCode): void;
  /** The disk is given up; its completion will not concern the request any more. */
  localAborted(request: WriteRequest): void;
}

export class WriteRequest implements Interval, DiskWaiter, ExtentWaiter, Task {
  intervalKind: IntervalKind = IntervalKind.AppWrite;
  serial = 0;
  stage: WriteStage = WriteStage.Waiting;
  data: Uint8Array = NO_DATA;
  fua = false;
  mayUnmap = false;

  /** Position in the stream of writes after this one, sectors. */
  dagtag = 0;
  epoch = 0;
  /** Block id on the wire: slot number and generation. */
  idLow = 0;
  idHigh = 0;
  submittedAt = 0;

  // peers, by node id
  /** Was sent the write (or is to be sent it again after a reconnect). */
  sentMask = 0;
  /** The completion waits for it. */
  pendingMask = 0;
  /** Its barrier ack is not in. */
  barrierMask = 0;
  /** Has the write. */
  okMask = 0;
  /** Has the write, and both sides may clear their bits. */
  inSyncMask = 0;
  /** What a resync has brought since to peers that were not sent the write. */
  resynced: ResyncedBlocks[] | undefined;

  backing: BackingDevice | undefined;
  holdsExtents = false;
  localPending = false;
  localOk = false;
  /** The disk writes from a buffer of its own: the request may end before it (disk-timeout). */
  ownBuffer = false;
  /** The application was answered. */
  completed = false;
  /** Given up to be started afresh when the suspension ends; touches no bits. */
  postponed = false;
  error: ErrnoCode = 0;

  // the transfer log
  inLog = false;
  next: WriteRequest | undefined;

  constructor(
    readonly flow: WriteFlow,
    readonly device: Device,
    readonly operation: WriteOperation,
    readonly sector: number,
    readonly sectors: number,
    readonly waiter: IoWaiter,
  ) {}

  get bytes(): number {
    return this.sectors * 512;
  }
  onExtentsActive(error: ErrnoCode): void {
    this.flow.extentsActive(this, error);
  }
  onDiskDone(error: ErrnoCode): void {
    this.flow.localDone(this, error);
  }
  /** As a task: answers the application. */
  run(): void {
    this.waiter.onIoDone(this.error);
  }
}

/** Requests by block id: slot numbers are reused, a generation tells old answers from new ones. */
export class RequestTable<T extends { idLow: number; idHigh: number }> {
  private readonly entries: (T | undefined)[] = [];
  private readonly free: number[] = [];
  private generation = 0;

  add(request: T): void {
    const slot = this.free.pop() ?? this.entries.length;
    this.entries[slot] = request;
    this.generation = (this.generation + 1) & 0x7fffffff;
    request.idLow = slot;
    request.idHigh = this.generation;
  }
  find(idHigh: number, idLow: number): T | undefined {
    const request = this.entries[idLow];
    return request?.idHigh === idHigh ? request : undefined;
  }
  remove(request: T): void {
    if (this.entries[request.idLow] !== request) return;
    this.entries[request.idLow] = undefined;
    this.free.push(request.idLow);
  }
  all(): T[] {
    return this.entries.filter((entry) => entry !== undefined);
  }
}

/** First in, first out, without moving what is in it. */
export class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;
  get length(): number {
    return this.items.length - this.head;
  }
  push(item: T): void {
    this.items.push(item);
  }
  first(): T | undefined {
    return this.items[this.head];
  }
  shift(): T | undefined {
    const item = this.items[this.head];
    if (item === undefined) return undefined;
    this.items[this.head++] = undefined;
    if (this.head > 64 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
  /** Is there an item for which `compare` is 0? Items are in ascending order of `compare`. */
  hasUpTo(compare: (item: T) => number): boolean {
    for (let at = this.head; at < this.items.length; at++) {
      const item = this.items[at];
      const order = item === undefined ? 1 : compare(item);
      if (order >= 0) return order === 0;
    }
    return false;
  }
  /** A copy, oldest first. */
  all(): T[] {
    return this.items.slice(this.head).filter((item) => item !== undefined);
  }
  clear(): void {
    this.items = [];
    this.head = 0;
  }
}
