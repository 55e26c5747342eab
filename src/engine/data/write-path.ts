/**
 * Writes of the application: admission, conflicts, activity log, submission to disk and peers, completion
 * (engine.md 10.1-10.6).
 */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';
import { type DiskWaiter, Errno, type ErrnoCode } from '../ports';
import { shouldReplicate } from '../state/derived';
import { logLine } from '../state/object-log';
import { writeOwedCurrentUuid } from '../uuid/new-current-uuid';
import { type BackingDevice } from './backing-device';
import { noteOverwritten, wakeConflicts } from './conflicts';
import { confirmedDevices, isWithheld, noteConfirmation } from './confirm-generation';
import { handleDiskError } from './disk-errors';
import { answerFlushes } from './flush-requests';
import { APP_WRITES, IntervalKind } from './interval-set';
import { writeLocally } from './local-write';
import { isConnected, sendOutOfSync, sendWrite, writeFlags } from './packet-sender';
import { ownBuffers, watchRequests } from './request-timer';
import { markLacking } from './resynced-blocks';
import { DP } from '../../wire/packets';
import {
  appendToLog,
  closeSentEpoch,
  noteSent,
  notePeerAck,
  retireRequests,
  startNewEpoch,
  startNewEpochSoon,
} from './transfer-log';
import { bitOf, type WriteFlow, type WriteRequest, WriteStage } from './write-request';

// --- admission

/** New requests of this device have to wait (engine.md 1.5, "blocked:upper"). */
export function isBlocked(device: Device): boolean {
  if (device.cachedErrIo) return false;
  return device.resource.cachedSuspended || device.io.suspendCount > 0 || device.cachedUnstable;
}
/** The data is UpToDate on some disk: what a write needs. */
function hasUpToDateDisk(device: Device): boolean {
  return (
    device.now.disk === DiskState.UpToDate ||
    device.peerDevices.some((peer) => peer.now.pdsk === DiskState.UpToDate)
  );
}

/** Begins a request, or tries again to. The application is answered in a later task in every case. */
export function startWrite(request: WriteRequest): void {
  const { device } = request;
  const { resource } = device;
  if (resource.now.role !== Role.Primary) {
    logLine(device, 'error', 'Rejected WRITE request, not in Primary role.');
    answer(request, Errno.EIO);
  } else if (device.cachedErrIo) answer(request, Errno.EIO);
  else if (isBlocked(device)) device.io.waiting.push(request);
  else if (device.newCurrentUuidOwed) {
    device.io.waiting.push(request);
    askForNewUuid(device);
  } else if (!hasUpToDateDisk(device)) {
    const { sector, sectors } = request;
    logLine(device, 'error', `IO ERROR: neither local nor remote data, sector ${sector}+${sectors}`);
    answer(request, Errno.EIO);
  } else {
    request.stage = WriteStage.Conflict;
    request.intervalKind = IntervalKind.AppWrite;
    device.io.intervals.insert(request);
    tryPastConflicts(request);
  }
}
function askForNewUuid(device: Device): void {
  // In a task: the waiting request must be in its queue before the flag falls.
  if (device.io.uuidRotationAsked) return;
  device.io.uuidRotationAsked = true;
  device.resource.host.ports.scheduler.soon({ run: () => writeOwedCurrentUuid(device) });
}

const MINDS = APP_WRITES | IntervalKind.PeerWrite | IntervalKind.ResyncWrite | IntervalKind.ResyncRead;

function tryPastConflicts(request: WriteRequest): boolean {
  const { device } = request;
  if (device.io.intervals.mustWait(request, MINDS)) {
    device.io.conflicts.push({ retryAfterConflict: () => tryPastConflicts(request) });
    return false;
  }
  takeExtents(request);
  return true;
}

/** A disk that takes writes: what get_ldev is to the kernel. */
export const writableBacking = (device: Device) =>
  device.now.disk >= DiskState.Inconsistent ? device.backing : undefined;

