/** Deferred actions of one peer device (engine.md 2.7 steps 2 and 4). */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { hasThirdNode, mayDiffer } from './marks';
import { nodeBit } from '../node-mask';
import { type PeerDevice } from '../objects';
import { setBitmapUuidWithHistory } from '../uuid/generation';
import { settleOwedCurrentUuid } from '../uuid/new-current-uuid';
import { announcedUuidsChanged } from '../uuid/own-uuids';
import { logOwnUuids } from '../uuid/uuid-log';
import { currentUuidOf, sameUuid } from './data-trust';
import { combinedDependency, isRunningSync, isStable, isSync, isSyncTarget, isVerify } from './derived';
import { type DeviceChange, type PeerDeviceChange, type StateChange } from './state-change';

const { Off, Established } = ReplicationState;

/** What the first pass found out for the second. */
export interface PeerOutlook {
  readonly tellOthers: Set<PeerDevice>;
  /** A Primary that has regained data. */
  healed: boolean;
  /** A Primary newly without data. */
  lostData: boolean;
}

/** Step 2: connected (or the peer attached) and there was nothing to resync. */
export function clearAfterConnectWithoutResync(
  change: StateChange,
  node: DeviceChange,
  peer: PeerDeviceChange,
): void {
  const { peerDevice } = peer;
  const { device } = node;
  const connected = peer.old.repl === Off && peer.new.repl === Established;
  const attached =
    peer.new.repl === Established &&
    peer.old.pdsk === DiskState.Diskless &&
    peer.new.pdsk > DiskState.Diskless;
  if ((!connected && !attached) || peerDevice.newStorageAtConnect) return;
  if (node.new.disk < DiskState.Outdated || peer.new.pdsk < DiskState.Outdated) return;
  const slot = device.backing?.superblock.peers[peerDevice.peerNodeId];
  if (slot === undefined || peerDevice.uuids === undefined) return;
  if (!sameUuid(currentUuidOf(device), peerDevice.uuids.currentUuid)) return;
  const { dataActions } = device.resource.host;
  setBitmapUuidWithHistory(device, peerDevice.peerNodeId, 0n);
  logOwnUuids(peerDevice, 'cleared bm UUID and bitmap');
  if (peerDevice.bitmapSlot < 0) return;
  if (connected && hasThirdNode(peerDevice)) settleMarks(change, node, peer);
  else dataActions.clearSlot(device, peerDevice.bitmapSlot);
}

/** What either side has marked is kept if it may matter. */
function settleMarks(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): void {
  const { peerDevice } = peer;
  const { device, bitmapSlot, uuids } = peerDevice;
  const { dataActions } = device.resource.host;
  const ours = dataActions.outOfSyncBits(peerDevice);
  const theirs = uuids?.dirtyBits ?? 0;
  if (mayDiffer(ours, theirs, peer.link.new.peerRole)) {
    peerDevice.marksCount = isBehind(node, peer) ? 'theirs' : 'ours';
    device.announcedAsMarked |= nodeBit(peerDevice.peerNodeId);
  } else dataActions.clearSlot(device, bitmapSlot);
  if (!isInSync(node, peer, 'new')) dataActions.passOnMarks(peerDevice);
  // Ours alone do not tell then what differs.
  if (mayDiffer(theirs, ours, change.new.role)) peerDevice.tookOtherData = true;
}

/** One of us is known not to have everything, or was not up when the other one was. */
function isBehind(node: DeviceChange, { peerDevice, new: { pdsk } }: PeerDeviceChange): boolean {
  const { disk } = node.new;
  if (disk !== pdsk && (disk === DiskState.Outdated || pdsk === DiskState.Outdated)) return disk < pdsk;
  return peerSurvived(peerDevice) || mayHaveStaleMarks(peerDevice);
}
/** Both have marks, and ours are all from before we stopped: a power cut may have brought them back. */
function mayHaveStaleMarks({ device, bitmapSlot, uuids }: PeerDevice): boolean {
  return (uuids?.dirtyBits ?? 0) > 0 && device.resource.host.dataActions.isOldSlot(device, bitmapSlot);
}
/** It was up when we were not. */
const peerSurvived = ({ uuids, announcedUuidFlags }: PeerDevice): boolean =>
  ((uuids?.flags ?? 0n) & ~announcedUuidFlags & UUID_FLAG.RECONNECT) !== 0n;

