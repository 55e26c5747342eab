/** One resync of a peer device, as source or target: its counters (engine.md 12.2, 12.8) and outstanding requests. */
import { type PeerDevice } from '../objects';
import { type TimerHandle } from '../ports';
import { type Interval, IntervalKind } from './interval-set';
import { emptyPlan, type RatePlan, type RateSettings } from './rate-controller';
import { RequestTable } from './write-request';

/** A request of a target on its way to the source. */
export class ResyncRequest implements Interval {
  readonly intervalKind = IntervalKind.ResyncRequest;
  serial = 0;
  idLow = 0;
  idHigh = 0;
  /** Newer writes went to these places since: what the reply says of them is not to be written. */
  readonly overwritten: SectorRange[] = [];
  constructor(
    readonly sector: number,
    readonly sectors: number,
    /** `DeviceIo.lostWrites` when it was made. */
    readonly lostWrites: number,
    /** Of rs-discard-granularity: zeros need not be sent. */
    readonly thin: boolean,
  ) {}
}

export interface SectorRange {
  readonly sector: number;
  readonly sectors: number;
}
/** The parts of a range that none of the `others` overlaps, ascending. */
export function without(range: SectorRange, others: readonly SectorRange[]): SectorRange[] {
  const end = range.sector + range.sectors;
  const parts: SectorRange[] = [];
  let from = range.sector;
  for (const other of [...others].sort((one, two) => one.sector - two.sector)) {
    if (other.sector >= end) break;
    if (other.sector > from) parts.push({ sector: from, sectors: other.sector - from });
    from = Math.max(from, other.sector + other.sectors);
  }
  if (from < end) parts.push({ sector: from, sectors: end - from });
  return parts;
}

export interface ProgressMark {
  /** Milliseconds of the scheduler. */
  readonly time: number;
  /** Bits left. */
  readonly left: number;
}
const MARKS = 8;
const MARK_MILLISECONDS = 3000;

/** Eight marks in a ring, a new one every 3 s: the rates that `status` shows come from them. */
export class ProgressMarks {
  private marks: ProgressMark[];
  private last = 0;
  constructor(time: number, left: number) {
    this.marks = new Array<ProgressMark>(MARKS).fill({ time, left });
  }
  reset(time: number, left: number): void {
    this.marks = new Array<ProgressMark>(MARKS).fill({ time, left });
    this.last = 0;
  }
  /** True if a mark was made: a progress notification is due. */
  advance(time: number, left: number): boolean {
    const newest = this.marks[this.last];
    if (newest === undefined || time - newest.time < MARK_MILLISECONDS || newest.left === left) return false;
    this.last = (this.last + 1) % MARKS;
    this.marks[this.last] = { time, left };
    return true;
  }
  /** The mark that rates are told against: the oldest (offset 2) or the one before the newest (offset 7). */
  at(offset: number): ProgressMark {
    return this.marks[(this.last + offset) % MARKS] ?? { time: 0, left: 0 };
  }
}

export class ResyncRun {
  /** Bits set at the start. */
  total: number;
  /** Blocks. */
  failed = 0;
  sameChecksum = 0;
  readonly startTime: number;
  pausedMilliseconds = 0;
  pausedSince: number | undefined;
  readonly marks: ProgressMarks;
  /** Sectors that others had read and written on this disk at the last look. */
  othersBefore = 0;

  // --- target
  nextBit = 0;
  lastPassBits: number;
  readonly requests = new RequestTable<ResyncRequest>();
  /** By sector: peers below protocol 122 do not echo block ids. */
  readonly bySector = new Map<number, ResyncRequest>();
  /** Sectors asked for whose reply is not here. */
  inFlight = 0;
  /** Replies being written, local reads for checksums. */
  working = 0;
  arrived = 0;
  /** Smallest bit that has to be asked for again. */
  againFrom = Infinity;
  plan: RatePlan;
  wantedRate = 0;
  lastTick: number;
  lastTickSectors = 0;
  timer: TimerHandle | undefined;
  useChecksums = false;
  /** The source was looked at, before the first block was asked for. */
  judged = false;
  finishing = false;
  stopped = false;

  constructor(
    readonly peerDevice: PeerDevice,
    bits: number,
    now: number,
  ) {
    this.total = bits;
    this.lastPassBits = bits;
    this.startTime = now;
    this.lastTick = now;
    this.marks = new ProgressMarks(now, bits);
    this.plan = emptyPlan(rateSettings(peerDevice));
  }
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = undefined;
  }
}

export const rateSettings = ({ options, connection }: PeerDevice): RateSettings => ({
  resyncRate: options.resyncRate,
  planAhead: options.cPlanAhead,
  delayTarget: options.cDelayTarget,
  fillTarget: options.cFillTarget,
  maxRate: options.cMaxRate,
  maxBuffers: connection.options.maxBuffers,
});