function takeExtents(request: WriteRequest): void {
  const backing = writableBacking(request.device);
  request.stage = WriteStage.Extents;
  request.backing = backing;
  if (backing === undefined) {
    submit(request);
    return;
  }
  request.holdsExtents = true;
  if (backing.activityLog.begin(request.sector, request.sectors, request)) submit(request);
}

function extentsActive(request: WriteRequest, error: ErrnoCode): void {
  if (error !== 0) {
    // The disk is going away: the peers may still take the write.
    request.holdsExtents = false;
    request.backing = undefined;
  }
  const { device } = request;
  if (isBlocked(device) || device.newCurrentUuidOwed || !hasUpToDateDisk(device)) startAgain(request);
  else submit(request);
}
/** The world changed while the request waited: back to the door. */
function startAgain(request: WriteRequest): void {
  request.device.io.lostWrites++;
  releaseExtents(request);
  request.device.io.intervals.remove(request);
  wakeConflicts(request.device);
  request.stage = WriteStage.Waiting;
  startWrite(request);
}
function releaseExtents(request: WriteRequest): void {
  if (request.holdsExtents) request.backing?.activityLog.end(request.sector, request.sectors);
  request.holdsExtents = false;
}

// --- submission

const wantsOutOfSync = ({ now }: PeerDevice): boolean =>
  now.repl === ReplicationState.Ahead ||
  now.repl === ReplicationState.WFBitMapS ||
  (now.repl >= ReplicationState.Established &&
    (now.pdsk === DiskState.Outdated || (now.pdsk === DiskState.Inconsistent && !now.replication)));

function submit(request: WriteRequest): void {
  const { device } = request;
  const { resource } = device;
  request.stage = WriteStage.Submitted;
  request.submittedAt = resource.host.ports.scheduler.now();
  noteOverwritten(device, request);
  appendToLog(resource, request);
  for (const peerDevice of device.peerDevices) {
    const { connection } = peerDevice;
    if (!isConnected(connection)) continue;
    if (shouldReplicate(peerDevice.now)) sendToPeer(peerDevice, request);
    else if (wantsOutOfSync(peerDevice)) tellOutOfSync(peerDevice, request);
  }
  const { backing } = request;
  if (backing && device.now.disk >= DiskState.Inconsistent) {
    request.localPending = true;
    device.io.writtenSectors += request.sectors;
    backing.hold();
    request.ownBuffer = ownBuffers(device);
    if (request.ownBuffer) new LocalWriteCopy(request, backing).start();
    else writeLocally(device, backing, request, request);
  } else request.intervalKind = IntervalKind.AppWriteAtPeers;
  watchRequests(resource);
  const full = resource.io.epochWrites >= smallestEpochSize(resource);
  if (full || isWithheld(request)) startNewEpoch(resource);
  // Nobody left to wait for: protocol A without a disk, or all gone since the admission.
  settle(request);
}
function smallestEpochSize(resource: Resource): number {
  let size = 2048;
  for (const { options } of resource.connections) size = Math.min(size, options.maxEpochSize);
  return size;
}

export function sendToPeer(peerDevice: PeerDevice, request: WriteRequest): void {
  const { connection } = peerDevice;
  const bit = bitOf(connection.peerNodeId);
  const flags = writeFlags(peerDevice, request);
  if (connection.io.openEpochWrites > 0 && connection.io.openEpoch !== request.epoch)
    closeSentEpoch(connection);
  sendWrite(peerDevice, request, flags);
  noteSent(connection, request);
  request.sentMask |= bit;
  request.barrierMask |= bit;
  if (flags & (DP.SEND_WRITE_ACK | DP.SEND_RECEIVE_ACK)) {
    request.pendingMask |= bit;
    connection.io.appInFlight += request.sectors;
    peerDevice.io.pending++;
  }
  // Under protocol A nothing but the loss of the connection says that the peer has not got it. An ack that comes all
  // the same (MAY_SET_IN_SYNC) does not hold up the completion.
  if (connection.options.protocol === 'A') request.okMask |= bit;
}
function tellOutOfSync(peerDevice: PeerDevice, request: WriteRequest): void {
  const bitmap = request.backing?.bitmap;
  const slot = peerDevice.bitmapSlot;
  if (bitmap && slot >= 0 && bitmap.setRange(slot, request.sector, request.sectors) === 0) return;
  sendOutOfSync(peerDevice, request.sector, request.sectors);
}

