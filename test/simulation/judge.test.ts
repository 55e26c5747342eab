import { runSeed } from '../../src/simulation/cluster/run-seed';
import { Histogram } from '../../src/simulation/cluster/histogram';
import { type ToyBug, ToyMirror } from './toy-mirror';

function failures(bug: ToyBug, seeds: number): { failed: string[]; histogram: Histogram } {
  const failed: string[] = [];
  const histogram = new Histogram();
  for (let seed = 1; seed <= seeds && failed.length < 1; seed++) {
    const result = runSeed({ seed, hosts: 2, steps: 150 }, (ports, _name, listener) => {
      return new ToyMirror(ports, listener, bug);
    });
    histogram.add(result.histogram);
    if (result.failure !== undefined) failed.push(`seed ${seed}: ${result.failure}`);
  }
  return { failed, histogram };
}

test('a simple mirror without bugs passes, and everything was tried', () => {
  const { failed, histogram } = failures('none', 15);
  expect(failed).toEqual([]);
  for (const name of [
    'power-lost',
    'cut link',
    'half-open link',
    'reset streams',
    'promote',
    'demote',
    'restart',
  ]) {
    expect(histogram.of(`step: ${name}`)).toBeGreaterThan(10);
  }
  expect(histogram.of('write: acknowledged')).toBeGreaterThan(1000);
});

const bugs: readonly ToyBug[] = [
  'ack-before-peer',
  'ack-before-disk',
  'forget-generation',
  'sync-stops-early',
  'flush-does-nothing',
  'two-primaries',
  'target-stays-consistent',
  'drops-a-write',
  'never-finishes',
  'reads-stale-buffer',
];
test.each(bugs)('the judge finds: %s', (bug) => {
  const { failed } = failures(bug, 100);
  expect(failed.length).toBeGreaterThan(0);
});
