/** P_PEERS_IN_SYNC: telling nodes which areas are the same everywhere (wire-protocol.md 10.6). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type NodeMask, nodeBit, NO_NODES, hasNode } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { IntervalKind } from './interval-set';
import { isConnected } from './packet-sender';

const isComparable = ({ now, bitmapSlot, connection }: PeerDevice): boolean =>
  bitmapSlot >= 0 &&
  isConnected(connection) &&
  ((now.repl >= ReplicationState.SyncSource && now.repl <= ReplicationState.PausedSyncT) ||
    (now.repl === ReplicationState.Established && now.pdsk === DiskState.UpToDate));

/** The range has become clean towards some peer: every peer for which it is clean is told about the others. */
export function announceInSync(device: Device, sector: number, sectors: number): void {
  const bitmap = device.backing?.bitmap;
  if (bitmap === undefined || sectors <= 0) return;
  if (device.io.intervals.find(sector, sectors, IntervalKind.AppWrite | IntervalKind.PeerWrite)) return;
  const same = device.peerDevices.filter(
    (peerDevice) => isComparable(peerDevice) && !bitmap.anyInRange(peerDevice.bitmapSlot, sector, sectors),
  );
  const mask = same.reduce((nodes, { peerNodeId }) => nodes | nodeBit(peerNodeId), NO_NODES);
  for (const { connection } of same)
    connection.link.sendControl({
      type: 'P_PEERS_IN_SYNC',
      volume: device.vnr,
      sector,
      size: sectors * 512,
      mask,
    });
}

/** The sender is in sync with the nodes of the mask in this range, with us too if we are among them. */
export function peersInSync(peerDevice: PeerDevice, mask: NodeMask, sector: number, bytes: number): void {
  const { device } = peerDevice;
  const { backing } = device;
  if (backing === undefined) return;
  backing.superblock.peers.forEach(({ bitmapIndex }, nodeId) => {
    const senderAndWe = nodeId === peerDevice.peerNodeId && hasNode(mask, device.resource.nodeId);
    if (bitmapIndex >= 0 && (hasNode(mask, nodeId) || senderAndWe))
      backing.bitmap.clearRange(bitmapIndex, sector, bytes / 512);
  });
}
