import { Histogram } from '../../src/simulation/cluster/histogram';
import { type RunOptions, runSeed } from '../../src/simulation/cluster/run-seed';
import { shrink } from '../../src/simulation/cluster/shrink';
import { type EngineFactory } from '../../src/simulation/cluster/engine-door';
import { isToyBug, ToyMirror } from './toy-mirror';

/** What `judge-toys BUG SEEDS [shrink]` prints, as JSON. */
export interface ToyVerdict {
  /** The first failure, if any. */
  readonly failed: string | undefined;
  readonly seeds: number;
  readonly steps: Readonly<Record<string, number>>;
  /** Steps that were left after shrinking. */
  readonly shrunk: number | undefined;
}

function judge(bug: string, seeds: number, shrinks: boolean): ToyVerdict {
  if (!isToyBug(bug)) throw new Error(`no such bug: ${bug}`);
  const makeEngine: EngineFactory = (ports, _name, listener) => new ToyMirror(ports, listener, bug);
  const histogram = new Histogram();
  let shrunk: number | undefined;
  let failed: string | undefined;
  let seed = 0;
  while (seed < seeds && failed === undefined) {
    const options: RunOptions = { seed: ++seed, hosts: 2, steps: 150, mix: 'basic' };
    const result = runSeed(options, makeEngine);
    histogram.add(result.histogram);
    if (result.failure === undefined) continue;
    failed = `seed ${seed}: ${result.failure}`;
    if (shrinks) shrunk = shrink(options, makeEngine, 120)?.steps.length;
  }
  return { failed, seeds: seed, steps: Object.fromEntries(histogram.entries()), shrunk };
}
const [bug = 'none', seeds = '1', mode = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(judge(bug, Number(seeds), mode === 'shrink')));
