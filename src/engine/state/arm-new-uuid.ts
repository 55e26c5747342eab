/** When a new current UUID becomes owed before the next write (engine.md 2.6 steps 6 and 7, 4.4). */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { hasAccessibleData } from './derived';
import { type DeviceChange, type PeerDeviceChange, type StateChange } from './state-change';

const PEER_HAS_DATA: ReadonlySet<DiskState> = new Set([
  DiskState.Inconsistent,
  DiskState.Consistent,
  DiskState.UpToDate,
]);
const losesData = (from: DiskState, to: DiskState): boolean =>
  PEER_HAS_DATA.has(from) &&
  (to < DiskState.Inconsistent || to === DiskState.Outdated || to === DiskState.DUnknown);

/** The role that counts: a demotion in the same change has written before. */
const isPrimary = (change: StateChange): boolean => change.new.role === Role.Primary;

function armedByPeer(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): boolean {
  const from = peer.old.pdsk;
  const to = peer.new.pdsk;
  if (peer.new.repl === ReplicationState.Ahead && peer.old.repl !== ReplicationState.Ahead) return true;
  const hasData = hasAccessibleData(node, 'old') || hasAccessibleData(node, 'new');
  if (losesData(from, to)) {
    if (isPrimary(change) && hasData) return true;
    const oldPeer = peer.peerDevice.connection.agreedProtocol < 110;
    if (oldPeer && peer.link.old.peerRole === Role.Primary && node.new.disk === DiskState.UpToDate)
      return true;
  }
  const slot = node.device.backing?.superblock.peers[peer.peerDevice.peerNodeId];
  return (
    from === DiskState.DUnknown &&
    (to === DiskState.Diskless || to === DiskState.Failed || to === DiskState.Outdated) &&
    slot?.bitmapUuid === 0n &&
    isPrimary(change) &&
    node.new.disk === DiskState.UpToDate
  );
}

function isArmed(change: StateChange, node: DeviceChange): boolean {
  if (node.peers.some((peer) => armedByPeer(change, node, peer))) return true;
  if (isPrimary(change) && hasAccessibleData(node, 'new')) {
    const from = node.old.disk;
    const to = node.new.disk;
    if (from > DiskState.Failed && to === DiskState.Failed) return true;
    if (from >= DiskState.Inconsistent && to < DiskState.Inconsistent) return true;
  }
  return change.old.role === Role.Secondary && change.new.role === Role.Primary;
}

export function armNewCurrentUuid(change: StateChange): void {
  if (change.old.suspUuid) return;
  for (const node of change.devices) {
    if (isArmed(change, node)) node.device.newCurrentUuidArmed = true;
  }
}
