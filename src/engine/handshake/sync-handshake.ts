/**
 * Decides, for one volume, who is to be synced from whom when a connection comes up (engine.md 5.7-5.9), and prepares
 * the bitmap accordingly.
 */
import { StateCode } from '../../control/contract/codes';
import {
  ConnectionState,
  DiskState,
  diskStateName,
  ReplicationState,
  Role,
} from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { type PeerDevice } from '../objects';
import { QUORUM_OFF } from '../options';
import { diskStateFromMetadata } from '../state/data-trust';
import { hex16, logLine } from '../state/object-log';
import { committedDevice } from '../state/state-change';
import { changeState } from '../state/transaction';
import { resolvedCurrentUuid } from '../uuid/own-uuids';
import { setBitmapUuidWithHistory, withoutPrimaryBit } from '../uuid/generation';
import { prepareBitmap } from './bitmap-effects';
import { type ComparedNode, compareUuids } from './compare-uuids';
import { overrideByDisks } from './override-by-disks';
import { resolveSplitBrain } from './split-brain';
import {
  type Decision,
  fullSync,
  isSource,
  isSplitBrain,
  isTarget,
  NO_SYNC,
  reversed,
  type Strategy,
  strategyName,
} from './strategy';

/** `retry` and `disconnect` end the connect attempt; a replication state goes on with it. */
export type HandshakeResult =
  | { readonly kind: 'go-on'; readonly repl: ReplicationState }
  | { readonly kind: 'retry' }
  | { readonly kind: 'disconnect' }
  /** `connect --tentative`: it was logged what would happen. */
  | { readonly kind: 'dry-run' };

/** The two sides of the comparison, and what else the policies look at. */
interface View {
  readonly peerDevice: PeerDevice;
  readonly self: ComparedNode;
  readonly peer: ComparedNode;
  readonly ownDisk: DiskState;
  /** As the peer reads what we announced: one that is negotiating is Consistent to it, at best (engine.md 5.6). */
  readonly ownDiskAsSeen: DiskState;
  readonly peerDisk: DiskState;
  readonly peerRole: Role;
  readonly attach: boolean;
  readonly selfBits: number;
  readonly peerBits: number;
}

/** `peerDisk` and `peerRole` as in the peer's state word; `attach` while connected already (5.10). */
export function syncHandshake(
  peerDevice: PeerDevice,
  peerDisk: DiskState,
  peerRole: Role,
  attach = false,
): HandshakeResult {
  const view = makeView(peerDevice, peerDisk, peerRole, attach);
  if (view === undefined) return { kind: 'go-on', repl: ReplicationState.Established };
  if (!attach && announcementOutdated(view)) return { kind: 'retry' };
  logComparison(view);
  const decision = compare(view);
  const text = `uuid_compare()=${strategyName(decision.strategy)} by rule=${decision.rule}`;
  logLine(peerDevice, 'info', text);
  const strategy = applyPolicies(view, decision);
  return conclude(view, strategy);
}

/**
 * Compares again while connected (engine.md 5.11). The replication state to enter, Established for no resync,
 * undefined if nothing can be said.
 */
export function compareWhileConnected(
  peerDevice: PeerDevice,
  byDisks: boolean,
): ReplicationState | undefined {
  const { pdsk } = peerDevice.now;
  const view = makeView(peerDevice, pdsk, peerDevice.connection.now.peerRole, true);
  if (view === undefined) return undefined;
  let strategy = decideConnected(view, byDisks);
  if (strategy.kind === 'split-brain-auto-recover') {
    if (pdsk === DiskState.UpToDate) strategy = { kind: 'target', how: 'use-bitmap' };
    else if (view.ownDisk === DiskState.UpToDate) strategy = { kind: 'source', how: 'use-bitmap' };
  }
  if (strategy.kind !== 'no-sync' && strategy.kind !== 'source' && strategy.kind !== 'target') {
    logLine(peerDevice, 'info', `Unexpected result of handshake() ${strategyName(strategy)}!`);
    return undefined;
  }
  // The bits of a resync that goes on are what it works with: this one is put off until then.
  if (peerDevice.now.repl <= ReplicationState.Established)
    prepareBitmap(peerDevice, strategy, { self: view.self.current, peer: view.peer.current });
  return strategyToRepl(view, strategy);
}

