/** The target of a resync asks for what it lacks, block by block (engine.md 12.3), and writes what it gets. */
import { ConnectionState, ReplicationState } from '../../control/contract/states';
import { FEATURE } from '../../wire/features';
import { ID_SYNCER_HALF } from '../../wire/packets';
import { type Device, type PeerDevice } from '../objects';
import { type TimerWaiter } from '../ports';
import { isOrBecomesSyncSource } from '../state/derived';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { AL_EXTENT_SECTORS } from './activity-log';
import { type BackingDevice } from './backing-device';
import { writeBitmapLazily } from './lazy-bitmap';
import { wakeConflicts } from './conflicts';
import { handleDiskError } from './disk-errors';
import { APP_WRITES, type Interval, IntervalKind } from './interval-set';
import { discardLocally } from './local-write';
import { DiskBatch } from './meta-data-target';
import { isConnected, sendBlockAck, sendOutOfSync } from './packet-sender';
import { usesDagtags } from './peer-read';
import { announceInSync } from './peers-in-sync';
import { decideRate } from './rate-controller';
import { judgeSource, passEnded } from './resync-end';
import { rateSettings, ResyncRequest, type ResyncRun, type SectorRange, without } from './resync-run';
import { dagtagDependency } from './dagtag-dependency';
import { awaitsFlush } from './flush-requests';

const TICK = 100;
/** Blocks of 4 KiB in the largest request. */
const MAX_BLOCKS = 256;
/** Sectors between two looks from which on the disk counts as in use by others. */
const OTHER_SECTORS = 64;
/** Writes that the local disk does not have yet. */
const ACTIVE_WRITES = IntervalKind.AppWrite | IntervalKind.PeerWrite;
const UNDER_WAY = APP_WRITES | IntervalKind.PeerWrite | IntervalKind.ResyncWrite | IntervalKind.ResyncRequest;

class Tick implements TimerWaiter {
  constructor(private readonly run: ResyncRun) {}
  onTimer(): void {
    this.run.timer = undefined;
    tick(this.run);
  }
}

export function scheduleTick(run: ResyncRun, delay: number): void {
  if (run.stopped) return;
  run.timer?.cancel();
  const { scheduler } = run.peerDevice.resource.host.ports;
  run.timer = scheduler.after(delay, new Tick(run));
}

const isRunning = (run: ResyncRun): boolean =>
  !run.stopped &&
  run.peerDevice.io.resync === run &&
  run.peerDevice.now.repl === ReplicationState.SyncTarget &&
  isConnected(run.peerDevice.connection);

function tick(run: ResyncRun): void {
  const { peerDevice } = run;
  const { device, connection, bitmapSlot } = peerDevice;
  const { backing } = device;
  if (!isRunning(run) || run.finishing || backing === undefined || bitmapSlot < 0) return;
  const now = device.resource.host.ports.scheduler.now();
  if (run.marks.advance(now, backing.bitmap.count(bitmapSlot) - run.failed))
    device.resource.host.notices.peerDeviceChanged(peerDevice);
  judgeSource(run);
  const budget = sectorBudget(run, now);
  if (budget > 0 && connection.link.queuedDataBytes < connection.options.maxBuffers * 2048)
    requestBlocks(run, backing, budget);
  if (!checkPassEnd(run) && run.timer === undefined) scheduleTick(run, TICK);
}

function sectorBudget(run: ResyncRun, now: number): number {
  const { arrived, inFlight } = run;
  if (isThrottled(run)) return 0;
  const decision = decideRate(rateSettings(run.peerDevice), run.plan, {
    arrived,
    inFlight,
    elapsed: now - run.lastTick,
  });
  run.arrived = 0;
  run.lastTick = now;
  run.plan = decision.plan;
  run.wantedRate = decision.wantedRate;
  run.lastTickSectors = decision.request;
  return decision.request;
}
/**
 * c-min-rate: others use the disk, or wait for the activity log, and the resync is faster than it must be (12.4). In
 * whole seconds, at least one, as the kernel counts.
 */
