/** Rotating the current UUID into the bitmap slots of nodes that do not follow (engine.md 4.3). */
import { PeerFlag } from '../../metadata/superblock-flags';
import { DiskState } from '../../control/contract/states';
import { hasNode, MAX_NODES, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { hex16, logLine } from '../state/object-log';
import { setBitmapUuid, slotOf, superblockOf, UUID_JUST_CREATED } from './generation';

function previousGeneration(device: Device): bigint {
  const { currentUuid } = superblockOf(device);
  if (currentUuid !== UUID_JUST_CREATED) return currentUuid;
  const uuid = device.resource.host.ports.random.u64();
  logLine(device, 'info', `Bitmap UUID for initial resync: ${hex16(uuid)}`);
  return uuid;
}

function staysBehind(peerDevice: PeerDevice, weak: NodeMask): boolean {
  const { pdsk } = peerDevice.now;
  if (pdsk <= DiskState.DUnknown && pdsk !== DiskState.Negotiating) return true;
  return hasNode(weak, peerDevice.peerNodeId);
}

/**
 * Every node that stays on the present generation gets it as its bitmap UUID, unless its slot already holds an older
 * one. Returns the nodes that got one.
 */
export function rotateIntoBitmapSlots(
  device: Device,
  weak: NodeMask,
  dagtag: number | bigint = device.resource.dagtag,
): NodeMask {
  const superblock = superblockOf(device);
  const previous = previousGeneration(device);
  const blocked = (uuid: bigint): boolean => isOlder(uuid, previous);
  const usedIndexes = new Set<number>();
  let got = NO_NODES;
  for (const peerDevice of device.peerDevices) {
    const node = peerDevice.peerNodeId;
    const slot = slotOf(superblock, node);
    if (slot.bitmapIndex >= 0) usedIndexes.add(slot.bitmapIndex);
    if (blocked(slot.bitmapUuid)) continue;
    const hasBitmap = (slot.flags & PeerFlag.HAVE_BITMAP) !== 0;
    if (peerDevice.now.pdsk === DiskState.Diskless && !hasBitmap) continue;
    if (!staysBehind(peerDevice, weak)) continue;
    leaveBehind(device, node, previous, dagtag);
    got |= nodeBit(node);
  }
  return got | rotateForAbsentNodes(device, previous, dagtag, usedIndexes);
}

/**
 * The slot counts from an older generation than the present one. An absent node that was on it when a Primary named it to
 * us has it in its slot with the Primary's lowest bit (engine.md 4.6), with which only the exact comparison of 4.3 tells
 * them apart: we would write without a new generation.
 */
const isOlder = (uuid: bigint, present: bigint): boolean => uuid !== 0n && !sameUuid(uuid, present);

function leaveBehind(device: Device, node: number, previous: bigint, dagtag: number | bigint): void {
  const { bitmapUuid, bitmapIndex } = slotOf(superblockOf(device), node);
  if (bitmapUuid === 0n && bitmapIndex >= 0)
    device.resource.host.dataActions.beginSlotGeneration(device, bitmapIndex);
  setBitmapUuid(device, node, previous, dagtag);
}

/** Nodes without a peer device: their slots, and the slots that no node owns yet (day 0). */
function rotateForAbsentNodes(
  device: Device,
  previous: bigint,
  dagtag: number | bigint,
  handled: Set<number>,
): NodeMask {
  const superblock = superblockOf(device);
  const owned = new Set(superblock.peers.map((slot) => slot.bitmapIndex).filter((index) => index >= 0));
  let free = 0;
  const nextFree = (): number => {
    while (owned.has(free)) free++;
    return free++;
  };
  let got = NO_NODES;
  for (let node = 0; node < MAX_NODES; node++) {
    if (node === device.resource.nodeId || device.peerDeviceOf(node) !== undefined) continue;
    const slot = slotOf(superblock, node);
    const index = slot.bitmapIndex >= 0 ? slot.bitmapIndex : nextFree();
    if (handled.has(index)) continue;
    handled.add(index);
    if (isOlder(slot.bitmapUuid, previous)) continue;
    leaveBehind(device, node, previous, dagtag);
    if (index < superblock.bmMaxPeers) got |= nodeBit(node);
  }
  return got;
}