// --- what becomes of it

/** A write to a disk that may be given up on: nobody else looks at its bytes. */
class LocalWriteCopy implements DiskWaiter {
  constructor(
    private readonly request: WriteRequest,
    private readonly backing: BackingDevice,
  ) {}
  start(): void {
    const { device, operation, sector, sectors, data, fua, mayUnmap } = this.request;
    const copy = { operation, sector, sectors, data: data.slice(), fua, mayUnmap };
    writeLocally(device, this.backing, copy, this);
  }
  onDiskDone(error: ErrnoCode): void {
    const { request, backing } = this;
    if (request.localPending && request.backing === backing) localDone(request, error);
    else backing.release();
  }
}
function localAborted(request: WriteRequest): void {
  request.localPending = false;
  request.localOk = false;
  request.backing?.setInAllSlots(request.sector, request.sectors);
  settleLocally(request);
}
/**
 * A resync reply goes on without the peers' acks: its source keeps our write waiting until that reply is acknowledged
 * (peer-read.ts `release`).
 */
function settleLocally(request: WriteRequest): void {
  settle(request);
  if (request.completed) return;
  request.intervalKind = IntervalKind.AppWriteAtPeers;
  wakeConflicts(request.device);
}

function localDone(request: WriteRequest, error: ErrnoCode): void {
  const { backing, device } = request;
  request.localPending = false;
  request.localOk = error === 0 && backing?.aborted !== true;
  if (!request.localOk) {
    device.io.lostWrites++;
    backing?.setInAllSlots(request.sector, request.sectors);
    handleDiskError(device, 'drbd_request_endio', 'data');
  }
  backing?.release();
  settleLocally(request);
}

/** The completion does not wait for peers under protocol A. */
function isAwaited(request: WriteRequest): boolean {
  let mask = request.pendingMask;
  if (mask === 0) return false;
  for (const connection of request.device.resource.connections)
    if (connection.options.protocol === 'A') mask &= ~bitOf(connection.peerNodeId);
  return mask !== 0;
}

/** Completes the request if nothing is awaited any more, and retires what is done. */
export function settle(request: WriteRequest): void {
  const { device } = request;
  const { resource } = device;
  if (!request.inLog || request.localPending) return;
  if (!request.completed) {
    if (isAwaited(request) || isWithheld(request)) return;
    complete(request);
  }
  if (request.barrierMask === 0 && resource.io.logHead === request) retire(resource);
}

/** Writes that waited for their generation to be durable (engine.md 4.5). */
export function answerConfirmed(resource: Resource): void {
  for (const device of confirmedDevices(resource)) answerWithheld(device);
}
/** They fail, or the application gets what the peers said (2.6 step 12). */
export function giveUpConfirmation(resource: Resource): void {
  for (const device of resource.devices) {
    if (!device.exposedGenerationUnconfirmed) continue;
    device.exposedGenerationUnconfirmed = false;
    answerWithheld(device);
  }
}
function answerWithheld(device: Device): void {
  const waiting: WriteRequest[] = [];
  for (let request = device.resource.io.logHead; request; request = request.next)
    if (request.device === device && !request.completed) waiting.push(request);
  for (const request of waiting) settle(request);
}

function retire(resource: Resource): void {
  retireRequests(resource, finishWrite);
  if (resource.io.flushRequests.length > 0) answerFlushes(resource);
}

function complete(request: WriteRequest): void {
  const { device } = request;
  const { resource } = device;
  const ok = request.localOk || request.okMask !== 0;
  request.completed = true;
  device.io.intervals.remove(request);
  if (request.epoch === resource.io.epoch) startNewEpochSoon(resource);
  wakeConflicts(device);
  if (!ok && resource.cachedSuspended) {
    // The kernel restarts such requests when the suspension ends (engine.md 10.2).
    request.postponed = true;
    return;
  }
  answer(request, ok && !device.cachedErrIo ? 0 : Errno.EIO);
}

