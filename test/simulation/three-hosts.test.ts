import { join } from 'node:path';
import { runBundled } from './run-bundled';

const simulate = (hosts: number, seed: number): string =>
  runBundled(join(__dirname, '../../src/simulation/main.ts'), [
    '--hosts',
    String(hosts),
    '--mix',
    'basic',
    '--seed',
    String(seed),
  ]);

const failuresIn = (printed: string): string[] =>
  printed.split('\n').filter((line) => line.includes('FAILED'));
const lastLine = (printed: string): string | undefined => printed.trimEnd().split('\n').at(-1);

/** Seeds of three hosts that found a bug of the engine, and what it was. */
const foundBugs: readonly (readonly [seed: number, bug: string])[] = [
  [23, 'a block that a newer write superseded was announced as in sync to a third host'],
  [36, 'a late acknowledgement cleared the bit of a newer write'],
  [177, 'the partial bitmap of an interrupted resync was copied for another host'],
  [216, 'bits that told of the last writes of a crashed Primary were cleared by a bitmap of somebody else'],
  [227, 'the mark of a crashed Primary was gone before all peers were compared with it'],
  [231, 'no new generation began after a crash at the end of a resync'],
  [279, 'the missed-end flag of an attempt to connect that failed served for the next one'],
  [475, 'bits stayed set between two hosts that a third one had brought in sync'],
  [476, 'a peer that waited for the bitmap was not told about blocks that were written meanwhile'],
  [690, 'an acknowledgement that arrived after the announcement set bits again'],
  [950, 'an Outdated host of another generation was raised with its connected peer'],
  [1015, 'a resync from a crashed Primary was cancelled because another one ended'],
  [1050, 'a resync that ended left the other ones at the generation it began with'],
  [1155, 'a paused resync kept its turn'],
  [1598, 'after a resync to a newer generation one from a crashed Primary of the old generation went on'],
  [1860, 'an Outdated host took the name of a generation whose writes it did not get'],
];
test.each(foundBugs)('seed %i: %s', (seed) => {
  const printed = simulate(3, seed);
  expect(failuresIn(printed)).toEqual([]);
  expect(lastLine(printed)).toBe('1 passed, 0 failed');
});

/** Seeds of three hosts that the judge called wrong although the hosts were right. */
const wronglyBlamed: readonly (readonly [seed: number, claim: string])[] = [
  [65, 'writes that nobody promised to keep'],
  [102, 'a pair of Secondaries whose view of the lost Primary was old'],
  [310, 'a demotion that never reached the medium'],
];
test.each(wronglyBlamed)('seed %i is not blamed for %s', (seed) => {
  expect(failuresIn(simulate(3, seed))).toEqual([]);
});

test('five hosts, seed 1: two hosts that both wait for a bitmap connect again', () => {
  expect(failuresIn(simulate(5, 1))).toEqual([]);
});

test('five hosts, seed 10: a host that has gone on is not marked Outdated at the end of a resync', () => {
  expect(failuresIn(simulate(5, 10))).toEqual([]);
});
