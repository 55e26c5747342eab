/** Deferred actions of a device (engine.md 2.7 step 5). */
import { DiskState, Role } from '../../control/contract/states';
import { settleOwedCurrentUuid } from '../uuid/new-current-uuid';
import { sendStateToAll } from './deferred-peer';
import { holdDeferred } from './deferred-queue';
import { type DeviceChange, type StateChange } from './state-change';

export function deferDevice(change: StateChange, node: DeviceChange): void {
  const { device } = node;
  const { dataActions, peerActions } = device.resource.host;
  const demoted =
    (change.old.role === Role.Primary && change.new.role !== Role.Primary) ||
    node.peers.some(({ link }) => link.old.peerRole === Role.Primary && link.new.peerRole !== Role.Primary);
  if (demoted && device.backing) dataActions.writeBitmap(device);
  persistSize(node);
  const from = node.old.disk;
  const to = node.new.disk;
  if (from !== to && (to === DiskState.Failed || to === DiskState.Detaching)) {
    leaveDisk(node);
  } else if (from !== DiskState.Diskless && to === DiskState.Diskless) {
    sendStateToAll(node);
  }
  if (from === DiskState.UpToDate && to === DiskState.Inconsistent) sendStateToAll(node);
  if (device.tryToGetResync) {
    device.tryToGetResync = false;
    peerActions.tryToGetResync(device);
  }
  makeOwedGeneration(change, node);
  dataActions.syncMetadata(device);
  if (change.new.role === Role.Primary && node.old.haveQuorum && !node.new.haveQuorum) {
    peerActions.runHelper('quorum-lost', device);
  }
}

/**
 * A peer that is away must not share the generation of writes that failed for want of quorum, nor of writes on a disk that
 * failed before the generation was stored and is back under its Primary: no other write may come and make it.
 */
function makeOwedGeneration(change: StateChange, { device, old, new: now }: DeviceChange): void {
  if (change.new.role !== Role.Primary || !device.newCurrentUuidOwed) return;
  const regained = !old.haveQuorum && now.haveQuorum && device.primaryLostQuorum;
  const cameBack = old.disk < DiskState.Inconsistent && now.disk === DiskState.UpToDate;
  if ((regained || cameBack) && !device.writingNewCurrentUuid) settleOwedCurrentUuid(device);
}

/** A size counts as agreed once some disk is UpToDate. */
function persistSize(node: DeviceChange): void {
  const { device } = node;
  const superblock = device.backing?.superblock;
  if (superblock === undefined || device.size === 0 || superblock.effectiveSize === device.size) return;
  const upToDate =
    node.new.disk === DiskState.UpToDate || node.peers.some((peer) => peer.new.pdsk === DiskState.UpToDate);
  if (!upToDate || node.new.disk < DiskState.Inconsistent) return;
  device.resource.host.dataActions.persistSize(device);
}

function leaveDisk(node: DeviceChange): void {
  const { device } = node;
  const { dataActions, peerActions } = device.resource.host;
  const leave = (): void => {
    sendStateToAll(node);
    dataActions.goDiskless(device);
  };
  const asksFirst =
    node.new.disk === DiskState.Failed && device.diskOptions?.onIoError === 'call-local-io-error';
  if (!asksFirst) {
    leave();
    return;
  }
  // The helper must have run before peers learn of it; nothing else may overtake.
  const release = holdDeferred(device.resource);
  peerActions.runHelper('local-io-error', device, () => {
    leave();
    release();
  });
}
