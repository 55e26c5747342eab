/** Continuations that wait for a state: they stand for the kernel's state_wait (engine.md 16.3 rule 2). */
import { type Resource } from '../objects';

export interface WaiterHandle {
  remove(): void;
}

/**
 * `check` is called after every committed change and every `wakeStateWaiters`, in a task of its own behind the
 * deferred actions, until it returns true or is removed. It is not called at once: the caller looks first.
 */
export function whenStateChanges(resource: Resource, check: () => boolean): WaiterHandle {
  const waiter = { check, removed: false };
  resource.transaction.waiters.push(waiter);
  return {
    remove: () => {
      waiter.removed = true;
      const { transaction } = resource;
      transaction.waiters = transaction.waiters.filter((other) => other !== waiter);
    },
  };
}

/** Something that waiters look at changed outside of a transaction (a flag, a helper's answer, a 2PC). */
export function wakeStateWaiters(resource: Resource): void {
  const { transaction } = resource;
  if (transaction.wakeScheduled || transaction.waiters.length === 0) return;
  transaction.wakeScheduled = true;
  resource.host.ports.scheduler.soon({
    run: () => {
      transaction.wakeScheduled = false;
      for (const waiter of [...transaction.waiters]) {
        if (waiter.removed || !waiter.check()) continue;
        waiter.removed = true;
        transaction.waiters = transaction.waiters.filter((other) => other !== waiter);
      }
    },
  });
}
