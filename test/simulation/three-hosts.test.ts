import { join } from 'node:path';
import { runBundled } from './run-bundled';

const simulate = (hosts: number, seed: number, mix = 'basic'): string =>
  runBundled(join(__dirname, '../../src/simulation/main.ts'), [
    '--hosts',
    String(hosts),
    '--mix',
    mix,
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
  [215, 'a resync that ended cancelled one from a newer generation'],
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
  [1137, 'a promotion began no generation although an absent host had caught up through another one'],
  [1157, 'three hosts owed each other what they had of a crashed Primary, in a ring'],
  [1499, 'what a third host lacked was forgotten because a target-to-be said that it lacked nothing'],
  [1598, 'after a resync to a newer generation one from a crashed Primary of the old generation went on'],
  [1771, 'a source was called unstable for ever although a Primary had synced it before its turn came'],
  [1860, 'an Outdated host took the name of a generation whose writes it did not get'],
  [2158, 'bits were cleared because a host in the middle of its resync was said to be in sync with a third'],
  [2257, 'marked blocks were forgotten when two hosts of one generation met again without a resync'],
];
test.each(foundBugs)('seed %i: %s', (seed) => {
  const printed = simulate(3, seed);
  expect(failuresIn(printed)).toEqual([]);
  expect(lastLine(printed)).toBe('1 passed, 0 failed');
});

/** The same, with quorum. */
const foundBugsWithQuorum: readonly (readonly [seed: number, bug: string])[] = [
  [7, 'writes that had waited for their turn when the Primary was lost counted as received'],
  [38, 'a peer ack named writes that the peer had acknowledged in an earlier connection'],
];
test.each(foundBugsWithQuorum)('seed %i with quorum: %s', (seed) => {
  const printed = simulate(3, seed, 'quorum');
  expect(failuresIn(printed)).toEqual([]);
  expect(lastLine(printed)).toBe('1 passed, 0 failed');
});

/** Seeds of three hosts that the judge called wrong although the hosts were right. */
const wronglyBlamed: readonly (readonly [seed: number, claim: string])[] = [
  [65, 'writes that nobody promised to keep'],
  [102, 'a pair of Secondaries whose view of the lost Primary was old'],
  [310, 'a demotion that never reached the medium'],
  [1440, 'the promotion of a host that had lost its cache, when another one still had everything'],
  [1706, 'the same after the Primary had crashed'],
];
test.each(wronglyBlamed)('seed %i is not blamed for %s', (seed) => {
  expect(failuresIn(simulate(3, seed))).toEqual([]);
});

/** Seeds of five hosts that found a bug of the engine, and what it was. */
const foundWithFive: readonly (readonly [seed: number, bug: string])[] = [
  [1, 'two hosts both waited for a bitmap'],
  [10, 'a host that had gone on was marked Outdated at the end of a resync'],
  [15, 'a host announced as in sync what it knew of an older generation'],
  [
    31,
    'the target of two hosts was still taken for in sync with the first when it had taken data of the second',
  ],
  [60, 'a host announced as in sync what it knew of an older generation'],
  [70, 'as with 31'],
  [72, 'the data of a crashed Primary did not get from its target to hosts that were connected to that'],
  [98, 'a host announced as in sync what it knew of an older generation'],
  [112, 'no bitmap came for a reconciliation that only one side had begun'],
  [143, 'a host announced another one as in sync that had taken data from a third'],
];
test.each(foundWithFive)('five hosts, seed %i: %s', (seed) => {
  expect(failuresIn(simulate(5, seed))).toEqual([]);
});

/** Seeds of the full mix that found a bug of the engine, and what it was. */
const foundByFullMix: readonly (readonly [hosts: number, seed: number, bug: string])[] = [
  [3, 502437, 'a host that became target by attaching sent no bitmap to a peer that waited for one'],
  [4, 502352, 'the same'],
  [3, 501062, 'a disk that a diskless Primary had doubted became UpToDate when somebody else was lost'],
  [4, 501830, 'a Primary whose disk was being synced took older data for what it had exposed'],
  [5, 501891, 'an Outdated host next to a diskless Primary followed a peer that had not heard of it'],
  [4, 502264, 'one side compared the bits it had told the other side, which compared those it had by then'],
  [4, 502609, 'a Primary that could not commit a connect left its peer Connected alone'],
  [5, 502788, 'a host that became Outdated did not see that the verify was over'],
  [3, 502724, 'a diskless Primary attached a disk, and an older one was trusted again'],
];
test.each(foundByFullMix)('full mix, %i hosts, seed %i: %s', (hosts, seed) => {
  expect(failuresIn(simulate(hosts, seed, 'full'))).toEqual([]);
});

/** Seeds of four hosts whose disks grow. */
const foundByGrowth: readonly (readonly [seed: number, bug: string])[] = [
  [2, 'two sources of one generation were taken for in sync in the storage that was new'],
  [14, 'an attached disk was smaller than the device that its host had without it'],
];
test.each(foundByGrowth)('grow mix, four hosts, seed %i: %s', (seed) => {
  expect(failuresIn(simulate(4, seed, 'grow'))).toEqual([]);
});
