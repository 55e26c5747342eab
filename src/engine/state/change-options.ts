import { type NodeMask } from '../node-mask';

/** How a transaction is to be ended (engine.md 2.1). All default to false. */
export interface ChangeOptions {
  /** Printed in brackets behind the change lines (engine.md 15.2). */
  readonly tag?: string;
  /** An imposed fact: skip the soft rules. */
  readonly hard?: boolean;
  /** Log a refusal. */
  readonly verbose?: boolean;
  /** Validate only; nothing is kept. */
  readonly prepare?: boolean;
  /** Commit of a change that was prepared (a remote two-phase commit). */
  readonly prepared?: boolean;
  /** End of a two-phase commit. */
  readonly twopc?: boolean;
  /** For the caller's choice between a local and a cluster-wide change; the local pipeline ignores it. */
  readonly localOnly?: boolean;
  /** Silently drop "become Outdated" where the disk is below Outdated. */
  readonly ignOutdFail?: boolean;
  /** Run the pipeline even if nothing was edited. */
  readonly forceRecalc?: boolean;
  readonly fpLocalUpToDate?: boolean;
  readonly fpOutdatePeers?: boolean;
  /** A forced demotion: openers do not prevent it. */
  readonly fsIgnOpeners?: boolean;
  /** Commit of a two-phase commit: the nodes that took part; becomes `members` (engine.md 7.6). */
  readonly reachable?: NodeMask;
  /** Gets the reason of a refusal beyond its code (V15, openers). */
  readonly infoTexts?: string[];
}
