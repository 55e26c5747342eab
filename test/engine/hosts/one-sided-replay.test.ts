/**
 * Recorded streams of real kernels (DRBD 9.3.3), fed to the engine from one side: it has to say what the kernel said,
 * packet for packet on each stream. What differs is listed here, per recording, with the reason.
 */
import { replayOneSide } from './one-sided-player';
import { compareLines } from './recorded-run';

jest.setTimeout(120_000);

interface Allowed {
  readonly why: string;
  /** `K N PACKET`: the kernel said it N times more; `U N PACKET`: the engine. */
  readonly packet: RegExp;
}
/** In every recording. */
const everywhere: readonly Allowed[] = [
  { why: 'peer acks are put off by the clock: how many writes share one', packet: /^[KU] \d+ P_PEER_ACK / },
  {
    why: 'said again at the end of a resync and after a connect without one, for nodes that missed it',
    packet: /^U \d+ P_PEERS_IN_SYNC /,
  },
];
const lateParameters: Allowed = {
  why: 'the transaction of a connect begins before the parameters of the peer are found to differ',
  packet: /^U \d (P_TWOPC_PREPARE|P_SYNC_PARAM89|P_SIZES|P_UUIDS110|P_STATE) /,
};
const lateEpoch: Allowed = {
  why: 'the epoch of a write is closed although the connection is about to be dropped',
  packet: /^U 1 P_BARRIER /,
};
const bothSourcesDone: Allowed = {
  why: 'who had to be compared with two nodes at the same time says so before or after the bits are cleared',
  packet: /^[KU] 1 P_UUIDS110 v0 current=0x(2f7ac03c|3ac26cde|0?ce9efc17)/,
};
const flushEach: Allowed = {
  why: 'each resync asks for its flush; the kernel does when replication is enabled for all of them',
  packet: /^U 1 P_FLUSH_REQUESTS /,
};
const leftPrimary: Allowed = {
  why: 'that a Primary was left on purpose, and how far its writes had come, is not told: it goes on without us',
  packet: /^K 1 (P_CURRENT_UUID v0 uuid=0x2f7ac03c3235297e|P_PEER_DAGTAG v-1 dagtag=520) /,
};
const offeredBack: Allowed = {
  why: 'who offers a resync to a peer without having been asked gets an answer at once',
  packet: /^U 1 P_UUIDS110 v0 current=0x[0-9a-f]+ dirtyBits=0 flags=0xa0 /,
};
const reconcileAtReconnect: Allowed = {
  why: 'RECONCILE_RECONNECT is not offered',
  packet: /^K 1 P_PEER_DAGTAG v-1 dagtag=136 /,
};
const toldLater: Allowed = {
  why: 'who skips the initial sync, or returns to UpToDate, says so before he has heard the same of the others',
  packet:
    /^([KU] 1 P_STATE v0 state=0x8(0b2|132|112)aa|[KU] 1 P_UUIDS110 v0 current=0x7798705419e0e678 dirtyBits=[01] flags=0xa0 )/,
};
const brokenConnects: Allowed = {
  why: 'a connection that broke while it was made had come less far in the kernel',
  packet:
    /^U 1 (P_CONNECTION_FEATURES|P_PROTOCOL|P_TWOPC_PREPARE|P_SYNC_PARAM89|P_SIZES|P_UUIDS110|P_STATE) /,
};
const quorumMark: Allowed = {
  why: 'that quorum was lost is remembered while a peer lacks writes of ours, not only until it is back',
  packet: /^([KU] 1) P_UUIDS110 v0 current=0x216839c6f7eaac07 dirtyBits=16 flags=0x[15]20 /,
};
const sizeWithoutDisk: Allowed = {
  why: 'without a disk there is no size of a disk to tell',
  packet: /^[KU] 1 P_SIZES v0 diskSize=(0|32688) userSize=0 currentSize=32688$/,
};
const followsTwice: Allowed = {
  why: 'a node without a disk says each time that it follows a new generation',
  packet: /^U 1 P_CURRENT_UUID v0 uuid=0x8710c56415882722 /,
};
const onlyDisksInSync: Allowed = {
  why: 'a node without a disk is not counted among those in sync, and is not told of them',
  packet: /^K 1 P_PEERS_IN_SYNC v0 sector=0 mask=0x[56] /,
};

