import { DiskState, ReplicationState } from '../../../src/control/contract/states';
import { type NetOptions } from '../../../src/engine/options';
import { type Opener } from '../../../src/engine/application-io';
import { FakeClock } from './fake-machine';
import { Cluster, type Node } from './two-nodes';

const { Established } = ReplicationState;
const block = (fill: number, bytes = 4096): Uint8Array => new Uint8Array(bytes).fill(fill);

function pair(seed: number, options: Partial<NetOptions> = {}) {
  const clock = new FakeClock(seed);
  const cluster = new Cluster(clock, 2, options);
  const [a, b] = cluster.nodes;
  if (a === undefined || b === undefined) throw new Error('two nodes');
  a.attach(DiskState.UpToDate);
  b.attach(DiskState.UpToDate);
  cluster.connect(a, b, Established, Established);
  a.becomePrimary();
  return { clock, cluster, a, b };
}
function write(opener: Opener, offset: number, data: Uint8Array): { error: number | undefined } {
  const result: { error: number | undefined } = { error: undefined };
  opener.write(offset, data, false, { onIoDone: (error) => void (result.error = error) });
  return result;
}
const bits = (node: Node, peer: Node): number =>
  node.device.backing?.bitmap.count(node.peer(peer.id).bitmapSlot) ?? -1;

test('a write under protocol C is on both disks when it completes, then its epoch is closed and peer-acked', () => {
  const { clock, a, b } = pair(3);
  const opener = a.open();
  const result = write(opener, 8192, block(0x5a));
  while (result.error === undefined) {
    if (!clock.step()) throw new Error('the write never completed');
  }
  expect(result.error).toBe(0);
  expect(a.data[8192]).toBe(0x5a);
  expect(b.data[8192]).toBe(0x5a);
  clock.advance(1000);
  expect(b.names().filter((name) => name !== 'P_DAGTAG')).toEqual(['P_DATA', 'P_BARRIER', 'P_PEER_ACK']);
  expect(a.names().filter((name) => name !== 'P_DAGTAG')).toEqual(['P_WRITE_ACK', 'P_BARRIER_ACK']);
  expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
  expect([a.protocolErrors, b.protocolErrors]).toEqual([[], []]);
  expect(a.resource.io.logHead).toBeUndefined();
  expect(b.disk.trace.some(({ kind }) => kind === 'flush')).toBe(true);
});

test.each(['A', 'B', 'C'] as const)(
  'random overlapping writes under protocol %s end identical',
  (protocol) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { clock, a, b } = pair(seed, { protocol });
      const opener = a.open();
      const results: { error: number | undefined }[] = [];
      for (let i = 1; i <= 80; i++) {
        const sectors = 1 + clock.below(40);
        const sector = clock.below(clock.below(3) === 0 ? 40000 : 100);
        const kind = clock.below(8);
        if (kind === 0) {
          const result: { error: number | undefined } = { error: undefined };
          results.push(result);
          const waiter = { onIoDone: (error: number) => void (result.error = error) };
          if (clock.below(2) === 0) opener.discard(sector * 512, sectors * 512, waiter);
          else opener.zeroOut(sector * 512, sectors * 512, true, waiter);
        } else results.push(write(opener, sector * 512, block(i, sectors * 512)));
        for (let steps = clock.below(12); steps > 0; steps--) clock.step();
      }
      clock.advance(1000);
      expect(results.map(({ error }) => error).filter((error) => error !== 0)).toEqual([]);
      expect(Buffer.compare(a.data, b.data)).toBe(0);
      expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
      expect([a.protocolErrors, b.protocolErrors]).toEqual([[], []]);
      expect([a.peer(1).io.pending, b.peer(0).io.unacked]).toEqual([0, 0]);
      expect([a.device.io.intervals.size, b.device.io.intervals.size]).toEqual([0, 0]);
    }
  },
);

test('large writes and discards are cut into requests that fit into a packet', () => {
  const { clock, a, b } = pair(1);
  const opener = a.open();
  const result = write(opener, 0, block(9, 3 << 20));
  clock.advance(500);
  expect(result.error).toBe(0);
  expect(b.names().filter((name) => name === 'P_DATA').length).toBe(3);
  expect(Buffer.compare(a.data, b.data)).toBe(0);
});

test('what the peer misses is in the bitmap, and a resync brings exactly that', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { clock, cluster, a, b } = pair(seed);
    const opener = a.open();
    const results = [write(opener, 0, block(1, 65536))];
    for (let steps = clock.below(10); steps > 0; steps--) clock.step();
    cluster.disconnect(a, b);
    clock.advance(1000);
    results.push(write(opener, 1 << 20, block(2, 8192)));
    clock.advance(1000);
    expect(results.map(({ error }) => error)).toEqual([0, 0]);
    expect(bits(a, b)).toBeGreaterThanOrEqual(2);
    const before = bits(a, b);
    b.impose(() => void (b.device.next.disk = DiskState.Outdated));
    cluster.connect(a, b, ReplicationState.WFBitMapS, ReplicationState.WFBitMapT);
    results.push(write(opener, 2 << 20, block(3)));
    clock.advance(20000);
    results.push(write(opener, 3 << 20, block(4)));
    clock.advance(1000);
    expect(results.map(({ error }) => error)).toEqual([0, 0, 0, 0]);
    expect([a.peer(1).now.repl, b.peer(0).now.repl]).toEqual([Established, Established]);
    expect(Buffer.compare(a.data, b.data)).toBe(0);
    expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
    expect(before).toBeLessThan(40);
    expect([a.protocolErrors, b.protocolErrors]).toEqual([[], []]);
  }
});

test('of a discard only the aligned middle is given to a disk whose discards may leave anything', () => {
  const { clock, a } = pair(1);
  a.disk.discardZeroes = false;
  a.disk.discardGranularity = 65536;
  const opener = a.open();
  write(opener, 0, block(1, 262144));
  clock.advance(500);
  a.disk.trace.length = 0;
  const result: { error: number | undefined } = { error: undefined };
  opener.discard(4096, 200704, { onIoDone: (error) => void (result.error = error) });
  clock.advance(500);
  expect(result.error).toBe(0);
  expect(a.disk.trace.filter(({ kind }) => kind === 'discard' || kind === 'zero')).toEqual([
    { kind: 'discard', offset: 65536, length: 131072 },
    { kind: 'zero', offset: 4096, length: 61440 },
    { kind: 'zero', offset: 196608, length: 8192 },
  ]);
  expect(a.disk.bytes.subarray(4096, 204800).every((byte) => byte === 0)).toBe(true);
});
