/** What the rest of the engine asks of the data path (`DataActions`), each call handed to its module. */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type DataActions } from '../actions';
import { startResync } from '../admin/minor-requests';
import { type Device, type PeerDevice } from '../objects';
import { type ErrnoCode } from '../ports';
import { isSync, isVerify } from '../state/derived';
import { logLine } from '../state/object-log';
import { type StateChange } from '../state/state-change';
import { changeState } from '../state/transaction';
import {
  goDiskless,
  openBackingFor,
  reconsiderActivityLog,
  resumeActivityLog,
  trySuspendActivityLog,
} from './attach-disk';
import { sendBitmap, startFullSync } from './bitmap-exchange';
import { beginUnconfirmedGeneration } from './confirm-generation';
import { DeviceExport } from './device-export';
import { followFlushes } from './flush-requests';
import { drainWrites } from './drain-writes';
import { followDisks } from './follow-disks';
import { writeBitmapLazily } from './lazy-bitmap';
import { WhenDone } from './meta-data-target';
import { reconsiderResyncAfter } from './resync-after';
import { retryWaiting } from './waiting-requests';
import { announceDagtag, drainConnection, markPeerWritesOutOfSync } from './receive-writes';
import { recomputeWriteOrdering } from './receive-epochs';
import { persistSize } from './persist-size';
import { passOnLater } from './pass-on';
import { announceNeighbour } from './peers-in-sync';
import { mayLackAcknowledged, resendRequests } from './resend-writes';
import { resyncProgress } from './resync-progress';
import { finishResyncAsSource } from './resync-end';
import { beginResync, initialiseResync } from './resync-start';
import { giveUpTurn, scheduleTick } from './resync-target';
import { flushPeerAck, startNewEpoch } from './transfer-log';
import { VerifyRun } from './verify-run';
import {
  hasUnansweredWrites,
  answerConfirmed,
  giveUpConfirmation,
  hasWritesInLog,
  loseRequests,
  markUnackedOutOfSync,
} from './write-path';

const bitmapOf = (device: Device) => device.backing?.bitmap;
const bitsOf = (device: Device, slot: number): number =>
  slot >= 0 ? (bitmapOf(device)?.count(slot) ?? 0) : 0;

const waitsForBitmap = (repl: ReplicationState): boolean =>
  repl === ReplicationState.WFBitMapS || repl === ReplicationState.WFBitMapT;

/** Waiting requests are looked at again; resends and cancellations noted in the commit are done. */
function stateCommitted(change: StateChange): void {
  for (const { connection } of change.links) {
    const { io } = connection;
    if (io.cancelDue) loseRequests(connection);
    else if (io.resendDue) resendRequests(connection);
    io.cancelDue = io.resendDue = false;
  }
  for (const { device, peers } of change.devices) {
    for (const { peerDevice, old: before, new: after } of peers) {
      if (after.repl === ReplicationState.WFBitMapT && before.repl !== after.repl)
        peerDevice.io.handshakeUuid = device.backing?.superblock.currentUuid ?? 0n;
      if (waitsForBitmap(before.repl) && after.repl <= ReplicationState.Established) {
        // The exchange came to nothing (a disk was lost): the next one begins anew.
        peerDevice.io.bitmapReceiver = undefined;
        peerDevice.io.bitmapReceived = false;
      }
    }
    retryWaiting(device);
  }
  answerConfirmed(change.resource);
}

function prepareVerifyRun(peerDevice: PeerDevice): void {
  const { io, device } = peerDevice;
  io.verify?.cancel();
  io.verify = new VerifyRun(peerDevice, io.verifyPosition, io.verifyStop, device.size, io.verify);
}
function verifyEnded(peerDevice: PeerDevice): void {
  const { io, device } = peerDevice;
  const run = io.verify;
  if (run === undefined) return;
  run.cancel();
  io.verifyStop = Infinity;
  if (peerDevice.now.repl === ReplicationState.VerifyS)
    io.verifyPosition = run.position >= device.size ? 0 : run.position;
  if (run.left > 0 && io.verifyPosition > 0)
    logLine(peerDevice, 'info', `Online Verify reached sector ${io.verifyPosition}`);
}

