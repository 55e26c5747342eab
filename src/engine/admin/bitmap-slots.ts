/** Slots of the bitmap for the configured peers (engine.md 9.1, 9.7). */
import { ErrorCode } from '../../control/contract/codes';
import { PeerFlag } from '../../metadata/superblock-flags';
import { type AttachFailure } from '../data/open-backing';
import { type Device, type PeerDevice, wantsBitmap } from '../objects';
import { countFromDayZero, unusedBitmapIndex } from '../uuid/day-zero';

/** Every configured peer that wants a bitmap gets a slot, kept or new; or only `one` of them. */
export function allocateBitmapSlots(device: Device, one?: PeerDevice): AttachFailure | undefined {
  const { backing } = device;
  if (backing === undefined) return undefined;
  const { superblock } = backing;
  const own = superblock.peers[device.resource.nodeId];
  if (own !== undefined && own.bitmapIndex >= 0) {
    return {
      code: ErrorCode.InvalidRequest,
      info: 'There is a bitmap for my own node id' + ` (${device.resource.nodeId})`,
    };
  }
  const used = new Set(superblock.peers.map((slot) => slot.bitmapIndex).filter((index) => index >= 0));
  const wanting = (one ? [one] : device.peerDevices).filter((peer) => wantsBitmap(peer)).reverse();
  const missing = wanting.filter((peer) => (superblock.peers[peer.peerNodeId]?.bitmapIndex ?? -1) < 0);
  const available = superblock.bmMaxPeers - used.size;
  if (missing.length > available) {
    return {
      code: ErrorCode.InvalidRequest,
      info: `Not enough free bitmap slots (available=${available}, needed=${missing.length})`,
    };
  }
  for (const peer of wanting) {
    const slot = superblock.peers[peer.peerNodeId];
    if (slot === undefined) continue;
    if (slot.bitmapIndex < 0) {
      slot.bitmapIndex = unusedBitmapIndex(superblock);
      countFromDayZero(device, slot);
      backing.markDirty();
    }
    slot.flags |= PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS;
    peer.bitmapSlot = slot.bitmapIndex;
  }
  return undefined;
}
