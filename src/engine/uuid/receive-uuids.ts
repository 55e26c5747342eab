/** A peer's set of identifiers arrives (engine.md 4.6, 4.8, 5.11, 9.6). */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { PeerFlag } from '../../metadata/superblock-flags';
import { hasNode, nodesIn, type NodeMask } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { isStable, isSyncTarget } from '../state/derived';
import { setExposedUuid } from '../state/exposed-uuid';
import { logLine } from '../state/object-log';
import { committedDevice, committedState } from '../state/state-change';
import { changeState } from '../state/transaction';
import { detectFinishedResyncs } from './detect-finished-resyncs';
import { markDirty, setBitmapUuid, setCurrentUuid, superblockOf, UUID_JUST_CREATED } from './generation';
import { type PeerUuids } from './peer-uuids';
import { isLeftBehind, receiveNewCurrent } from './receive-new-current';
import { logOwnUuids } from './uuid-log';

/** What the caller does next: compare generations again (engine.md 5.11), or nothing. */
export type AfterUuids = 'nothing' | 'resync-after-unstable' | 'resync-diskless-primary';

export function receiveUuids(peerDevice: PeerDevice, received: PeerUuids): AfterUuids {
  const { device } = peerDevice;
  const { host } = device.resource;
  if (crossedOurGeneration(peerDevice, received)) received.currentUuid = device.exposedUuid;
  peerDevice.uuids = received;
  peerDevice.uuidsReceived = true;
  // The transaction below consumes GOT_STABLE.
  const { flags } = received;
  const has = (flag: bigint): boolean => (flags & flag) !== 0n;
  let updated = false;
  const leftBehind = has(UUID_FLAG.NEW_DATAGEN) && isLeftBehind(peerDevice, received.nodeMask);
  if (device.backing !== undefined && device.now.disk >= DiskState.Negotiating) {
    learnNodes(device, received);
    if (skipsInitialSync(peerDevice, received)) {
      acceptInitialUuid(peerDevice, received);
      updated = true;
    }
    if (has(UUID_FLAG.NEW_DATAGEN)) receiveNewCurrent(peerDevice, received.currentUuid, received.nodeMask);
    if (detectFinishedResyncs(peerDevice)) {
      host.dataActions.writeBitmap(device);
      announceToOthers(peerDevice);
    }
    host.dataActions.syncMetadata(device);
  } else if (followsPeer(peerDevice)) {
    updated = setExposedUuid(device, received.currentUuid);
  }
  trustPeerAgain(peerDevice);
  changeState(device.resource, { tag: 'receive-uuids' }, () => undefined);
  if (updated) logOwnUuids(peerDevice, 'receiver updated UUIDs to');
  host.notices.peerDeviceChanged(peerDevice);
  if (has(UUID_FLAG.NEW_DATAGEN)) abortResyncFromWeakNodes(device, received.nodeMask);
  if (!leftBehind || peerDevice.now.repl !== ReplicationState.Established) return followUp(peerDevice, flags);
  host.peerActions.sendUuids(peerDevice, UUID_FLAG.RESYNC);
  return 'resync-after-unstable';
}

/**
 * Sent before the peer got the generation that we began without a disk: it counts as a holder of that (engine.md 4.4).
 * Else we would expose the generation before again, and our old disk would pass for the data of now.
 */
function crossedOurGeneration({ device, now, uuids }: PeerDevice, received: PeerUuids): boolean {
  const { exposedUuid, exposedUuidPredecessor } = device;
  if (device.resource.now.role !== Role.Primary || device.now.disk === DiskState.UpToDate) return false;
  if (now.repl < ReplicationState.Established || exposedUuidPredecessor === 0n) return false;
  if (uuids === undefined || !sameUuid(uuids.currentUuid, exposedUuid)) return false;
  return sameUuid(received.currentUuid, exposedUuidPredecessor);
}

/** Nodes that the peer has heard of exist, and may want a bitmap some day; we are one of them. */
function learnNodes(device: Device, received: PeerUuids): void {
  const { peers } = superblockOf(device);
  for (const node of nodesIn(received.knownNodes)) {
    const slot = peers[node];
    if (slot === undefined || (slot.flags & (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS)) !== 0) continue;
    slot.flags = (slot.flags | PeerFlag.NODE_EXISTS) >>> 0;
    markDirty(device);
  }
}

