/** What a peer's identifiers tell of resyncs that have ended elsewhere (engine.md 4.8). */
import { PeerFlag } from '../../metadata/superblock-flags';
import { ReplicationState } from '../../control/contract/states';
import { UUID_FLAG, UUID_NOT_IN_SYNC } from '../../wire/uuids110';
import { MAX_NODES } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { logLine } from '../state/object-log';
import {
  markDirty,
  pushHistory,
  setBitmapUuid,
  setBitmapUuidWithHistory,
  slotOf,
  superblockOf,
} from './generation';
import { resolvedCurrent } from './own-uuids';
import { type PeerUuids } from './peer-uuids';
import { slotsOfGeneration } from './slots-of-generation';
import { logOwnUuids } from './uuid-log';

/** Looks at the identifiers just received from `peerDevice`. Returns whether ours were changed. */
export function detectFinishedResyncs(peerDevice: PeerDevice): boolean {
  const { device, uuids } = peerDevice;
  if (uuids === undefined || device.backing === undefined) return false;
  const own = resolvedCurrent(device, peerDevice);
  const equal = !isAnnouncedTarget(uuids) && !own.syncTarget && sameUuid(own.uuid, uuids.currentUuid);
  // What was found before concerned another handshake, or an attempt at this one that was aborted.
  peerDevice.rsSourceMissedEnd = false;
  peerDevice.rsPeerMissedEnd = false;
  if (peerDevice.now.repl === ReplicationState.Off && equal) return detectMissedEnds(peerDevice, uuids);
  return detectEnds(peerDevice, uuids, equal);
}

const isAnnouncedTarget = ({ flags }: PeerUuids): boolean => (flags & UUID_FLAG.SYNC_TARGET) !== 0n;

/** In the handshake: one side still thinks of a resync that the other saw end. */
function detectMissedEnds(peerDevice: PeerDevice, uuids: PeerUuids): boolean {
  const { device, connection } = peerDevice;
  const { dataActions } = device.resource.host;
  const current = superblockOf(device).currentUuid;
  const theirs = uuids.bitmapUuids[device.resource.nodeId] ?? 0n;
  const mine = slotOf(superblockOf(device), peerDevice.peerNodeId).bitmapUuid;
  const open = (uuid: bigint): boolean =>
    uuid !== 0n && uuid !== UUID_NOT_IN_SYNC && !sameUuid(uuid, current);
  // The peer decides by what we told it: that may have changed since.
  const told = peerDevice.initialStateSent ? peerDevice.announcedDirtyBits : undefined;
  const nothingToSync = (told ?? dataActions.outOfSyncBits(peerDevice)) === 0 && uuids.dirtyBits === 0;
  const oldProtocol = connection.agreedProtocol < 124;
  if (open(theirs) && mine === 0n) {
    const text = nothingToSync ? 'Peer missed end of resync, 0 to sync' : 'Peer missed end of resync';
    logLine(peerDevice, 'info', text);
    if (!nothingToSync || oldProtocol) peerDevice.rsPeerMissedEnd = true;
    return false;
  }
  if (!open(mine) || theirs !== 0n) return false;
  if (!nothingToSync || oldProtocol) peerDevice.rsSourceMissedEnd = true;
  if (!nothingToSync) {
    logLine(peerDevice, 'info', 'Missed end of resync as sync-source');
    return false;
  }
  logLine(peerDevice, 'info', 'Missed end of resync as sync-source, no bits to sync');
  setBitmapUuidWithHistory(device, peerDevice.peerNodeId, 0n);
  return true;
}

function detectEnds(peerDevice: PeerDevice, uuids: PeerUuids, equal: boolean): boolean {
  const { device } = peerDevice;
  const peerIsTarget = isAnnouncedTarget(uuids);
  const superblock = superblockOf(device);
  let changed = false;
  for (let node = 0; node < MAX_NODES; node++) {
    if (node === device.resource.nodeId) continue;
    const slot = slotOf(superblock, node);
    if ((slot.flags & (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS)) === 0) continue;
    const other = device.peerDeviceOf(node);
    if (other !== undefined && other !== peerDevice && other.now.repl > ReplicationState.Established)
      continue;
    // The peer is in sync with itself; not every version says so.
    const reported = node === peerDevice.peerNodeId ? 0n : uuids.bitmapUuids[node];
    if (reported !== 0n || slot.bitmapUuid === 0n) continue;
    if (equal) {
      clearGeneration(peerDevice, node);
      changed = true;
    } else if (node === peerDevice.peerNodeId && peerIsTarget) {
      // It names the generation that it is to reach: what it lacked before it may lack still.
      continue;
    } else if (copyFromNewerSlot(peerDevice, uuids, node)) {
      changed = true;
    }
  }
  return mirrorSlotCopies(peerDevice, uuids) || changed;
}

