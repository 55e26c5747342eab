/**
 * Ranges of one device that are being worked on: application writes, writes of peers, resync and verify
 * (engine.md 10.13). Ranges carry a serial number: whoever overlaps an *earlier* one of a kind that it minds waits,
 * so overlapping work runs in order of arrival and nobody waits in a circle.
 *
 * Held in buckets of 128 KiB: a usual request touches one or two of them. Buckets far from each other share a list,
 * which stays when it is empty: nothing is allocated for a request.
 */
export const IntervalKind = {
  /** Its local disk does not have it yet. */
  AppWrite: 1,
  PeerWrite: 2,
  /** A resync request sent, its reply not here yet. */
  ResyncRequest: 4,
  /** A resync reply that is being written. */
  ResyncWrite: 8,
  /** A read for a peer's resync. */
  ResyncRead: 16,
  /** A block of an online verify. */
  Verify: 32,
  /** An application write that is over for the local disk, or has none, and waits for peers. */
  AppWriteAtPeers: 64,
} as const;
export type IntervalKind = (typeof IntervalKind)[keyof typeof IntervalKind];

/** Application writes from their admission to their completion. */
export const APP_WRITES = IntervalKind.AppWrite | IntervalKind.AppWriteAtPeers;

export interface Interval {
  readonly sector: number;
  readonly sectors: number;
  readonly intervalKind: IntervalKind;
  /** Given by `insert`. 0 = not in a set. */
  serial: number;
}

const BUCKET_SECTORS = 256;
/** Lists; a power of two. */
const LISTS = 256;
const bucketOf = (sector: number): number => Math.floor(sector / BUCKET_SECTORS);
const overlaps = (a: Interval, sector: number, sectors: number): boolean =>
  a.sector < sector + sectors && sector < a.sector + a.sectors;
/** The last bucket of a range to look at: a range that is longer than that touches every list. */
const lastBucket = (sector: number, sectors: number): number =>
  Math.min(bucketOf(sector + sectors - 1), bucketOf(sector) + LISTS - 1);

export class IntervalSet {
  private readonly lists: Interval[][] = [];
  private lastSerial = 0;
  size = 0;

  private list(bucket: number): readonly Interval[] {
    return this.lists[bucket % LISTS] ?? NONE;
  }

  insert(interval: Interval): void {
    interval.serial = ++this.lastSerial;
    if (this.lists.length === 0) for (let i = 0; i < LISTS; i++) this.lists.push([]);
    this.size++;
    const last = lastBucket(interval.sector, interval.sectors);
    for (let bucket = bucketOf(interval.sector); bucket <= last; bucket++)
      this.lists[bucket % LISTS]?.push(interval);
  }
  /** Does nothing if the interval is not in the set. */
  remove(interval: Interval): void {
    if (interval.serial === 0) return;
    interval.serial = 0;
    this.size--;
    const last = lastBucket(interval.sector, interval.sectors);
    for (let bucket = bucketOf(interval.sector); bucket <= last; bucket++) {
      const list = this.lists[bucket % LISTS];
      if (list === undefined) continue;
      // A few at most: faster than a call of indexOf.
      let at = list.length - 1;
      while (at >= 0 && list[at] !== interval) at--;
      if (at < 0) continue;
      const moved = list.pop();
      if (moved !== undefined && moved !== interval) list[at] = moved;
    }
  }
  /** Does `interval` overlap an earlier one of the kinds? */
  mustWait(interval: Interval, kinds: number): boolean {
    const { sector, sectors, serial } = interval;
    const last = lastBucket(sector, sectors);
    for (let bucket = bucketOf(sector); bucket <= last; bucket++)
      for (const other of this.list(bucket))
        if (other.serial < serial && (other.intervalKind & kinds) !== 0 && overlaps(other, sector, sectors))
          return true;
    return false;
  }
  /** Some interval of the kinds that overlaps the range. */
  find(sector: number, sectors: number, kinds: number): Interval | undefined {
    const last = lastBucket(sector, sectors);
    for (let bucket = bucketOf(sector); bucket <= last; bucket++)
      for (const other of this.list(bucket))
        if ((other.intervalKind & kinds) !== 0 && overlaps(other, sector, sectors)) return other;
    return undefined;
  }
  /** Calls `visit` for each interval of the kinds that overlaps the range, once. It may change the set. */
  forEach(sector: number, sectors: number, kinds: number, visit: (interval: Interval) => void): void {
    let found: Set<Interval> | undefined;
    const last = lastBucket(sector, sectors);
    for (let bucket = bucketOf(sector); bucket <= last; bucket++)
      for (const other of this.list(bucket))
        if ((other.intervalKind & kinds) !== 0 && overlaps(other, sector, sectors))
          (found ??= new Set()).add(other);
    if (found !== undefined) for (const interval of found) visit(interval);
  }
}
const NONE: readonly Interval[] = [];
