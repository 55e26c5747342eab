/** Online verify: the VerifyS side asks for digests block by block and compares (engine.md 12.9). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { ID_SYNCER_HALF, OV_RESULT, OV_RESULT_ID } from '../../wire/packets';
import { type Device, type PeerDevice } from '../objects';
import { type TimerHandle, type TimerWaiter } from '../ports';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { wakeConflicts } from './conflicts';
import { handleDiskError } from './disk-errors';
import { verifiedPosition } from './dagtag-dependency';
import { APP_WRITES, type Interval, IntervalKind } from './interval-set';
import { isConnected, nextSequence } from './packet-sender';
import { usesDagtags } from './peer-read';
import { decideRate, emptyPlan, type RatePlan } from './rate-controller';
import { ProgressMarks, rateSettings } from './resync-run';
import { RequestTable } from './write-request';

const BLOCK_SECTORS = 8;
const TICK = 100;

export type Verdict = 'skip' | 'same' | 'different';
/** In sectors. */
interface Block {
  readonly sector: number;
  readonly sectors: number;
}

class VerifyBlock implements Interval {
  readonly intervalKind = IntervalKind.Verify;
  serial = 0;
  idLow = 0;
  idHigh = 0;
  /** A write overlapped: the digests prove nothing. */
  skipped = false;
  /** The verify was stopped before the answer came: it may come yet, and is of no interest. */
  abandoned = false;
  constructor(
    readonly sector: number,
    readonly sectors: number,
  ) {}
}

const hasWriteUnderWay = ({ io }: Device, { sector, sectors }: Block): boolean =>
  io.intervals.find(sector, sectors, APP_WRITES | IntervalKind.PeerWrite) !== undefined;

/** A run of blocks with the same finding, logged as one line. */
class Finding {
  private start = -1;
  private end = -1;
  constructor(
    private readonly peerDevice: PeerDevice,
    private readonly text: string,
  ) {}
  add(sector: number, sectors: number): void {
    if (this.end !== sector) this.flush();
    if (this.start < 0) this.start = sector;
    this.end = sector + sectors;
  }
  flush(): void {
    if (this.start >= 0)
      logLine(
        this.peerDevice,
        'warning',
        `${this.text}: start=${this.start}, size=${this.end - this.start} (sectors)`,
      );
    this.start = this.end = -1;
  }
}

export class VerifyRun implements TimerWaiter {
  /** Shared with the run before: its numbers are not given again while answers to it are on their way. */
  private readonly requests: RequestTable<VerifyBlock>;
  private readonly bySector: Map<number, VerifyBlock>;
  position: number;
  readonly startSector: number;
  readonly stop: number;
  /** Blocks. */
  left: number;
  readonly total: number;
  skipped = 0;
  found = 0;
  readonly startTime: number;
  readonly marks: ProgressMarks;
  wantedRate = 0;
  private inFlight = 0;
  private working = 0;
  private arrived = 0;
  private plan: RatePlan;
  private lastTick: number;
  private timer: TimerHandle | undefined;
  private ended = false;
  /** Findings that the peer has not told us yet. */
  private owed = 0;
  private onAllTold: (() => void) | undefined;
  private readonly outOfSync: Finding;
  private readonly tooBusy: Finding;

  constructor(
    readonly peerDevice: PeerDevice,
    start: number,
    stop: number,
    size: number,
    before: VerifyRun | undefined,
  ) {
    this.requests = before?.requests ?? new RequestTable();
    this.bySector = before?.bySector ?? new Map();
    const now = peerDevice.resource.host.ports.scheduler.now();
    this.startSector = this.position = start >= size ? 0 : Math.floor(start / BLOCK_SECTORS) * BLOCK_SECTORS;
    this.stop = Math.min(stop, size);
    this.total = this.left = Math.max(0, Math.ceil((this.stop - this.position) / BLOCK_SECTORS));
    this.startTime = this.lastTick = now;
    this.marks = new ProgressMarks(now, this.left);
    this.plan = emptyPlan(rateSettings(peerDevice));
    this.outOfSync = new Finding(peerDevice, 'Out of sync');
    this.tooBusy = new Finding(peerDevice, 'Skipped verify, too busy');
  }

