/** Sanitize: the implications of an edit, in the order of engine.md 2.3. Later rules see the effect of earlier ones. */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { QUORUM_OFF } from '../options';
import { complement, nodeBit } from '../node-mask';
import { type ChangeOptions } from './change-options';
import { sameUuid } from './data-trust';
import { hasAccessibleData, isDisconnectReason, isSuspended } from './derived';
import { computeQuorum } from './quorum-view';
import { clampByReplication } from './repl-clamp';
import { settleAttachNegotiation } from './sanitize-attach';
import {
  compareWithDisklessPrimary,
  consumeGotStable,
  distrustPeerDisk,
  readConsistentAsUpToDate,
  upgradeFromOutdated,
  upgradeOwnDisk,
} from './sanitize-disk';
import { pauseOtherPeers, pauseSyncSource, selectSyncTarget, settleReplication } from './sanitize-resync';
import {
  type OpenChange,
  type OpenDeviceChange,
  type OpenLinkChange,
  type OpenPeerDeviceChange,
  type StateChange,
} from './state-change';
import { TransactionNotes } from './transaction-notes';

export function sanitize(change: OpenChange, options: ChangeOptions): TransactionNotes {
  const notes = new TransactionNotes();
  let maybeCrashedPrimary = false;
  for (const link of change.links) {
    // S1
    if (link.new.cstate < ConnectionState.Connected) {
      link.new.peerRole = Role.Unknown;
      if (link.old.cstate >= ConnectionState.Connected) replicationOff(change, link);
    }
    if (isMaybeCrashedPrimary(link, options)) maybeCrashedPrimary = true;
  }
  for (const node of change.devices) {
    sanitizeDevice(change, node, options, notes);
    if (maybeCrashedPrimary) doubtAfterLostPrimary(change, node);
  }
  noteDataAccess(change, notes);
  sanitizeResource(change, options, notes);
  return notes;
}

/** Without a connection nothing is replicated: whoever ends the one ends the other. */
function replicationOff(change: OpenChange, link: OpenLinkChange): void {
  for (const node of change.devices) {
    for (const peer of node.peers) {
      if (peer.peerDevice.connection === link.connection) peer.new.repl = ReplicationState.Off;
    }
  }
}

function isMaybeCrashedPrimary(link: OpenLinkChange, options: ChangeOptions): boolean {
  if (link.old.peerRole !== Role.Primary || link.old.cstate !== ConnectionState.Connected) return false;
  const { cstate } = link.new;
  if (cstate === ConnectionState.Disconnecting) return options.hard === true;
  return isDisconnectReason(cstate) && cstate !== ConnectionState.TearDown;
}

/**
 * Without S27, by which the loss of one peer ends the negotiation of an attach with what the meta-data say: S4 does that
 * when nobody else is there to answer, and the others may hold newer data.
 */
function sanitizeDevice(
  change: OpenChange,
  node: OpenDeviceChange,
  options: ChangeOptions,
  notes: TransactionNotes,
): void {
  // S2, S3
  if (node.old.disk === DiskState.Diskless && node.new.disk === DiskState.Detaching) {
    node.new.disk = DiskState.Diskless;
  }
  if (
    options.ignOutdFail === true &&
    node.old.disk < DiskState.Outdated &&
    node.new.disk === DiskState.Outdated
  ) {
    node.new.disk = node.old.disk;
  }
  settleAttachNegotiation(node, notes);
  let goodPeer = false;
  for (const peer of node.peers) {
    if (isGoodPeer(node, peer)) goodPeer = true;
    sanitizeLink(change, node, peer, notes);
  }
  selectSyncTarget(node);
  for (const peer of node.peers) {
    pauseSyncSource(node, peer);
    pauseOtherPeers(node, peer);
    readConsistentAsUpToDate(node, peer);
    clampByReplication(node, peer);
    // S17
    if (
      peer.old.pdsk === DiskState.Diskless &&
      (peer.new.pdsk === DiskState.Failed || peer.new.pdsk === DiskState.Detaching)
    ) {
      peer.new.pdsk = DiskState.Diskless;
    }
    upgradeFromOutdated(node, peer);
    upgradeOwnDisk(node, peer);
    consumeGotStable(peer, notes);
    compareWithDisklessPrimary(node, peer, notes);
    distrustPeerDisk(change, node, peer, goodPeer);
    settleReplication(node, peer);
  }
  settleQuorum(node, notes);
}

/** S5. */
function isGoodPeer(node: OpenDeviceChange, peer: OpenPeerDeviceChange): boolean {
  const { uuids } = peer.peerDevice;
  return (
    peer.new.pdsk === DiskState.UpToDate &&
    uuids !== undefined &&
    sameUuid(node.device.exposedUuid, uuids.currentUuid)
  );
}