function answer(request: WriteRequest, error: ErrnoCode): void {
  request.error = error;
  request.device.resource.host.ports.scheduler.soon(request);
}

/** Done on every peer that could do it: bits, extents, peer ack. */
function finishWrite(request: WriteRequest): void {
  const { device } = request;
  if (request.postponed) {
    releaseExtents(request);
    device.io.waiting.push(renewed(request));
    return;
  }
  if (request.backing) applyBits(request);
  releaseExtents(request);
  notePeerAck(request);
}
function renewed(request: WriteRequest): WriteRequest {
  request.stage = WriteStage.Waiting;
  request.completed = false;
  request.postponed = false;
  request.sentMask = request.pendingMask = request.barrierMask = request.okMask = request.inSyncMask = 0;
  request.backing = undefined;
  request.resynced = undefined;
  request.localOk = false;
  return request;
}

/** Slots of nodes that have it stay or are cleared; all others, unconfigured nodes included, are set. */
function applyBits(request: WriteRequest): void {
  const { backing, sector, sectors } = request;
  if (backing === undefined) return;
  const { bitmap, superblock } = backing;
  let settled = 0;
  // The lowest bit of what is left, node by node.
  for (let left = request.localOk ? request.okMask : 0; left !== 0; left &= left - 1) {
    const nodeId = 31 - Math.clz32(left & -left);
    const slot = superblock.peers[nodeId]?.bitmapIndex ?? -1;
    if (slot < 0) continue;
    settled |= 1 << slot;
    if (request.inSyncMask & bitOf(nodeId)) bitmap.clearRange(slot, sector, sectors);
  }
  for (let slot = 0; slot < bitmap.slots; slot++)
    if ((settled & (1 << slot)) === 0) markLacking(bitmap, slot, request);
}

// --- what peers say

/** `received`: protocol B; `written`: also in sync if `inSync`; `failed`: P_NEG_ACK. */
export type PeerVerdict = 'received' | 'written' | 'in-sync' | 'failed';

export function peerAnswered(peerDevice: PeerDevice, request: WriteRequest, verdict: PeerVerdict): void {
  const { connection } = peerDevice;
  const bit = bitOf(connection.peerNodeId);
  if (request.pendingMask & bit) {
    request.pendingMask &= ~bit;
    connection.io.appInFlight -= request.sectors;
    peerDevice.io.pending--;
  }
  if (verdict === 'failed') {
    request.okMask &= ~bit;
    peerDevice.gotNegAck = true;
    const slot = peerDevice.bitmapSlot;
    if (slot >= 0) request.device.backing?.bitmap.setRange(slot, request.sector, request.sectors);
  } else {
    request.okMask |= bit;
    if (verdict === 'in-sync') request.inSyncMask |= bit;
  }
  settle(request);
}

