/** Finish actions: part of the commit itself, `now` still shows the old state (engine.md 2.6). */
import { DiskState, Role } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { armNewCurrentUuid } from './arm-new-uuid';
import { hasReconcileHold, mayReturnToUpToDate } from './data-trust';
import { isSuspended, isSyncTarget } from './derived';
import { setExposedUuid } from './exposed-uuid';
import { finishLink } from './finish-link';
import { finishPeerDevice, finishReplication, type FinishNotes } from './finish-peer';
import { updateMetadataFlags } from './metadata-flags';
import { hex16, logLine } from './object-log';
import { hasStableSource } from './stable-source';
import { type DeviceChange, type LinkChange, type StateChange } from './state-change';
import { type TransactionNotes } from './transaction-notes';
import { hasUnsharedWrites } from './unshared-writes';

export function finishChange(change: StateChange, notes: TransactionNotes): void {
  const { resource } = change;
  const { dataActions } = resource.host;
  const found: FinishNotes = { newEpoch: false, reconcileSettled: false };
  for (const node of change.devices) {
    for (const peer of node.peers) finishReplication(peer, found);
    if (change.new.role === Role.Primary && !node.new.haveQuorum) node.device.primaryLostQuorum = true;
  }
  if (found.newEpoch) dataActions.startNewEpoch(resource);
  if (change.old.role === Role.Primary && change.new.role === Role.Secondary) {
    dataActions.flushPeerAck(resource);
  }
  for (const node of change.devices) {
    finishDevice(node);
    for (const peer of node.peers) finishPeerDevice(node, peer, found);
    finishRolesAndDisks(change, node);
  }
  armNewCurrentUuid(change);
  for (const node of change.devices) finishDeviceFlags(change, node);
  updateMetadataFlags(change);
  for (const link of change.links) finishLink(change, link);
  markUnstableResyncs(change);
  releaseRequests(change, notes);
  if (found.reconcileSettled) settleReconciliation(change);
}

/** Step 5. */
function finishDevice(node: DeviceChange): void {
  const { device } = node;
  if (device.restoringQuorum) {
    device.restoringQuorum = false;
    logLine(device, 'info', 'Restored quorum from before reboot');
  }
  if ((!node.old.haveQuorum && node.new.haveQuorum) || node.new.disk < DiskState.UpToDate) {
    if (node.old.disk >= DiskState.Negotiating) device.restoreQuorum = false;
  }
  // Quorum of its own: what it had before the reboot says nothing any more.
  if (node.new.quorum && node.new.disk >= DiskState.Negotiating) device.restoreQuorum = false;
  if (node.old.disk !== DiskState.Diskless && node.new.disk === DiskState.Diskless) {
    for (const peerDevice of device.peerDevices) peerDevice.bitmapSlot = -1;
  }
  const attached = node.old.disk === DiskState.Attaching && node.new.disk >= DiskState.Negotiating;
  if (attached && device.backing) {
    const current = device.backing.superblock.currentUuid;
    logLine(device, 'info', `attached to current UUID: ${hex16(current)}`);
  }
}

/** Step 6, its last line: is the activity log needed? */
function finishRolesAndDisks(change: StateChange, node: DeviceChange): void {
  const changed =
    change.old.role !== change.new.role ||
    node.old.disk !== node.new.disk ||
    node.peers.some(
      (peer) => peer.old.pdsk !== peer.new.pdsk || peer.link.old.peerRole !== peer.link.new.peerRole,
    );
  if (changed) node.device.resource.host.dataActions.reconsiderActivityLog(node.device);
}

/** Step 9. */
function finishDeviceFlags(change: StateChange, node: DeviceChange): void {
  const { device } = node;
  const { resource } = change;
  if (node.old.disk < DiskState.Consistent && node.new.disk >= DiskState.Consistent && device.backing) {
    setExposedUuid(device, device.backing.superblock.currentUuid, true);
  }
  const attaching = (disk: DiskState): boolean =>
    disk === DiskState.Attaching || disk === DiskState.Negotiating;
  if (attaching(node.old.disk) && !attaching(node.new.disk)) {
    device.reattachTime = resource.host.ports.scheduler.now();
  }
  if (device.primaryLostQuorum && node.new.haveQuorum && !hasUnsharedWrites(node))
    device.primaryLostQuorum = false;
  // What only this disk has is not forgotten because its node is demoted before it is let go.
  const failed = node.old.disk > DiskState.Failed && node.new.disk === DiskState.Failed;
  if (failed && change.old.role === Role.Primary) device.crashedPrimary = true;
  if (change.old.role === Role.Primary && change.new.role === Role.Secondary) {
    device.newCurrentUuidOwed = false;
    device.newCurrentUuidArmed = false;
  }
  if (
    node.old.disk === DiskState.UpToDate &&
    node.new.disk === DiskState.Consistent &&
    mayReturnToUpToDate(node, 'new')
  ) {
    resource.tryBecomeUpToDatePending = true;
  }
}

/** Step 11. */
function markUnstableResyncs(change: StateChange): void {
  const lostPrimary = (link: LinkChange): boolean =>
    link.old.peerRole === Role.Primary && link.new.peerRole !== Role.Primary;
  if (!change.links.some(lostPrimary)) return;
  for (const node of change.devices) {
    for (const peer of node.peers) {
      if (!isSyncTarget(peer.new.repl)) continue;
      const stable = ((peer.peerDevice.uuids?.flags ?? 0n) & UUID_FLAG.STABLE) !== 0n;
      if (!stable && !hasStableSource(node, peer, 'new')) peer.peerDevice.unstableResync = true;
    }
  }
}

/** Step 12. */
function releaseRequests(change: StateChange, notes: TransactionNotes): void {
  const { resource } = change;
  const { dataActions } = resource.host;
  if (isSuspended(change, 'old') && !isSuspended(change, 'new')) {
    dataActions.restartSuspendedRequests(resource);
  }
  const fails = change.new.failIo && !change.old.failIo;
  if (fails) logLine(resource, 'info', 'Failing IOs');
  const withoutData = notes.lostData && resource.options.onNoDataAccessible === 'io-error';
  if (fails || withoutData) dataActions.releaseSuspendedCompletions(resource);
}

/** Step 13. Who was brought up to date is Consistent from now on, with its source, which begins. */
function settleReconciliation(change: StateChange): void {
  const { resource } = change;
  if (change.devices.some(({ device }) => hasReconcileHold(device))) return;
  const { Consistent } = DiskState;
  const doubted = change.devices.some((node) => node.old.disk === Consistent && node.new.disk === Consistent);
  if (doubted) resource.host.peerActions.scheduleEmptyTransaction(resource, 'lost-peer');
}
