/** The queue of work that follows commits: one per resource, strictly in order (engine.md 2.7). */
import { type Resource } from '../objects';
import { type StateChange } from './state-change';
import { type DeferredWork } from './transaction-state';

/** Runs the deferred actions of a change; given by the pipeline. */
export type RunDeferred = (change: StateChange) => void;

function push(resource: Resource, work: DeferredWork, run: RunDeferred): void {
  resource.transaction.deferred.push(work);
  schedule(resource, run);
}

function schedule(resource: Resource, run: RunDeferred): void {
  const { transaction } = resource;
  if (transaction.deferredScheduled || transaction.deferredHeld) return;
  transaction.deferredScheduled = true;
  resource.host.ports.scheduler.soon({
    run: () => {
      transaction.deferredScheduled = false;
      drain(resource, run);
    },
  });
}

function drain(resource: Resource, run: RunDeferred): void {
  const { transaction } = resource;
  while (!transaction.deferredHeld) {
    const work = transaction.deferred.shift();
    if (work === undefined) return;
    if (work.kind === 'change') run(work.change);
    else work.call();
  }
}

export function queueChange(change: StateChange, run: RunDeferred): void {
  push(change.resource, { kind: 'change', change }, run);
}

export function queueCall(resource: Resource, call: () => void, run: RunDeferred): void {
  push(resource, { kind: 'call', call }, run);
}

/** Puts a call in front of what is queued: the rest of a step that had to wait. */
export function queueFirst(resource: Resource, call: () => void): void {
  resource.transaction.deferred.unshift({ kind: 'call', call });
}

/** Stops the queue until the returned function is called (once). */
export function holdDeferred(resource: Resource, run: RunDeferred): () => void {
  const { transaction } = resource;
  transaction.deferredHeld = true;
  return () => {
    transaction.deferredHeld = false;
    if (transaction.deferred.length > 0) schedule(resource, run);
  };
}
