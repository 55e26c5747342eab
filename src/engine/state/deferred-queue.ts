/** The queue of work that follows commits: one per resource, strictly in order (engine.md 2.7). */
import { type Resource } from '../objects';
import { type DeferredWork } from './transaction-state';

/** Appends `work`; it runs as a task, behind what was queued before. */
export function queueDeferred(resource: Resource, work: DeferredWork): void {
  resource.transaction.deferred.push(work);
  schedule(resource);
}

function schedule(resource: Resource): void {
  const { transaction } = resource;
  if (transaction.deferredScheduled || transaction.deferredHeld) return;
  transaction.deferredScheduled = true;
  resource.host.ports.scheduler.soon({
    run: () => {
      transaction.deferredScheduled = false;
      drain(resource);
    },
  });
}

function drain(resource: Resource): void {
  const { transaction } = resource;
  while (!transaction.deferredHeld) {
    const work = transaction.deferred.shift();
    if (work === undefined) return;
    work();
  }
}

/** Stops the queue behind the work that is running, until the returned function is called (once). */
export function holdDeferred(resource: Resource): () => void {
  const { transaction } = resource;
  transaction.deferredHeld = true;
  return () => {
    transaction.deferredHeld = false;
    if (transaction.deferred.length > 0) schedule(resource);
  };
}
