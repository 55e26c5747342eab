/**
 * Ranges of one device that are being worked on: application writes, writes of peers, resync and verify
 * (engine.md 10.13). Ranges carry a serial number: whoever overlaps an *earlier* one of a kind that it minds waits,
 * so overlapping work runs in order of arrival and nobody waits in a circle.
 *
 * Held in buckets of 128 KiB: a usual request touches one or two of them.
 */
export const IntervalKind = {
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
} as const;
export type IntervalKind = (typeof IntervalKind)[keyof typeof IntervalKind];

export interface Interval {
  readonly sector: number;
  readonly sectors: number;
  readonly intervalKind: IntervalKind;
  /** Given by `insert`. 0 = not in a set. */
  serial: number;
}

const BUCKET_SECTORS = 256;
const bucketOf = (sector: number): number => Math.floor(sector / BUCKET_SECTORS);
const overlaps = (a: Interval, sector: number, sectors: number): boolean =>
  a.sector < sector + sectors && sector < a.sector + a.sectors;

export class IntervalSet {
  private readonly buckets = new Map<number, Interval[]>();
  private lastSerial = 0;
  size = 0;

  insert(interval: Interval): void {
    interval.serial = ++this.lastSerial;
    this.size++;
    const last = bucketOf(interval.sector + interval.sectors - 1);
    for (let index = bucketOf(interval.sector); index <= last; index++) {
      const bucket = this.buckets.get(index);
      if (bucket) bucket.push(interval);
      else this.buckets.set(index, [interval]);
    }
  }
  /** Does nothing if the interval is not in the set. */
  remove(interval: Interval): void {
    if (interval.serial === 0) return;
    interval.serial = 0;
    this.size--;
    const last = bucketOf(interval.sector + interval.sectors - 1);
    for (let index = bucketOf(interval.sector); index <= last; index++) {
      const bucket = this.buckets.get(index);
      const at = bucket?.indexOf(interval) ?? -1;
      if (bucket === undefined || at < 0) continue;
      const moved = bucket.pop();
      if (moved !== undefined && moved !== interval) bucket[at] = moved;
      if (bucket.length === 0) this.buckets.delete(index);
    }
  }
  /** Does `interval` overlap an earlier one of the kinds? */
  mustWait(interval: Interval, kinds: number): boolean {
    const last = bucketOf(interval.sector + interval.sectors - 1);
    for (let index = bucketOf(interval.sector); index <= last; index++)
      for (const other of this.buckets.get(index) ?? [])
        if (
          other.serial < interval.serial &&
          (other.intervalKind & kinds) !== 0 &&
          overlaps(other, interval.sector, interval.sectors)
        )
          return true;
    return false;
  }
  /** Some interval of the kinds that overlaps the range. */
  find(sector: number, sectors: number, kinds: number): Interval | undefined {
    const last = bucketOf(sector + sectors - 1);
    for (let index = bucketOf(sector); index <= last; index++)
      for (const other of this.buckets.get(index) ?? [])
        if ((other.intervalKind & kinds) !== 0 && overlaps(other, sector, sectors)) return other;
    return undefined;
  }
  /** Calls `visit` for each interval of the kinds that overlaps the range, once. */
  forEach(sector: number, sectors: number, kinds: number, visit: (interval: Interval) => void): void {
    const first = bucketOf(sector);
    const last = bucketOf(sector + sectors - 1);
    for (let index = first; index <= last; index++)
      for (const other of this.buckets.get(index)?.slice() ?? [])
        if (
          (other.intervalKind & kinds) !== 0 &&
          overlaps(other, sector, sectors) &&
          index === Math.max(first, bucketOf(other.sector))
        )
          visit(other);
  }
}
