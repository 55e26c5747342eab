/** Everything that changes state goes through here, one transaction per resource at a time (engine.md 2). */
import { StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { type PeerDevice, type Resource } from '../objects';
import { type ChangeOptions } from './change-options';
import { runDeferred } from './deferred';
import { queueDeferred } from './deferred-queue';
import { failsRequests, hasAccessibleData, isSuspended, isUnstableForIo } from './derived';
import { updateExposedUuids } from './exposed-uuid';
import { finishChange } from './finish-actions';
import { checkHardRules } from './hard-rules';
import { adoptMembers, updateMembers } from './members';
import { sanitize } from './sanitize';
import { checkSoftRules } from './soft-rules';
import { copyChange, openChange, type OpenChange, type StateChange } from './state-change';
import { logChange, logRefusal } from './state-log';
import { wakeStateWaiters } from './waiters';

export type { ChangeOptions } from './change-options';

/**
 * Runs `edit`, which writes the `next` records of the resource's objects, and commits the result if the rules allow.
 * Synchronous; deferred actions follow as tasks. Returns a `StateCode`: 1 done, 2 nothing to do, below 1 refused.
 * `edit` and the finish actions must not change state themselves.
 */
export function changeState(
  resource: Resource,
  options: ChangeOptions,
  edit: (resource: Resource) => void,
): StateCode {
  const { transaction } = resource;
  if (transaction.open) throw new Error(`state change within a state change (${options.tag ?? ''})`);
  transaction.open = true;
  try {
    edit(resource);
    return endChange(openChange(resource, options.tag ?? ''), options);
  } finally {
    discardEdits(resource);
    transaction.open = false;
  }
}

function endChange(change: OpenChange, options: ChangeOptions): StateCode {
  if (options.twopc === true && options.reachable !== undefined && options.prepare !== true) {
    adoptMembers(change.resource, options.reachable);
  }
  if (options.forceRecalc !== true && !isEdited(change) && !hasPendingResult(change)) {
    return StateCode.NothingToDo;
  }
  const notes = sanitize(change, options);
  let code = checkHardRules(change);
  if (code >= StateCode.Success && options.hard !== true) code = checkSoftRules(change, options);
  if (code < StateCode.Success) {
    if (options.verbose === true) logRefusal(change, code);
    return code;
  }
  if (options.prepare === true) return code;
  updateMembers(change, options);
  logChange(change);
  notes.apply();
  finishChange(change, notes);
  const committed = copyChange(change);
  commit(change);
  afterCommit(committed);
  return code;
}

function sameRecord(a: object, b: object): boolean {
  const values: unknown[] = Object.values(b);
  return Object.values(a).every((value, index) => value === values[index]);
}

function isEdited(change: OpenChange): boolean {
  return (
    !sameRecord(change.old, change.new) ||
    change.links.some((link) => !sameRecord(link.old, link.new)) ||
    change.devices.some(
      (node) => !sameRecord(node.old, node.new) || node.peers.some((peer) => !sameRecord(peer.old, peer.new)),
    )
  );
}

/** GOT_STABLE or a result of the attach negotiation came in: sanitize has to look at it. */
function hasPendingResult(change: OpenChange): boolean {
  const gotStable = ({ uuids }: PeerDevice): boolean =>
    uuids !== undefined && (uuids.flags & UUID_FLAG.GOT_STABLE) !== 0n;
  return change.devices.some(({ new: { disk }, peers }) =>
    peers.some(
      ({ peerDevice }) =>
        gotStable(peerDevice) ||
        (disk === DiskState.Negotiating && peerDevice.negotiationResult !== undefined),
    ),
  );
}

function commit(change: OpenChange): void {
  Object.assign(change.resource.now, change.new);
  for (const link of change.links) Object.assign(link.connection.now, link.new);
  for (const node of change.devices) {
    Object.assign(node.device.now, node.new);
    for (const peer of node.peers) Object.assign(peer.peerDevice.now, peer.new);
  }
}

/** Steps 9 to 12 of engine.md 2.2. */
function afterCommit(change: StateChange): void {
  const { resource } = change;
  updateCaches(change);
  for (const { device } of change.devices) {
    if (!device.newCurrentUuidArmed) continue;
    device.newCurrentUuidArmed = false;
    device.newCurrentUuidOwed = true;
  }
  updateExposedUuids(change);
  const connects = change.links.some(
    (link) => link.old.cstate === ConnectionState.Connecting && link.new.cstate === ConnectionState.Connected,
  );
  if (connects) releaseUuidLocks(resource);
  resource.host.dataActions.stateCommitted(change);
  queueDeferred(resource, () => runDeferred(change, changeState));
  wakeStateWaiters(resource);
}

function updateCaches(change: StateChange): void {
  const { resource } = change;
  resource.cachedSuspended = isSuspended(change, 'new');
  resource.cachedAllDevicesHaveQuorum = change.devices.every((node) => node.new.haveQuorum);
  for (const node of change.devices) {
    node.device.cachedErrIo = failsRequests(change, node, 'new');
    node.device.cachedUnstable = isUnstableForIo(node, 'new');
    node.device.cachedDataAccessible = hasAccessibleData(node, 'new');
  }
}

function releaseUuidLocks(resource: Resource): void {
  for (const connection of resource.connections) {
    for (const peerDevice of connection.peerDevices) peerDevice.inHandshake = false;
  }
}

function discardEdits(resource: Resource): void {
  Object.assign(resource.next, resource.now);
  for (const connection of resource.connections) Object.assign(connection.next, connection.now);
  for (const device of resource.devices) {
    Object.assign(device.next, device.now);
    for (const peerDevice of device.peerDevices) Object.assign(peerDevice.next, peerDevice.now);
  }
}

/**
 * Calls `done` when the deferred actions of everything committed so far have run: what WAIT_COMPLETE is in
 * engine.md 2.1.
 */
export function afterDeferred(resource: Resource, done: () => void): void {
  queueDeferred(resource, done);
}
