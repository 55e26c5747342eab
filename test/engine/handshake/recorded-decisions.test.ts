/** Every comparison that recorded kernels (DRBD 9.3.3) printed, compared again. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ComparedNode, compareUuids } from '../../../src/engine/handshake/compare-uuids';
import { strategyName } from '../../../src/engine/handshake/strategy';

interface Side {
  /** current, bitmap towards the other, two of history. */
  readonly uuids: readonly string[];
  readonly flags: string;
}
interface Recorded {
  readonly run: string;
  readonly node: string;
  readonly protocol: number;
  readonly self: Side;
  readonly peer: Side;
  readonly strategy: string;
  readonly rule: string;
}

const recorded = readFileSync(join(__dirname, '../../../fixtures/engine/handshake-decisions.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line): Recorded => JSON.parse(line));

function compared(side: Side, nodeId: number, other: number): ComparedNode {
  const [current = 0n, bitmap = 0n, ...rest] = side.uuids.map((text) => BigInt(`0x${text}`));
  const bitmaps = new Array<bigint>(32).fill(0n);
  bitmaps[other] = bitmap;
  const history = [...rest, ...new Array<bigint>(30).fill(0n)];
  return { nodeId, current, bitmap: bitmaps, history, flags: BigInt(`0x${side.flags}`) };
}

test('every recorded comparison is decided as the kernel decided it', () => {
  const different = recorded.filter((one) => {
    const decision = compareUuids({
      self: compared(one.self, 0, 1),
      peer: compared(one.peer, 1, 0),
      protocol: one.protocol,
      wireProtocol: 'C',
      resolveConflicts: false,
      sourceMissedEnd: false,
      peerMissedEnd: false,
    });
    return strategyName(decision.strategy) !== one.strategy || decision.rule !== one.rule;
  });
  process.stderr.write(`compared ${recorded.length} recorded handshakes\n`);
  expect(recorded.length).toBeGreaterThanOrEqual(98);
  expect(different).toEqual([]);
});
