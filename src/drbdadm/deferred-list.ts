/** Collects the work that `up` and `adjust` schedule instead of doing it at once (drbdadm.md section 10). */
import { type Resource } from '../config/model';
import { type DeferredEntry, type Stage, type Step } from './plan';

/** A scheduled entry as others depend on it. */
export interface Scheduled {
  readonly id: number;
}

export interface Schedule {
  readonly command: string;
  readonly stage: Stage;
  readonly steps: readonly Step[];
  readonly after?: Scheduled | undefined;
}

export class DeferredList {
  private readonly list: DeferredEntry[] = [];
  private readonly gone = new Set<number>();

  /** Appends an entry; entries of one stage run in the order in which they were added. */
  add(resource: Resource, schedule: Schedule): Scheduled {
    const { command, stage, steps, after } = schedule;
    const id = this.list.length;
    const entry = { id, command, resource: resource.name, stage, steps };
    this.list.push(after === undefined ? entry : { ...entry, after: after.id });
    return { id };
  }

  /** Keeps the entry in its place, so that what depends on it may run, but it does nothing. */
  cancel(scheduled: Scheduled): void {
    this.gone.add(scheduled.id);
  }

  get length(): number {
    return this.list.length;
  }

  entries(): readonly DeferredEntry[] {
    return this.list.map((entry) => (this.gone.has(entry.id) ? { ...entry, cancelled: true } : entry));
  }
}
