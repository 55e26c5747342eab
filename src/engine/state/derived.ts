/** Values derived from state (engine.md 1.5). `side` picks the old or the new half of a change. */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { complement, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type DeviceState, type LinkState, type PeerDeviceState, type ResourceState } from '../objects';
import { type DeviceChange, type PeerDeviceChange, type Side, type StateChange } from './state-change';

/** I/O of the resource is suspended for any reason. */
export function isSuspended(change: StateChange, side: Side): boolean {
  const state = change[side];
  return (
    state.suspUser ||
    state.suspNoData ||
    state.suspQuorum ||
    state.suspUuid ||
    change.links.some((link) => link[side].suspFencing)
  );
}

/** This device can be read and written somewhere. */
export function hasAccessibleData(node: DeviceChange, side: Side): boolean {
  if (node[side].disk === DiskState.UpToDate) return true;
  return node.peers.some(
    (peer) => peer[side].pdsk === DiskState.UpToDate && peer.peerDevice.connection.options.allowRemoteRead,
  );
}

/** Every new application request fails at once with EIO. */
export function failsRequests(change: StateChange, node: DeviceChange, side: Side): boolean {
  const { options } = change.resource;
  if (change[side].failIo) return true;
  if (options.onNoQuorum === 'io-error' && !node[side].haveQuorum) return true;
  return options.onNoDataAccessible === 'io-error' && !hasAccessibleData(node, side);
}

/**
 * The state is about to change: new application requests wait. So they do, other than in the kernel, while a peer
 * attaches: what is written after it has compared, and before it is UpToDate, nobody would ever bring to it.
 */
export function isUnstableForIo(node: DeviceChange, side: Side): boolean {
  const { disk } = node[side];
  if (disk === DiskState.Attaching || disk === DiskState.Negotiating) return true;
  return node.peers.some((peer) => {
    const { repl, pdsk } = peer[side];
    const attaching = pdsk === DiskState.Negotiating || peer.peerDevice.peerAttaching;
    if (attaching && repl === ReplicationState.Established) return true;
    if (repl === ReplicationState.WFBitMapT || repl === ReplicationState.WFSyncUUID) return true;
    return repl === ReplicationState.WFBitMapS && peer.peerDevice.connection.agreedProtocol < 96;
  });
}

/** What is reported as `resync-suspended: dependency` and sent as `aftr_isp`. */
export function combinedDependency(state: Readonly<PeerDeviceState>, device: Readonly<DeviceState>): boolean {
  if (state.resyncSuspDependency || state.resyncSuspOtherConnection) return true;
  const source = state.repl === ReplicationState.SyncSource || state.repl === ReplicationState.PausedSyncS;
  return source && device.disk <= DiskState.Inconsistent;
}

export function resyncSuspended(state: Readonly<PeerDeviceState>, device: Readonly<DeviceState>): boolean {
  return (
    state.resyncSuspUser ||
    state.resyncSuspPeer ||
    state.resyncSuspMaxParallel ||
    combinedDependency(state, device)
  );
}

const isPrimaryNeighbour = (peer: PeerDeviceChange, side: Side): boolean =>
  peer[side].repl >= ReplicationState.Established && peer.link[side].peerRole === Role.Primary;

/** We are Primary, or no established neighbour is: what we have is not being overtaken elsewhere. */
export function isStable(change: StateChange, node: DeviceChange, side: Side): boolean {
  if (change[side].role === Role.Primary) return true;
  return !node.peers.some((peer) => isPrimaryNeighbour(peer, side));
}

/** The established Primary neighbours, if we are not stable because of them. */
export function authoritativeNodes(change: StateChange, node: DeviceChange, side: Side): NodeMask {
  if (change[side].role === Role.Primary) return NO_NODES;
  let mask = NO_NODES;
  for (const peer of node.peers) {
    if (isPrimaryNeighbour(peer, side)) mask |= nodeBit(peer.peerDevice.peerNodeId);
  }
  return mask;
}

/** Nodes that cannot be said to hold current data of this device: all but ourselves and usable peers. */
export function weakNodes(node: DeviceChange, side: Side): NodeMask {
  const { resource } = node.device;
  let strong = node[side].disk === DiskState.UpToDate ? nodeBit(resource.nodeId) : NO_NODES;
  for (const peer of node.peers) {
    const { pdsk } = peer[side];
    if (pdsk <= DiskState.Failed || pdsk === DiskState.DUnknown || pdsk === DiskState.Outdated) continue;
    strong |= nodeBit(peer.peerDevice.peerNodeId);
  }
  return complement(strong);
}

/** A resync with us as target: running or paused. */
export const isSyncTarget = (repl: ReplicationState): boolean =>
  repl === ReplicationState.SyncTarget || repl === ReplicationState.PausedSyncT;
/** A resync with us as source: running or paused. */
export const isSyncSource = (repl: ReplicationState): boolean =>
  repl === ReplicationState.SyncSource || repl === ReplicationState.PausedSyncS;
/** The peer has our bitmap, or is getting it: it has to be told of bits that are set from now on. */
export const isOrBecomesSyncSource = (repl: ReplicationState): boolean =>
  isSyncSource(repl) || repl === ReplicationState.WFBitMapS;
/** SyncSource..PausedSyncT without the verify states: a resync, running or paused. */
export const isSync = (repl: ReplicationState): boolean => isSyncTarget(repl) || isSyncSource(repl);
export const isVerify = (repl: ReplicationState): boolean =>
  repl === ReplicationState.VerifyS || repl === ReplicationState.VerifyT;
export const isRunningSync = (repl: ReplicationState): boolean =>
  repl === ReplicationState.SyncSource || repl === ReplicationState.SyncTarget;
export const isPausedSync = (repl: ReplicationState): boolean =>
  repl === ReplicationState.PausedSyncS || repl === ReplicationState.PausedSyncT;
/** Timeout..TearDown: the transient reasons of a disconnect. */
export const isDisconnectReason = (cstate: ConnectionState): boolean =>
  cstate >= ConnectionState.Timeout && cstate <= ConnectionState.TearDown;
/** One direction of the link was up: a write goes to this peer (engine.md 10.3). */
export function shouldReplicate(state: Readonly<PeerDeviceState>): boolean {
  if (state.pdsk === DiskState.UpToDate) return true;
  if (state.pdsk !== DiskState.Inconsistent || !state.replication) return false;
  return (
    state.repl === ReplicationState.Established ||
    (state.repl >= ReplicationState.WFBitMapT && state.repl < ReplicationState.Ahead)
  );
}

/** The number in the `conn` field of a state word (engine.md 1.2). */
export const combinedConnectionState = (
  link: Readonly<LinkState>,
  state: Readonly<PeerDeviceState>,
): number => (state.repl > ReplicationState.Off ? state.repl : link.cstate);

/** Reasons in the order the tools print them; the fencing reason is the connections' own. */
export const resourceSuspendReasons = (state: Readonly<ResourceState>): boolean =>
  state.suspUser || state.suspNoData || state.suspQuorum || state.suspUuid;