/** Step 4. */
export function deferPeerDevice(
  change: StateChange,
  node: DeviceChange,
  peer: PeerDeviceChange,
  outlook: PeerOutlook,
): void {
  const { peerDevice } = peer;
  const { peerActions, dataActions } = peerDevice.resource.host;
  const connected = (): boolean => peerDevice.connection.now.cstate === ConnectionState.Connected;
  if (sendsUuidsFirst(change, node, peer) && connected()) peerActions.sendUuids(peerDevice, 0n);
  if (outlook.lostData) peerActions.runHelper('pri-on-incon-degr', peerDevice);
  if (peer.old.pdsk < DiskState.Negotiating && peer.new.pdsk === DiskState.Negotiating && connected()) {
    peerActions.sendUuids(peerDevice, 0n);
    peerActions.sendState(peerDevice);
  }
  const { WFBitMapS } = ReplicationState;
  if (peer.old.repl !== WFBitMapS && peer.new.repl === WFBitMapS && peerDevice.now.repl === WFBitMapS) {
    dataActions.markUnackedOutOfSync(peerDevice);
    dataActions.sendBitmap(peerDevice);
  }
  const attached = node.old.disk === DiskState.Attaching && node.new.disk >= DiskState.Negotiating;
  if (attached && connected()) {
    peerActions.sendSizes(peerDevice, 0);
    peerActions.sendUuids(peerDevice, 0n);
    peerActions.sendState(peerDevice);
  }
  const tellsState = sendsState(change, node, peer) || outlook.tellOthers.has(peerDevice);
  startFullSyncs(peer);
  if (
    peerDevice.resyncAfterNegotiation &&
    node.new.disk > DiskState.Negotiating &&
    peer.new.pdsk > DiskState.Negotiating &&
    peer.new.repl >= Established
  ) {
    peerDevice.resyncAfterNegotiation = false;
    // A resync takes the new blocks with it.
    if (peer.new.repl === Established) dataActions.resyncGrownArea(peerDevice);
  }
  if (peerDevice.newStorageAtConnect && peer.new.repl >= Established) {
    peerDevice.newStorageAtConnect = false;
    if (peer.new.repl === Established) dataActions.syncNewStorage(peerDevice);
  }
  followPauses(node, peer);
  tellEndOfSync(node, peer);
  const generationKnown = node.device.backing !== undefined && peer.new.repl >= Established;
  if (becameUnstable(change, node) && generationKnown && connected()) peerActions.sendUuids(peerDevice, 0n);
  if (tellsState && connected()) peerActions.sendState(peerDevice);
  if (offersResync(change, node, peer) && connected()) {
    peerActions.sendUuids(peerDevice, UUID_FLAG.GOT_STABLE);
  }
  rotateAfterDiskLoss(change, node, peer);
  startRunning(peer);
  if (isInSync(node, peer, 'new') && !isInSync(node, peer, 'old')) dataActions.announceInSync(peerDevice);
}

const isInSync = (node: DeviceChange, peer: PeerDeviceChange, side: 'old' | 'new'): boolean =>
  node[side].disk === DiskState.UpToDate &&
  peer[side].pdsk === DiskState.UpToDate &&
  peer[side].repl === Established;

const resyncFinished = (peer: PeerDeviceChange): boolean =>
  isSyncTarget(peer.old.repl) && peer.new.repl === Established;
const becameUnstable = (change: StateChange, node: DeviceChange): boolean =>
  isStable(change, node, 'old') && !isStable(change, node, 'new');

/** a. */
function sendsUuidsFirst(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): boolean {
  if (peer.new.repl <= Off) return false;
  // All peers learn that we are on the source's generation now.
  if (node.peers.some(resyncFinished)) return true;
  if (peer.old.repl === Off && announcedUuidsChanged(peer.peerDevice)) return true;
  return isStable(change, node, 'old') !== isStable(change, node, 'new');
}

/** g. */
function sendsState(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): boolean {
  const from = peer.old.repl;
  const to = peer.new.repl;
  const syncsOrVerifies = (repl: ReplicationState): boolean => isSync(repl) || isVerify(repl);
  if (syncsOrVerifies(to) && !syncsOrVerifies(from)) return true;
  if (resyncFinished(peer)) return true;
  if (from < Established && to >= Established) return true;
  if (to === ReplicationState.Ahead && from !== to) return true;
  const pauseChanged =
    combinedDependency(peer.old, node.old) !== combinedDependency(peer.new, node.new) ||
    peer.old.resyncSuspUser !== peer.new.resyncSuspUser ||
    peer.old.resyncSuspMaxParallel !== peer.new.resyncSuspMaxParallel;
  if (pauseChanged && to >= Established) return true;
  const promotes = change.old.role === Role.Secondary && change.new.role === Role.Primary;
  if (
    node.old.disk !== node.new.disk &&
    from >= Established &&
    to >= Established &&
    node.new.disk >= DiskState.Inconsistent &&
    !promotes
  ) {
    return true;
  }
  return node.old.haveQuorum !== node.new.haveQuorum && node.new.disk >= DiskState.Inconsistent;
}

/** h, second half. */
function startFullSyncs(peer: PeerDeviceChange): void {
  const { StartingSyncS, StartingSyncT } = ReplicationState;
  const to = peer.new.repl;
  if (to === peer.old.repl || (to !== StartingSyncS && to !== StartingSyncT)) return;
  peer.peerDevice.resource.host.dataActions.startFullSync(peer.peerDevice);
}

