/** Finish actions of one peer device (engine.md 2.6 steps 2 and 6). */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { PeerFlag } from '../../metadata/superblock-flags';
import { nodeBit } from '../node-mask';
import { noteResyncStart } from '../uuid/resync-uuids';
import {
  isPausedSync,
  isRunningSync,
  isSync,
  isSyncSource,
  isSyncTarget,
  isVerify,
  shouldReplicate,
} from './derived';
import { type PeerDevice } from '../objects';
import { type DeviceChange, type PeerDeviceChange } from './state-change';

export interface FinishNotes {
  /** Who replicates to whom changed: a new epoch starts. */
  newEpoch: boolean;
  /** A reconciliation ended (engine.md 5.13). */
  reconcileSettled: boolean;
}

/** Step 2. */
export function finishReplication(peer: PeerDeviceChange, notes: FinishNotes): void {
  const { peerDevice } = peer;
  const { dataActions } = peerDevice.resource.host;
  const before = shouldReplicate(peer.old);
  const after = shouldReplicate(peer.new);
  if (!before && after) dataActions.announceDagtag(peerDevice.connection);
  if (before !== after) notes.newEpoch = true;
  const from = peer.old.repl;
  const to = peer.new.repl;
  const entersBitmap =
    from !== to && (to === ReplicationState.WFBitMapS || to === ReplicationState.WFBitMapT);
  if (entersBitmap || (isSync(to) && !isSync(from))) peerDevice.beforeResyncHandlerDone = false;
  if (entersBitmap) peerDevice.resyncFinishedPdsk = DiskState.DUnknown;
  if (isSync(to) && !isSync(from)) peerDevice.syncTargetToBehind = false;
}

/** Step 6, without meta-data flags and arming. */
export function finishPeerDevice(node: DeviceChange, peer: PeerDeviceChange, notes: FinishNotes): void {
  const { peerDevice } = peer;
  if (node.new.disk === DiskState.UpToDate && peer.new.pdsk === DiskState.UpToDate) {
    const newly = node.old.disk !== DiskState.UpToDate || peer.old.pdsk !== DiskState.UpToDate;
    if (newly && crashIsSettled(node, peer)) node.device.crashedPrimary = false;
  }
  finishRunning(node, peer);
  settleReconciliation(peer, notes);
  if (
    node.new.disk === DiskState.Inconsistent &&
    peer.old.pdsk === DiskState.Inconsistent &&
    peer.new.pdsk === DiskState.UpToDate &&
    peer.link.old.peerRole === Role.Secondary &&
    peer.link.new.peerRole === Role.Primary
  ) {
    peerDevice.considerResync = true;
  }
  if (peer.old.repl === ReplicationState.Off && peer.new.repl > ReplicationState.Off) {
    node.device.mayBeOnCurrent &= ~nodeBit(peerDevice.peerNodeId);
    node.device.resource.host.dataActions.resumeActivityLog(node.device);
  }
  if (peer.new.pdsk < DiskState.UpToDate) peerDevice.gotNegAck = false;
  noteOtherData(node, peer);
  if (isSync(peer.old.repl) && !isSync(peer.new.repl)) peerDevice.syncSourceCrashedPrimary = false;
  if (
    peer.link.old.cstate === ConnectionState.Connected &&
    peer.link.new.cstate < ConnectionState.Connected
  ) {
    peerDevice.peerAttaching = false;
    peerDevice.initialStateSent = false;
    peerDevice.initialStateReceived = false;
  }
}

/**
 * Everybody who may hold our generation has been compared with us: who was connected when we crashed and is not here
 * may have more of the last writes, or less.
 */
function crashIsSettled(node: DeviceChange, peer: PeerDeviceChange): boolean {
  if (isSyncTarget(peer.old.repl)) return true;
  const slots = node.device.backing?.superblock.peers ?? [];
  return slots.every(({ flags, bitmapUuid }, nodeId) => {
    if ((flags & PeerFlag.HAVE_BITMAP) === 0 || bitmapUuid !== 0n) return true;
    const other = node.peers.find(({ peerDevice }) => peerDevice.peerNodeId === nodeId);
    return other?.new.pdsk === DiskState.UpToDate;
  });
}