function isThrottled(run: ResyncRun): boolean {
  const { device, options } = run.peerDevice;
  const { backing, io } = device;
  if (options.cMinRate === 0 || backing === undefined) return false;
  const others = io.readSectors + io.writtenSectors - io.resyncWrittenSectors;
  if (!backing.activityLog.contended && others - run.othersBefore <= OTHER_SECTORS) return false;
  run.othersBefore = others;
  const mark = run.marks.at(7);
  const seconds = Math.floor((device.resource.host.ports.scheduler.now() - mark.time) / 1000);
  const left = backing.bitmap.count(run.peerDevice.bitmapSlot) - run.failed;
  return ((mark.left - left) * 4) / Math.max(1, seconds) > options.cMinRate;
}

function requestBlocks(run: ResyncRun, backing: BackingDevice, budget: number): void {
  const { peerDevice } = run;
  if (run.againFrom < Infinity) {
    // Something was refused: wait for what is under way, then begin again there.
    if (run.inFlight > 0 || run.working > 0) return;
    run.nextBit = run.againFrom;
    run.againFrom = Infinity;
  }
  const { bitmap } = backing;
  const thin = thinBlocks(run, backing);
  let [end, blocks] = [-1, 0];
  for (let left = Math.max(budget / 8, thin); left > 0 && left >= thin; left -= blocks) {
    const bit = bitmap.findNext(peerDevice.bitmapSlot, run.nextBit);
    if (bit < 0) {
      run.nextBit = bitmap.bits;
      return;
    }
    // The next tick begins better aligned than with the rest of this one's budget.
    if (bit === end && left < blocks) return;
    const sector = bitmap.sectorOfBit(bit);
    blocks = requestSize(bit, bitmap.findNextClear(peerDevice.bitmapSlot, bit) - bit, left, thin);
    const sectors = Math.min(blocks * 8, bitmap.sectors - sector);
    run.nextBit = end = bit + blocks;
    // Blocks that are being written now, or were asked for and then marked again, are looked at in the next pass.
    if (peerDevice.device.io.intervals.find(sector, sectors, UNDER_WAY)) {
      blocks = 0;
      continue;
    }
    if (!sendRequest(run, sector, sectors, sectors === thin * 8)) return;
  }
}
/**
 * Grows over adjacent set bits, up to the alignment of the start, the power of two nearest to the budget, and 1 MiB;
 * in a thin resync up to `thin`. In blocks.
 */
function requestSize(bit: number, setBits: number, budget: number, thin: number): number {
  const most = nearestPowerOfTwo(budget);
  let limit = 1;
  while (limit < MAX_BLOCKS && limit * 2 <= most && bit % (limit * 2) === 0) limit *= 2;
  return Math.max(1, Math.min(setBits, limit, thin > 0 ? thin : limit));
}
/** rs-discard-granularity in blocks: what is asked for so, and is zeros, is discarded here (12.3). 0: not agreed. */
function thinBlocks({ peerDevice }: ResyncRun, { dataDisk }: BackingDevice): number {
  const { connection, device } = peerDevice;
  const agreed = (connection.agreedFeatures & FEATURE.THIN_RESYNC) !== 0;
  if (!agreed || !dataDisk.canDiscard) return 0;
  return Math.min(MAX_BLOCKS, Math.ceil((device.diskOptions?.rsDiscardGranularity ?? 0) / 4096));
}
function nearestPowerOfTwo(value: number): number {
  const below = 2 ** Math.floor(Math.log2(Math.max(1, value)));
  return value - below < 2 * below - value ? below : 2 * below;
}

