/** A Primary has made a new generation (engine.md 4.6). */
import { PeerFlag } from '../../metadata/superblock-flags';
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { hasNode, MAX_NODES, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { isSyncSource, isSyncTarget } from '../state/derived';
import { setExposedUuid } from '../state/exposed-uuid';
import { hex16, logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { pushHistory, setBitmapUuidWithHistory, setCurrentUuid, slotOf, superblockOf } from './generation';
import { type PeerUuids, uuidsOfCurrent } from './peer-uuids';
import { rotateIntoBitmapSlots } from './rotate';

/** `weak`: nodes that do not follow the Primary `peerDevice` into `uuid`. */
export function receiveNewCurrent(peerDevice: PeerDevice, uuid: bigint, weak: NodeMask): void {
  const { device, connection } = peerDevice;
  logLine(peerDevice, 'info', `received new current UUID: ${hex16(uuid)} weak_nodes=${hex16(weak)}`);
  if (peerDevice.uuids) peerDevice.uuids.currentUuid = uuid;
  const target = device.peerDevices.find(
    ({ now }) => isSyncTarget(now.repl) || now.repl === ReplicationState.Behind,
  );
  if (target !== undefined) {
    if (target.uuids) target.uuids.currentUuid = uuid;
    return;
  }
  if (device.backing === undefined) {
    setExposedUuid(device, uuid, true);
    return;
  }
  // We do not get its writes: under its name nobody would see that they are missing here.
  if (device.now.disk < DiskState.UpToDate && hasNode(weak, device.resource.nodeId)) return;
  if (isLeftBehind(peerDevice, weak)) return outdate(device);
  const superblock = superblockOf(device);
  const previous = superblock.currentUuid;
  const got =
    device.now.disk === DiskState.UpToDate
      ? rotateIntoBitmapSlots(device, weak, connection.lastDagtag)
      : NO_NODES;
  for (let node = 0; node < MAX_NODES; node++) {
    if (node === device.resource.nodeId || hasNode(weak, node)) continue;
    const slot = slotOf(superblock, node);
    if (slot.bitmapUuid === 0n || (slot.flags & PeerFlag.HAVE_BITMAP) === 0) continue;
    setBitmapUuidWithHistory(device, node, uuid);
  }
  setCurrentUuid(device, uuid);
  pushHistory(device, previous);
  announce(peerDevice, got);
}

/**
 * It had not heard yet that we are UpToDate when it went on, and has only marked for us what it wrote since. With a disk it has
 * bits for that.
 */
export const isLeftBehind = ({ device, now }: PeerDevice, weak: NodeMask): boolean =>
  hasNode(weak, device.resource.nodeId) &&
  device.now.disk >= DiskState.Outdated &&
  now.repl === ReplicationState.Established &&
  now.pdsk === DiskState.UpToDate &&
  !device.peerDevices.some((other) => other.now.repl > ReplicationState.Established);

function announce(from: PeerDevice, got: NodeMask): void {
  const { device } = from;
  const { peerActions, dataActions } = device.resource.host;
  dataActions.syncMetadata(device, () => {
    for (const peerDevice of device.peerDevices) {
      const { repl, pdsk } = peerDevice.now;
      const follows =
        repl === ReplicationState.Established ||
        repl === ReplicationState.WFBitMapS ||
        isSyncSource(repl) ||
        (repl > ReplicationState.Off && pdsk === DiskState.Diskless);
      const gotSlot = repl > ReplicationState.Off && hasNode(got, peerDevice.peerNodeId);
      if (follows || gotSlot) peerActions.sendUuids(peerDevice, 0n);
    }
  });
}

/** A diskless node tells the generation it works on (P_CURRENT_UUID). */
export function receiveCurrentUuid(peerDevice: PeerDevice, uuid: bigint, weakNodes: NodeMask): void {
  const { device, connection } = peerDevice;
  const before = peerDevice.uuids;
  const movedOn = before !== undefined && hasMovedOn(peerDevice, before, uuid);
  peerDevice.currentUuidReceived = true;
  noteNode(peerDevice);
  peerDevice.primaryWorksOn = uuid;
  const primary = connection.now.peerRole === Role.Primary;
  // A disk that is not UpToDate does not hold what came before: it must not take the name of this generation.
  // A Secondary without a disk follows when a disk is there.
  const ownPrimary = device.resource.now.role === Role.Primary;
  // Nor one that was attached while the Primary, with a disk of its own, was at this generation already.
  const begins = before === undefined || !sameUuid(before.currentUuid, uuid);
  const follows =
    device.backing === undefined ? ownPrimary : device.now.disk === DiskState.UpToDate && begins;
  if (primary && follows && peerDevice.now.repl >= ReplicationState.Established) {
    peerDevice.uuids ??= uuidsOfCurrent(uuid, weakNodes);
    receiveNewCurrent(peerDevice, uuid, weakNodes | nodeBit(peerDevice.peerNodeId));
    waitForSuperblock(peerDevice);
    return;
  }
  const diskful =
    peerDevice.now.repl >= ReplicationState.Established && peerDevice.now.pdsk > DiskState.Diskless;
  if (before !== undefined && diskful) before.currentUuid = uuid;
  else peerDevice.uuids = uuidsOfCurrent(uuid, weakNodes);
  peerDevice.uuidsReceived = true;
  if (!movedOn) return;
  const { twopc } = device.resource;
  if (connection.now.peerRole === Role.Unknown) device.outdateOnTwopcCommit = true;
  else if (twopc.remoteActive) twopc.remoteEndWaiters.push(() => outdate(device));
  else outdate(device);
}
/** There is a node of this number, though it may never want a bitmap. */
function noteNode({ device, peerNodeId }: PeerDevice): void {
  const slot = device.backing?.superblock.peers[peerNodeId];
  if (slot === undefined || (slot.flags & PeerFlag.NODE_EXISTS) !== 0) return;
  slot.flags = (slot.flags | PeerFlag.NODE_EXISTS) >>> 0;
  device.backing?.markDirty();
}
/**
 * The writes that follow are of the new generation, and nobody else has its identifier on disk: no such write may reach
 * our disk before it.
 */
function waitForSuperblock({ device, connection }: PeerDevice): void {
  const { link } = connection;
  const { peerActions, dataActions } = device.resource.host;
  const { generation } = link;
  link.pauseData();
  dataActions.syncMetadata(device, () => {
    if (generation === link.generation) peerActions.resumeReading(connection);
  });
}
function outdate(device: Device): void {
  changeState(device.resource, { tag: 'receive-current-uuid', hard: true }, () => {
    if (device.next.disk > DiskState.Outdated) device.next.disk = DiskState.Outdated;
  });
}

/** It was where we are, and is now at a generation we have never heard of. */
function hasMovedOn(peerDevice: PeerDevice, before: PeerUuids, uuid: bigint): boolean {
  const superblock = peerDevice.device.backing?.superblock;
  if (superblock === undefined || uuid === 0n) return false;
  if (!sameUuid(before.currentUuid, superblock.currentUuid)) return false;
  if (sameUuid(uuid, superblock.currentUuid)) return false;
  return (
    !superblock.peers.some((slot) => sameUuid(slot.bitmapUuid, uuid)) &&
    !superblock.historyUuids.some((old) => sameUuid(old, uuid))
  );
}
