import { describeContent, type SectorContent } from './tagged-sectors';

/** One write or discard of an application. Moments are numbers of the history's own clock. */
export interface WriteRecord {
  readonly id: number;
  readonly firstSector: number;
  readonly sectors: number;
  /** Afterwards the range reads as zeros. */
  readonly zero: boolean;
  readonly issued: number;
  /** Acknowledged, failed, or its host stopped. */
  ended: number;
  acknowledged: boolean;
  branch: Branch | undefined;
  index: number;
}

/** A line of acknowledged writes; it forks where a disk that does not have all of them is written to. */
export class Branch {
  length = 0;
  constructor(
    readonly parent: Branch | undefined,
    readonly parentLength: number,
  ) {}
}
/** How far a disk has come: the first `length` writes of a branch and all before it. */
export interface Position {
  readonly branch: Branch;
  readonly length: number;
}

function lengthOn(branch: Branch, position: Position): number {
  let length = position.length;
  for (let at: Branch | undefined = position.branch; at !== undefined; at = at.parent) {
    if (at === branch) return length;
    length = at.parentLength;
  }
  return -1;
}
/** True if everything at `one` is also at `two`. */
export function isAncestor(one: Position, two: Position): boolean {
  return one.length <= lengthOn(one.branch, two);
}
export const samePosition = (one: Position, two: Position): boolean =>
  isAncestor(one, two) && isAncestor(two, one);

/**
 * All writes of all applications, and which of them each disk is bound to have. What a sector may hold follows:
 * the last write that its disk is bound to have, or one that overlapped it in time or is not known to have ended
 * before it began.
 */
export class WriteHistory {
  readonly root: Position = { branch: new Branch(undefined, 0), length: 0 };
  private readonly bySector = new Map<number, WriteRecord[]>();
  private readonly records: WriteRecord[] = [];
  private clock = 0;

  get now(): number {
    return this.clock;
  }
  get count(): number {
    return this.records.length;
  }
  issue(firstSector: number, sectors: number, zero: boolean): WriteRecord {
    const record: WriteRecord = {
      id: this.records.length + 1,
      firstSector,
      sectors,
      zero,
      issued: ++this.clock,
      ended: Infinity,
      acknowledged: false,
      branch: undefined,
      index: 0,
    };
    this.records.push(record);
    for (let i = 0; i < sectors; i++) {
      const list = this.bySector.get(firstSector + i);
      if (list === undefined) this.bySector.set(firstSector + i, [record]);
      else list.push(record);
    }
    return record;
  }
  /** The write is done; disks at `position` have it. Returns where they are then. */
  acknowledge(record: WriteRecord, position: Position): Position {
    let { branch } = position;
    if (position.length !== branch.length) branch = new Branch(branch, position.length);
    record.ended = ++this.clock;
    record.acknowledged = true;
    record.branch = branch;
    record.index = branch.length++;
    return { branch, length: branch.length };
  }
  /** The write failed or its host stopped: it may have happened anywhere or nowhere. */
  end(record: WriteRecord): void {
    record.ended = ++this.clock;
  }

  /** Sectors that were ever written to. */
  sectors(): Iterable<number> {
    return this.bySector.keys();
  }
  /**
   * Undefined if a disk at `position` may hold `content`, else what it should hold. Writes that were acknowledged
   * after the moment `asOf` may be there or not.
   */
  contradiction(
    position: Position,
    asOf: number,
    sector: number,
    content: SectorContent,
  ): string | undefined {
    const writes = this.bySector.get(sector);
    if (writes === undefined) return undefined;
    let bound: WriteRecord | undefined;
    for (const write of writes) {
      if (!write.acknowledged || write.ended > asOf || write.branch === undefined) continue;
      if (write.index >= lengthOn(write.branch, position)) continue;
      if (bound === undefined || write.issued > bound.issued) bound = write;
    }
    if (bound === undefined && content.kind !== 'written') return undefined;
    for (const write of writes) {
      const matches = write.zero ? content.kind === 'zeros' : isWrite(content, write.id);
      if (matches && (bound === undefined || write.ended > bound.issued)) return undefined;
    }
    const expected = bound === undefined ? 'what it held first' : `write ${bound.id} or a concurrent one`;
    return `sector ${sector} holds ${describeContent(content)} instead of ${expected}`;
  }
}
function isWrite(content: SectorContent, id: number): boolean {
  return content.kind === 'written' && content.write === id;
}
