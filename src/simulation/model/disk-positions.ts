import {
  isAncestor,
  type Position,
  samePosition,
  type WriteHistory,
  type WriteRecord,
} from './write-history';

/** What one disk is bound to hold. */
interface DiskPosition {
  /** While its power stays on. */
  current: Position;
  /** Whatever happens. */
  durable: Position;
  /** What it held before its power failed: it may still hold that, and its generation is of that time. */
  possible: Position;
  /** Its host stopped as Primary; until it meets these disks again either side's last unflushed writes may win. */
  readonly crashedFor: Set<string>;
  /**
   * It failed under its Primary, at that moment of the history, while these disks were UpToDate: they win over it, also
   * when they have lost with their power what they had not flushed.
   */
  readonly failedBeside: Map<string, number>;
  /** The operator said that this disk's changes do not matter. */
  discardable: boolean;
}

export type Meeting = 'same' | 'caught-up' | 'split-brain-resolved' | 'split-brain';

/** Its disk is not to win any more: nothing is written to it for that, and what it had not flushed it may still lose. */
function giveUpTo(disk: DiskPosition, position: Position): void {
  disk.current = disk.possible = position;
  if (!isAncestor(disk.durable, position)) disk.durable = position;
}

/** The positions of all disks of a device, by node name. */
export class DiskPositions {
  private readonly disks = new Map<string, DiskPosition>();
  /** Acknowledged writes were given up by a decision of the operator: contents are no longer judged. */
  diverged = false;

  constructor(private readonly history: WriteHistory) {}

  add(node: string): void {
    const start = this.history.root;
    this.disks.set(node, {
      current: start,
      durable: start,
      possible: start,
      crashedFor: new Set(),
      failedBeside: new Map(),
      discardable: false,
    });
  }
  private disk(node: string): DiskPosition {
    const disk = this.disks.get(node);
    if (disk === undefined) throw new Error(`no disk of ${node}`);
    return disk;
  }
  current(node: string): Position {
    return this.disk(node).current;
  }
  durable(node: string): Position {
    return this.disk(node).durable;
  }

  /** Every one of `nodes` must have the write from now on. Returns what is wrong with that. */
  acknowledge(record: WriteRecord, nodes: readonly string[]): string | undefined {
    const [first] = nodes;
    if (first === undefined) {
      this.history.end(record);
      return `write ${record.id} was acknowledged although no disk is UpToDate`;
    }
    this.beginGeneration(first, nodes);
    const before = this.current(first);
    const apart = nodes.find((node) => !samePosition(this.current(node), before));
    const after = this.history.acknowledge(record, before);
    for (const node of nodes) {
      const disk = this.disk(node);
      disk.current = disk.possible = after;
      disk.crashedFor.clear();
      disk.failedBeside.clear();
      this.confirmed(record, node);
    }
    if (apart === undefined || this.diverged) return undefined;
    return `write ${record.id} went to ${first} and ${apart}, which do not hold the same data`;
  }
  /**
   * A write on `winner` means a generation that the absent disks do not know: its data wins over theirs, also over
   * that of a crashed Primary, and if it is a crashed Primary itself over what others saw of it.
   */
  private beginGeneration(winnerName: string, present: readonly string[]): void {
    const winner = this.disk(winnerName);
    const seen = present.map((name) => this.disk(name).possible);
    for (const [name, disk] of this.disks) {
      if (present.includes(name)) continue;
      for (const other of present) disk.crashedFor.delete(other);
      if (isAncestor(disk.current, winner.current)) continue;
      if (!seen.some((possible) => isAncestor(disk.current, possible))) continue;
      giveUpTo(disk, winner.current);
    }
  }
  /**
   * A Primary without its disk `loser` writes on `winner`: without protocol C `winner` may lack the last writes that
   * `loser` holds, and its data wins (engine.md 4.4, 10.4).
   */
  overtaken(loserName: string, winnerName: string): void {
    const [loser, winner] = [this.disk(loserName), this.disk(winnerName)];
    if (!isAncestor(winner.current, loser.current)) return;
    giveUpTo(loser, winner.current);
    loser.crashedFor.clear();
  }
  /**
   * The disk of a Primary failed, or was detached by force, while these others were UpToDate, as far as the Primary knows: it counts as left behind
   * from now on (engine.md 9.2, 9.3, 11.1), and is overwritten with what they hold. What they had not flushed when they lost
   * power, before or afterwards, was on a failed disk and in a lost cache: two failures, and it may be gone.
   */
  failedUnderPrimary(node: string, upToDate: readonly string[]): void {
    const disk = this.disk(node);
    for (const name of upToDate) {
      disk.failedBeside.set(name, this.history.now);
      this.overtakeFailed(disk, this.disk(name));
    }
  }
  /** A write that began after the failure is there: what was complete before was flushed first (engine.md 10.3, 10.7). */
  private confirmed({ issued }: WriteRecord, node: string): void {
    for (const { failedBeside } of this.disks.values()) {
      const failed = failedBeside.get(node);
      if (failed !== undefined && issued > failed) failedBeside.delete(node);
    }
  }
  private overtakeFailed(failed: DiskPosition, winner: DiskPosition): void {
    if (!samePosition(winner.current, failed.current) && isAncestor(winner.current, failed.current))
      giveUpTo(failed, winner.current);
  }
  /** All that `node` held at `position` is on stable storage. */
  flushed(node: string, position: Position): void {
    const disk = this.disk(node);
    if (isAncestor(disk.durable, position)) disk.durable = position;
  }
  powerLost(node: string, wasPrimary: boolean): void {
    const disk = this.disk(node);
    disk.current = disk.durable;
    for (const other of this.disks.values())
      if (other.failedBeside.has(node)) this.overtakeFailed(other, disk);
    if (!wasPrimary) return;
    for (const other of this.disks.keys()) if (other !== node) disk.crashedFor.add(other);
  }
  /** No disk holds anything that `node` does not hold, nor may it hold anything that `node` did not hold. */
  isNewest(node: string): boolean {
    const mine = this.disk(node);
    for (const disk of this.disks.values()) {
      if (!isAncestor(disk.possible, mine.possible) || !isAncestor(disk.current, mine.current)) return false;
    }
    return true;
  }
  /** Its operator gave up what the disk holds. */
  invalidated(node: string): void {
    const disk = this.disk(node);
    disk.current = disk.durable = disk.possible = this.history.root;
    disk.crashedFor.clear();
  }
  discard(node: string): void {
    this.disk(node).discardable = true;
  }

