/** Looks at the state again after a committed change; true = satisfied, not asked again. */
export interface StateWaiter {
  readonly check: () => boolean;
  removed: boolean;
}
/** Work that follows a commit, in strict order (engine.md 2.7). */
export type DeferredWork = () => void;

/** Per resource: what the transaction pipeline (transaction.ts) keeps between transactions. */
export class TransactionState {
  /** A transaction is open: `next` may differ from `now`. */
  open = false;
  waiters: StateWaiter[] = [];
  wakeScheduled = false;
  readonly deferred: DeferredWork[] = [];
  deferredScheduled = false;
  /** A deferred step waits for something (a helper program): the queue stands still. */
  deferredHeld = false;
}