/** The kernel says nothing of this comparison. */
function decideConnected(view: View, byDisks: boolean): Strategy {
  const decision = compare(view);
  if (!byDisks) return decision.strategy;
  const disks = { own: view.ownDisk, peer: view.peerDisk };
  const { agreedProtocol } = view.peerDevice.connection;
  return overrideByDisks(decision, disks, view.self, view.peer, agreedProtocol) ?? decision.strategy;
}
/** What a comparison with this connected peer would lead to; nothing is done about it. */
export function strategyWhileConnected(peerDevice: PeerDevice): Strategy | undefined {
  const { connection, now } = peerDevice;
  const view = makeView(peerDevice, now.pdsk, connection.now.peerRole, true);
  return view && decideConnected(view, true);
}

function compare(view: View): Decision {
  const { peerDevice } = view;
  const { connection } = peerDevice;
  return compareUuids({
    self: view.self,
    peer: view.peer,
    protocol: connection.agreedProtocol,
    wireProtocol: connection.options.protocol,
    resolveConflicts: connection.resolveConflicts,
    sourceMissedEnd: peerDevice.rsSourceMissedEnd,
    peerMissedEnd: peerDevice.rsPeerMissedEnd,
  });
}

/**
 * What the peer compares with: what we last told it. A peer that attaches is told once more after this comparison
 * (engine.md 2.6 step 4d), and until then a resync may have settled our crash.
 */
function ownUuidFlags(peerDevice: PeerDevice, attach: boolean): bigint {
  const { device, announcedUuidFlags } = peerDevice;
  const settled = attach && device.now.disk > DiskState.Negotiating && !device.crashedPrimary;
  return settled ? announcedUuidFlags & ~UUID_FLAG.CRASHED_PRIMARY : announcedUuidFlags;
}

function makeView(
  peerDevice: PeerDevice,
  peerDisk: DiskState,
  peerRole: Role,
  attach: boolean,
): View | undefined {
  const { device, uuids } = peerDevice;
  const { superblock } = device.backing ?? {};
  if (superblock === undefined || uuids === undefined) return undefined;
  const node = committedDevice(device);
  const disk = peerDevice.initialStateSent ? peerDevice.announcedDisk : device.now.disk;
  const fromMetadata = diskStateFromMetadata(node, 'old');
  const negotiating = disk === DiskState.Negotiating;
  const ownFlags = ownUuidFlags(peerDevice, attach);
  return {
    peerDevice,
    self: {
      nodeId: device.resource.nodeId,
      current: resolvedCurrentUuid(device, peerDevice),
      bitmap: superblock.peers.map((slot) => slot.bitmapUuid),
      history: superblock.historyUuids,
      flags: ownFlags,
    },
    peer: {
      nodeId: peerDevice.peerNodeId,
      current: uuids.currentUuid,
      bitmap: uuids.bitmapUuids,
      history: uuids.historyUuids,
      flags: uuids.flags,
    },
    ownDisk: negotiating ? fromMetadata : disk,
    ownDiskAsSeen: negotiating ? DiskState.Consistent : disk,
    peerDisk,
    peerRole,
    attach,
    selfBits: device.resource.host.dataActions.outOfSyncBits(peerDevice),
    peerBits: uuids.dirtyBits,
  };
}

/**
 * What we compare must be what the peer compares: something changed since we announced it. A connection that is being
 * made is tried again; on one that exists the comparison goes on with a warning (engine.md 5.7).
 */
function announcementOutdated(view: View): boolean {
  const { peerDevice, self } = view;
  if (!peerDevice.initialStateSent) {
    logLine(peerDevice, 'info', 'Initial UUIDs and state not sent yet. Not verifying');
    return false;
  }
  const bitmap = self.bitmap[peerDevice.peerNodeId] ?? 0n;
  let outdated = false;
  if (withoutPrimaryBit(self.current) !== withoutPrimaryBit(peerDevice.announcedCurrentUuid)) {
    outdated = true;
    logLine(peerDevice, 'warning', 'My current UUID changed during handshake.');
  }
  if (bitmap !== peerDevice.announcedBitmapUuid) {
    outdated = true;
    const from = peerDevice.announcedBitmapUuid.toString(16).toUpperCase();
    const to = bitmap.toString(16).toUpperCase();
    logLine(peerDevice, 'warning', `My bitmap UUID changed during handshake. 0x${from} to 0x${to}`);
  }
  if (!outdated || peerDevice.connection.now.cstate !== ConnectionState.Connecting) return false;
  logLine(peerDevice, 'info', 'uuid_compare()=retry-connect by rule=initial-handshake-changed');
  return true;
}

