/**
 * Scheduled work that is asked for before it is known whether the stages before it succeed: the daemon does it once they
 * have, or not at all (`ChainPlace`). What comes of it is looked at later, entry by entry, as if it were done then.
 */
import { type CallOrder } from './back-ends';
import { HeldOutput } from './held-output';
import { type DeferredEntry } from './plan';
import { type TextOutput } from './text-output';

/** Entries of these commands are nothing but calls of our own tools that ask the daemon before they do anything. */
const commands = new Set([
  'new-resource',
  'new-minor',
  'new-peer',
  'new-path',
  'peer-device-options',
  'attach',
  'connect',
]);
/** Entries that are kept at once, with their output. More are done stage by stage. */
const MOST_ENTRIES = 4096;
/** Entries that have begun and not ended: enough to keep the daemon busy. */
const MOST_AT_ONCE = 128;

/** What became of an entry that has run ahead. */
export type Outcome = { readonly said: HeldOutput } & (
  { readonly kind: 'done'; readonly code: number } | { readonly kind: 'threw'; readonly error: unknown }
);

/** Begins the work of an entry. */
export type StartAhead = (
  entry: DeferredEntry,
  output: TextOutput,
  order: CallOrder,
) => number | Promise<number>;

/**
 * Entries of several stages, a list for everything that may be done at the same time: one resource's entries of one stage
 * come after each other. Empty if running ahead would not help.
 */
export function levelsAhead(
  stages: Iterable<readonly DeferredEntry[]>,
): readonly (readonly DeferredEntry[])[] {
  const levels: DeferredEntry[][] = [];
  let count = 0;
  for (const entries of stages) {
    if (entries.length === 0) continue;
    if (!entries.every(({ command }) => commands.has(command))) break;
    count += entries.length;
    if (count > MOST_ENTRIES) return [];
    const first = levels.length;
    const before = new Map<string, number>();
    for (const entry of entries) {
      const place = before.get(entry.resource) ?? 0;
      before.set(entry.resource, place + 1);
      (levels[first + place] ??= []).push(entry);
    }
  }
  return levels.length > 1 ? levels : [];
}

/** One run ahead: which entries did something, and what. */
class AheadRun {
  readonly outcomes = new Map<number, Outcome>();
  private readonly chain = {};
  private readonly running: Promise<void>[] = [];
  private oldest = 0;
  /** First entry of the level that was begun last, and when everything before it has ended. */
  private first = 0;
  private before: Promise<unknown> = Promise.resolve();
  private failed = false;

  constructor(private readonly startWork: StartAhead) {}

  /** Returns when everything of the level has been asked for; false: nothing more is to be begun. */
  async begin(level: number, entries: readonly DeferredEntry[]): Promise<boolean> {
    const asked: Promise<void>[] = [];
    const before = Promise.all([this.before, ...this.running.slice(this.first)]);
    this.before = before;
    this.first = this.running.length;
    for (const entry of entries) {
      for (; this.running.length - this.oldest >= MOST_AT_ONCE; this.oldest += 1)
        await this.running[this.oldest];
      asked.push(new Promise((resolve) => this.running.push(this.attend(entry, { level, before }, resolve))));
    }
    await Promise.all(asked);
    return !this.failed;
  }

  async end(): Promise<void> {
    await Promise.all(this.running);
  }

  private async attend(
    entry: DeferredEntry,
    place: Pick<CallOrder, 'level' | 'before'>,
    onAsked: () => void,
  ): Promise<void> {
    const said = new HeldOutput();
    let skipped = false;
    const last: (() => void)[] = [];
    const order: CallOrder = {
      ...place,
      chain: this.chain,
      entry,
      onSent: onAsked,
      onSkipped: () => void (skipped = true),
      atEnd: (action) => void last.push(action),
    };
    try {
      const code = await this.startWork(entry, said, order);
      if (code !== 0) this.failed = true;
      if (!skipped) this.outcomes.set(entry.id, { kind: 'done', code, said });
    } catch (error) {
      this.failed = true;
      this.outcomes.set(entry.id, { kind: 'threw', error, said });
    } finally {
      for (const action of last) action();
    }
    onAsked();
  }
}

/** Runs the entries of all levels; those that are missing in the result have done nothing. */
export async function runAhead(
  levels: readonly (readonly DeferredEntry[])[],
  start: StartAhead,
): Promise<ReadonlyMap<number, Outcome>> {
  const run = new AheadRun(start);
  for (const [level, entries] of levels.entries()) if (!(await run.begin(level, entries))) break;
  await run.end();
  return run.outcomes;
}
