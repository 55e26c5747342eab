/** May a disk be called UpToDate, or must it stay below (engine.md 2.3, the last three paragraphs)? */
import { DeviceFlag, PeerFlag, UUID_JUST_CREATED } from '../../metadata/superblock-flags';
import { DiskState, Role } from '../../control/contract/states';
import { MAX_NODES } from '../node-mask';
import { type Device, type PeerDevice, wantsBitmap } from '../objects';
import { type DeviceChange, type PeerDeviceChange, type Side } from './state-change';

const sameUuid = (a: bigint, b: bigint): boolean => (a | 1n) === (b | 1n);
export { sameUuid };

/** The device's current UUID: of the meta-data, or 0 without a disk. */
export const currentUuidOf = (device: Device): bigint => device.backing?.superblock.currentUuid ?? 0n;

/**
 * False if a Primary peer without UpToDate data of its own works on other data than ours. Stricter than engine.md 2.3: what
 * a diskless one worked on still counts when it attaches a disk, which has to be synced first; and a Secondary without
 * its disk counts as well if it has seen a generation that this disk knows nothing of.
 */
export function mayReturnToUpToDate(node: DeviceChange, side: Side): boolean {
  return !node.peers.some((peer) => {
    const { pdsk } = peer[side];
    const { uuids, primaryWorksOn } = peer.peerDevice;
    const primary = peer.link[side].peerRole === Role.Primary;
    const leaving = pdsk === DiskState.Detaching || pdsk === DiskState.Failed;
    if (pdsk !== DiskState.Diskless && !(leaving && primary))
      return primary && pdsk !== DiskState.UpToDate && isOther(node.device, primaryWorksOn);
    if (uuids === undefined) return false;
    return primary ? isOther(node.device, uuids.currentUuid) : isUnknownTo(node.device, uuids.currentUuid);
  });
}
const isOther = (device: Device, uuid: bigint): boolean =>
  uuid !== 0n && !sameUuid(uuid, currentUuidOf(device));

/** A generation that a disk was never at. */
function isUnknownTo({ backing }: Device, uuid: bigint): boolean {
  if (backing === undefined || uuid === 0n || uuid === UUID_JUST_CREATED) return false;
  const { currentUuid, historyUuids, peers } = backing.superblock;
  if (currentUuid === 0n || currentUuid === UUID_JUST_CREATED || sameUuid(currentUuid, uuid)) return false;
  const known = (own: bigint): boolean => own !== 0n && sameUuid(own, uuid);
  return !historyUuids.some(known) && !peers.some((slot) => known(slot.bitmapUuid));
}

/** A reconciliation after a lost Primary is not settled yet (engine.md 5.13). */
export function hasReconcileHold(device: Device): boolean {
  return (
    device.peerDevices.some((peer) => peer.reconcilePending || peer.reconciliationResync) ||
    device.resource.connections.some((connection) => connection.notifyPeersLostPrimary)
  );
}

function fencingAccepts(peer: PeerDeviceChange | undefined, side: Side, slotFlags: number): boolean {
  const pdsk = peer ? peer[side].pdsk : DiskState.DUnknown;
  switch (pdsk) {
    case DiskState.Inconsistent:
    case DiskState.Outdated:
    case DiskState.Consistent:
    case DiskState.UpToDate:
      return true;
    case DiskState.Diskless:
      if ((slotFlags & PeerFlag.DEVICE_SEEN) === 0) return true;
      break;
    case DiskState.Attaching:
    case DiskState.Detaching:
    case DiskState.Failed:
    case DiskState.Negotiating:
    case DiskState.DUnknown:
      break;
  }
  return (peer !== undefined && !wantsBitmap(peer.peerDevice)) || (slotFlags & PeerFlag.OUTDATED) !== 0;
}

export function mayBeUpToDate(node: DeviceChange, side: Side): boolean {
  const { device } = node;
  if (!mayReturnToUpToDate(node, side) || hasReconcileHold(device)) return false;
  const slots = device.backing?.superblock.peers ?? [];
  for (let id = 0; id < MAX_NODES; id++) {
    const flags = slots[id]?.flags ?? 0;
    if (id === device.resource.nodeId || (flags & PeerFlag.FENCING) === 0) continue;
    if ((flags & (PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS)) === 0) continue;
    const peer = node.peers.find((candidate) => candidate.peerDevice.peerNodeId === id);
    if (!fencingAccepts(peer, side, flags)) return false;
  }
  return true;
}

/** The exposed data under the name that a failed write of the superblock was to give it. */
function isUnwritten({ unwrittenGeneration, exposedUuid }: Device, uuid: bigint): boolean {
  if (unwrittenGeneration === undefined) return false;
  return sameUuid(unwrittenGeneration.uuid, uuid) && sameUuid(unwrittenGeneration.predecessor, exposedUuid);
}

/**
 * The disk of a Primary that went on without it, and now without any UpToDate disk: what was written in between is
 * not on it (engine.md 9.1, code 150).
 */
export function holdsOlderData({ device, peers }: DeviceChange, side: Side): boolean {
  const { resource, exposedUuid, backing } = device;
  if (resource.now.role !== Role.Primary || exposedUuid === 0n || backing === undefined) return false;
  if (peers.some((peer) => peer[side].pdsk === DiskState.UpToDate)) return false;
  const { currentUuid } = backing.superblock;
  return !sameUuid(exposedUuid, currentUuid) && !isUnwritten(device, currentUuid);
}

/**
 * Without UpToDate data of its own a Primary works on what it has exposed. A peer that has something else, older mostly,
 * must not become the source of our disk, nor pass for the data that the application has seen.
 */
export function isOtherThanExposed(peerDevice: PeerDevice, peerDisk: DiskState): boolean {
  const { device, resource, uuids } = peerDevice;
  const { disk } = device.now;
  if (resource.now.role !== Role.Primary || disk <= DiskState.Failed || disk >= DiskState.Consistent)
    return false;
  if (device.exposedUuid === 0n || uuids === undefined || peerDisk < DiskState.Consistent) return false;
  return !sameUuid(uuids.currentUuid, device.exposedUuid) && !isUnwritten(device, uuids.currentUuid);
}

/** S-MD: the disk state that the meta-data alone allows. */
export function diskStateFromMetadata(node: DeviceChange, side: Side): DiskState {
  const flags = node.device.backing?.superblock.flags ?? 0;
  if ((flags & DeviceFlag.CONSISTENT) === 0) return DiskState.Inconsistent;
  if ((flags & DeviceFlag.WAS_UP_TO_DATE) === 0) return DiskState.Outdated;
  return mayBeUpToDate(node, side) ? DiskState.UpToDate : DiskState.Consistent;
}