function sendRequest(run: ResyncRun, sector: number, sectors: number, thin: boolean): boolean {
  const { peerDevice } = run;
  const dependency = dagtagDependency(peerDevice);
  if (dependency === 'several-primaries') {
    const { connection, resource } = peerDevice;
    logLine(peerDevice, 'error', 'Refusing to resync due to multiple remote primaries');
    changeState(resource, { hard: true }, () => {
      connection.next.cstate = ConnectionState.Disconnecting;
    });
    return false;
  }
  const request = new ResyncRequest(sector, sectors, peerDevice.device.io.lostWrites, thin);
  run.requests.add(request);
  run.bySector.set(sector, request);
  peerDevice.device.io.intervals.insert(request);
  run.inFlight += sectors;
  peerDevice.io.pending++;
  if (run.useChecksums) readForChecksum(run, request);
  else transmit(run, request, undefined);
  return true;
}
function transmit(run: ResyncRun, request: ResyncRequest, digest: Uint8Array | undefined): void {
  const { peerDevice } = run;
  const { connection, device } = peerDevice;
  const dependency = dagtagDependency(peerDevice);
  const { nodeId, dagtag } = dependency === 'several-primaries' ? { nodeId: 0, dagtag: 0 } : dependency;
  const ids = connection.agreedProtocol >= 122;
  const common = {
    volume: device.vnr,
    sector: request.sector,
    idHigh: ids ? request.idHigh : ID_SYNCER_HALF,
    idLow: ids ? request.idLow : ID_SYNCER_HALF,
    size: request.sectors * 512,
  };
  const after = { ...common, dagtagNodeId: nodeId, dagtag };
  if (usesDagtags(peerDevice)) {
    if (digest) connection.link.sendData({ type: 'P_RS_CSUM_DAGTAG_REQ', ...after, digest });
    else
      connection.link.sendData({ type: request.thin ? 'P_RS_THIN_DAGTAG_REQ' : 'P_RS_DAGTAG_REQ', ...after });
  } else if (digest) connection.link.sendData({ type: 'P_CSUM_RS_REQUEST', ...common, digest });
  else if (request.thin) connection.link.sendData({ type: 'P_RS_THIN_REQ', ...common });
  else connection.link.sendData({ type: 'P_RS_DATA_REQUEST', ...common });
}

/** The digest of what is here goes with the request: equal blocks are not sent. */
function readForChecksum(run: ResyncRun, request: ResyncRequest): void {
  const { device, connection } = run.peerDevice;
  const { backing } = device;
  const hash = device.resource.host.ports.digests.hash(connection.options.csumsAlg);
  if (backing === undefined || hash === undefined) {
    transmit(run, request, undefined);
    return;
  }
  const data = new Uint8Array(request.sectors * 512);
  run.working++;
  backing.hold();
  backing.dataDisk.read(request.sector * 512, data, {
    onDiskDone: (error) => {
      run.working--;
      if (isRunning(run)) transmit(run, request, error === 0 ? hash.digest(data) : undefined);
      backing.release();
    },
  });
}

// --- answers

/** The outstanding request that an answer belongs to. */
export function findRequest(
  peerDevice: PeerDevice,
  sector: number,
  bytes: number,
  idHigh: number,
  idLow: number,
): ResyncRequest | undefined {
  const run = peerDevice.io.resync;
  if (run === undefined) return undefined;
  const request =
    peerDevice.connection.agreedProtocol >= 122 ? run.requests.find(idHigh, idLow) : run.bySector.get(sector);
  return request?.sector === sector && request.sectors * 512 === bytes ? request : undefined;
}

function takeRequest(run: ResyncRun, request: ResyncRequest): void {
  const { peerDevice } = run;
  run.requests.remove(request);
  if (run.bySector.get(request.sector) === request) run.bySector.delete(request.sector);
  peerDevice.device.io.intervals.remove(request);
  run.inFlight -= request.sectors;
  run.arrived += request.sectors;
  peerDevice.io.pending--;
}

/** P_RS_DATA_REPLY, P_RS_DEALLOCATED. `data` is a copy of its own. */
export function resyncDataArrived(
  peerDevice: PeerDevice,
  request: ResyncRequest,
  data: Uint8Array | 'zeros',
): void {
  const run = peerDevice.io.resync;
  const { backing } = peerDevice.device;
  if (run === undefined) return;
  takeRequest(run, request);
  if (peerDevice.unstableResync) peerDevice.device.stableResync = false;
  peerDevice.io.receivedSectors += request.sectors;
  if (backing === undefined) {
    acknowledge(peerDevice, request, false);
    return;
  }
  run.working++;
  new ResyncWrite(run, backing, request, data).start();
}

