import { DiskState } from '../../../src/control/contract/states';
import { QUORUM_ALL, QUORUM_MAJORITY, QUORUM_OFF } from '../../../src/engine/options';
import { decideQuorum, type QuorumInput, type QuorumPeer } from '../../../src/engine/state/quorum';

const peer = (given: Partial<QuorumPeer>): QuorumPeer => ({
  connected: false,
  pdsk: DiskState.DUnknown,
  intentionalDiskless: false,
  tiebreaker: true,
  allowRemoteRead: true,
  slotOutdated: false,
  lost: false,
  quorate: false,
  ...given,
});
const upToDate = peer({ connected: true, pdsk: DiskState.UpToDate });
const syncing = peer({ connected: true, pdsk: DiskState.Inconsistent });
const absent = peer({});
const outdated = peer({ pdsk: DiskState.Outdated });
const quorumless = peer({ lost: true });
const client = peer({ connected: true, pdsk: DiskState.Diskless, intentionalDiskless: true });
const absentClient = peer({ intentionalDiskless: true });
const detached = peer({ connected: true, pdsk: DiskState.Diskless });

const input = (peers: readonly QuorumPeer[], given: Partial<QuorumInput> = {}): QuorumInput => ({
  quorum: QUORUM_MAJORITY,
  minimumRedundancy: QUORUM_OFF,
  disk: DiskState.UpToDate,
  intentionalDiskless: false,
  quorumNow: true,
  peers,
  ...given,
});

describe('quorum', () => {
  test.each<[string, readonly QuorumPeer[], Partial<QuorumInput>, boolean]>([
    ['alone in the cluster', [], {}, true],
    ['two nodes, peer there', [upToDate], {}, true],
    ['two nodes, peer gone', [absent], {}, false],
    ['two nodes, peer outdated: last man standing', [outdated], {}, true],
    ['three nodes, one gone', [upToDate, absent], {}, true],
    ['three nodes, both gone', [absent, absent], {}, false],
    ['three nodes, one outdated, one gone', [outdated, absent], {}, false],
    ['three nodes, one outdated, one there', [outdated, upToDate], {}, true],
    ['three nodes, both outdated', [outdated, outdated], {}, true],
    ['a syncing peer is present', [syncing, absent], {}, true],
    ['a detached peer is present', [detached, absent], {}, true],
    [
      'five nodes, two quorumless, one outdated, one there',
      [quorumless, quorumless, outdated, upToDate],
      {},
      false,
    ],
    ['three nodes, the lost one is known to be without us', [upToDate, quorumless], {}, true],
    ['quorum off', [absent, absent], { quorum: QUORUM_OFF }, true],
    ['all: one gone', [upToDate, absent], { quorum: QUORUM_ALL }, false],
    ['all: all there', [upToDate, upToDate], { quorum: QUORUM_ALL }, true],
    ['a number: reached', [upToDate, absent], { quorum: 2 }, true],
    ['a number: missed', [upToDate, absent], { quorum: 3 }, false],
    ['too few UpToDate copies', [syncing, syncing], { minimumRedundancy: QUORUM_MAJORITY }, false],
    ['enough UpToDate copies', [upToDate, syncing], { minimumRedundancy: QUORUM_MAJORITY }, true],
    ['a peer nobody reads from does not vote', [peer({ allowRemoteRead: false })], {}, true],
    ['tiebreaker client keeps quorum', [absent, client], {}, true],
    ['tiebreaker client grants none', [absent, client], { quorumNow: false }, false],
    ['the client is away too', [absent, absentClient], {}, false],
    ['one of two clients is no majority of clients', [absent, client, absentClient], {}, false],
    ['a client that may not break ties', [absent, peer({ ...client, tiebreaker: false })], {}, false],
  ])('%s', (_name, peers, given, expected) => {
    expect(decideQuorum(input(peers, given)).have).toBe(expected);
  });

  test.each<[string, readonly QuorumPeer[], Partial<QuorumInput>, boolean]>([
    ['a quorate UpToDate peer vouches', [peer({ ...upToDate, quorate: true })], {}, true],
    ['a diskless node between one peer and nothing', [absent, peer({ ...upToDate })], {}, false],
    ['both diskful peers there', [upToDate, upToDate], { intentionalDiskless: true }, true],
    ['a client that sees nobody', [absent, absent], { intentionalDiskless: true }, false],
  ])('without a disk: %s', (_name, peers, given, expected) => {
    expect(decideQuorum(input(peers, { disk: DiskState.Diskless, ...given })).have).toBe(expected);
  });

  test.each<[string, QuorumInput]>([
    ['1 of 3 nodes visible, need 2 for quorum', input([absent, absent])],
    [
      '1 of 3 nodes up_to_date, need 2 for quorum-minimum-redundancy',
      input([syncing, syncing], { minimumRedundancy: QUORUM_MAJORITY }),
    ],
    ['no UpToDate peer with quorum', input([absent], { disk: DiskState.Diskless })],
  ])('is refused with: %s', (text, given) => {
    expect(decideQuorum(given).text).toBe(text);
  });
});