/** Node `node` has what the peer has, and the peer has what we have. */
function clearGeneration(peerDevice: PeerDevice, node: number): void {
  const { device } = peerDevice;
  const slot = slotOf(superblockOf(device), node);
  // The dagtag stays: it tells from where the bitmap counted.
  pushHistoryAfterClear(device, node);
  markDirty(device);
  if (node === peerDevice.peerNodeId) {
    logOwnUuids(peerDevice, 'updated UUIDs');
    return;
  }
  const { dataActions } = device.resource.host;
  if (slot.bitmapIndex < 0) {
    logLine(device, 'info', `Clearing bitmap UUID for node ${node}`);
    return;
  }
  // Recorded kernels say nothing when the node is configured here.
  if (device.peerDeviceOf(node) === undefined) {
    const bits = dataActions.slotBits(device, slot.bitmapIndex);
    const what = `clearing bitmap UUID and content (${bits} bits)`;
    logLine(device, 'info', `${what} for node ${node} ()(slot ${slot.bitmapIndex})`);
  }
  if (hasOwnWrites(peerDevice)) return;
  // What is in sync with the peer is with us where the peer is: its generation is ours, its data need not be yet.
  dataActions.clearSlotWhereClear(device, slot.bitmapIndex, peerDevice.bitmapSlot);
}

/** One of us: the last ones before a crash as Primary, or those that failed for want of quorum. */
const hasOwnWrites = ({ device, uuids }: PeerDevice): boolean =>
  device.crashedPrimary ||
  device.primaryLostQuorum ||
  ((uuids?.flags ?? 0n) & (UUID_FLAG.CRASHED_PRIMARY | UUID_FLAG.PRIMARY_LOST_QUORUM)) !== 0n;

function pushHistoryAfterClear(device: Device, node: number): void {
  const slot = slotOf(superblockOf(device), node);
  const previous = slot.bitmapUuid;
  slot.bitmapUuid = 0n;
  pushHistory(device, previous);
}

const nameOf = (device: Device, node: number): string => device.peerDeviceOf(node)?.connection.name ?? '';

/** The peer went on to another generation, and took `node` with it: both are where slot `from` counts from. */
function copyFromNewerSlot(peerDevice: PeerDevice, uuids: PeerUuids, node: number): boolean {
  const { device } = peerDevice;
  const superblock = superblockOf(device);
  const slot = slotOf(superblock, node);
  // It was on our present generation (4.6): what the peer says of it is older.
  if (sameUuid(slot.bitmapUuid, superblock.currentUuid)) return false;
  const from = superblock.peers.findIndex(
    (other, id) =>
      id !== node &&
      other.bitmapUuid !== 0n &&
      sameUuid(other.bitmapUuid, uuids.currentUuid) &&
      other.bitmapDagtag > slot.bitmapDagtag,
  );
  if (from < 0 || sameUuid(slot.bitmapUuid, uuids.currentUuid)) return false;
  copySlot(device, from, node);
  return true;
}

function copySlot(device: Device, from: number, to: number): void {
  const superblock = superblockOf(device);
  const source = slotOf(superblock, from);
  const target = slotOf(superblock, to);
  const previous = target.bitmapUuid;
  const slots = slotsOfGeneration(device, from, to);
  setBitmapUuid(device, to, source.bitmapUuid, source.bitmapDagtag);
  pushHistory(device, previous);
  if (source.bitmapIndex < 0 || target.bitmapIndex < 0) {
    logLine(device, 'info', `Node ${to} synced up to node ${from}.`);
    return;
  }
  const nodes = `Node ${to} (${nameOf(device, to)}) synced up to node ${from} (${nameOf(device, from)}).`;
  const copying = `copying bitmap slot ${source.bitmapIndex} to ${target.bitmapIndex}.`;
  logLine(device, 'info', `${nodes} ${copying}`);
  const { dataActions } = device.resource.host;
  if (slots.some((slot) => dataActions.isPartialSlot(device, slot))) {
    dataActions.setSlot(device, target.bitmapIndex);
    return;
  }
  dataActions.copySlot(device, source.bitmapIndex, target.bitmapIndex);
  for (const slot of slots) dataActions.mergeSlot(device, slot, target.bitmapIndex);
}

/** The peer holds one UUID for two absent nodes: it made such a copy; so do we if we own a bitmap with that UUID. */
function mirrorSlotCopies(peerDevice: PeerDevice, uuids: PeerUuids): boolean {
  const { device } = peerDevice;
  const superblock = superblockOf(device);
  const absent = (node: number): boolean => {
    const other = device.peerDeviceOf(node);
    const { flags } = slotOf(superblock, node);
    const hasBitmap = (flags & PeerFlag.HAVE_BITMAP) !== 0;
    return (
      hasBitmap && other !== peerDevice && (other?.now.repl ?? ReplicationState.Off) === ReplicationState.Off
    );
  };
  let changed = false;
  for (let from = 0; from < MAX_NODES; from++) {
    const uuid = uuids.bitmapUuids[from] ?? 0n;
    if (!absent(from) || uuid === 0n || uuid === UUID_NOT_IN_SYNC) continue;
    const source = slotOf(superblock, from);
    if (source.bitmapUuid === 0n || !sameUuid(source.bitmapUuid, uuid)) continue;
    for (let to = 0; to < MAX_NODES; to++) {
      if (to === from || !absent(to)) continue;
      const target = slotOf(superblock, to);
      const reported = uuids.bitmapUuids[to] ?? 0n;
      if (!sameUuid(reported, uuid) || sameUuid(target.bitmapUuid, uuid) || target.bitmapUuid === 0n)
        continue;
      if (source.bitmapDagtag <= target.bitmapDagtag) continue;
      copySlot(device, from, to);
      changed = true;
    }
  }
  return changed;
}