/**
 * In sync with a peer that is connected, one of both becomes the target of somebody else; or it remains that, when the
 * resync between both is over.
 */
function noteOtherData(node: DeviceChange, { peerDevice, old, new: next }: PeerDeviceChange): void {
  const { Established } = ReplicationState;
  if (next.repl !== Established) {
    peerDevice.tookOtherData = false;
    peerDevice.marksCount = 'not';
  } else if (isSync(old.repl)) {
    if (isSyncedElsewhere(next.pdsk, node.new.disk)) peerDevice.tookOtherData = true;
    if (isSyncedElsewhere(node.new.disk, next.pdsk)) peerDevice.marksCount = 'ours';
    // Somebody else has brought it up to date while it waited for us, maybe without what we have marked.
    if (old.repl === ReplicationState.PausedSyncS && next.pdsk === DiskState.UpToDate)
      peerDevice.marksCount = 'ours';
    // What we took from another one meanwhile.
    if (old.repl === ReplicationState.SyncSource && hasMarks(peerDevice)) peerDevice.marksCount = 'ours';
  } else if (old.repl === Established && isSettled(node.old.disk) && isSettled(old.pdsk)) {
    if (isReplaced(old.pdsk, next.pdsk)) peerDevice.tookOtherData = true;
    if (isReplaced(node.old.disk, node.new.disk)) peerDevice.marksCount = 'ours';
  }
}
const hasMarks = (peerDevice: PeerDevice): boolean =>
  peerDevice.resource.host.dataActions.outOfSyncBits(peerDevice) > 0;
/** It is Outdated until that begins, though it has the data of an UpToDate disk now. */
const isSyncedElsewhere = (target: DiskState, source: DiskState): boolean =>
  target === DiskState.Inconsistent || (target === DiskState.Outdated && source === DiskState.UpToDate);
/** Outdated ones of one generation are in sync as well. */
const isSettled = (disk: DiskState): boolean => disk >= DiskState.Outdated && disk !== DiskState.DUnknown;
const isReplaced = (old: DiskState, now: DiskState): boolean =>
  (now === DiskState.Outdated || now === DiskState.Inconsistent) && now < old;

function finishRunning(node: DeviceChange, peer: PeerDeviceChange): void {
  const { peerDevice } = peer;
  const { dataActions } = node.device.resource.host;
  const from = peer.old.repl;
  const to = peer.new.repl;
  if (from === to) return;
  if (isVerify(from)) dataActions.verifyEnded(peerDevice);
  if (isPausedSync(from) && isRunningSync(to)) dataActions.resyncContinues(peerDevice);
  else if (isRunningSync(from) && isPausedSync(to)) dataActions.resyncPaused(peerDevice);
  else if (from === ReplicationState.Established && isVerify(to)) dataActions.initialiseVerify(peerDevice);
  else if (isSync(to) && !isSync(from)) dataActions.initialiseResync(peerDevice);
  if (isSyncTarget(to) && !isSyncTarget(from) && node.device.backing) noteResyncStart(peerDevice);
}

function settleReconciliation(peer: PeerDeviceChange, notes: FinishNotes): void {
  const { peerDevice } = peer;
  const from = peer.old.repl;
  const to = peer.new.repl;
  if (from > ReplicationState.Established && to <= ReplicationState.Established) {
    if (peerDevice.reconciliationResync || peerDevice.reconcilePending) notes.reconcileSettled = true;
    peerDevice.reconciliationResync = false;
    peerDevice.reconcilePending = false;
  }
  if (isSyncSource(to) && !isSyncSource(from) && peerDevice.reconcilePending) {
    peerDevice.reconcilePending = false;
    notes.reconcileSettled = true;
  }
}
