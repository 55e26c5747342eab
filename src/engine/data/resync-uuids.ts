/** Generation identifiers at the start and the end of a resync on the target (engine.md 4.7). */
import { PeerFlag } from '../../metadata/superblock-flags';
import { UUID_FLAG } from '../../wire/uuids110';
import { MAX_NODES, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type PeerDevice } from '../objects';
import { hex16, logLine } from '../state/object-log';
import {
  pushHistory,
  setBitmapUuid,
  setCurrentUuid,
  slotOf,
  superblockOf,
  UUID_JUST_CREATED,
  withoutPrimaryBit,
} from '../uuid/generation';
import { rotateIntoBitmapSlots } from '../uuid/rotate';

/** We become the target of `peerDevice`. */
export function uuidsAtTargetStart(peerDevice: PeerDevice): void {
  const { device, io } = peerDevice;
  if (device.backing === undefined) return;
  const source = peerDevice.uuids;
  if (source !== undefined && (source.flags & UUID_FLAG.CRASHED_PRIMARY) !== 0n)
    peerDevice.syncSourceCrashedPrimary = true;
  const { currentUuid } = superblockOf(device);
  const towardsUs = source?.bitmapUuids[device.resource.nodeId] ?? 0n;
  // An initial target takes over what the source calls the generation before: an interrupted sync then continues.
  if (currentUuid === UUID_JUST_CREATED && towardsUs !== 0n) {
    setCurrentUuid(device, towardsUs);
    logLine(peerDevice, 'info', `setting UUIDs to ${hex16(towardsUs)}`);
  }
  io.startUuid = superblockOf(device).currentUuid;
  rotateIntoBitmapSlots(device, NO_NODES);
}

/**
 * A stable resync is complete: we have the source's data and history. Returns the nodes that are known to hold older
 * data than the source: they are Outdated.
 */
export function uuidsAtTargetEnd(peerDevice: PeerDevice): NodeMask {
  const { device, io } = peerDevice;
  const source = peerDevice.uuids;
  if (device.backing === undefined || source === undefined) return NO_NODES;
  const superblock = superblockOf(device);
  const self = device.resource.nodeId;
  for (const uuid of [...source.historyUuids].reverse()) pushHistory(device, withoutPrimaryBit(uuid));
  let older = NO_NODES;
  for (let node = 0; node < MAX_NODES; node++) {
    if (node === self) continue;
    const slot = slotOf(superblock, node);
    const atSource = source.bitmapUuids[node] ?? 0n;
    if (atSource !== 0n) pushHistory(device, withoutPrimaryBit(atSource));
    const other = device.peerDeviceOf(node);
    const onSourceData =
      node === peerDevice.peerNodeId ||
      (other?.uuids !== undefined && sameData(other.uuids.currentUuid, source.currentUuid));
    const known = (slot.flags & (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS)) !== 0;
    if (atSource !== 0n && !onSourceData && known) {
      if (slot.bitmapUuid !== io.startUuid) {
        setBitmapUuid(device, node, io.startUuid);
        older |= nodeBit(node);
      }
    } else if (slot.bitmapUuid !== 0n) setBitmapUuid(device, node, 0n);
  }
  pushHistory(device, superblock.currentUuid);
  setCurrentUuid(device, source.currentUuid);
  source.bitmapUuids[self] = 0n;
  source.dirtyBits = 0;
  logLine(peerDevice, 'info', `updated UUIDs ${hex16(superblock.currentUuid)}`);
  return older;
}
const sameData = (a: bigint, b: bigint): boolean => withoutPrimaryBit(a) === withoutPrimaryBit(b);
