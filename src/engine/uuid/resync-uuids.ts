/** Identifiers at the start and the end of a resync (engine.md 4.7). */
import { PeerFlag } from '../../metadata/superblock-flags';
import { UUID_FLAG, UUID_NOT_IN_SYNC } from '../../wire/uuids110';
import { MAX_NODES, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import {
  markDirty,
  pushHistory,
  setBitmapUuid,
  setBitmapUuidWithHistory,
  setCurrentUuid,
  slotOf,
  superblockOf,
  UUID_JUST_CREATED,
} from './generation';
import { rotateIntoBitmapSlots } from './rotate';
import { logOwnUuids } from './uuid-log';

const known = (uuid: bigint): boolean => uuid !== 0n && uuid !== UUID_NOT_IN_SYNC;

/**
 * Before the transaction that makes us SyncTarget: a fresh disk takes over the UUID that the source's bitmap towards us
 * counts from, so that an interrupted initial sync goes on where it stopped.
 */
export function adoptInitialUuid(peerDevice: PeerDevice): void {
  const { device, uuids } = peerDevice;
  if (uuids === undefined || superblockOf(device).currentUuid !== UUID_JUST_CREATED) return;
  const fromSource = uuids.bitmapUuids[device.resource.nodeId] ?? 0n;
  if (!known(fromSource)) return;
  setCurrentUuid(device, fromSource);
  logOwnUuids(peerDevice, 'setting UUIDs to');
}

/** Entering SyncTarget or PausedSyncT (part of the commit). */
export function noteResyncStart(peerDevice: PeerDevice): void {
  const { device, uuids } = peerDevice;
  peerDevice.rsStartUuid = superblockOf(device).currentUuid;
  if (uuids && (uuids.flags & UUID_FLAG.CRASHED_PRIMARY) !== 0n) {
    peerDevice.syncSourceCrashedPrimary = true;
  }
  rotateIntoBitmapSlots(device, NO_NODES);
}

/**
 * The end of a stable resync as target: we have what the source has. Returns the nodes that the source knows to be
 * behind: their data is outdated for us too.
 */
export function finishResyncAsTarget(peerDevice: PeerDevice): NodeMask {
  const { device, uuids } = peerDevice;
  const superblock = superblockOf(device);
  if (uuids === undefined) return NO_NODES;
  for (const uuid of uuids.historyUuids) pushHistory(device, uuid);
  for (const uuid of uuids.bitmapUuids) if (known(uuid)) pushHistory(device, uuid);
  let behind = NO_NODES;
  for (let node = 0; node < MAX_NODES; node++) {
    if (node === device.resource.nodeId) continue;
    const { flags, bitmapUuid } = slotOf(superblock, node);
    if ((flags & (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS)) === 0) continue;
    const atSource = node === peerDevice.peerNodeId ? 0n : (uuids.bitmapUuids[node] ?? 0n);
    if (atSource === 0n || isOnCurrent(peerDevice, node)) {
      if (bitmapUuid !== 0n) setBitmapUuidWithHistory(device, node, 0n);
    } else if (bitmapUuid === 0n) {
      // A slot in use counts from an older generation already: recorded kernels leave it alone.
      setBitmapUuid(device, node, peerDevice.rsStartUuid);
      behind |= nodeBit(node);
    }
  }
  setCurrentUuid(device, uuids.currentUuid);
  // A resync that goes on from somebody else begins here: nodes that it leaves behind stay at this generation.
  for (const other of device.peerDevices)
    if (other !== peerDevice) other.rsStartUuid = superblock.currentUuid;
  logOwnUuids(peerDevice, 'updated UUIDs');
  markDirty(device);
  // Until the source speaks again its set is taken to be ours.
  uuids.dirtyBits = 0;
  superblock.peers.forEach((slot, node) => {
    uuids.bitmapUuids[node] = slot.bitmapUuid;
  });
  return behind;
}

/** A connected node that is known to have the source's generation. */
function isOnCurrent(peerDevice: PeerDevice, node: number): boolean {
  const other = peerDevice.device.peerDeviceOf(node);
  return (
    other?.uuids !== undefined &&
    peerDevice.uuids !== undefined &&
    sameUuid(other.uuids.currentUuid, peerDevice.uuids.currentUuid)
  );
}
