/** Quorum (engine.md 3) as a decision over plain values. */
import { DiskState } from '../../control/contract/states';
import { QUORUM_ALL, QUORUM_MAJORITY, QUORUM_OFF, type QuorumSetting } from '../options';

export interface QuorumPeer {
  /** repl > Off: the peer is reachable now. */
  readonly connected: boolean;
  readonly pdsk: DiskState;
  /** Configured (or, unconfigured, never seen) without a disk. */
  readonly intentionalDiskless: boolean;
  readonly tiebreaker: boolean;
  readonly allowRemoteRead: boolean;
  /** Its slot in our meta-data says PEER_OUTDATED. */
  readonly slotOutdated: boolean;
  /** It belongs to a partition that is known not to include us. */
  readonly lost: boolean;
  /** It announced quorum in its last state word. */
  readonly quorate: boolean;
}
export interface QuorumInput {
  readonly quorum: QuorumSetting;
  readonly minimumRedundancy: QuorumSetting;
  readonly disk: DiskState;
  readonly intentionalDiskless: boolean;
  /** The computed quorum of the committed state; the tiebreaker keeps it, never grants it. */
  readonly quorumNow: boolean;
  /** With a disk: every node the meta-data knows. Without: the configured peers. */
  readonly peers: readonly QuorumPeer[];
}
export interface QuorumDecision {
  readonly have: boolean;
  readonly byTiebreaker: boolean;
  /** Why not: the info text of a refused promotion (V15). */
  readonly text: string;
}

export interface QuorumCounts {
  upToDate: number;
  present: number;
  outdated: number;
  quorumless: number;
  unknown: number;
  diskless: number;
  missingDiskless: number;
  quoratePeers: number;
}

function emptyCounts(): QuorumCounts {
  return {
    upToDate: 0,
    present: 0,
    outdated: 0,
    quorumless: 0,
    unknown: 0,
    diskless: 0,
    missingDiskless: 0,
    quoratePeers: 0,
  };
}

function countAbsent(counts: QuorumCounts, peer: QuorumPeer): void {
  if (peer.intentionalDiskless) counts.missingDiskless++;
  else if (peer.pdsk <= DiskState.Outdated || peer.slotOutdated) counts.outdated++;
  else if (peer.lost) counts.quorumless++;
  else counts.unknown++;
}

function countConnected(counts: QuorumCounts, peer: QuorumPeer, hasDisk: boolean): void {
  if (peer.pdsk === DiskState.Diskless && (peer.intentionalDiskless || !hasDisk)) {
    counts.diskless++;
  } else if (peer.pdsk === DiskState.UpToDate) {
    counts.upToDate++;
    if (!hasDisk && peer.quorate) counts.quoratePeers++;
  } else {
    counts.present++;
  }
}

/** Engine.md 3.1. */
export function countVoters(input: QuorumInput): QuorumCounts {
  const counts = emptyCounts();
  const hasDisk = input.disk > DiskState.Attaching;
  if (input.disk === DiskState.UpToDate) counts.upToDate++;
  else if (hasDisk) counts.present++;
  else if (input.disk === DiskState.Diskless && input.intentionalDiskless) counts.diskless++;
  else counts.unknown++;
  for (const peer of input.peers) {
    if (!peer.allowRemoteRead) continue;
    if (peer.intentionalDiskless && !peer.tiebreaker) continue;
    if (peer.connected) countConnected(counts, peer, hasDisk);
    else countAbsent(counts, peer);
  }
  return counts;
}

function votesNeeded(setting: QuorumSetting, voters: number): number {
  switch (setting) {
    case QUORUM_OFF:
      return 0;
    case QUORUM_MAJORITY:
      return Math.floor(voters / 2) + 1;
    case QUORUM_ALL:
      return voters;
    default:
      return setting;
  }
}

/** Engine.md 3.2. */
export function decideQuorum(input: QuorumInput): QuorumDecision {
  const counts = countVoters(input);
  const visible = counts.upToDate + counts.present;
  const absent = counts.outdated + counts.quorumless + counts.unknown;
  let { unknown, quorumless } = counts;
  if (absent >= votesNeeded(input.quorum, absent + visible)) {
    // The others may have quorum among themselves.
    unknown += quorumless;
    quorumless = 0;
  }
  const voters = unknown > 0 ? counts.outdated + quorumless + unknown + visible : visible;
  const quorumAt = votesNeeded(input.quorum, voters);
  const minimumAt = votesNeeded(input.minimumRedundancy, voters);
  const have = counts.quoratePeers > 0 || (visible >= quorumAt && counts.upToDate >= minimumAt);
  const byTiebreaker =
    !have &&
    voters !== 0 &&
    voters % 2 === 0 &&
    visible === quorumAt - 1 &&
    counts.diskless >= Math.floor((counts.diskless + counts.missingDiskless) / 2) + 1 &&
    input.quorumNow;
  return {
    have: have || byTiebreaker,
    byTiebreaker,
    text: refusalText(input, counts.upToDate, visible, voters, quorumAt, minimumAt),
  };
}

function refusalText(
  input: QuorumInput,
  upToDate: number,
  visible: number,
  voters: number,
  quorumAt: number,
  minimumAt: number,
): string {
  if (input.disk <= DiskState.Attaching) return 'no UpToDate peer with quorum';
  if (visible < quorumAt) return `${visible} of ${voters} nodes visible, need ${quorumAt} for quorum`;
  if (upToDate < minimumAt)
    return `${upToDate} of ${voters} nodes up_to_date, need ${minimumAt} for quorum-minimum-redundancy`;
  return '';
}
