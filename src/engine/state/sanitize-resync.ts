/** Sanitize: which peer may run its resync now, and its consequences (engine.md 2.3, S11-S14, S24). */
import { ConnectionState, DiskState, ReplicationState } from '../../control/contract/states';
import { isSyncSource, isSyncTarget, resyncSuspended } from './derived';
import { type OpenDeviceChange, type OpenPeerDeviceChange, type Side } from './state-change';

/** A running target keeps its place unless another needs this many bits (1 MiB) less. */
const BITS_WORTH_A_SWITCH = 256;

const isCandidate = (peer: OpenPeerDeviceChange): boolean =>
  isSyncTarget(peer.new.repl) &&
  !peer.new.resyncSuspDependency &&
  !peer.new.resyncSuspPeer &&
  !peer.new.resyncSuspUser &&
  !peer.new.resyncSuspMaxParallel &&
  peer.new.pdsk >= DiskState.Outdated;

function desiredTarget(node: OpenDeviceChange): OpenPeerDeviceChange | undefined {
  const { dataActions } = node.device.resource.host;
  const bits = (peer: OpenPeerDeviceChange): number => dataActions.outOfSyncBits(peer.peerDevice);
  let desired: OpenPeerDeviceChange | undefined;
  let current: OpenPeerDeviceChange | undefined;
  let fewest = Infinity;
  for (const peer of node.peers) {
    if (!isCandidate(peer)) continue;
    if (peer.old.repl === ReplicationState.SyncTarget) current = peer;
    const count = bits(peer);
    if (count <= fewest) {
      fewest = count;
      desired = peer;
    }
  }
  if (current && bits(current) < fewest + BITS_WORTH_A_SWITCH) desired = current;
  const active = node.peers.find((peer) => peer.new.resyncActive);
  return active && active !== desired ? undefined : desired;
}

/** S11: at most one peer device of a device is a running sync target. */
export function selectSyncTarget(node: OpenDeviceChange): void {
  const desired = desiredTarget(node);
  if (desired) desired.new.resyncActive = true;
  for (const peer of node.peers) {
    peer.new.resyncSuspOtherConnection = desired !== undefined && peer !== desired;
    if (isSyncTarget(peer.new.repl)) {
      peer.new.repl = peer === desired ? ReplicationState.SyncTarget : ReplicationState.PausedSyncT;
    }
  }
}

/** S12, S13. */
export function pauseSyncSource(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  const newlySource =
    peer.new.repl === ReplicationState.SyncSource && peer.old.repl !== ReplicationState.SyncSource;
  if (newlySource && node.peers.some((other) => other !== peer && isSyncTarget(other.new.repl))) {
    peer.new.resyncSuspOtherConnection = true;
  }
  const paused = resyncSuspended(peer.new, node.new);
  if (peer.new.repl === ReplicationState.SyncSource && paused) {
    peer.new.repl = ReplicationState.PausedSyncS;
  } else if (peer.new.repl === ReplicationState.PausedSyncS && !paused) {
    peer.new.repl = ReplicationState.SyncSource;
  }
}

/** S14: a full sync from one peer makes the other peers wait as sources. */
export function pauseOtherPeers(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  if (peer.new.repl !== ReplicationState.StartingSyncT || peer.old.repl === ReplicationState.StartingSyncT) {
    return;
  }
  for (const other of node.peers) {
    if (
      other !== peer &&
      other.new.pdsk >= DiskState.Inconsistent &&
      other.new.repl === ReplicationState.Established
    ) {
      other.new.repl = ReplicationState.PausedSyncT;
    }
  }
}

/** S24: is replication to and from an Inconsistent side on? */
export function settleReplication(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  const connected = (side: Side): boolean => peer.link[side].cstate === ConnectionState.Connected;
  const weAre = (side: Side): boolean => node[side].disk === DiskState.Inconsistent && connected(side);
  const peerIs = (side: Side): boolean => peer[side].pdsk === DiskState.Inconsistent && connected(side);
  const { peerDevice } = peer;
  if ((weAre('new') && !weAre('old')) || (isSyncTarget(peer.new.repl) && !isSyncTarget(peer.old.repl))) {
    peer.new.peerReplication = peerDevice.peerReplicationNext;
  }
  if ((peerIs('new') && !peerIs('old')) || (isSyncSource(peer.new.repl) && !isSyncSource(peer.old.repl))) {
    peer.new.replication = peerDevice.replicationNext;
  }
  if (peer.old.pdsk === DiskState.Inconsistent && peer.new.pdsk !== DiskState.Inconsistent) {
    peer.new.replication = true;
  }
}