/** P_RS_IS_IN_SYNC. */
export function resyncBlockEqual(peerDevice: PeerDevice, request: ResyncRequest): void {
  const run = peerDevice.io.resync;
  if (run === undefined) return;
  takeRequest(run, request);
  run.sameChecksum += request.sectors / 8;
  if (request.lostWrites === peerDevice.device.io.lostWrites) markInSync(run, request);
  else run.againFrom = Math.min(run.againFrom, Math.floor(request.sector / 8));
  afterAnswer(run);
}
/** P_NEG_RS_DREPLY: the source cannot read it. */
export function resyncBlockFailed(peerDevice: PeerDevice, request: ResyncRequest): void {
  const run = peerDevice.io.resync;
  if (run === undefined) return;
  takeRequest(run, request);
  run.failed += Math.ceil(request.sectors / 8);
  afterAnswer(run);
}
/** P_RS_CANCEL: asked again later. */
export function resyncBlockCancelled(peerDevice: PeerDevice, request: ResyncRequest): void {
  const run = peerDevice.io.resync;
  if (run === undefined) return;
  takeRequest(run, request);
  run.againFrom = Math.min(run.againFrom, Math.floor(request.sector / 8));
  giveUpTurn(run);
}

function acknowledge(peerDevice: PeerDevice, request: ResyncRequest, ok: boolean): void {
  const ids = peerDevice.connection.agreedProtocol >= 122;
  sendBlockAck(
    peerDevice,
    ok ? 'P_RS_WRITE_ACK' : ids ? 'P_RS_NEG_ACK' : 'P_NEG_ACK',
    request.sector,
    ids ? request.idHigh : ID_SYNCER_HALF,
    ids ? request.idLow : ID_SYNCER_HALF,
    request.sectors * 512,
  );
}

class ResyncWrite implements Interval {
  readonly intervalKind = IntervalKind.ResyncWrite;
  serial = 0;
  readonly sector: number;
  readonly sectors: number;
  private readonly life: number;
  constructor(
    private readonly run: ResyncRun,
    private readonly backing: BackingDevice,
    private readonly request: ResyncRequest,
    private readonly data: Uint8Array | 'zeros',
  ) {
    this.sector = request.sector;
    this.sectors = request.sectors;
    this.life = run.peerDevice.connection.io.life;
  }
  private get device(): Device {
    return this.run.peerDevice.device;
  }
  start(): void {
    this.run.peerDevice.connection.io.activeDiskIo++;
    this.device.io.intervals.insert(this);
    this.retryAfterConflict();
  }
  retryAfterConflict(): boolean {
    const { intervals } = this.device.io;
    const { sector, sectors } = this;
    if (this.life !== this.run.peerDevice.connection.io.life) {
      this.finish(true, false);
      return true;
    }
    const kinds = ACTIVE_WRITES | IntervalKind.ResyncWrite | IntervalKind.ResyncRead;
    if (intervals.mustWait(this, kinds)) {
      // Those writes are newer than this data, or it has them already.
      intervals.forEach(sector, sectors, ACTIVE_WRITES, (write) =>
        this.request.overwritten.push({ sector: write.sector, sectors: write.sectors }),
      );
      this.device.io.conflicts.push(this);
      return false;
    }
    if (this.backing.closed) {
      // The disk went while the data was on its way, or waited for a write.
      this.finish(false, false);
      return true;
    }
    const parts = without({ sector, sectors }, this.request.overwritten);
    if (parts.length > 0) markForOthers(this.run.peerDevice, this.backing, sector, sectors);
    this.backing.hold();
    const batch = new DiskBatch((error) => this.written(error));
    for (const part of parts) {
      this.device.io.writtenSectors += part.sectors;
      this.device.io.resyncWrittenSectors += part.sectors;
      this.write(part, batch);
    }
    batch.started();
    return true;
  }
  private write(part: SectorRange, batch: DiskBatch): void {
    const { data, backing, device } = this;
    if (data === 'zeros') {
      discardLocally(device, backing, part.sector * 512, part.sectors * 512, batch.add());
      return;
    }
    const at = (part.sector - this.sector) * 512;
    const bytes = data.subarray(at, at + part.sectors * 512);
    backing.dataDisk.write(part.sector * 512, bytes, false, batch.add());
  }
  private written(error: number): void {
    const failed = error !== 0 || this.backing.aborted;
    if (failed) handleDiskError(this.device, 'drbd_endio_write_sec_final', 'data');
    this.finish(!failed, !failed && this.request.lostWrites === this.device.io.lostWrites);
    this.backing.release();
  }
  private finish(ok: boolean, inSync: boolean): void {
    const { run, request } = this;
    const { peerDevice } = run;
    const { connection } = peerDevice;
    this.device.io.intervals.remove(this);
    run.working--;
    if (inSync) markInSync(run, request);
    else if (ok) run.againFrom = Math.min(run.againFrom, Math.floor(request.sector / 8));
    else run.failed += Math.ceil(request.sectors / 8);
    const alive = this.life === connection.io.life;
    if (alive) acknowledge(peerDevice, request, inSync);
    wakeConflicts(this.device);
    connection.io.activeDiskIo--;
    if (connection.io.activeDiskIo === 0) connection.io.idleWaiter?.();
    if (alive) afterAnswer(run);
  }
}

