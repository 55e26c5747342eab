/** The lines that tell a state change (engine.md 15.2). */
import {
  connectionStateName,
  diskStateName,
  replicationStateName,
  roleName,
} from '../../control/contract/states';
import { DiskState } from '../../control/contract/states';
import { stateCodeText } from '../../control/contract/codes';
import { isSyncSource, resyncSuspended } from './derived';
import { logLine, type LoggedObject } from './object-log';
import {
  type DeviceChange,
  type LinkChange,
  type PeerDeviceChange,
  type Side,
  type StateChange,
} from './state-change';

const LINE_LIMIT = 150;
const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

function item(name: string, from: string, to: string): string {
  return from === to ? '' : `${name}( ${from} -> ${to} )`;
}
const listOrNo = (reasons: readonly (string | false)[]): string =>
  reasons.filter((reason) => reason !== false).join(',') || 'no';

function suspendedReasons(change: StateChange, side: Side): string {
  const state = change[side];
  return listOrNo([
    state.suspUser && 'user',
    state.suspNoData && 'no-disk',
    change.links.some((link) => link[side].suspFencing) && 'fencing',
    state.suspQuorum && 'quorum',
    state.suspUuid && 'uuid',
  ]);
}

function resyncReasons(node: DeviceChange, peer: PeerDeviceChange, side: Side): string {
  const state = peer[side];
  return listOrNo([
    state.resyncSuspUser && 'user',
    state.resyncSuspPeer && 'peer',
    state.resyncSuspDependency && 'after dependency',
    state.resyncSuspOtherConnection && 'connection dependency',
    state.resyncSuspMaxParallel && 'max-parallel',
    isSyncSource(state.repl) && node[side].disk <= DiskState.Inconsistent && 'disk inconsistent',
  ]);
}

function resourceItems(change: StateChange): string[] {
  const { old, new: next } = change;
  return [
    item('role', roleName(old.role), roleName(next.role)),
    item('susp-io', suspendedReasons(change, 'old'), suspendedReasons(change, 'new')),
    item('force-io-failures', yesNo(old.failIo), yesNo(next.failIo)),
  ];
}

function linkItems({ old, new: next }: LinkChange): string[] {
  return [
    item('conn', connectionStateName(old.cstate), connectionStateName(next.cstate)),
    item('peer', roleName(old.peerRole), roleName(next.peerRole)),
  ];
}

function deviceItems({ old, new: next }: DeviceChange): string[] {
  return [
    item('disk', diskStateName(old.disk), diskStateName(next.disk)),
    item('quorum', yesNo(old.haveQuorum), yesNo(next.haveQuorum)),
  ];
}

function peerDeviceItems(node: DeviceChange, peer: PeerDeviceChange): string[] {
  const { old, new: next } = peer;
  const toggles = resyncSuspended(old, node.old) !== resyncSuspended(next, node.new);
  return [
    item('pdsk', diskStateName(old.pdsk), diskStateName(next.pdsk)),
    item('repl', replicationStateName(old.repl), replicationStateName(next.repl)),
    toggles ? item('resync-susp', resyncReasons(node, peer, 'old'), resyncReasons(node, peer, 'new')) : '',
    item('replication', yesNo(old.replication), yesNo(next.replication)),
    item('peer_replication', yesNo(old.peerReplication), yesNo(next.peerReplication)),
  ];
}

/** The changed items of every changed object, in the order of the log. */
export function changeLines(change: StateChange): { object: LoggedObject; text: string }[] {
  const lines: { object: LoggedObject; text: string }[] = [];
  const add = (object: LoggedObject, items: readonly string[]): void => {
    const text = items.filter((one) => one !== '').join(' ');
    if (text === '') return;
    const tag = change.tag === '' ? '' : ` [${change.tag}]`;
    lines.push({ object, text: text.slice(0, LINE_LIMIT) + tag });
  };
  add(change.resource, resourceItems(change));
  for (const link of change.links) add(link.connection, linkItems(link));
  for (const node of change.devices) {
    add(node.device, deviceItems(node));
    for (const peer of node.peers) add(peer.peerDevice, peerDeviceItems(node, peer));
  }
  return lines;
}

export function logChange(change: StateChange): void {
  for (const { object, text } of changeLines(change)) logLine(object, 'info', text);
}

/** A refused change: why, and what it would have been. */
export function logRefusal(change: StateChange, code: number): void {
  logLine(change.resource, 'error', `State change failed: ${stateCodeText(code) ?? '?'} (${code})`);
  for (const { object, text } of changeLines(change)) logLine(object, 'info', `Failed: ${text}`);
}