const anyPause = (node: DeviceChange, peer: PeerDeviceChange, side: 'old' | 'new'): boolean =>
  peer[side].resyncSuspUser || peer[side].resyncSuspPeer || combinedDependency(peer[side], node[side]);

/** h (first half) and j. */
function followPauses(node: DeviceChange, peer: PeerDeviceChange): void {
  const { peerDevice } = peer;
  const { dataActions } = peerDevice.resource.host;
  const running = (repl: ReplicationState): boolean => isRunningSync(repl) || isVerify(repl);
  const stopped = running(peer.old.repl) && !running(peer.new.repl);
  if (stopped) dataActions.resyncStopped(peerDevice);
  const pausesChanged = anyPause(node, peer, 'old') !== anyPause(node, peer, 'new');
  const syncsChanged = isSync(peer.old.repl) !== isSync(peer.new.repl);
  if (stopped || pausesChanged || syncsChanged) dataActions.reconsiderResyncAfter(node.device);
}

/** k. */
function tellEndOfSync(node: DeviceChange, peer: PeerDeviceChange): void {
  const { device } = node;
  const { dataActions } = device.resource.host;
  const from = peer.old.repl;
  const to = peer.new.repl;
  const ended = from >= ReplicationState.SyncSource && to === Established;
  if (ended && node.old.disk < DiskState.UpToDate && from !== ReplicationState.VerifyS) {
    sendStateToAll(node);
  }
  if (isSync(from) && (to === Established || to >= ReplicationState.Ahead)) {
    dataActions.writeBitmapLazily(device);
  }
  if (from === ReplicationState.VerifyS && to === Established) sendStateToAll(node);
}

export function sendStateToAll(node: DeviceChange): void {
  for (const { peerDevice } of node.peers) {
    if (peerDevice.connection.now.cstate === ConnectionState.Connected) {
      peerDevice.resource.host.peerActions.sendState(peerDevice);
    }
  }
}

/** m. */
function offersResync(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): boolean {
  const wasStable = isStable(change, node, 'old');
  if (!isStable(change, node, 'new')) return false;
  const wasTarget = node.peers.some((other) => isSyncTarget(other.old.repl));
  const isTarget = node.peers.some((other) => isSyncTarget(other.new.repl));
  if (wasStable && !(wasTarget && !isTarget)) return false;
  return (
    (!isSyncTarget(peer.old.repl) || wasPassedBy(peer)) &&
    peer.link.old.peerRole !== Role.Primary &&
    node.new.disk >= DiskState.Outdated &&
    peer.new.repl >= Established
  );
}

/** It was to be our source, and had to wait so long that another one has brought us beyond it. */
function wasPassedBy({ peerDevice, old, new: now }: PeerDeviceChange): boolean {
  const { device, uuids } = peerDevice;
  if (old.repl !== ReplicationState.PausedSyncT || now.repl !== Established || uuids === undefined)
    return false;
  return !sameUuid(uuids.currentUuid, currentUuidOf(device));
}

/** n, without the relabelling of engine.md 4.5. */
function rotateAfterDiskLoss(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): void {
  const { device } = node;
  if (!device.newCurrentUuidOwed) return;
  const peerFailed =
    peer.old.pdsk === DiskState.UpToDate &&
    (peer.new.pdsk === DiskState.Failed || peer.new.pdsk === DiskState.Inconsistent);
  const ownFailed =
    node.old.disk > DiskState.Failed &&
    node.new.disk === DiskState.Failed &&
    change.new.role === Role.Primary;
  // Writes that the peer no longer gets complete without another write that would make the generation.
  const { Detaching, Diskless, UpToDate } = DiskState;
  const peerLeft =
    (peer.old.pdsk === UpToDate || peer.old.pdsk === Detaching) &&
    (peer.new.pdsk === Detaching || peer.new.pdsk === Diskless) &&
    device.resource.host.dataActions.hasWritesInTransferLog(device.resource);
  const lost = peerFailed || ownFailed || peerLeft;
  if (lost && !device.writingNewCurrentUuid) settleOwedCurrentUuid(device);
}

/** o. */
function startRunning(peer: PeerDeviceChange): void {
  const { peerDevice } = peer;
  const { dataActions } = peerDevice.resource.host;
  const from = peer.old.repl;
  const to = peer.new.repl;
  if (to === ReplicationState.VerifyS && from !== to) dataActions.startVerify(peerDevice);
  const entered = isSync(to) && !isSync(from);
  if (entered) dataActions.beginResync(peerDevice);
  if (!peer.old.peerReplication && peer.new.peerReplication) {
    dataActions.announcePeerReplication(peerDevice);
  }
}
