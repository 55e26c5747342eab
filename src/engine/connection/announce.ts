/** What we tell a peer of ourselves: parameters, sizes, generation identifiers, state (wire-protocol.md 7.4-7.8). */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type PeerSlot09 } from '../../metadata/superblock-09';
import { DeviceFlag, PeerFlag } from '../../metadata/superblock-flags';
import { FEATURE, LIMIT, NO_VOLUME } from '../../wire/features';
import { packState, stateToWire } from '../../wire/state-word';
import { packUuidLists, UUID_FLAG, UUID_NOT_IN_SYNC } from '../../wire/uuids110';
import { logicalBlockSize } from '../admin/device-size';
import { peerDeviceOptions } from '../apply-options';
import { NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';
import { authoritativeNodes, combinedDependency, isStable, isSyncTarget, weakNodes } from '../state/derived';
import { committedDevice, committedState } from '../state/state-change';
import { sameUuid } from '../state/data-trust';
import { resolvedCurrent } from '../uuid/own-uuids';
import { lacksOurWrites } from '../state/unshared-writes';

const DEFAULTS = peerDeviceOptions({});

/** Without a disk nobody syncs: the defaults. */
export function sendSyncParameters(peerDevice: PeerDevice): void {
  const { connection, device } = peerDevice;
  const options = device.backing === undefined ? DEFAULTS : peerDevice.options;
  connection.link.sendData({
    type: 'P_SYNC_PARAM89',
    volume: device.vnr,
    resyncRate: options.resyncRate,
    verifyAlg: connection.options.verifyAlg,
    csumsAlg: connection.options.csumsAlg,
    controller: {
      planAhead: options.cPlanAhead,
      delayTarget: options.cDelayTarget,
      fillTarget: options.cFillTarget,
      maxRate: options.cMaxRate,
    },
  });
}

export function sendSizes(peerDevice: PeerDevice, ddsFlags: number): void {
  const { connection, device } = peerDevice;
  const disk = device.backing;
  const blockSize = disk?.dataDisk.blockSize ?? device.options.blockSize;
  const wsame = (connection.agreedFeatures & FEATURE.WSAME) !== 0;
  connection.link.sendData({
    type: 'P_SIZES',
    volume: device.vnr,
    diskSize: disk?.maxSectors ?? 0,
    userSize: device.diskOptions?.size ?? 0,
    currentSize: device.size,
    maxBioSize: LIMIT.MAX_BIO_SIZE,
    queueOrderType: 0,
    ddsFlags,
    limits: wsame
      ? {
          physicalBlockSize: blockSize,
          logicalBlockSize: logicalBlockSize(device),
          alignmentOffset: 0,
          ioMin: blockSize,
          ioOpt: 0,
          discardEnabled: disk?.dataDisk.canDiscard === false ? 0 : 1,
          discardZeroesData: 0,
          writeSameCapable: 0,
          bitmapBlockShift: 0,
        }
      : null,
  });
}

/** Flags that hold by themselves; `extra` says why this packet is sent (engine.md 4.10). */
function announcedFlags(peerDevice: PeerDevice, syncTarget: boolean, extra: bigint): bigint {
  const { device, connection } = peerDevice;
  let flags = extra;
  const metaFlags = device.backing?.superblock.flags ?? 0;
  if (connection.discardMyData) flags |= UUID_FLAG.DISCARD_MY_DATA;
  if (device.crashedPrimary) flags |= UUID_FLAG.CRASHED_PRIMARY;
  if ((metaFlags & DeviceFlag.CONSISTENT) === 0) flags |= UUID_FLAG.INCONSISTENT;
  // Two that reconnect with one generation are taken for in sync; what only we have must be brought over.
  const unshared = device.primaryLostQuorum && lacksOurWrites(peerDevice);
  // Whoever connected since a crash without a disk has settled nothing about the last writes before it.
  if (connection.reconnect && !unshared && !device.crashedPrimary) flags |= UUID_FLAG.RECONNECT;
  // Quorum is back, and the mark is kept for another peer.
  const kept = device.now.haveQuorum && device.resource.host.dataActions.outOfSyncBits(peerDevice) === 0;
  if (device.primaryLostQuorum && !kept) flags |= UUID_FLAG.PRIMARY_LOST_QUORUM;
  if (syncTarget) flags |= UUID_FLAG.SYNC_TARGET;
  const state = committedState(device.resource);
  if (isStable(state, committedDevice(device), 'old')) flags |= UUID_FLAG.STABLE;
  return flags;
}

/**
 * A connected third node of our generation for which blocks are marked: they are yet to be brought to it, or from it. Others would take
 * "no bitmap UUID" for "in sync", and forget what they have marked for it.
 */
function isMarkedOnly({ device, peerNodeId }: PeerDevice, slot: PeerSlot09, node: number): boolean {
  // A crashed Primary is known to have last writes of its own.
  if (node === peerNodeId || device.crashedPrimary || device.now.disk < DiskState.Outdated) return false;
  // How far a node that is away has come is for those to settle who meet it: so recorded kernels.
  if ((device.peerDeviceOf(node)?.now.repl ?? ReplicationState.Off) < ReplicationState.Established)
    return false;
  return slot.bitmapIndex >= 0 && device.resource.host.dataActions.slotBits(device, slot.bitmapIndex) > 0;
}

function bitmapUuids(peerDevice: PeerDevice): Map<number, bigint> {
  const { device } = peerDevice;
  const { superblock } = device.backing ?? {};
  const uuids = new Map<number, bigint>();
  if (superblock === undefined) return uuids;
  superblock.peers.forEach((slot, node) => {
    if ((slot.flags & (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS)) === 0) return;
    const peer = device.peerDeviceOf(node);
    const pulling =
      peer !== undefined &&
      (isSyncTarget(peer.now.repl) ||
        (node !== peerDevice.peerNodeId && peer.now.repl === ReplicationState.WFBitMapT)) &&
      peer.uuids !== undefined &&
      !sameUuid(peer.uuids.currentUuid, superblock.currentUuid);
    const marked = slot.bitmapUuid === 0n && isMarkedOnly(peerDevice, slot, node);
    if (marked) device.announcedAsMarked |= nodeBit(node);
    uuids.set(node, slot.bitmapUuid === 0n && (pulling || marked) ? UUID_NOT_IN_SYNC : slot.bitmapUuid);
  });
  return uuids;
}

export function sendUuids(peerDevice: PeerDevice, extra: bigint, weak?: NodeMask): void {
  const { device, connection } = peerDevice;
  if (device.backing === undefined || device.now.disk < DiskState.Negotiating) {
    sendCurrentUuid(peerDevice, device.exposedUuid, weak ?? weakNodes(committedDevice(device), 'old'));
    return;
  }
  const { superblock } = device.backing;
  const { uuid, syncTarget } = resolvedCurrent(device, peerDevice);
  const flags = announcedFlags(peerDevice, syncTarget, extra);
  const dirtyBits = device.resource.host.dataActions.outOfSyncBits(peerDevice);
  const stable = (flags & UUID_FLAG.STABLE) !== 0n;
  const authoritative = authoritativeNodes(committedState(device.resource), committedDevice(device), 'old');
  const bitmap = bitmapUuids(peerDevice);
  connection.link.sendData({
    type: 'P_UUIDS110',
    volume: device.vnr,
    current: uuid,
    dirtyBits,
    flags,
    nodeMask: stable ? (weak ?? NO_NODES) : authoritative,
    ...packUuidLists({ bitmap, history: superblock.historyUuids }),
  });
  peerDevice.announcedCurrentUuid = uuid;
  peerDevice.announcedBitmapUuid = bitmap.get(peerDevice.peerNodeId) ?? 0n;
  peerDevice.announcedUuidFlags = flags;
  peerDevice.announcedDirtyBits = dirtyBits;
}

export function sendCurrentUuid(peerDevice: PeerDevice, uuid: bigint, weak: NodeMask): void {
  peerDevice.connection.link.sendData({
    type: 'P_CURRENT_UUID',
    volume: peerDevice.device.vnr,
    uuid,
    weakNodes: weak,
  });
  peerDevice.announcedCurrentUuid = uuid;
}

/** The state word of one volume as we see it (engine.md 1.2). */
export function stateWord(peerDevice: PeerDevice): number {
  const { device, connection, resource } = peerDevice;
  const { now } = peerDevice;
  return packState({
    role: resource.now.role,
    peer: connection.now.peerRole,
    conn: now.repl > ReplicationState.Off ? now.repl : connection.now.cstate,
    disk: device.now.disk,
    peerDisk: now.pdsk,
    suspUser: resource.now.suspUser || resource.now.suspQuorum || resource.now.suspUuid ? 1 : 0,
    afterIsp: combinedDependency(now, device.now) ? 1 : 0,
    peerIsp: now.resyncSuspPeer ? 1 : 0,
    userIsp: now.resyncSuspUser ? 1 : 0,
    suspNoData: resource.now.suspNoData ? 1 : 0,
    suspFencing: resource.connections.some((other) => other.now.suspFencing) ? 1 : 0,
    quorum: device.now.haveQuorum ? 1 : 0,
  });
}
export function sendState(peerDevice: PeerDevice): void {
  const { connection, device } = peerDevice;
  const state = stateWord(peerDevice);
  connection.link.sendData({
    type: 'P_STATE',
    volume: device.vnr,
    state: stateToWire(state, connection.agreedProtocol),
  });
  peerDevice.announcedDisk = device.now.disk;
}
export function sendRole(connection: Connection): void {
  const state = packState({ role: connection.resource.now.role });
  connection.link.sendData({ type: 'P_STATE', volume: NO_VOLUME, state });
}

/** Everything of one volume, in the order of the handshake (wire-protocol.md 7.10). */
export function sendInitialParameters(peerDevice: PeerDevice): void {
  const { connection, device } = peerDevice;
  sendSyncParameters(peerDevice);
  if (connection.agreedFeatures & FEATURE.RESYNC_WITHOUT_REPLICATION) {
    const enable = peerDevice.options.resyncWithoutReplication ? 0 : 1;
    peerDevice.peerReplicationNext = enable === 1;
    connection.link.sendData({ type: 'P_ENABLE_REPLICATION_NEXT', volume: device.vnr, enable });
  }
  sendSizes(peerDevice, 0);
  const primary = device.resource.now.role === Role.Primary;
  sendUuids(peerDevice, 0n, primary ? weakNodes(committedDevice(device), 'old') : undefined);
  sendState(peerDevice);
  peerDevice.initialStateSent = true;
}

/** Tells all established peers of one device, in creation order of the connections. */
export function establishedPeers(resource: Resource, device: Device): PeerDevice[] {
  return resource.connections
    .map((connection) => connection.peerDevice(device.vnr))
    .filter((peer) => peer !== undefined)
    .filter((peer) => peer.now.repl >= ReplicationState.Established);
}
