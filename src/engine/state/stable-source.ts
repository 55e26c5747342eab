/** Is there a node whose data cannot be overtaken while we sync from an unstable one (engine.md 5.11)? */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { hasNode } from '../node-mask';
import { isSyncTarget } from './derived';
import { type DeviceChange, type PeerDeviceChange, type Side } from './state-change';

function isEstablishedOrSyncs(repl: ReplicationState): boolean {
  return (
    repl === ReplicationState.Established ||
    repl === ReplicationState.WFBitMapS ||
    (repl >= ReplicationState.SyncSource && repl <= ReplicationState.PausedSyncT)
  );
}

/** Looks at `peer` (the unstable one) and at the other peers. */
export function hasStableSource(node: DeviceChange, peer: PeerDeviceChange, side: Side): boolean {
  const unstable = peer.peerDevice.uuids;
  const isStable = unstable !== undefined && (unstable.flags & UUID_FLAG.STABLE) !== 0n;
  const authoritative = unstable !== undefined && !isStable ? unstable.nodeMask : 0n;
  if (hasNode(authoritative, node.device.resource.nodeId)) return true;
  return node.peers.some((other) => {
    if (other === peer || !isEstablishedOrSyncs(other[side].repl)) return false;
    const { peerDevice } = other;
    if (hasNode(authoritative, peerDevice.peerNodeId)) return true;
    if (other.link[side].peerRole === Role.Primary && !peerDevice.connection.options.allowTwoPrimaries)
      return true;
    const stable = ((peerDevice.uuids?.flags ?? 0n) & UUID_FLAG.STABLE) !== 0n;
    // One that is a target itself sees no Primary either, but what it has comes from a node that may see one.
    return isSyncTarget(other[side].repl) && stable && other[side].pdsk === DiskState.UpToDate;
  });
}
