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
  /** A function is called each time the steps are wanted: those of ten thousand resources need not be kept. */
  readonly steps: readonly Step[] | (() => readonly Step[]);
  readonly after?: Scheduled | undefined;
}

class Entry implements DeferredEntry {
  cancelled = false;

  constructor(
    readonly id: number,
    readonly command: string,
    readonly resource: string,
    readonly stage: Stage,
    private readonly made: Schedule['steps'],
    readonly after: number | undefined,
  ) {}

  get steps(): readonly Step[] {
    return typeof this.made === 'function' ? this.made() : this.made;
  }

  /** For `plan --json`. */
  toJSON(): DeferredEntry {
    const { id, command, resource, stage, steps, after, cancelled } = this;
    return {
      ...{ id, command, resource, stage, steps },
      ...(after === undefined ? {} : { after }),
      ...(cancelled ? { cancelled } : {}),
    };
  }
}

export class DeferredList {
  private readonly list: Entry[] = [];

  /** Appends an entry; entries of one stage run in the order in which they were added. */
  add(resource: Resource, schedule: Schedule): Scheduled {
    const { command, stage, steps, after } = schedule;
    const entry = new Entry(this.list.length, command, resource.name, stage, steps, after?.id);
    this.list.push(entry);
    return entry;
  }

  /** Keeps the entry in its place, so that what depends on it may run, but it does nothing. */
  cancel(scheduled: Scheduled): void {
    const entry = this.list[scheduled.id];
    if (entry !== undefined) entry.cancelled = true;
  }

  get length(): number {
    return this.list.length;
  }

  entries(): readonly DeferredEntry[] {
    return this.list;
  }
}
