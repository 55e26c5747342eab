/** What the changes of a two-phase commit do to the state of a node (engine.md 5.4, 6.4, 7.3). */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type PacketOf } from '../../wire/packets';
import { complement, hasNode, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';
import { mayReturnToUpToDate, sameUuid } from '../state/data-trust';
import { committedDevice } from '../state/state-change';
import { changedField, type ChangeWord } from './change-words';
import { type ChangePhase } from './cluster-change';
import { asDiskState, asReplicationState, asRole } from './state-values';
import { type ClusterOutcome } from './twopc-state';

export interface RemoteEdit {
  readonly resource: Resource;
  readonly packet: PacketOf<'P_TWOPC_PREPARE'>;
  /** In our view. */
  readonly word: ChangeWord;
  readonly affected: Connection | undefined;
  readonly isConnect: boolean;
  primariesIncapable?: boolean;
}

export function editRemoteChange(
  edit: RemoteEdit,
  phase: ChangePhase,
  outcome: ClusterOutcome | undefined,
): void {
  const { resource, affected } = edit;
  if (edit.packet.mask === 0) editEmpty(resource, edit.packet.initiatorNodeId, phase);
  else if (affected === undefined) editFarAway(edit, phase, outcome);
  else if (edit.isConnect) editConnect(affected, asRole(changedField(edit.word, 'peer')), phase, outcome);
  else editNeighbour(edit, affected);
  if (outcome !== undefined) outdateWithoutFarPrimary(resource, outcome, edit.primariesIncapable === true);
}

/** The connect itself, on either side: staged values of all volumes (engine.md 5.4). */
export function editConnect(
  connection: Connection,
  announcedRole: Role,
  phase: ChangePhase,
  outcome: ClusterOutcome | undefined,
): void {
  connection.next.cstate = ConnectionState.Connected;
  connection.next.peerRole = announcedRole;
  if (phase === 'prepare') return;
  if (outcome !== undefined) {
    const primary = hasNode(outcome.primaryNodes, connection.peerNodeId);
    connection.next.peerRole = primary ? Role.Primary : Role.Secondary;
  }
  for (const peerDevice of connection.peerDevices) {
    applyStaged(peerDevice);
    outdateIfPeerMovedOn(peerDevice.device);
  }
}
/** The peer was where we are and has gone on without us (engine.md 4.6). */
function outdateIfPeerMovedOn({ outdateOnTwopcCommit, next, resource }: Device): void {
  if (!outdateOnTwopcCommit || resource.next.role === Role.Primary) return;
  if (next.disk > DiskState.Outdated) next.disk = DiskState.Outdated;
}
function applyStaged(peerDevice: PeerDevice): void {
  const { staged, device, connection } = peerDevice;
  if (staged === undefined) return;
  if (staged.repl === ReplicationState.Off) {
    connection.next.cstate = ConnectionState.Disconnecting;
    return;
  }
  peerDevice.next.repl = staged.repl;
  peerDevice.next.pdsk = staged.pdsk;
  peerDevice.next.resyncSuspPeer = staged.resyncSuspPeer;
  if (staged.disk !== undefined) device.next.disk = staged.disk;
}

/** We are no direct part of it; a Primary takes the far initiator of an empty change for outdated (6.4). */
function editEmpty(resource: Resource, initiator: number, phase: ChangePhase): void {
  if (resource.now.role === Role.Primary) {
    const connection = resource.connectionTo(initiator);
    if (connection !== undefined && connection.now.cstate < ConnectionState.Connected) {
      for (const peerDevice of connection.peerDevices) {
        if (peerDevice.next.pdsk > DiskState.Outdated) peerDevice.next.pdsk = DiskState.Outdated;
      }
    }
  }
  if (phase !== 'commit') return;
  becomeUpToDate(resource);
}
/** Consistent disks become UpToDate again, unless a diskless Primary or a reconciliation forbids it (engine.md 6.4). */
export function becomeUpToDate(resource: Resource): void {
  const held = resource.connections.some(
    (connection) =>
      connection.notifyPeersLostPrimary ||
      connection.peerDevices.some((peer) => peer.reconcilePending || peer.reconciliationResync),
  );
  if (held) return;
  for (const device of resource.devices) {
    if (device.next.disk !== DiskState.Consistent) continue;
    if (mayReturnToUpToDate(committedDevice(device), 'new')) device.next.disk = DiskState.UpToDate;
  }
}

function editFarAway(edit: RemoteEdit, phase: ChangePhase, outcome: ClusterOutcome | undefined): void {
  if (phase !== 'commit' || outcome === undefined) return;
  const connection = edit.resource.connectionTo(edit.packet.initiatorNodeId);
  if (connection?.now.cstate !== ConnectionState.Connected) return;
  const role = changedField(edit.word, 'peer');
  if (role !== undefined) connection.next.peerRole = asRole(role);
}

/**
 * A Primary that we cannot reach directly writes without us: our data will be old. A Primary without data cannot
 * write (engine.md 6.4).
 */
export function outdateWithoutFarPrimary(
  resource: Resource,
  outcome: ClusterOutcome,
  primariesIncapable: boolean,
): void {
  if (primariesIncapable) return;
  const far: NodeMask = outcome.primaryNodes & complement(reachableAfter(resource));
  if (far === NO_NODES) return;
  for (const device of resource.devices) {
    if (device.next.disk > DiskState.Outdated) device.next.disk = DiskState.Outdated;
  }
}
function reachableAfter(resource: Resource): NodeMask {
  let mask = nodeBit(resource.nodeId);
  for (const connection of resource.connections) {
    if (connection.next.cstate === ConnectionState.Connected) mask |= nodeBit(connection.peerNodeId);
  }
  return mask;
}

/** Who leaves says Outdated for all volumes: that means nothing to those that are worse or have no disk. */
const outdatedOr = (word: number, disk: DiskState): DiskState =>
  word === DiskState.Outdated && disk < DiskState.Outdated ? disk : asDiskState(word);

/** A change of our direct neighbour: role, disk, connection, replication. */
function editNeighbour(edit: RemoteEdit, connection: Connection): void {
  const { word, packet } = edit;
  const role = changedField(word, 'peer');
  if (role !== undefined) connection.next.peerRole = asRole(role);
  const conn = changedField(word, 'conn');
  if (conn === ConnectionState.TearDown) connection.next.cstate = ConnectionState.TearDown;
  const volumes =
    packet.volume === NO_VOLUME
      ? connection.peerDevices
      : connection.peerDevices.filter((peer) => peer.device.vnr === packet.volume);
  const disk = changedField(word, 'disk');
  const peerDisk = changedField(word, 'peerDisk');
  for (const peerDevice of volumes) {
    if (disk !== undefined) peerDevice.device.next.disk = outdatedOr(disk, peerDevice.device.next.disk);
    if (peerDisk !== undefined) peerDevice.next.pdsk = outdatedOr(peerDisk, peerDevice.next.pdsk);
    if (conn !== undefined && packet.volume !== NO_VOLUME) peerDevice.next.repl = asReplicationState(conn);
  }
}

/**
 * The initiator has not heard that we took data of another generation since it last compared. What it has is older, or a comparison
 * is about to tell.
 */
export function isOfferOfOtherData({ packet, word }: RemoteEdit, initiator: Connection): boolean {
  if (changedField(word, 'conn') !== ReplicationState.WFBitMapT) return false;
  return initiator.peerDevices.some(
    ({ device, uuids, now }) =>
      device.vnr === packet.volume &&
      now.repl === ReplicationState.Established &&
      device.now.disk === DiskState.UpToDate &&
      device.backing !== undefined &&
      uuids !== undefined &&
      !sameUuid(device.backing.superblock.currentUuid, uuids.currentUuid),
  );
}
