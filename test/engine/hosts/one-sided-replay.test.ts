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
const twoConnect: Allowed = {
  why: 'two peers connect at the same time: what each is told depends on which of the two comes first',
  packet: /^[KU] 1 P_(UUIDS110|STATE|TWOPC_YES) /,
};
const deadNetwork: Allowed = {
  why: 'the network was dead, which the engine learns from its clock, after the write',
  packet: /^U 1 P_(DATA v0 sector=128|BARRIER) /,
};
const secondVolume: Allowed = {
  why: 'the kernel tells the state of the second volume twice',
  packet: /^K 1 P_STATE v1 state=0x80aaaa/,
};
const lateParameters: Allowed = {
  why: 'the transaction of a connect begins before the parameters of the peer are found to differ',
  packet: /^U \d (P_TWOPC_PREPARE|P_SYNC_PARAM89|P_SIZES|P_UUIDS110|P_STATE) /,
};

const lateEpoch: Allowed = {
  why: 'the epoch of a write is closed although the connection is about to be dropped',
  packet: /^U 1 P_BARRIER /,
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
  { run: '07-three-nodes', node: 'b', least: 167, of: 172, inOrder: 152, allowed: [twoConnect] },
  { run: '09-connection-loss', node: 'a', least: 48, of: 48, inOrder: 41, allowed: [deadNetwork] },
  { run: '09-connection-loss', node: 'b', least: 47, of: 47, inOrder: 42 },
  { run: '11-resize-two-volumes', node: 'a', least: 57, of: 58, inOrder: 53, allowed: [secondVolume] },
  { run: '11-resize-two-volumes', node: 'b', least: 63, of: 64, inOrder: 55, allowed: [secondVolume] },
  { run: '12-authentication-mismatch', node: 'a', least: 51, of: 51, inOrder: 46, allowed: [lateParameters] },
  { run: '12-authentication-mismatch', node: 'b', least: 44, of: 44, inOrder: 40 },
  { run: '13-two-primaries', node: 'a', least: 52, of: 52, inOrder: 46, allowed: [lateEpoch] },
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