function logComparison(view: View): void {
  const { peerDevice } = view;
  const line = (name: string, node: ComparedNode, other: number, bits: number): void => {
    const uuids = [node.current, node.bitmap[other] ?? 0n, node.history[0] ?? 0n, node.history[1] ?? 0n];
    const text = `${name} ${uuids.map(hex16).join(':')} bits:${bits} flags:${node.flags.toString(16).toUpperCase()}`;
    logLine(peerDevice, 'info', text);
  };
  logLine(peerDevice, 'info', 'drbd_sync_handshake:');
  line('self', view.self, view.peer.nodeId, view.selfBits);
  line('peer', view.peer, view.self.nodeId, view.peerBits);
}

// --- policies

function applyPolicies(view: View, decision: Decision): Strategy {
  const { peerDevice } = view;
  let { strategy } = decision;
  if (strategy.kind === 'unrelated-data') {
    logLine(peerDevice, 'alert', 'Unrelated data, aborting!');
    return strategy;
  }
  const unsolvable = missedEndWithoutBits(view, decision);
  if (unsolvable !== undefined) return unsolvable;
  const byDisks = overrideByDisks(
    decision,
    { own: view.ownDisk, peer: view.peerDisk },
    view.self,
    view.peer,
    peerDevice.connection.agreedProtocol,
  );
  if (byDisks !== undefined) {
    strategy = byDisks;
    const disks = `${diskStateName(view.ownDisk)}/${diskStateName(view.peerDisk)}`;
    logLine(peerDevice, 'info', `strategy = ${strategyName(strategy)} due to disk states. (${disks})`);
  }
  const unstable = (view.self.flags & view.peer.flags & UUID_FLAG.STABLE) === 0n;
  if (strategy.kind === 'split-brain-auto-recover' && unstable) {
    const text = view.attach
      ? 'Ignoring split-brain during attach: at least one side unstable'
      : 'Ignore Split-Brain, for now, at least one side unstable';
    logLine(peerDevice, 'warning', text);
    strategy = NO_SYNC;
  }
  if (isSplitBrain(strategy)) strategy = solveSplitBrain(view, strategy);
  if (!view.attach) strategy = discardMyData(view, strategy);
  strategy = refuseTargetAsPrimary(view, decision, strategy);
  return skipWithoutGoodSource(view, decision, strategy);
}

/** Before protocol 124 the end of a resync that was missed with nothing left to sync could not be made good (5.9 step 1). */
function missedEndWithoutBits(view: View, { rule }: Decision): Strategy | undefined {
  const { peerDevice, selfBits, peerBits } = view;
  const { connection, resource } = peerDevice;
  if (connection.agreedProtocol >= 124 || selfBits > 0 || peerBits > 0) return undefined;
  if (rule === 'sync-source-missed-finish') return { kind: 'retry-connect' };
  if (rule !== 'sync-target-peer-missed-finish' || resource.now.role !== Role.Primary) return undefined;
  const text = 'To resolve this both sides have to support at least protocol 124';
  logLine(peerDevice, 'alert', text);
  return { kind: 'requires-proto', protocol: 124 };
}

function solveSplitBrain(view: View, found: Strategy): Strategy {
  const { peerDevice } = view;
  const { connection, resource } = peerDevice;
  const { options } = connection;
  resource.host.peerActions.runHelper('initial-split-brain', peerDevice);
  const ambiguous = found.kind === 'split-brain-disconnect';
  let strategy: Strategy = found;
  if (!ambiguous || options.alwaysAsbp) strategy = automatically(view, ambiguous) ?? found;
  const self = connection.discardMyData;
  const peer = (view.peer.flags & UUID_FLAG.DISCARD_MY_DATA) !== 0n;
  if (isSplitBrain(strategy) && self !== peer && !view.attach) {
    strategy = { kind: self ? 'target' : 'source', how: ambiguous ? 'set-bitmap' : 'use-bitmap' };
    const sync = ambiguous ? 'Full sync' : 'Sync';
    const from = self ? 'peer' : 'this';
    logLine(peerDevice, 'warning', `Split-Brain detected, manually solved. ${sync} from ${from} node`);
  }
  if (isSplitBrain(strategy)) {
    const text = view.attach
      ? 'Split-Brain detected during attach but unresolved, dropping connection!'
      : 'Split-Brain detected but unresolved, dropping connection!';
    logLine(peerDevice, 'alert', text);
    resource.host.peerActions.runHelper('split-brain', peerDevice);
  }
  return strategy;
}