  /** Both disks are at `to` now, and what one of them lost as a crashed Primary is given up. */
  private settle(one: string, two: string, to: Position): void {
    const pair = [
      { disk: this.disk(one), other: two },
      { disk: this.disk(two), other: one },
    ];
    const lost: Position[] = [];
    for (const { disk, other } of pair) {
      if (disk.crashedFor.has(other)) lost.push(disk.possible);
      if (!isAncestor(disk.current, to)) lost.push(disk.current);
      // A resync ends with a flush.
      else if (!isAncestor(to, disk.current)) disk.durable = to;
    }
    for (const from of lost) this.rollBack(to, from);
    for (const { disk, other } of pair) {
      disk.current = to;
      if (isAncestor(to, disk.durable)) disk.durable = to;
      disk.crashedFor.delete(other);
      disk.failedBeside.delete(other);
      if (disk.crashedFor.size === 0) disk.possible = to;
    }
  }
  /**
   * A crashed Primary was the source although it had lost the cache of its disk (engine.md 5.7 both-off, 5.8): the
   * writes after `to` are given up, also by third disks that have some of them. What these may hold is not changed, so
   * that nobody else is promoted before them.
   */
  private rollBack(to: Position, from: Position): void {
    for (const disk of this.disks.values()) {
      if (!isAncestor(to, disk.current) || !isAncestor(disk.current, from)) continue;
      disk.current = to;
      if (isAncestor(to, disk.durable)) disk.durable = to;
    }
  }

  /** Two connected nodes say that their disks hold the same. */
  meet(one: string, two: string): Meeting {
    const [left, right] = [this.disk(one), this.disk(two)];
    if (left.current === right.current || samePosition(left.current, right.current)) {
      this.settle(one, two, left.current);
      return 'same';
    }
    const leftIsOlder = isAncestor(left.current, right.current);
    const [older, newer] = leftIsOlder ? [left, right] : [right, left];
    if (isAncestor(older.current, newer.current)) {
      const olderWins = older.crashedFor.has(leftIsOlder ? two : one);
      this.settle(one, two, olderWins ? older.current : newer.current);
      return 'caught-up';
    }
    const resolved = left.discardable !== right.discardable;
    const winner = left.discardable ? right : left;
    const loser = winner === left ? right : left;
    loser.current = loser.durable = loser.possible = winner.current;
    left.discardable = right.discardable = false;
    if (!resolved && !this.diverged) {
      this.diverged = true;
      return 'split-brain';
    }
    return 'split-brain-resolved';
  }
}
