/** The comparison of two nodes' generation identifiers (engine.md 5.7). Pure; the first matching rule decides. */
import { UUID_JUST_CREATED } from '../../metadata/superblock-flags';
import { UUID_FLAG } from '../../wire/uuids110';
import { type Decision, NO_SYNC, type Rule, type Strategy } from './strategy';

/** One side as the comparison sees it. */
export interface ComparedNode {
  readonly nodeId: number;
  readonly current: bigint;
  /** By node id. */
  readonly bitmap: readonly bigint[];
  readonly history: readonly bigint[];
  readonly flags: bigint;
}
export interface Comparison {
  readonly self: ComparedNode;
  readonly peer: ComparedNode;
  readonly protocol: number;
  readonly wireProtocol: 'A' | 'B' | 'C';
  readonly resolveConflicts: boolean;
  /** We, or the peer, did not notice the end of the last resync (engine.md 4.8). */
  readonly sourceMissedEnd: boolean;
  readonly peerMissedEnd: boolean;
}

const bare = (uuid: bigint): bigint => uuid & ~1n;
const same = (a: bigint, b: bigint): boolean => bare(a) === bare(b);
const currentOf = (node: ComparedNode): bigint =>
  bare(node.current) === 0n ? UUID_JUST_CREATED : bare(node.current);
const isFresh = (node: ComparedNode): boolean => currentOf(node) === UUID_JUST_CREATED;
const has = (node: ComparedNode, flag: bigint): boolean => (node.flags & flag) !== 0n;
const inHistory = (uuid: bigint, history: readonly bigint[]): boolean =>
  history.some((entry) => entry !== 0n && same(entry, uuid));

type SyncHow = 'if-both-failed' | 'use-bitmap' | 'set-bitmap';
const source = (how: SyncHow): Strategy => ({ kind: 'source', how });
const target = (how: SyncHow): Strategy => ({ kind: 'target', how });
const decide = (rule: Rule, strategy: Strategy): Decision => ({ rule, strategy });

export function compareUuids(comparison: Comparison): Decision {
  const { self, peer } = comparison;
  if (isFresh(self) && isFresh(peer)) return decide('just-created-both', NO_SYNC);
  if (isFresh(self)) return decide('just-created-self', target('set-bitmap'));
  if (isFresh(peer)) return decide('just-created-peer', source('set-bitmap'));
  return same(self.current, peer.current) ? compareEqual(comparison) : compareDifferent(comparison);
}

/** What it had as a crashed Primary is gone when it was to be synced from somebody else since. */
const hasLastWrites = (node: ComparedNode): boolean =>
  has(node, UUID_FLAG.CRASHED_PRIMARY) && !has(node, UUID_FLAG.INCONSISTENT);

function compareEqual(comparison: Comparison): Decision {
  const { self, peer, protocol, wireProtocol, resolveConflicts } = comparison;
  if (comparison.sourceMissedEnd) return decide('sync-source-missed-finish', source('use-bitmap'));
  if (comparison.peerMissedEnd) return decide('sync-target-peer-missed-finish', target('use-bitmap'));
  const reconnect = { self: has(self, UUID_FLAG.RECONNECT), peer: has(peer, UUID_FLAG.RECONNECT) };
  const crashed = { self: hasLastWrites(self), peer: hasLastWrites(peer) };
  const lost = {
    self: has(self, UUID_FLAG.PRIMARY_LOST_QUORUM),
    peer: has(peer, UUID_FLAG.PRIMARY_LOST_QUORUM),
  };
  const keptRule: Rule = protocol >= 120 ? 'lost-quorum' : 'reconnected';
  if (protocol >= 120 && reconnect.self && reconnect.peer) return decide('reconnected', NO_SYNC);
  if (protocol >= 121 && wireProtocol !== 'C' && crashed.self !== crashed.peer) {
    return decide('crashed-primary', crashed.self ? source('use-bitmap') : target('use-bitmap'));
  }
  if (lost.self || lost.peer) {
    if (lost.self && lost.peer) {
      return decide('lost-quorum', resolveConflicts ? source('if-both-failed') : target('if-both-failed'));
    }
    return decide('lost-quorum', lost.self ? source('if-both-failed') : target('if-both-failed'));
  }
  if (reconnect.self && reconnect.peer) return decide('reconnected', NO_SYNC);
  if (crashed.peer && reconnect.self) return decide(keptRule, source('if-both-failed'));
  if (crashed.self && reconnect.peer) return decide(keptRule, target('if-both-failed'));
  if (reconnect.self || reconnect.peer) return decide(keptRule, NO_SYNC);
  if (crashed.self) {
    const yields = crashed.peer && resolveConflicts;
    return decide('both-off', yields ? target('if-both-failed') : source('if-both-failed'));
  }
  return decide('both-off', crashed.peer ? target('if-both-failed') : NO_SYNC);
}

function compareDifferent(comparison: Comparison): Decision {
  const { self, peer } = comparison;
  const own = currentOf(self);
  const theirs = currentOf(peer);
  const peersForMe = peer.bitmap[self.nodeId] ?? 0n;
  const mineForPeer = self.bitmap[peer.nodeId] ?? 0n;
  if (peersForMe !== 0n && same(own, peersForMe)) return decide('bitmap-peer', target('use-bitmap'));
  const peerSlot = peer.bitmap.findIndex(
    (uuid, node) => node !== self.nodeId && uuid !== 0n && same(uuid, own),
  );
  if (peerSlot >= 0)
    return decide('bitmap-peer-other', { kind: 'target', how: 'clear-bitmap', node: peerSlot });
  if (mineForPeer !== 0n && same(mineForPeer, theirs)) return decide('bitmap-self', source('use-bitmap'));
  const ownSlot = self.bitmap.findIndex(
    (uuid, node) => node !== self.nodeId && uuid !== 0n && same(uuid, theirs),
  );
  if (ownSlot >= 0)
    return decide('bitmap-self-other', { kind: 'source', how: 'copy-other-bitmap', node: ownSlot });
  const knownToPeer = inHistory(own, peer.history);
  const knownToMe = inHistory(theirs, self.history);
  if (knownToPeer && !knownToMe) return decide('history-peer', target('set-bitmap'));
  if (knownToMe && !knownToPeer) return decide('history-self', source('set-bitmap'));
  if (mineForPeer !== 0n && same(mineForPeer, peersForMe)) {
    return decide('bitmap-both', { kind: 'split-brain-auto-recover' });
  }
  const common = upToZero(self.history).some((uuid) => inHistory(uuid, upToZero(peer.history)));
  return decide('history-both', { kind: common ? 'split-brain-disconnect' : 'unrelated-data' });
}
function upToZero(history: readonly bigint[]): readonly bigint[] {
  const end = history.indexOf(0n);
  return end < 0 ? history : history.slice(0, end);
}