interface Run {
  readonly run: string;
  readonly node: string;
  /** Packets of the kernel that the engine has to say, at least, of how many. */
  readonly least: number;
  readonly of: number;
  /** At least so many of them in the order of the kernel. */
  readonly inOrder: number;
  readonly allowed?: readonly Allowed[];
}
const runs: readonly Run[] = [
  { run: '01-two-nodes-initial-sync', node: 'a', least: 109, of: 109, inOrder: 105 },
  { run: '01-two-nodes-initial-sync', node: 'b', least: 173, of: 173, inOrder: 165 },
  { run: '02-writes', node: 'a', least: 262, of: 262, inOrder: 258 },
  { run: '02-writes', node: 'b', least: 187, of: 187, inOrder: 183 },
  { run: '03-resync-after-disconnect', node: 'a', least: 142, of: 142, inOrder: 92 },
  { run: '03-resync-after-disconnect', node: 'b', least: 190, of: 190, inOrder: 179 },
  { run: '04-online-verify', node: 'a', least: 3068, of: 3068, inOrder: 3062 },
  { run: '04-online-verify', node: 'b', least: 1822, of: 1822, inOrder: 1814 },
  { run: '05-checksum-resync-thin', node: 'a', least: 626, of: 626, inOrder: 619 },
  { run: '05-checksum-resync-thin', node: 'b', least: 885, of: 885, inOrder: 873 },
  { run: '06-split-brain', node: 'a', least: 97, of: 97, inOrder: 85 },
  { run: '06-split-brain', node: 'b', least: 91, of: 91, inOrder: 82 },
  { run: '07-three-nodes', node: 'a', least: 213, of: 213, inOrder: 206 },
  { run: '07-three-nodes', node: 'b', least: 169, of: 172, inOrder: 154, allowed: [bothSourcesDone] },
  {
    run: '07-three-nodes',
    node: 'c',
    least: 188,
    of: 191,
    inOrder: 172,
    allowed: [bothSourcesDone, flushEach, leftPrimary],
  },
  {
    run: '08-three-nodes-primary-lost',
    node: 'a',
    least: 91,
    of: 91,
    inOrder: 83,
    allowed: [offeredBack],
  },
  {
    run: '08-three-nodes-primary-lost',
    node: 'b',
    least: 107,
    of: 111,
    inOrder: 97,
    allowed: [toldLater, reconcileAtReconnect, brokenConnects, quorumMark],
  },
  {
    run: '08-three-nodes-primary-lost',
    node: 'c',
    least: 94,
    of: 96,
    inOrder: 84,
    allowed: [toldLater, reconcileAtReconnect, brokenConnects],
  },
  { run: '09-connection-loss', node: 'a', least: 48, of: 48, inOrder: 41 },
  { run: '09-connection-loss', node: 'b', least: 47, of: 47, inOrder: 42 },
  {
    run: '10-diskless-client',
    node: 'a',
    least: 176,
    of: 178,
    inOrder: 170,
    allowed: [offeredBack, onlyDisksInSync],
  },
  { run: '10-diskless-client', node: 'b', least: 136, of: 138, inOrder: 131, allowed: [onlyDisksInSync] },
  {
    run: '10-diskless-client',
    node: 'c',
    least: 195,
    of: 196,
    inOrder: 190,
    allowed: [sizeWithoutDisk, followsTwice],
  },
  { run: '11-resize-two-volumes', node: 'a', least: 58, of: 58, inOrder: 54 },
  { run: '11-resize-two-volumes', node: 'b', least: 64, of: 64, inOrder: 56 },
  { run: '12-authentication-mismatch', node: 'a', least: 51, of: 51, inOrder: 46, allowed: [lateParameters] },
  { run: '12-authentication-mismatch', node: 'b', least: 44, of: 44, inOrder: 40 },
  { run: '13-two-primaries', node: 'a', least: 52, of: 52, inOrder: 46, allowed: [lateEpoch] },
  { run: '13-two-primaries', node: 'b', least: 54, of: 54, inOrder: 48, allowed: [lateEpoch] },
];

test.each(runs)('recording $run, the engine as $node', ({ run, node, least, of, inOrder, allowed = [] }) => {
  const { said, problems } = replayOneSide(run, node);
  const all = [...said.values()];
  const packets = all.reduce((sum, { kernel }) => sum + kernel.length, 0);
  const missing = all.reduce((sum, { owed }) => sum + owed, 0);
  const ordered = all.reduce((sum, { kernel, engine }) => sum + compareLines(kernel, engine).common, 0);
  process.stderr.write(
    `recording ${run} as ${node}: ${packets - missing} of ${packets} packets as the kernel's, ${ordered} in its order
`,
  );
  expect(problems).toEqual([]);
  expect(packets).toBe(of);
  expect(ordered).toBeGreaterThanOrEqual(inOrder);
  const unexplained = [...said].flatMap(([stream, { differences }]) =>
    differences
      .filter((line) => ![...everywhere, ...allowed].some(({ packet }) => packet.test(line)))
      .map((line) => `${stream}: ${line}`),
  );
  expect(unexplained).toEqual([]);
  expect(packets - missing).toBeGreaterThanOrEqual(least);
});
