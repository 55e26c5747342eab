import { type ErrnoCode } from '../../engine/ports';
import { type ExportedDevice, type Opener } from '../../engine/application-io';
import { recognise, taggedSectors } from '../model/tagged-sectors';
import { type Position, type WriteRecord } from '../model/write-history';
import { type Cluster } from './cluster';
import { type ClusterNode } from './cluster-node';
import { Violation } from './violation';

const sectorBytes = 512;

/** A range of sectors that an operation in flight touches. */
interface Busy {
  readonly firstSector: number;
  readonly sectors: number;
}

/**
 * What runs on top of one node's device during one life of its host: it opens the device, writes recognisable data,
 * reads it back and judges what it gets.
 */
export class Application {
  private opener: Opener | undefined;
  private opening = false;
  private closing: (() => void) | undefined;
  private readonly writes = new Map<WriteRecord, Busy>();
  private others = 0;
  private stopped = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly node: ClusterNode,
  ) {}

  get isOpen(): boolean {
    return this.opener !== undefined && this.closing === undefined;
  }
  get isBusy(): boolean {
    return this.writes.size > 0 || this.others > 0 || this.opening || this.closing !== undefined;
  }
  get inFlight(): number {
    return this.writes.size + this.others;
  }

  open(device: ExportedDevice): void {
    if (this.opener !== undefined || this.opening) return;
    this.opening = true;
    const waiter = {
      onOpened: (opener: Opener): void => {
        this.opening = false;
        this.opener = opener;
        this.cluster.histogram.count('open: done');
      },
      onOpenFailed: (error: ErrnoCode): void => {
        this.opening = false;
        this.cluster.histogram.count(`open: errno ${error}`);
      },
    };
    this.node.input(() => device.open({ command: 'application', pid: 1 }, true, false, waiter));
  }
  /** Closes the device when nothing is in flight any more, then calls `done`. */
  close(done: () => void): void {
    if (this.opener === undefined) {
      done();
      return;
    }
    this.closing = done;
    this.closeIfIdle();
  }
  private closeIfIdle(): void {
    const { closing, opener } = this;
    if (closing === undefined || opener === undefined || this.inFlight > 0) return;
    this.closing = undefined;
    this.opener = undefined;
    this.cluster.world.later(0, () => {
      if (this.stopped) return;
      this.node.input(() => opener.close());
      // Closing may have been the moment at which the host stopped.
      if (this.node.alive) closing();
    });
  }
  /** The host stopped: what was in flight may have happened or not. */
  hostStopped(): void {
    this.stopped = true;
    this.opener = undefined;
    for (const record of this.writes.keys()) this.cluster.history.end(record);
    this.writes.clear();
  }

  private overlaps(firstSector: number, sectors: number): boolean {
    for (const busy of this.writes.values()) {
      if (firstSector < busy.firstSector + busy.sectors && busy.firstSector < firstSector + sectors)
        return true;
    }
    return false;
  }
  /** False if a write in flight overlaps: a well-behaved application does not do that. */
  write(firstSector: number, sectors: number, kind: 'write' | 'write-fua' | 'discard' | 'zero-out'): boolean {
    const { opener } = this;
    if (opener === undefined || !this.isOpen || this.overlaps(firstSector, sectors)) return false;
    const { history, histogram } = this.cluster;
    const zero = kind === 'discard' || kind === 'zero-out';
    const record = history.issue(firstSector, sectors, zero);
    this.writes.set(record, { firstSector, sectors });
    histogram.count(kind);
    const { trace } = this.cluster.world;
    trace.line(() => `${this.node.name} application: ${kind} ${record.id} to ${firstSector}+${sectors}`);
    const bytes = zero ? undefined : taggedSectors(record.id, firstSector, sectors);
    const lives = this.cluster.livesOfAll();
    const waiter = {
      onIoDone: (error: ErrnoCode): void => {
        if (!this.writes.delete(record)) throw new Violation(`write ${record.id} completed twice`);
        // The buffer is ours again: whoever still looks at it gets what he deserves.
        bytes?.fill(0xee);
        this.written(record, error, lives);
      },
    };
    const offset = firstSector * sectorBytes;
    const length = sectors * sectorBytes;
    this.node.input(() => {
      if (bytes !== undefined) opener.write(offset, bytes, kind === 'write-fua', waiter);
      else if (kind === 'discard') opener.discard(offset, length, waiter);
      else opener.zeroOut(offset, length, true, waiter);
    });
    return true;
  }
  private written(record: WriteRecord, error: ErrnoCode, lives: readonly number[]): void {
    const { cluster } = this;
    cluster.world.trace.line(() => `${this.node.name} application: write ${record.id} ended, error ${error}`);
    if (error !== 0) {
      cluster.history.end(record);
      cluster.histogram.count(`write: errno ${error}`);
    } else {
      cluster.histogram.count('write: acknowledged');
      cluster.writeAcknowledged(this.node, record, lives);
    }
    this.closeIfIdle();
  }

  flush(): void {
    const { opener } = this;
    if (opener === undefined || !this.isOpen) return;
    const { node, cluster } = this;
    // What had completed before the flush was asked for is covered.
    const position = node.diskIsUpToDate ? cluster.positions.current(node.name) : undefined;
    this.others++;
    cluster.histogram.count('flush');
    const waiter = {
      onIoDone: (error: ErrnoCode): void => {
        this.others--;
        if (error !== 0) cluster.histogram.count(`flush: errno ${error}`);
        else if (position !== undefined && node.diskIsUpToDate)
          cluster.positions.flushed(node.name, position);
        this.closeIfIdle();
      },
    };
    node.input(() => opener.flush(waiter));
  }
  read(firstSector: number, sectors: number): void {
    const { opener } = this;
    if (opener === undefined || !this.isOpen) return;
    const { cluster, node } = this;
    const bytes = new Uint8Array(sectors * sectorBytes);
    const source = cluster.dataSource(node);
    const position = source === undefined ? undefined : cluster.positions.current(source);
    const asOf = cluster.history.now;
    this.others++;
    cluster.histogram.count('read');
    const waiter = {
      onIoDone: (error: ErrnoCode): void => {
        this.others--;
        if (error !== 0) cluster.histogram.count(`read: errno ${error}`);
        else if (position !== undefined) this.judge(bytes, firstSector, position, asOf);
        this.closeIfIdle();
      },
    };
    node.input(() => opener.read(firstSector * sectorBytes, bytes, waiter));
  }
  private judge(bytes: Uint8Array, firstSector: number, position: Position, asOf: number): void {
    if (this.cluster.positions.diverged) return;
    for (let i = 0; i * sectorBytes < bytes.length; i++) {
      const sector = firstSector + i;
      const wrong = this.cluster.history.contradiction(position, asOf, sector, recognise(bytes, i, sector));
      if (wrong !== undefined) throw new Violation(`a read on ${this.node.name}: ${wrong}`);
    }
  }
}