function resyncContinues(peerDevice: PeerDevice): void {
  const run = peerDevice.io.resync;
  const now = peerDevice.resource.host.ports.scheduler.now();
  logLine(peerDevice, 'info', 'Syncer continues.');
  if (run === undefined) return;
  if (run.pausedSince !== undefined) run.pausedMilliseconds += now - run.pausedSince;
  run.pausedSince = undefined;
  run.marks.reset(now, bitsOf(peerDevice.device, peerDevice.bitmapSlot));
  run.nextBit = 0;
  run.lastTick = now;
  run.finishing = false;
  if (peerDevice.next.repl === ReplicationState.SyncTarget) scheduleTick(run, 0);
}
function resyncPaused(peerDevice: PeerDevice): void {
  const run = peerDevice.io.resync;
  logLine(peerDevice, 'info', 'Resync suspended');
  if (run === undefined) return;
  run.pausedSince = peerDevice.resource.host.ports.scheduler.now();
  run.timer?.cancel();
  run.timer = undefined;
  peerDevice.resource.host.ports.scheduler.soon({ run: () => giveUpTurn(run) });
}
function resyncStopped(peerDevice: PeerDevice): void {
  const { io, now } = peerDevice;
  if (!isSync(now.repl)) io.resync?.stop();
  if (!isVerify(now.repl)) io.verify?.cancel();
}

/**
 * The device grew with an attach: the new area is out of sync; the diskful Primary is the source. The peer has it already, perhaps, and
 * knows of nothing: it is asked to follow.
 */
function resyncGrownArea(peerDevice: PeerDevice): void {
  const { device, connection, resource } = peerDevice;
  logLine(peerDevice, 'info', 'Resync of new storage after online grow');
  const { role } = resource.now;
  const { peerRole } = connection.now;
  const source = role === peerRole ? resource.nodeId < connection.peerNodeId : role === Role.Primary;
  const repl = source ? ReplicationState.WFBitMapS : ReplicationState.WFBitMapT;
  if (device.now.disk < DiskState.Inconsistent) return;
  const isIdle = (): boolean => peerDevice.now.repl === ReplicationState.Established;
  startResync(peerDevice, repl, 'resize', () => undefined, isIdle);
}

/** As above, but known only since the sizes were exchanged: the source asks for it, so that any peer follows. */
function syncNewStorage(peerDevice: PeerDevice): void {
  const { device, connection, resource, now } = peerDevice;
  const { role } = resource.now;
  const { peerRole } = connection.now;
  const source = role === peerRole ? resource.nodeId < connection.peerNodeId : role === Role.Primary;
  const bothHaveDisks = device.now.disk >= DiskState.Inconsistent && now.pdsk >= DiskState.Inconsistent;
  // A resync that runs takes the new blocks with it, they are marked on both sides.
  const isIdle = (): boolean => peerDevice.now.repl === ReplicationState.Established;
  if (!source || !bothHaveDisks || !isIdle()) return;
  logLine(peerDevice, 'info', 'Resync of new storage after online grow');
  startResync(peerDevice, ReplicationState.WFBitMapS, 'online-grow', () => undefined, isIdle);
}

function syncMetadata(device: Device, done?: (error: ErrnoCode) => void): void {
  const { backing } = device;
  const { scheduler } = device.resource.host.ports;
  if (backing) backing.syncSuperblock(done && new WhenDone(done));
  else if (done) scheduler.soon({ run: () => done(0) });
}
function writeBitmap(device: Device, done?: (error: ErrnoCode) => void): void {
  const { backing } = device;
  const { scheduler } = device.resource.host.ports;
  if (backing) backing.bitmapWriter.writeDirty(done && new WhenDone(done));
  else if (done) scheduler.soon({ run: () => done(0) });
}

const exported = new WeakMap<Device, DeviceExport>();
function exportedDevice(device: Device): DeviceExport {
  const known = exported.get(device) ?? new DeviceExport(device);
  exported.set(device, known);
  return known;
}