function automatically(view: View, ambiguous: boolean): Strategy | undefined {
  const { peerDevice } = view;
  const { connection, resource, device } = peerDevice;
  const selfPrimary = resource.now.role === Role.Primary;
  const peerPrimary = view.peerRole === Role.Primary;
  const primaries = Number(selfPrimary) + Number(peerPrimary);
  const quorate = { self: device.now.haveQuorum, peer: peerDevice.peerQuorate };
  let side: 'source' | 'target' | 'undecided';
  if (resource.options.quorum !== QUORUM_OFF && quorate.self !== quorate.peer && !view.attach) {
    side = quorate.self ? 'source' : 'target';
  } else {
    const decision = resolveSplitBrain({
      afterSb0: connection.options.afterSb0pri,
      afterSb1: connection.options.afterSb1pri,
      afterSb2: connection.options.afterSb2pri,
      selfPrimary,
      peerPrimary,
      selfWasPrimary: ((view.self.bitmap[view.peer.nodeId] ?? 0n) & 1n) === 1n,
      peerWasPrimary: ((view.peer.bitmap[view.self.nodeId] ?? 0n) & 1n) === 1n,
      selfChanges: view.selfBits,
      peerChanges: view.peerBits,
      resolveConflicts: connection.resolveConflicts,
    });
    side = decision.side;
    if (decision.demoteFirst && !giveUpPrimary(peerDevice, primaries)) side = 'undecided';
  }
  if (side === 'undecided') return undefined;
  const from = side === 'target' ? 'peer' : 'this';
  const text = view.attach
    ? `Split-Brain detected during attach, ${primaries} primary(ies), automatically resolved. Sync from ${from} node`
    : `Split-Brain detected, ${primaries} primaries, automatically solved. Sync from ${from} node`;
  logLine(peerDevice, 'warning', text);
  if (!ambiguous) return { kind: side, how: 'use-bitmap' };
  const ambiguousText = view.attach
    ? 'Doing a full sync since UUIDs were ambiguous.'
    : 'Doing a full sync, since UUIDs where ambiguous.';
  logLine(peerDevice, 'warning', ambiguousText);
  return fullSync({ kind: side, how: 'use-bitmap' });
}
function giveUpPrimary(peerDevice: PeerDevice, primaries: number): boolean {
  const { resource } = peerDevice;
  const tag = primaries === 1 ? 'after-sb-1pri' : 'after-sb-2pri';
  const code = changeState(resource, { tag, verbose: true, localOnly: true }, () => {
    resource.next.role = Role.Secondary;
  });
  if (code >= StateCode.Success) {
    logLine(peerDevice, 'warning', 'Successfully gave up primary role.');
    return true;
  }
  resource.host.peerActions.runHelper('pri-lost-after-sb', peerDevice);
  return false;
}

/** A resync is due in the one direction, discard-my-data asks for the other (5.9 step 8). */
function discardMyData(view: View, strategy: Strategy): Strategy {
  const { peerDevice } = view;
  const self = peerDevice.connection.discardMyData;
  const peer = (view.peer.flags & UUID_FLAG.DISCARD_MY_DATA) !== 0n;
  const against = (isSource(strategy) && self && !peer) || (isTarget(strategy) && peer && !self);
  if (!against || isSplitBrain(strategy)) return strategy;
  const other = reversed(strategy);
  const newSourceDisk = isSource(strategy) ? view.peerDisk : view.ownDisk;
  if (other === undefined || newSourceDisk <= DiskState.Inconsistent) {
    const text = self
      ? 'Ignoring --discard-my-data'
      : 'Can not reverse resync direction (requested via --discard-my-data)';
    logLine(peerDevice, 'warning', text);
    return strategy;
  }
  const text = 'Resync direction reversed by --discard-my-data. Reverting to older data!';
  logLine(peerDevice, 'warning', text);
  return other;
}

