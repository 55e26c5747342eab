/** Flags of the superblock that follow the state (engine.md 11.1 and 2.6 step 6). */
import { DeviceFlag, PeerFlag } from '../../metadata/superblock-flags';
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { hasNode } from '../node-mask';
import { type Device, wantsBitmap } from '../objects';
import { QUORUM_OFF } from '../options';
import { type DeviceChange, type PeerDeviceChange, type StateChange } from './state-change';

const withFlag = (flags: number, flag: number, on: boolean): number =>
  (on ? flags | flag : flags & ~flag) >>> 0;

/**
 * A node that comes back alone decides by its meta-data whether it has quorum. What lets it have that must not be there
 * any more when it is not true any more: this does not wait for the next lazy write.
 */
export function persistForQuorum(device: Device): void {
  const { resource } = device;
  if (resource.options.quorum !== QUORUM_OFF) resource.host.dataActions.syncMetadata(device, () => undefined);
}

/**
 * The disk goes, its node stays and votes for others without it: they may go on, and after a restart this disk would
 * not know. Whether it may have quorum alone is not in its meta-data then (stricter than engine.md 2.6 step 6 and 11.1).
 */
const leavesCluster = ({ device: { resource }, new: { disk } }: DeviceChange): boolean =>
  (disk === DiskState.Detaching || disk === DiskState.Failed) &&
  !resource.downInProgress &&
  resource.options.quorum !== QUORUM_OFF;

export function updateMetadataFlags(change: StateChange): void {
  for (const node of change.devices) {
    const superblock = node.device.backing?.superblock;
    if (superblock === undefined || node.new.disk === DiskState.Negotiating) continue;
    const leaves = leavesCluster(node);
    let dirty = false;
    let voterBack = false;
    if (node.new.disk >= DiskState.Detaching) {
      const flags = withoutQuorum(
        deviceFlags(change, node, superblock.flags),
        leaves,
        DeviceFlag.HAVE_QUORUM,
      );
      dirty = flags !== superblock.flags;
      superblock.flags = flags;
    }
    for (const peer of node.peers) {
      const slot = superblock.peers[peer.peerDevice.peerNodeId];
      if (slot === undefined || peer.peerDevice.bitmapSlot < 0) continue;
      const flags = withoutQuorum(slotFlags(peer, slot.flags), leaves, PeerFlag.OUTDATED);
      if (flags === slot.flags) continue;
      if ((slot.flags & ~flags & PeerFlag.OUTDATED) !== 0) voterBack = true;
      slot.flags = flags;
      dirty = true;
    }
    if (dirty) node.device.resource.host.dataActions.markMetadataDirty(node.device);
    if (voterBack) persistForQuorum(node.device);
  }
}

const withoutQuorum = (flags: number, leaves: boolean, flag: number): number =>
  leaves ? withFlag(flags, flag, false) : flags;

function deviceFlags(change: StateChange, node: DeviceChange, old: number): number {
  const { device } = node;
  const { disk } = node.new;
  const graceful = disk === DiskState.Detaching && !device.forceDetach;
  let flags = old;
  if (disk >= DiskState.Inconsistent) {
    flags = withFlag(flags, DeviceFlag.CONSISTENT, disk > DiskState.Inconsistent);
    flags = withFlag(flags, DeviceFlag.WAS_UP_TO_DATE, disk > DiskState.Outdated);
  } else if (hasPrimary(change) && node.peers.some((peer) => peer.new.pdsk === DiskState.UpToDate)) {
    flags = withFlag(flags, DeviceFlag.WAS_UP_TO_DATE, false);
  }
  if (hasPrimary(change)) flags = withFlag(flags, DeviceFlag.PRIMARY_IND, true);
  else if (graceful || disk >= DiskState.Inconsistent) flags = withFlag(flags, DeviceFlag.PRIMARY_IND, false);
  const crashedPrimary = device.crashedPrimary || (change.new.role === Role.Primary && !graceful);
  flags = withFlag(flags, DeviceFlag.CRASHED_PRIMARY, crashedPrimary);
  flags = withFlag(flags, DeviceFlag.AL_CLEAN, false);
  flags = withFlag(flags, DeviceFlag.PRIMARY_LOST_QUORUM, device.primaryLostQuorum);
  return withFlag(flags, DeviceFlag.HAVE_QUORUM, node.new.haveQuorum);
}

const hasPrimary = (change: StateChange): boolean =>
  change.new.role === Role.Primary || change.links.some((link) => link.new.peerRole === Role.Primary);

function slotFlags(peer: PeerDeviceChange, old: number): number {
  const { pdsk, repl } = peer.new;
  const { device, peerNodeId } = peer.peerDevice;
  // Who may have reached our generation as the last connection broke may have done so after another restart, too.
  const stillMay = hasNode(device.mayBeOnCurrent, peerNodeId);
  let flags = withFlag(old, PeerFlag.CONNECTED, repl > ReplicationState.Off || stillMay);
  const outdated = pdsk === DiskState.Inconsistent || pdsk === DiskState.Outdated;
  if (outdated) flags = withFlag(flags, PeerFlag.OUTDATED, true);
  else if (pdsk === DiskState.Consistent || pdsk === DiskState.UpToDate)
    flags = withFlag(flags, PeerFlag.OUTDATED, false);
  if (pdsk >= DiskState.Inconsistent && pdsk !== DiskState.DUnknown) {
    flags = withFlag(flags, PeerFlag.DEVICE_SEEN, true);
  } else if (pdsk === DiskState.Diskless && !wantsBitmap(peer.peerDevice)) {
    flags = withFlag(flags, PeerFlag.DEVICE_SEEN, false);
  }
  const fencing = peer.peerDevice.connection.options.fencing !== 'dont-care';
  return withFlag(flags, PeerFlag.FENCING, fencing);
}