export const dataActions: DataActions = {
  startNewEpoch,
  announceDagtag,
  flushPeerAck,
  hasWritesInTransferLog: hasWritesInLog,
  hasUnansweredWrites,
  mayLackAcknowledged,
  markUnackedOutOfSync,
  markPeerWritesOutOfSync,
  resendRequests: (connection) => void (connection.io.resendDue = true),
  cancelRequests: (connection) => void (connection.io.cancelDue = true),
  // What waits is looked at after every commit.
  restartSuspendedRequests: () => undefined,
  releaseSuspendedCompletions: (resource) =>
    resource.host.ports.scheduler.soon({ run: () => giveUpConfirmation(resource) }),
  generationBegan: beginUnconfirmedGeneration,
  newCurrentUuidSettled: (device) => {
    device.io.uuidRotationAsked = false;
    device.resource.host.ports.scheduler.soon({ run: () => retryWaiting(device) });
  },
  stateCommitted,
  followFlushes,
  drainConnection,
  dataStreamDrained: () => undefined,
  drainWrites,

  openBacking: openBackingFor,
  loadBitmap: (device, sectors, done) => {
    const { backing } = device;
    if (backing === undefined) throw new Error(`drbd${device.minor} has no disk`);
    backing.loadBitmap(sectors, new WhenDone(done));
  },
  resizeBitmap: (device, sectors, setNewBits) => device.backing?.resizeBitmap(sectors, setNewBits),
  followDisks: (device, request, done) => {
    const { scheduler } = device.resource.host.ports;
    if (device.backing) followDisks(device.backing, request, done);
    else scheduler.soon({ run: () => done({ kind: 'unchanged' }) });
  },
  persistSize,
  writeOrderingChanged: recomputeWriteOrdering,

  markMetadataDirty: (device) => device.backing?.markDirty(),
  syncMetadata,
  outOfSyncBits: ({ device, bitmapSlot }) => bitsOf(device, bitmapSlot),
  slotBits: bitsOf,
  beginSlotGeneration: (device, slot) => bitmapOf(device)?.beginGeneration(slot),
  isPartialSlot: (device, slot) => bitmapOf(device)?.isPartial(slot) ?? true,
  isOldSlot: (device, slot) => bitmapOf(device)?.isOld(slot) ?? true,
  setSlot: (device, slot) => void bitmapOf(device)?.setAll(slot),
  clearSlot: (device, slot) => void bitmapOf(device)?.clearAll(slot),
  copySlot: (device, from, to) => bitmapOf(device)?.copySlot(from, to),
  mergeSlot: (device, from, to) => bitmapOf(device)?.mergeSlot(from, to),
  clearSlotWhereClear: (device, slot, guard) => {
    const bitmap = bitmapOf(device);
    bitmap?.clearRangeWhereClear(slot, guard, 0, bitmap.sectors);
  },
  setAllSlots: (device) => bitmapOf(device)?.setEverything(),
  clearAllSlots: (device) => {
    const bitmap = bitmapOf(device);
    for (let slot = 0; slot < (bitmap?.slots ?? 0); slot++) bitmap?.clearAll(slot);
  },
  writeBitmap,
  writeBitmapLazily,
  resumeActivityLog,
  trySuspendActivityLog,
  reconsiderActivityLog,
  goDiskless,

  // Rates are read from the options at every tick.
  resyncOptionsChanged: () => undefined,
  prepareVerify: ({ io }, start, stop) => {
    if (start !== undefined) io.verifyPosition = start;
    io.verifyStop = stop ?? Infinity;
  },

  deviceCounters: ({ io, backing }) => ({
    read: io.readSectors,
    written: io.writtenSectors,
    alWrites: backing?.activityLog.writes ?? 0,
    bmWrites: backing?.bitmapWriter.bmWrites ?? 0,
    upperPending: io.upperPending,
    lowerPending: backing?.references ?? 0,
  }),
  resyncProgress,
  isSuspendedInternally: ({ io }) => io.suspendCount > 0,
  exportedDevice,

  initialiseResync,
  initialiseVerify: prepareVerifyRun,
  verifyEnded,
  resyncContinues,
  resyncPaused,
  sendBitmap,
  startFullSync,
  beginResync,
  peerFinishedResync: finishResyncAsSource,
  peerFinishedVerify: (peerDevice) => {
    peerDevice.io.verify?.peerFinished(() =>
      changeState(peerDevice.resource, { hard: true, verbose: true, tag: 'resync-finished' }, () => {
        if (isVerify(peerDevice.next.repl)) peerDevice.next.repl = ReplicationState.Established;
      }),
    );
  },
  startVerify: (peerDevice) => {
    const run = peerDevice.io.verify;
    if (run === undefined) return;
    logLine(peerDevice, 'info', `Starting Online Verify from sector ${run.position}`);
    run.schedule(0);
  },
  resyncStopped,
  resyncGrownArea,
  syncNewStorage,
  reconsiderResyncAfter,
  announceInSync: (peerDevice) => {
    announceNeighbour(peerDevice);
    passOnLater(peerDevice);
  },
  passOnMarks: (peerDevice) => passOnLater(peerDevice),
  // Writes are always replicated to a target: RESYNC_WITHOUT_REPLICATION is not offered.
  announcePeerReplication: () => undefined,
};