/**
 * Our data changes here: every node but the source may now differ from us. The source's P_PEERS_IN_SYNC, or equal
 * identifiers in the end, say otherwise. The bits are in the same page as those of the source, so both reach the disk
 * together.
 */
function markForOthers(source: PeerDevice, backing: BackingDevice, sector: number, sectors: number): void {
  backing.setInAllSlots(sector, sectors, source.bitmapSlot);
  for (const other of source.device.peerDevices)
    if (other !== source && isOrBecomesSyncSource(other.now.repl) && isConnected(other.connection))
      sendOutOfSync(other, sector, sectors);
}

function markInSync(run: ResyncRun, request: ResyncRequest): void {
  const { peerDevice } = run;
  const { device, bitmapSlot } = peerDevice;
  const bitmap = device.backing?.bitmap;
  if (bitmap === undefined || bitmapSlot < 0) return;
  bitmap.clearRange(bitmapSlot, request.sector, request.sectors);
  writeBitmapLazily(device);
  const extent = Math.floor(request.sector / AL_EXTENT_SECTORS) * AL_EXTENT_SECTORS;
  const length = Math.min(AL_EXTENT_SECTORS, bitmap.sectors - extent);
  if (!bitmap.anyInRange(bitmapSlot, extent, length)) announceInSync(peerDevice, extent, length);
}

/** A paused resync keeps its turn while replies are on their way (engine.md 1.3 resync_active); then another may run. */
export function giveUpTurn(run: ResyncRun): void {
  const { peerDevice } = run;
  const { repl, resyncActive } = peerDevice.now;
  if (repl !== ReplicationState.PausedSyncT || !resyncActive || run.inFlight > 0 || run.working > 0) return;
  changeState(peerDevice.resource, { tag: 'resync-inactive' }, () => {
    peerDevice.next.resyncActive = false;
  });
}

/** When everything came back early the next tick need not wait for its time (pace: c-max-rate). */
function afterAnswer(run: ResyncRun): void {
  giveUpTurn(run);
  if (!isRunning(run) || run.finishing || checkPassEnd(run)) return;
  if (run.inFlight > 0 || run.working > 0) return;
  const { scheduler } = run.peerDevice.resource.host.ports;
  const { cMaxRate, cPlanAhead, resyncRate } = run.peerDevice.options;
  const rate = cPlanAhead === 0 ? resyncRate : cMaxRate;
  const pace = rate > 0 ? (run.lastTickSectors / 2 / rate) * 1000 : 0;
  scheduleTick(run, Math.max(0, Math.min(TICK, run.lastTick + pace - scheduler.now())));
}

/** True if the resync is over, or is being ended. */
function checkPassEnd(run: ResyncRun): boolean {
  const { device, bitmapSlot } = run.peerDevice;
  const bitmap = device.backing?.bitmap;
  if (bitmap === undefined || bitmapSlot < 0) return false;
  if (run.inFlight > 0 || run.working > 0) return false;
  const left = bitmap.count(bitmapSlot);
  // What was refused may have been written by the application since: then not even a throttled resync has to ask.
  if (run.againFrom < Infinity && left > 0) return false;
  if (awaitsFlush(device.resource)) return false;
  if (bitmap.findNext(bitmapSlot, run.nextBit) >= 0) return false;
  if (left > 0 && run.failed === 0) {
    run.lastPassBits = left;
    run.nextBit = 0;
    return false;
  }
  passEnded(run);
  return true;
}

/** Everything on its way is forgotten: the connection is gone, or the resync was stopped. */
export function dropRequests(peerDevice: PeerDevice): void {
  const run = peerDevice.io.resync;
  if (run === undefined) return;
  for (const request of run.requests.all()) {
    run.againFrom = Math.min(run.againFrom, Math.floor(request.sector / 8));
    takeRequest(run, request);
  }
  run.arrived = 0;
  wakeConflicts(peerDevice.device);
}
