import { type NodeMask, NO_NODES } from '../node-mask';
import { type Connection } from '../objects';
import { type LocalTransaction } from './coordinator';
import { type RemoteTransaction } from './participant';

/** What the nodes of a transaction know together (engine.md 7.2 step 5). */
export interface ClusterOutcome {
  reachable: NodeMask;
  /** For a disconnect: the other partition. */
  targetReachable: NodeMask;
  primaryNodes: NodeMask;
  weakNodes: NodeMask;
}
export const emptyOutcome = (reachable: NodeMask): ClusterOutcome => ({
  reachable,
  targetReachable: NO_NODES,
  primaryNodes: NO_NODES,
  weakNodes: NO_NODES,
});

/** A neighbour's answer to PREPARE. */
export type Vote = 'pending' | 'yes' | 'no' | 'retry';
export type Votes = Map<Connection, Vote>;

export const anyVote = (votes: Votes, wanted: Vote): boolean => {
  for (const vote of votes.values()) if (vote === wanted) return true;
  return false;
};

/** Per resource: the two-phase commit in progress, and the voluntary changes that wait their turn. */
export class ResourceTwopc {
  local: LocalTransaction | undefined;
  remote: RemoteTransaction | undefined;
  /** Voluntary changes, first in first out: one at a time (engine.md 2.1 SERIALIZE). */
  readonly queue: LocalTransaction[] = [];
  /** Called when the remote transaction has ended. */
  readonly remoteEndWaiters: (() => void)[] = [];
  /** Aborts that came before their PREPARE: `initiator/tid` (engine.md 7.3). */
  readonly seenAborts = new Set<string>();

  get remoteActive(): boolean {
    return this.remote !== undefined;
  }
  remoteEnded(): void {
    this.remote = undefined;
    for (const waiter of this.remoteEndWaiters.splice(0)) waiter();
  }
}

/** How many early aborts are remembered: more can only come from a confused peer. */
export const MAX_SEEN_ABORTS = 64;