/** S6-S10. */
function sanitizeLink(
  change: OpenChange,
  node: OpenDeviceChange,
  peer: OpenPeerDeviceChange,
  notes: TransactionNotes,
): void {
  const state = peer.new;
  if (state.repl < ReplicationState.Established) {
    state.resyncSuspPeer = false;
    if (state.pdsk > DiskState.DUnknown || state.pdsk < DiskState.Inconsistent)
      state.pdsk = DiskState.DUnknown;
  }
  if (peer.old.repl >= ReplicationState.Established && state.repl < ReplicationState.Established)
    state.resyncActive = false;
  if (
    peer.link.new.cstate === ConnectionState.StandAlone &&
    node.new.disk === DiskState.Diskless &&
    change.new.role === Role.Secondary
  ) {
    state.resyncSuspDependency = false;
  }
  if (
    state.repl > ReplicationState.Established &&
    (node.new.disk <= DiskState.Failed || state.pdsk <= DiskState.Failed)
  ) {
    state.repl = ReplicationState.Established;
    state.resyncActive = false;
    notes.atCommit(() => {
      peer.peerDevice.reconciliationResync = false;
    });
  }
  if (
    peer.peerDevice.connection.options.fencing === 'resource-and-stonith' &&
    change.new.role === Role.Primary &&
    state.repl < ReplicationState.Established &&
    state.pdsk === DiskState.DUnknown &&
    (change.old.role !== Role.Primary || peer.old.pdsk !== DiskState.DUnknown)
  ) {
    peer.link.new.suspFencing = true;
  }
}

/** S25. */
function settleQuorum(node: OpenDeviceChange, notes: TransactionNotes): void {
  const { device } = node;
  const decision = computeQuorum(node, 'new');
  node.new.quorum = decision.have;
  if (decision.byTiebreaker !== device.tiebreakerQuorum) {
    if (decision.byTiebreaker) {
      notes.log(device, 'info', 'Would lose quorum, but using tiebreaker logic to keep');
    }
    notes.atCommit(() => {
      device.tiebreakerQuorum = decision.byTiebreaker;
    });
  }
  if (device.resource.options.quorum === QUORUM_OFF) {
    if (node.old.quorum && !decision.have) {
      notes.log(device, 'info', 'Would have lost quorum (not enforced, quorum disabled)');
    }
    node.new.haveQuorum = true;
    return;
  }
  node.new.haveQuorum = decision.have;
  if (!decision.have && node.new.disk === DiskState.UpToDate && device.restoreQuorum) {
    node.new.haveQuorum = true;
    notes.atCommit(() => {
      device.restoringQuorum = true;
    });
  }
}

/** S26. */
function noteDataAccess(change: OpenChange, notes: TransactionNotes): void {
  for (const node of change.devices) {
    const had = change.old.role === Role.Primary && hasAccessibleData(node, 'old');
    const lacked = change.old.role === Role.Primary && !hasAccessibleData(node, 'old');
    if (change.new.role !== Role.Primary) continue;
    if (hasAccessibleData(node, 'new')) {
      if (lacked) notes.gainedData = true;
    } else if (had || change.old.role !== Role.Primary) {
      notes.lostData = true;
    }
  }
}

/** S28: the lost Primary may have written what we do not have. */
function doubtAfterLostPrimary(change: OpenChange, node: OpenDeviceChange): void {
  if (change.links.some((link) => link.new.peerRole === Role.Primary)) return;
  if (node.new.disk !== DiskState.UpToDate || change.old.role !== Role.Secondary) return;
  if (!isSoleAuthority(node)) node.new.disk = DiskState.Consistent;
}

function isSoleAuthority(node: OpenDeviceChange): boolean {
  const lost = node.peers.filter(
    (peer) => peer.link.old.peerRole === Role.Primary && peer.link.new.cstate < ConnectionState.Connected,
  );
  return (
    lost.some((peer) => peer.old.pdsk <= DiskState.Outdated) &&
    lost.every((peer) => peer.old.pdsk <= DiskState.Outdated) &&
    !node.peers.some((peer) => !lost.includes(peer) && peer.new.pdsk >= DiskState.Consistent)
  );
}

/** Members that are neither this node nor directly connected: they may have outdated themselves, or not. */
function hasDistantMembers(change: StateChange): boolean {
  const { resource } = change;
  let near = nodeBit(resource.nodeId);
  for (const link of change.links) {
    if (link.new.cstate === ConnectionState.Connected) near |= nodeBit(link.connection.peerNodeId);
  }
  return (resource.members & complement(near)) !== 0n;
}

/** S29-S33. */
function sanitizeResource(change: OpenChange, options: ChangeOptions, notes: TransactionNotes): void {
  const { resource } = change;
  const state = change.new;
  const suspendsWithoutData = resource.options.onNoDataAccessible === 'suspend-io';
  if (change.devices.every((node) => hasAccessibleData(node, 'new'))) {
    const hold =
      resource.resumeHeldForOutdate || (notes.gainedData && suspendsWithoutData && hasDistantMembers(change));
    if (hold && !resource.resumeHeldForOutdate) {
      notes.atCommit(() => {
        resource.resumeHeldForOutdate = true;
      });
    }
    state.suspNoData = hold;
  }
  if (notes.lostData && suspendsWithoutData) state.suspNoData = true;
  state.suspQuorum =
    resource.options.onNoQuorum === 'suspend-io' && change.devices.some((node) => !node.new.haveQuorum);
  if (
    !change.old.suspUuid &&
    isSuspended(change, 'old') &&
    !isSuspended(change, 'new') &&
    change.devices.some((node) => node.device.newCurrentUuidOwed)
  ) {
    state.suspUuid = true;
  }
  if (
    change.old.role === Role.Primary &&
    state.role === Role.Secondary &&
    options.fsIgnOpeners === true &&
    change.devices.some((node) => node.device.openCount > 0 && node.device.writable)
  ) {
    state.failIo = true;
  }
}