  private get running(): boolean {
    const { peerDevice } = this;
    return (
      !this.ended &&
      peerDevice.io.verify === this &&
      peerDevice.now.repl === ReplicationState.VerifyS &&
      isConnected(peerDevice.connection)
    );
  }
  schedule(delay: number): void {
    this.timer?.cancel();
    this.timer = this.peerDevice.resource.host.ports.scheduler.after(delay, this);
  }
  /** Stops; answers that are still on their way are recognised. */
  cancel(): void {
    this.ended = true;
    this.timer?.cancel();
    this.timer = undefined;
    this.peerDevice.io.pending -= this.owed;
    this.owed = 0;
    for (const block of this.requests.all()) this.settle(block);
    for (const block of this.requests.all()) block.abandoned = true;
  }
  /** The connection is gone, and with it every answer. */
  forget(): void {
    this.cancel();
    for (const block of this.requests.all()) this.requests.remove(block);
    this.bySector.clear();
  }
  onTimer(): void {
    this.timer = undefined;
    if (!this.running) return;
    const now = this.peerDevice.resource.host.ports.scheduler.now();
    const settings = rateSettings(this.peerDevice);
    const { arrived, inFlight } = this;
    const decision = decideRate(settings, this.plan, { arrived, inFlight, elapsed: now - this.lastTick });
    this.plan = decision.plan;
    this.wantedRate = decision.wantedRate;
    this.arrived = 0;
    this.lastTick = now;
    if (this.marks.advance(now, this.left))
      this.peerDevice.resource.host.notices.peerDeviceChanged(this.peerDevice);
    for (let budget = decision.request; budget > 0 && this.position < this.stop; budget -= BLOCK_SECTORS)
      this.request();
    if (!this.checkEnd()) this.schedule(TICK);
  }

  private request(): void {
    const { peerDevice } = this;
    const { connection, device } = peerDevice;
    const block = new VerifyBlock(this.position, Math.min(BLOCK_SECTORS, device.size - this.position));
    this.position += block.sectors;
    block.skipped = hasWriteUnderWay(device, block);
    this.requests.add(block);
    this.bySector.set(block.sector, block);
    device.io.intervals.insert(block);
    this.inFlight += block.sectors;
    peerDevice.io.pending++;
    const ids = connection.agreedProtocol >= 122;
    const common = {
      volume: device.vnr,
      sector: block.sector,
      idHigh: ids ? block.idHigh : ID_SYNCER_HALF,
      idLow: ids ? block.idLow : ID_SYNCER_HALF,
      size: block.sectors * 512,
    };
    const { nodeId, dagtag } = verifiedPosition(peerDevice);
    if (usesDagtags(peerDevice))
      connection.link.sendData({ type: 'P_OV_DAGTAG_REQ', ...common, dagtagNodeId: nodeId, dagtag });
    else connection.link.sendData({ type: 'P_OV_REQUEST', ...common });
  }

  /** The block that an answer is for; `abandoned` if nobody waits for the answer any more. */
  find(sector: number, bytes: number, idHigh: number, idLow: number): VerifyBlock | 'abandoned' | undefined {
    const ids = this.peerDevice.connection.agreedProtocol >= 122;
    const block = ids ? this.requests.find(idHigh, idLow) : this.bySector.get(sector);
    if (block?.sector !== sector || block.sectors * 512 !== bytes) return undefined;
    if (!block.abandoned) return block;
    this.remove(block);
    return 'abandoned';
  }
  private remove(block: VerifyBlock): void {
    this.requests.remove(block);
    if (this.bySector.get(block.sector) === block) this.bySector.delete(block.sector);
  }
  private take(block: VerifyBlock): void {
    this.remove(block);
    this.settle(block);
  }
  private settle(block: VerifyBlock): void {
    if (block.abandoned) return;
    const { peerDevice } = this;
    this.inFlight -= block.sectors;
    this.arrived += block.sectors;
    peerDevice.io.pending--;
    peerDevice.device.io.intervals.remove(block);
    wakeConflicts(peerDevice.device);
  }

  /** The peer's digest of a block: read ours and compare. */
  digestArrived(block: VerifyBlock, digest: Uint8Array): void {
    const { peerDevice } = this;
    const { device, connection } = peerDevice;
    const { backing } = device;
    const hash = device.resource.host.ports.digests.hash(connection.options.verifyAlg);
    if (backing === undefined || hash === undefined || device.now.disk < DiskState.Inconsistent) {
      this.result(block, 'skip');
      return;
    }
    // The peer may have read what a write brings that has arrived here and waits for its turn.
    if (hasWriteUnderWay(device, block)) block.skipped = true;
    const data = new Uint8Array(block.sectors * 512);
    this.working++;
    backing.hold();
    backing.dataDisk.read(block.sector * 512, data, {
      onDiskDone: (error) => {
        this.working--;
        if (error !== 0 || backing.aborted) {
          backing.setInAllSlots(block.sector, block.sectors);
          handleDiskError(device, 'drbd_endio_read_sec_final', 'data');
        }
        if (this.running) {
          const own = hash.digest(data);
          const equal = error === 0 && own.length === digest.length && own.every((b, i) => b === digest[i]);
          this.result(block, block.skipped ? 'skip' : equal ? 'same' : 'different');
        } else this.remove(block);
        backing.release();
      },
    });
  }
  /** P_RS_CANCEL: the peer could not tell. */
  refused(block: VerifyBlock): void {
    this.take(block);
    this.count(block, 'skip');
    this.checkEnd();
  }