function refuseTargetAsPrimary(view: View, decision: Decision, strategy: Strategy): Strategy {
  const { peerDevice } = view;
  const { resource, connection } = peerDevice;
  if (strategy.kind !== 'target' || strategy.how === 'if-both-failed') return strategy;
  if (resource.now.role !== Role.Primary || view.ownDisk < DiskState.Consistent) return strategy;
  if (view.selfBits === 0 && view.peerBits === 0 && strategy.how === 'use-bitmap') return strategy;
  switch (connection.options.rrConflict) {
    case 'violently':
      logLine(peerDevice, 'warning', 'Becoming SyncTarget, violating the stable-dataassumption');
      return strategy;
    case 'auto-discard':
      if (strategy.how === 'use-bitmap' && decision.rule === 'crashed-primary') {
        logLine(peerDevice, 'warning', 'reversing resync by auto-discard');
        return reversed(strategy) ?? strategy;
      }
      return { kind: 'sync-target-primary-disconnect' };
    case 'call-pri-lost':
      resource.host.peerActions.runHelper('pri-lost', peerDevice);
      return refused(view, 'sync-target-primary-disconnect');
    case 'retry-connect':
      return refused(view, 'sync-target-primary-reconnect');
    case 'disconnect':
      return refused(view, 'sync-target-primary-disconnect');
  }
}
function refused(
  view: View,
  kind: 'sync-target-primary-disconnect' | 'sync-target-primary-reconnect',
): Strategy {
  const text = view.attach
    ? 'I shall become SyncTarget during attach, but I am primary!'
    : 'I shall become SyncTarget, but I am primary!';
  logLine(view.peerDevice, 'error', text);
  return { kind };
}

/** Missed ends of a resync are only mended from a good source (5.9 step 10). */
function skipWithoutGoodSource(view: View, decision: Decision, strategy: Strategy): Strategy {
  const { peerDevice } = view;
  const missed =
    decision.rule === 'sync-source-missed-finish' || decision.rule === 'sync-target-peer-missed-finish';
  if (!missed) return strategy;
  if (isSource(strategy) && view.ownDiskAsSeen !== DiskState.UpToDate) {
    const text = `Resync (rule=${decision.rule}) skipped: sync-source (${diskStateName(view.ownDiskAsSeen)})`;
    logLine(peerDevice, 'info', text);
    return NO_SYNC;
  }
  if (isTarget(strategy) && view.peerDisk !== DiskState.UpToDate) {
    const text = `Resync (rule=${decision.rule}) skipped: peer sync-source (${diskStateName(view.peerDisk)})`;
    logLine(peerDevice, 'info', text);
    setBitmapUuidWithHistory(peerDevice.device, peerDevice.peerNodeId, 0n);
    return NO_SYNC;
  }
  return strategy;
}

// --- the result

function conclude(view: View, strategy: Strategy): HandshakeResult {
  const { peerDevice } = view;
  switch (strategy.kind) {
    case 'retry-connect':
    case 'sync-target-primary-reconnect':
      return { kind: 'retry' };
    case 'split-brain-auto-recover':
    case 'split-brain-disconnect':
    case 'unrelated-data':
    case 'requires-proto':
    case 'sync-target-primary-disconnect':
      return { kind: 'disconnect' };
    case 'no-sync':
    case 'source':
    case 'target':
      break;
  }
  if (peerDevice.connection.dryRun && !view.attach) {
    const sync =
      strategy.kind === 'no-sync'
        ? 'No resync, would become Connected immediately.'
        : `Would become ${strategy.kind === 'source' ? 'SyncSource' : 'SyncTarget'}, doing a ${
            strategy.how === 'set-bitmap' ? 'full' : 'bit-map based'
          } resync.`;
    logLine(peerDevice, 'info', `dry-run connect: ${sync}`);
    return { kind: 'dry-run' };
  }
  prepareBitmap(peerDevice, strategy, { self: view.self.current, peer: view.peer.current });
  return { kind: 'go-on', repl: strategyToRepl(view, strategy) };
}

function strategyToRepl(view: View, strategy: Strategy): ReplicationState {
  if (strategy.kind !== 'source' && strategy.kind !== 'target') return ReplicationState.Established;
  const { WFBitMapS, WFBitMapT, Established } = ReplicationState;
  const self = view.peerDevice.resource.now.role === Role.Primary;
  const peer = view.peerRole === Role.Primary;
  if (strategy.how === 'if-both-failed' && (self || peer)) {
    if (self && peer) return Established;
    return self ? WFBitMapS : WFBitMapT;
  }
  return strategy.kind === 'source' ? WFBitMapS : WFBitMapT;
}
