/**
 * Slots of the bitmap that no node has are not idle: they mark what has changed since "day 0", the generation whose UUID
 * stands in the entries of all node ids that nobody has used (engine.md 4.1, metadata.md 3). A node that gets a slot
 * later begins with that.
 */
import { type PeerSlot09, type Superblock09 } from '../../metadata/superblock-09';
import { type Device } from '../objects';
import { superblockOf } from './generation';

/** The entry of the highest node id that is nobody's, or undefined if all have been somebody's. */
function dayZero({ resource, backing, peerDevices }: Device): PeerSlot09 | undefined {
  const configured = new Set(peerDevices.map(({ peerNodeId }) => peerNodeId));
  return backing?.superblock.peers.findLast(
    ({ bitmapIndex, flags }, node) =>
      bitmapIndex < 0 && flags === 0 && node !== resource.nodeId && !configured.has(node),
  );
}

/** The lowest slot of the bitmap that no node has; -1 = there is none. */
export function unusedBitmapIndex({ peers, bmMaxPeers }: Superblock09): number {
  const used = new Set(peers.map(({ bitmapIndex }) => bitmapIndex));
  for (let index = 0; index < bmMaxPeers; index++) if (!used.has(index)) return index;
  return -1;
}

/** The entry counts from day 0: it gets a slot of the bitmap that nobody had, or gives up the one it had. */
export function countFromDayZero(device: Device, slot: PeerSlot09): void {
  const { bitmapUuid = 0n, bitmapDagtag = 0n } = dayZero(device) ?? {};
  slot.bitmapUuid = bitmapUuid;
  slot.bitmapDagtag = bitmapDagtag;
}

/** Nobody has this slot of the bitmap any more. */
export function freeSlot(device: Device, slot: PeerSlot09): void {
  const { dataActions } = device.resource.host;
  const other = unusedBitmapIndex(superblockOf(device));
  if (other >= 0) dataActions.copySlot(device, other, slot.bitmapIndex);
  else dataActions.setSlot(device, slot.bitmapIndex);
  slot.bitmapIndex = -1;
  countFromDayZero(device, slot);
}