  private result(block: VerifyBlock, verdict: Verdict): void {
    this.take(block);
    this.tell(block, verdict);
    this.count(block, verdict);
    if (!this.checkEnd() && this.inFlight === 0) this.schedule(0);
  }
  private count(block: Block, verdict: Verdict): void {
    const { peerDevice } = this;
    this.left--;
    if (verdict === 'different') {
      this.found++;
      this.outOfSync.add(block.sector, block.sectors);
      const { bitmapSlot, device } = peerDevice;
      if (bitmapSlot >= 0) device.backing?.bitmap.setRange(bitmapSlot, block.sector, block.sectors);
    } else this.outOfSync.flush();
    if (verdict === 'skip') {
      this.skipped++;
      this.tooBusy.add(block.sector, block.sectors);
    } else this.tooBusy.flush();
  }
  private tell(block: VerifyBlock, verdict: Verdict): void {
    const { peerDevice } = this;
    const { connection, device } = peerDevice;
    const common = {
      volume: device.vnr,
      sector: block.sector,
      size: block.sectors * 512,
      sequence: nextSequence(peerDevice),
    };
    if (connection.agreedProtocol >= 122) {
      const result = { skip: OV_RESULT.SKIP, same: OV_RESULT.IN_SYNC, different: OV_RESULT.OUT_OF_SYNC }[
        verdict
      ];
      const { idHigh, idLow } = block;
      connection.link.sendControl({ type: 'P_OV_RESULT_ID', ...common, idHigh, idLow, result });
      return;
    }
    const idLow = {
      skip: OV_RESULT_ID.SKIP,
      same: OV_RESULT_ID.IN_SYNC,
      different: OV_RESULT_ID.OUT_OF_SYNC,
    }[verdict];
    connection.link.sendControl({ type: 'P_OV_RESULT', ...common, idHigh: 0, idLow });
  }

  private checkEnd(): boolean {
    if (this.position < this.stop || this.inFlight > 0 || this.working > 0 || !this.running) return false;
    this.finish();
    return true;
  }
  private finish(): void {
    const { peerDevice } = this;
    const { resource, device } = peerDevice;
    this.report();
    if (this.position >= device.size) this.position = 0;
    changeState(resource, { hard: true, verbose: true, tag: 'resync-finished' }, () => {
      peerDevice.next.repl = ReplicationState.Established;
    });
  }

  // --- the other side: the peer asks, and tells what it found

  peerAsked(): void {
    if (this.ended) return;
    this.owed++;
    this.peerDevice.io.pending++;
  }
  peerFound(sector: number, sectors: number, verdict: Verdict): void {
    if (this.ended || this.owed === 0) return;
    this.owed--;
    this.peerDevice.io.pending--;
    this.position = sector + sectors;
    this.count({ sector, sectors }, verdict);
    if (this.owed === 0) this.onAllTold?.();
  }
  /** The peer's state says that it is done; what it found last may still be on its way, in the other stream. */
  peerFinished(done: () => void): void {
    if (this.ended) return;
    this.onAllTold = () => {
      this.report();
      done();
    };
    if (this.owed === 0) this.onAllTold();
  }

  /** What was found, in words; and the helper is told. */
  private report(): void {
    const { peerDevice } = this;
    const { resource, device } = peerDevice;
    this.ended = true;
    this.outOfSync.flush();
    this.tooBusy.flush();
    const seconds = Math.max(1, Math.floor((resource.host.ports.scheduler.now() - this.startTime) / 1000));
    const how = this.skipped > 0 ? ` but ${this.skipped} 4k blocks skipped` : '';
    const rate = Math.floor((this.total * 4) / seconds);
    logLine(
      peerDevice,
      'info',
      `Online verify done${how} (total ${seconds} sec; paused 0 sec; ${rate} K/sec)`,
    );
    const bits = peerDevice.bitmapSlot < 0 ? 0 : (device.backing?.bitmap.count(peerDevice.bitmapSlot) ?? 0);
    if (bits > 0) {
      logLine(peerDevice, 'alert', `Online verify found ${bits} 4k blocks out of sync!`);
      resource.host.peerActions.runHelper('out-of-sync', peerDevice);
    }
  }
}
