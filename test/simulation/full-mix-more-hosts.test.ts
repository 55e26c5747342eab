import { join } from 'node:path';
import { runBundled } from './run-bundled';

/** The full mix with two hosts to five. */
const verdictOn = (seed: number, hosts: number): string[] =>
  runBundled(join(__dirname, '../../src/simulation/main.ts'), [
    '--hosts',
    String(hosts),
    '--mix',
    'full',
    '--seed',
    String(seed),
  ])
    .split('\n')
    .filter((line) => line.includes('FAILED') || / passed, .* failed$/.test(line));

/** Seeds that found a bug of the engine, and what it was. */
const foundBugs: readonly (readonly [seed: number, hosts: number, bug: string])[] = [
  [502601, 3, 'an attach that failed closed the disk while the loss of a peer was written to it'],
  [500218, 5, 'a disk behind a diskless Primary became UpToDate because of a peer that was behind as well'],
  [
    500906,
    4,
    'the target of two hosts was still taken for in sync with the first when it had taken data of the second',
  ],
  [501117, 4, 'a comparison during a resync cleared the bits that this resync was to go on with'],
  [502774, 5, 'the same'],
  [501661, 4, 'an attach took its old data for good when one of the peers it was compared with was lost'],
  [10, 5, 'an Outdated disk behind a diskless Primary was raised with a peer that was behind as well'],
  [10, 4, 'the lowest bit hid that an absent host was on this generation, and no new one began without it'],
  [501599, 4, 'the target of two hosts was still taken for in sync with the first, as above'],
  [502445, 5, 'the same'],
  [122, 3, 'the same'],
  [502371, 5, 'it did so after the loss of a third'],
  [500276, 4, 'marks of writes on their way to a host were replaced by those of another, which had got them'],
  [510123, 3, 'a host asked for a second look at an offer that came while its disk was being attached'],
  [
    501486,
    5,
    'a resync put off until the end of one that waited for its turn was forgotten by the target alone',
  ],
  [511151, 3, 'a target that waited for its turn was taken for what its source is, and lost its marks'],
  [510363, 5, 'the same'],
  [
    510601,
    3,
    'an Outdated host of the right generation became UpToDate before it got what was marked for it',
  ],
  [513226, 5, 'a host passed on what it held to one that had gone to the next generation meanwhile'],
  [515230, 3, 'a source that waited for its turn was not told that its target had gone beyond it'],
  [
    520381,
    2,
    'an attached disk took the name of a generation that the Primary, without a disk now, had begun before',
  ],
  [515031, 2, 'an Inconsistent disk was the source because it had crashed as Primary before'],
  [
    511609,
    2,
    'a disk that was detached by force as Primary forgot that when it was attached after a demotion',
  ],
  [517856, 2, 'such a disk was taken for in sync because its node had been connected before'],
  [513797, 4, 'a host took the name of a generation that the Primary had begun without it'],
  [515833, 3, 'two Outdated hosts were in sync, one took other data, and the other never got them'],
  [511517, 4, 'the same'],
  [520581, 4, 'the same, of an Outdated and an UpToDate one'],
  [560453, 5, 'what was marked for a target that another host brought up to date meanwhile stayed marked'],
  [514054, 4, 'a full sync made its source forget the generation that another host was still at'],
  [515472, 4, 'the same'],
  [517259, 4, 'a generation whose superblock could not be written was on the disk nevertheless'],
  [513949, 4, 'a host without a disk took older data for UpToDate, as the peer that held them did'],
  [517701, 3, 'a Primary attached data that one peer had refused to go on with, as another peer was behind'],
  [530160, 4, 'the same'],
  [
    551103,
    4,
    'a host got the marks of one of two others of its generation, and lacked what the other one lacked',
  ],
  [
    516034,
    5,
    'the target of a source that follows a Primary became UpToDate because of one that was a target too',
  ],
  [520776, 4, 'a source that was restarted twice forgot that its target may have come to its generation'],
  [701654, 4, 'a disk was detached with a generation that no peer had heard of'],
  [
    520776,
    4,
    'a host was taken for in sync with one for which it had marks, as there was no bitmap UUID for that',
  ],
  [550036, 4, 'the same'],
  [560205, 5, 'the same'],
  [516214, 3, 'an invalidated host forgot a block when a write of before was confirmed'],
  [720124, 3, 'the same'],
  [560328, 4, 'of two hosts with marks the one that had marked nothing since it was attached was the source'],
  [720035, 3, 'a crashed host forgot in a second attach that a peer may have reached its generation'],
];
test.each(foundBugs)('seed %i, %i hosts: %s', (seed, hosts) => {
  expect(verdictOn(seed, hosts)).toEqual(['1 passed, 0 failed']);
});

/** Seeds that the judge called wrong although the hosts were right. */
const wronglyBlamed: readonly (readonly [seed: number, hosts: number, claim: string])[] = [
  [500074, 4, 'a write of a Primary without its disk on a peer that had caught up meanwhile'],
  [500621, 5, 'the same'],
  [501146, 4, 'the same'],
  [502042, 4, 'the same'],
  [510950, 2, 'what a crashed Primary took back from a host, for it crashed as this resync ended'],
  [11, 4, 'the same'],
  [513577, 3, 'what a crashed Primary took back from a host while another Primary worked elsewhere'],
  [513747, 4, 'what was marked to be brought to a host, and was on its way'],
  [510521, 5, 'the same'],
  [520466, 4, 'a write to a host to which marked blocks were yet to be brought'],
  [513042, 4, 'no rest, for all disks were Outdated and its operator forced none of them'],
  [517600, 3, 'no rest, for its operator did not demote a Primary while an attach failed'],
  [513680, 3, 'no rest, for its operator tried to resume a resync that he had not paused, and not the other'],
  [560312, 3, 'the same, of a resync that began at rest'],
  [515135, 5, 'what a Primary had not flushed when its disk failed, for its peers had less of it'],
  [701371, 4, 'what a crashed Primary took back as it turned Outdated'],
  [502111, 5, 'the end, for its operator tried to attach for ever and never connected'],
];
test.each(wronglyBlamed)('seed %i, %i hosts is not blamed for %s', (seed, hosts) => {
  expect(verdictOn(seed, hosts)).toEqual(['1 passed, 0 failed']);
});