/** The peer has made the epoch durable. `bad` is the text of a protocol error. */
export function barrierAcked(connection: Connection, barrier: number, setSize: number): string | undefined {
  const { io } = connection;
  const oldest = io.sentWrites.first();
  if (oldest === undefined) return `BAD! BarrierAck #${barrier} received, but no epoch in tl!?`;
  const expected = oldest.epoch;
  if (expected !== barrier || (io.openEpochWrites > 0 && io.openEpoch === barrier))
    return `BAD! BarrierAck #${barrier} received, expected #${expected}!`;
  const writes: WriteRequest[] = [];
  for (let next = io.sentWrites.first(); next?.epoch === barrier; next = io.sentWrites.first()) {
    writes.push(next);
    io.sentWrites.shift();
  }
  if (writes.length !== setSize)
    return `BAD! BarrierAck #${barrier} received with n_writes=${setSize}, expected n_writes=${writes.length}!`;
  for (const request of writes) stableOnPeer(connection, request);
  noteConfirmation(connection, barrier);
  answerConfirmed(connection.resource);
  return undefined;
}
/** A part of the open epoch is durable on the peer (P_CONFIRM_STABLE). */
export function stableConfirmed(
  connection: Connection,
  oldest: WriteRequest | undefined,
  youngest: WriteRequest | undefined,
  setSize: number,
): boolean {
  const { io } = connection;
  if (oldest === undefined || youngest === undefined || io.sentWrites.first() !== oldest) return false;
  const count = io.sentWrites.all().indexOf(youngest) + 1;
  if (count !== setSize) return false;
  for (let i = 0; i < count; i++) {
    const request = io.sentWrites.shift();
    if (request === undefined) break;
    if (io.openEpochWrites > 0 && request.epoch === io.openEpoch) io.openEpochWrites--;
    stableOnPeer(connection, request);
  }
  return true;
}
/** The peer has it and will keep it. */
export function stableOnPeer(connection: Connection, request: WriteRequest): void {
  const bit = bitOf(connection.peerNodeId);
  request.barrierMask &= ~bit;
  if (request.pendingMask & bit) {
    const peerDevice = request.device.peerDeviceOf(connection.peerNodeId);
    if (peerDevice) {
      peerAnswered(peerDevice, request, 'written');
      return;
    }
  }
  settle(request);
}

// --- the connection is lost, comes back, or does not

/** The peer's part of every write that is not durable there has failed. */
export function loseRequests(connection: Connection): void {
  const { resource, io } = connection;
  const bit = bitOf(connection.peerNodeId);
  resource.io.ackSentTo &= ~bit;
  io.openEpochWrites = 0;
  io.openEpoch = -1;
  const lost = io.sentWrites.all();
  io.sentWrites.clear();
  io.appInFlight = 0;
  for (const request of lost) losePart(connection, request, bit);
  for (let request = resource.io.logHead; request; request = request.next) request.sentMask &= ~bit;
  for (const request of lost) settle(request);
  retire(resource);
}
function losePart(connection: Connection, request: WriteRequest, bit: number): void {
  if (request.pendingMask & bit) {
    const peerDevice = request.device.peerDeviceOf(connection.peerNodeId);
    if (peerDevice) peerDevice.io.pending--;
  }
  request.pendingMask &= ~bit;
  request.barrierMask &= ~bit;
  request.okMask &= ~bit;
  request.inSyncMask &= ~bit;
}

/** Step 7 of engine.md 6.1: while I/O is suspended, writes that were to be acknowledged are kept for a resend. */
export function connectionLost(connection: Connection): void {
  const { resource, io } = connection;
  if (!resource.cachedSuspended || connection.options.protocol === 'A') {
    loseRequests(connection);
    return;
  }
  io.openEpochWrites = 0;
  io.openEpoch = -1;
}

/** Bits of every write that the peer has not made durable, before the bitmap is sent to it (engine.md 2.7 4e). */
export function markUnackedOutOfSync(peerDevice: PeerDevice): void {
  const { device, bitmapSlot, connection } = peerDevice;
  const bitmap = device.backing?.bitmap;
  if (bitmap === undefined || bitmapSlot < 0) return;
  const bit = bitOf(connection.peerNodeId);
  for (let request = device.resource.io.logHead; request; request = request.next) {
    const durable = (request.okMask & bit) !== 0 && (request.barrierMask & bit) === 0;
    if (request.device === device && !durable) bitmap.setRange(bitmapSlot, request.sector, request.sectors);
  }
}

/** Is any write of the resource on its way? */
export const hasWritesInLog = (resource: Resource): boolean => resource.io.logHead !== undefined;

/** Some write waits for the disk, or for a peer that is there. */
export function hasUnansweredWrites(resource: Resource): boolean {
  let connected = 0;
  for (const peer of resource.connections) if (isConnected(peer)) connected |= bitOf(peer.peerNodeId);
  for (let request = resource.io.logHead; request; request = request.next)
    if (!request.completed && (request.localPending || (request.pendingMask & connected) !== 0)) return true;
  return false;
}

export const writeFlow: WriteFlow = { extentsActive, localDone, localAborted };
