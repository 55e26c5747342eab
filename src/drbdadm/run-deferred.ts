/** Runs what `up` and `adjust` have scheduled, stage by stage across all resources (drbdadm.md sections 10, 11.4). */
import { type CallOrder } from './back-ends';
import { levelsAhead, type Outcome, runAhead } from './run-ahead';
import { runTogether } from './run-together';
import { type TextOutput } from './text-output';
import { type DeferredEntry, type Plan, type Stage, stages } from './plan';

/** A failure in one of these makes the rest of the resource's work pointless. */
const fatalStages: ReadonlySet<Stage> = new Set([
  'prerequisites',
  'disk-down',
  'disk-up',
  'net-down',
  'net-up',
]);

const labels: Readonly<Record<Stage, string>> = {
  prerequisites: 'create res',
  resource: 'adjust res',
  'disk-down': 'prepare disk',
  'disk-up': 'prepare disk',
  disconnect: 'prepare net',
  'net-down': 'prepare net',
  'net-up': 'prepare net',
  path: 'prepare net',
  net: 'adjust net',
  'peer-device': 'adjust peer_devices',
  disk: 'adjust disk',
  connect: 'attempt to connect',
  'wait-connect': 'wait for connect',
};

class Progress {
  private label = '';
  private resource = '';

  constructor(private readonly output: TextOutput) {}

  begin(): void {
    this.output.stdout('[');
  }

  entry(stage: Stage, resource: string): void {
    const label = labels[stage];
    if (label !== this.label) {
      this.output.stdout(`\n${label.padStart(15)}:`);
      this.label = label;
      this.resource = '';
    }
    if (resource !== this.resource) this.output.stdout(` ${resource}`);
    this.resource = resource;
  }

  skipped(stage: Stage, resource: string): void {
    const label = labels[stage];
    if (label !== this.label) this.output.stdout(`\n${label.padStart(15)}:`);
    this.label = label;
    this.resource = '';
    this.output.stdout(` [skipped:${resource}]`);
  }

  failed(command: string, code: number): void {
    this.output.stdout(`:failed(${command}:${code})`);
  }

  end(): void {
    this.output.stdout('\n]\n');
  }
}

interface DeferredRun {
  readonly output: TextOutput;
  readonly progress: Progress | undefined;
  /** By id, 1 for what has run, was cancelled or was skipped. */
  readonly finished: Uint8Array;
  done: number;
  readonly failedResources: Set<string>;
  readonly perform: Perform;
  readonly together: boolean;
  /** By id. */
  ahead: ReadonlyMap<number, Outcome>;
  failures: number;
}

/** Does the work of an entry, which says what it has to say to `output`. With `order` it runs ahead. */
export type Perform = (
  entry: DeferredEntry,
  output: TextOutput,
  order?: CallOrder,
) => number | Promise<number>;

/** True if the entry may run now: what it depends on has run, was cancelled or was skipped. */
function isReady(run: Pick<DeferredRun, 'finished'>, entry: DeferredEntry): boolean {
  return run.finished[entry.id] === 0 && (entry.after === undefined || run.finished[entry.after] === 1);
}

function finish(run: DeferredRun, entry: DeferredEntry, code: number): void {
  if (code === 0) return;
  if (fatalStages.has(entry.stage)) run.failedResources.add(entry.resource);
  // Killed by a signal: the resource is given up, but the run goes on (drbdadm.md section 10).
  if (code < 0) return;
  run.failures += 1;
  run.progress?.failed(entry.command, code);
}

/** Starts an entry; a promise only if it has to be waited for. */
function runEntry(run: DeferredRun, entry: DeferredEntry, output: TextOutput): void | Promise<void> {
  if (run.failedResources.has(entry.resource)) {
    if (run.progress !== undefined) run.progress.skipped(entry.stage, entry.resource);
    else output.stderr(`drbdadm: ${entry.command} ${entry.resource}: skipped due to earlier error\n`);
    return undefined;
  }
  run.progress?.entry(entry.stage, entry.resource);
  const known = run.ahead.get(entry.id);
  if (known !== undefined) {
    known.said.release(output);
    if (known.kind === 'threw') throw known.error;
    return finish(run, entry, known.code);
  }
  const result = run.perform(entry, output);
  if (typeof result === 'number') return finish(run, entry, result);
  return result.then((code) => finish(run, entry, code));
}

/** The entries of a stage that run now, in order; each that is taken counts as run for those behind it. */
function* takeReady(
  run: DeferredRun,
  entries: readonly DeferredEntry[],
  left: DeferredEntry[],
): Generator<DeferredEntry> {
  for (const entry of entries) {
    if (isReady(run, entry)) {
      run.finished[entry.id] = 1;
      run.done += 1;
      yield entry;
    } else if (run.finished[entry.id] === 0) left.push(entry);
  }
}

/** What the first pass would run, stage by stage. */
function* firstPass(
  run: DeferredRun,
  byStage: Map<Stage, readonly DeferredEntry[]>,
): Generator<DeferredEntry[]> {
  const finished = run.finished.slice();
  for (const stage of stages) {
    const ready: DeferredEntry[] = [];
    for (const entry of byStage.get(stage) ?? []) {
      if (!isReady({ finished }, entry)) continue;
      finished[entry.id] = 1;
      ready.push(entry);
    }
    yield ready;
  }
}

/** One pass over all stages; what is left stays in its list. False: a stage failed and nothing more is to be run. */
async function runPass(run: DeferredRun, byStage: Map<Stage, readonly DeferredEntry[]>): Promise<boolean> {
  for (const stage of stages) {
    const left: DeferredEntry[] = [];
    const ready = [...takeReady(run, byStage.get(stage) ?? [], left)];
    // What has run ahead has only to be said.
    if (run.together && !ready.every(({ id }) => run.ahead.has(id))) {
      await runTogether(ready, run.output, (entry, output) => runEntry(run, entry, output));
    } else {
      for (const entry of ready) {
        const work = runEntry(run, entry, run.output);
        if (work !== undefined) await work;
      }
    }
    byStage.set(stage, left);
    if (run.failures > 0 && run.progress === undefined) return false;
  }
  return true;
}

function sortByStage(entries: readonly DeferredEntry[]): Map<Stage, DeferredEntry[]> {
  const byStage = new Map<Stage, DeferredEntry[]>(stages.map((stage) => [stage, []]));
  for (const entry of entries) byStage.get(entry.stage)?.push(entry);
  return byStage;
}

/** Runs all scheduled entries, different resources together if wanted; the result is 1 if anything failed. */
export async function runDeferred(
  plan: Plan,
  mode: { quiet: boolean; readonly together?: boolean },
  output: TextOutput,
  perform: Perform,
): Promise<number> {
  const progress = plan.progress ? new Progress(output) : undefined;
  const finished = Uint8Array.from(plan.deferred, (entry) => (entry.cancelled === true ? 1 : 0));
  const run: DeferredRun = {
    output,
    progress,
    finished,
    done: finished.reduce((sum, one) => sum + one, 0),
    failedResources: new Set(),
    perform,
    together: mode.together === true && !plan.progress,
    ahead: new Map(),
    failures: 0,
  };
  mode.quiet = plan.progress;
  progress?.begin();
  const byStage: Map<Stage, readonly DeferredEntry[]> = sortByStage(plan.deferred);
  if (run.together) run.ahead = await runAhead(levelsAhead(firstPass(run, byStage)), perform);
  let before = -1;
  while (run.done < plan.deferred.length && run.done > before) {
    before = run.done;
    if (!(await runPass(run, byStage))) break;
  }
  progress?.end();
  return run.failures > 0 ? 1 : 0;
}
