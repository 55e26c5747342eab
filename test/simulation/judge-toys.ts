import { Histogram } from '../../src/simulation/cluster/histogram';
import { runSeed } from '../../src/simulation/cluster/run-seed';
import { isToyBug, ToyMirror } from './toy-mirror';

/** What `judge-toys BUG SEEDS` prints, as JSON. */
export interface ToyVerdict {
  /** The first failure, if any. */
  readonly failed: string | undefined;
  readonly seeds: number;
  readonly steps: Readonly<Record<string, number>>;
}

function judge(bug: string, seeds: number): ToyVerdict {
  if (!isToyBug(bug)) throw new Error(`no such bug: ${bug}`);
  const histogram = new Histogram();
  let failed: string | undefined;
  let seed = 0;
  while (seed < seeds && failed === undefined) {
    const options = { seed: ++seed, hosts: 2, steps: 150 };
    const result = runSeed(options, (ports, _name, listener) => new ToyMirror(ports, listener, bug));
    histogram.add(result.histogram);
    if (result.failure !== undefined) failed = `seed ${seed}: ${result.failure}`;
  }
  const steps = Object.fromEntries(histogram.entries());
  return { failed, seeds: seed, steps };
}
const [bug = 'none', seeds = '1'] = process.argv.slice(2);
process.stdout.write(JSON.stringify(judge(bug, Number(seeds))));