/** Without a disk we doubted a peer whose identifiers did not match; now they do. */
function trustPeerAgain(peerDevice: PeerDevice): void {
  const { device, now, uuids, resource } = peerDevice;
  if (device.now.disk !== DiskState.Diskless || now.pdsk !== DiskState.Consistent) return;
  if (now.repl <= ReplicationState.Off || uuids === undefined) return;
  if (!sameUuid(uuids.currentUuid, device.exposedUuid)) return;
  logLine(peerDevice, 'info', 'Peer is on same UUID now');
  changeState(resource, { tag: 'receive-uuids', verbose: true }, () => {
    peerDevice.next.pdsk = DiskState.UpToDate;
  });
}

/** A Secondary without a disk goes with its UpToDate peers. */
function followsPeer({ device, now }: PeerDevice): boolean {
  return (
    device.resource.now.role === Role.Secondary &&
    now.repl >= ReplicationState.Established &&
    now.pdsk === DiskState.UpToDate
  );
}

/** `new-current-uuid --clear-bitmap` on the peer: both disks are declared equal. */
function skipsInitialSync(peerDevice: PeerDevice, received: PeerUuids): boolean {
  return (
    peerDevice.now.repl === ReplicationState.Established &&
    (received.flags & UUID_FLAG.SKIP_INITIAL_SYNC) !== 0n &&
    superblockOf(peerDevice.device).currentUuid === UUID_JUST_CREATED
  );
}

function acceptInitialUuid(peerDevice: PeerDevice, received: PeerUuids): void {
  const { device, resource } = peerDevice;
  const { dataActions, peerActions } = resource.host;
  logLine(device, 'info', 'Accepted new current UUID, preparing to skip initial sync');
  dataActions.clearAllSlots(device);
  dataActions.writeBitmap(device);
  setCurrentUuid(device, received.currentUuid);
  setBitmapUuid(device, peerDevice.peerNodeId, 0n);
  changeState(resource, { tag: 'skip-initial-sync', hard: true }, () => {
    device.next.disk = DiskState.UpToDate;
    peerDevice.next.pdsk = DiskState.UpToDate;
  });
  for (const other of device.peerDevices) {
    if (other.now.repl > ReplicationState.Off && other.now.pdsk === DiskState.Diskless)
      peerActions.sendUuids(other, UUID_FLAG.SKIP_INITIAL_SYNC);
  }
}

function announceToOthers(peerDevice: PeerDevice): void {
  for (const other of peerDevice.device.peerDevices) {
    if (other === peerDevice || other.now.repl <= ReplicationState.Off) continue;
    peerDevice.resource.host.peerActions.sendUuids(other, 0n);
  }
}

/** A weak node has nothing that is worth a resync. */
function abortResyncFromWeakNodes(device: Device, weak: NodeMask): void {
  const sources = device.peerDevices.filter(
    (peer) => isSyncTarget(peer.now.repl) && hasNode(weak, peer.peerNodeId),
  );
  for (const source of sources) {
    logLine(source, 'info', 'My sync source became a weak node, aborting resync!');
    changeState(device.resource, { tag: 'abort-resync', verbose: true, hard: true }, () => {
      source.next.repl = ReplicationState.Established;
      source.next.resyncActive = false;
    });
  }
}

/** GOT_STABLE: the peer has become stable and offers a resync. RESYNC: it wants one to be considered. */
function followUp(peerDevice: PeerDevice, flags: bigint): AfterUuids {
  const { device, resource } = peerDevice;
  if (peerDevice.now.repl < ReplicationState.Established || peerDevice.reconciliationResync) return 'nothing';
  if ((flags & UUID_FLAG.RESYNC) !== 0n) {
    return (flags & UUID_FLAG.DISKLESS_PRIMARY) !== 0n ? 'resync-diskless-primary' : 'resync-after-unstable';
  }
  if ((flags & UUID_FLAG.GOT_STABLE) === 0n || peerDevice.now.repl !== ReplicationState.Established)
    return 'nothing';
  // A disk that is being attached will be compared: to consider a resync is not for one side alone.
  if (device.now.disk < DiskState.Inconsistent) return 'nothing';
  if (!isStable(committedState(resource), committedDevice(device), 'new')) return 'nothing';
  resource.host.peerActions.sendUuids(peerDevice, UUID_FLAG.RESYNC);
  return 'resync-after-unstable';
}
