import { DiskState, ReplicationState } from '../../../src/control/contract/states';
import { type Opener } from '../../../src/engine/application-io';
import { type NetOptions } from '../../../src/engine/options';
import { FakeClock } from './fake-machine';
import { Cluster, type Node } from './two-nodes';

const { Established, SyncTarget, WFBitMapS, WFBitMapT } = ReplicationState;

function cluster(seed: number, count: number, options: Partial<NetOptions> = {}) {
  const clock = new FakeClock(seed);
  const all = new Cluster(clock, count, options);
  const [a, b] = all.nodes;
  if (a === undefined || b === undefined) throw new Error('two nodes');
  return { clock, all, a, b, c: all.nodes[2] };
}
function write(opener: Opener, sector: number, sectors: number, fill: number): { error: number | undefined } {
  const result: { error: number | undefined } = { error: undefined };
  const data = new Uint8Array(sectors * 512).fill(fill);
  opener.write(sector * 512, data, false, { onIoDone: (error) => void (result.error = error) });
  return result;
}
const bits = (node: Node, peer: Node): number =>
  node.device.backing?.bitmap.count(node.peer(peer.id).bitmapSlot) ?? -1;
const noErrors = (...nodes: Node[]): void =>
  expect(nodes.map(({ protocolErrors }) => protocolErrors)).toEqual(nodes.map(() => []));
/** A resync that takes a few seconds: KiB/s, fixed. */
function slowResync(target: Node, from: number): void {
  const peer = target.peer(from);
  peer.options = { ...peer.options, cPlanAhead: 0, resyncRate: 3000 };
}
/** The next write to the first block of this node's disk begins when the answer is called. */
function holdFirstBlock({ disk }: Node): () => void {
  const write = disk.write.bind(disk);
  let held: (() => void) | undefined;
  disk.write = (offset, from, fua, waiter) => {
    if (held !== undefined || offset > 0) write(offset, from, fua, waiter);
    else held = () => write(offset, from, fua, waiter);
  };
  return () => held?.();
}
/** Flushes of this node's disk begin when the answer is called, and from then on at once. */
function holdFlushes({ disk }: Node): () => void {
  const flush = disk.flush.bind(disk);
  const held: Parameters<typeof flush>[0][] = [];
  disk.flush = (waiter) => void held.push(waiter);
  return () => {
    disk.flush = flush;
    for (const waiter of held) flush(waiter);
  };
}
function fillWithNoise(node: Node, clock: FakeClock): void {
  for (let at = 0; at < node.data.length; at += 512) node.data.fill(clock.below(256), at, at + 512);
  node.disk.stable.set(node.disk.bytes);
}

test.each(['A', 'C'] as const)('a full sync under a load of writes, protocol %s', (protocol) => {
  for (let seed = 1; seed <= 8; seed++) {
    const { clock, all, a, b } = cluster(seed, 2, { protocol });
    a.attach(DiskState.UpToDate);
    b.attach(DiskState.Inconsistent);
    fillWithNoise(a, clock);
    a.device.backing?.bitmap.setAll(a.peer(1).bitmapSlot);
    a.becomePrimary();
    all.connect(a, b, WFBitMapS, WFBitMapT);
    const opener = a.open();
    const results: { error: number | undefined }[] = [];
    for (let i = 0; i < 400 && b.peer(0).now.repl !== Established; i++) {
      results.push(write(opener, clock.below(46000), 1 + clock.below(30), i & 255));
      for (let steps = clock.below(30); steps > 0; steps--) clock.step();
      if (clock.below(4) === 0) clock.advance(clock.below(50));
    }
    clock.advance(60000);
    expect(results.filter(({ error }) => error !== 0)).toEqual([]);
    expect([a.peer(1).now.repl, b.peer(0).now.repl]).toEqual([Established, Established]);
    expect([b.device.now.disk, a.peer(1).now.pdsk]).toEqual([DiskState.UpToDate, DiskState.UpToDate]);
    expect(Buffer.compare(a.data, b.data)).toBe(0);
    expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
    noErrors(a, b);
    expect([a.peer(1).io.pending, b.peer(0).io.pending, b.peer(0).io.unacked]).toEqual([0, 0, 0]);
  }
});

test('a Primary that is itself the target ends with the data of its writes', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { clock, all, a, b } = cluster(seed, 2);
    a.attach(DiskState.Inconsistent);
    b.attach(DiskState.UpToDate);
    fillWithNoise(b, clock);
    a.device.backing?.bitmap.setAll(a.peer(1).bitmapSlot);
    all.connect(a, b, WFBitMapT, WFBitMapS);
    a.becomePrimary();
    const opener = a.open();
    const results: { error: number | undefined }[] = [];
    for (let i = 0; i < 200 && a.peer(1).now.repl !== Established; i++) {
      results.push(write(opener, clock.below(46000), 1 + clock.below(30), i & 255));
      for (let steps = clock.below(30); steps > 0; steps--) clock.step();
      if (clock.below(4) === 0) clock.advance(clock.below(50));
    }
    clock.advance(60000);
    expect(results.filter(({ error }) => error !== 0)).toEqual([]);
    expect(a.device.now.disk).toBe(DiskState.UpToDate);
    expect(Buffer.compare(a.data, b.data)).toBe(0);
    expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
    noErrors(a, b);
  }
});

test('a target that crashes in the middle and loses its cache has a bit on disk for every block it lacks', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { clock, all, a, b } = cluster(seed, 2);
    a.attach(DiskState.UpToDate);
    b.attach(DiskState.Inconsistent);
    fillWithNoise(a, clock);
    a.device.backing?.bitmap.setAll(a.peer(1).bitmapSlot);
    slowResync(b, 0);
    all.connect(a, b, WFBitMapS, WFBitMapT);
    clock.advance(500 + clock.below(6500));
    for (let steps = clock.below(300); steps > 0; steps--) if (!clock.step()) clock.advance(1);
    expect(b.peer(0).now.repl).toBe(SyncTarget);
    const image = b.disk.crash();
    const { backing } = b.device;
    if (backing === undefined) throw new Error('no disk');
    let lost = 0;
    for (let bit = 0; bit < backing.bitmap.bits; bit++) {
      const same = Buffer.compare(
        image.subarray(bit * 4096, (bit + 1) * 4096),
        a.disk.bytes.subarray(bit * 4096, (bit + 1) * 4096),
      );
      if (same === 0) continue;
      const slot = b.peer(0).bitmapSlot;
      const at = backing.layout.bitmapByte + (Math.floor(bit / 32) * 3 + slot) * 4 + ((bit % 32) >> 3);
      const onDisk = ((image[at] ?? 0) >> (bit & 7)) & 1;
      if (onDisk === 0) lost++;
    }
    expect(lost).toBe(0);
  }
});

test('checksums spare the blocks that are equal', () => {
  const { clock, all, a, b } = cluster(5, 2, { csumsAlg: 'sha1' });
  a.attach(DiskState.UpToDate);
  b.attach(DiskState.Inconsistent);
  fillWithNoise(a, clock);
  b.data.set(a.data);
  b.data[5 << 20] = (b.data[5 << 20] ?? 0) ^ 1;
  a.device.backing?.bitmap.setAll(a.peer(1).bitmapSlot);
  all.connect(a, b, WFBitMapS, WFBitMapT);
  clock.advance(60000);
  expect(b.peer(0).now.repl).toBe(Established);
  expect(Buffer.compare(a.data, b.data)).toBe(0);
  expect(b.names().filter((name) => name === 'P_RS_DATA_REPLY').length).toBe(1);
  noErrors(a, b);
});

test('verify finds the blocks that differ, and only those', () => {
  const { clock, all, a, b } = cluster(6, 2, { verifyAlg: 'sha1' });
  a.attach(DiskState.UpToDate);
  b.attach(DiskState.UpToDate);
  fillWithNoise(a, clock);
  b.data.set(a.data);
  for (const at of [0, 4096, 9 << 20]) b.data[at] = (b.data[at] ?? 0) ^ 1;
  all.connect(a, b, Established, Established);
  b.impose(() => void (b.peer(0).next.repl = ReplicationState.VerifyT));
  a.impose(() => void (a.peer(1).next.repl = ReplicationState.VerifyS));
  clock.advance(120000);
  expect([a.peer(1).now.repl, b.peer(0).now.repl]).toEqual([Established, Established]);
  expect([bits(a, b), bits(b, a)]).toEqual([3, 3]);
  // Neighbours share a line if their answers come one after the other.
  const lines = a.log.map((line) => /Out of sync: start=(\d+), size=(\d+) \(sectors\)/.exec(line));
  const sectors = lines.flatMap((line) =>
    line === null ? [] : Array.from({ length: Number(line[2]) / 8 }, (_, i) => Number(line[1]) + i * 8),
  );
  expect(sectors.sort((one, other) => one - other)).toEqual([0, 8, 18432]);
  noErrors(a, b);
});

test('verify skips a block whose write has arrived and waits for the flush of the epoch before', () => {
  const { clock, all, a, b } = cluster(8, 2, { verifyAlg: 'sha1', protocol: 'A' });
  a.attach(DiskState.UpToDate);
  b.attach(DiskState.UpToDate);
  a.becomePrimary();
  all.connect(a, b, Established, Established);
  const opener = a.open();
  const release = holdFlushes(b);
  write(opener, 80, 8, 1);
  clock.advance(100);
  a.impose(() => void (a.peer(1).next.repl = ReplicationState.VerifyT));
  b.impose(() => void (b.peer(0).next.repl = ReplicationState.VerifyS));
  while (b.peer(0).io.verify === undefined) clock.step();
  // The request goes out before the write is here, and finds it done on the Primary.
  write(opener, 0, 8, 2);
  b.peer(0).io.verify?.onTimer();
  clock.settle();
  expect([a.data[0], b.data[0]]).toEqual([2, 0]);
  release();
  clock.advance(120000);
  expect([a.peer(1).now.repl, b.peer(0).now.repl]).toEqual([Established, Established]);
  expect(b.log.join('\n')).toContain('Skipped verify, too busy: start=0, size=8 (sectors)');
  expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
  expect(Buffer.compare(a.data, b.data)).toBe(0);
  noErrors(a, b);
});

test('pausing stops the requests, resuming finishes the resync', () => {
  const { clock, all, a, b } = cluster(7, 2);
  a.attach(DiskState.UpToDate);
  b.attach(DiskState.Inconsistent);
  fillWithNoise(a, clock);
  a.device.backing?.bitmap.setAll(a.peer(1).bitmapSlot);
  slowResync(b, 0);
  all.connect(a, b, WFBitMapS, WFBitMapT);
  clock.advance(2000);
  b.impose(() => void (b.peer(0).next.resyncSuspUser = true));
  clock.advance(5000);
  const left = bits(b, a);
  expect(left).toBeGreaterThan(0);
  expect(b.peer(0).now.repl).toBe(ReplicationState.PausedSyncT);
  clock.advance(5000);
  expect(bits(b, a)).toBe(left);
  b.impose(() => void (b.peer(0).next.resyncSuspUser = false));
  clock.advance(60000);
  expect(b.peer(0).now.repl).toBe(Established);
  expect(Buffer.compare(a.data, b.data)).toBe(0);
  noErrors(a, b);
});

test.each([
  ['brought', ''],
  ['found equal', 'sha1'],
])(
  'what a resync has %s is not marked once more by a write that retires behind a slow one',
  (_, csumsAlg) => {
    for (let seed = 1; seed <= 8; seed++) {
      const { clock, all, a, b } = cluster(seed, 2, { csumsAlg });
      a.attach(DiskState.UpToDate);
      b.attach(DiskState.Outdated);
      a.becomePrimary();
      const opener = a.open();
      const release = holdFirstBlock(a);
      const slow = write(opener, 0, 8, 1);
      clock.settle();
      const others = [write(opener, 800, 20, 2), write(opener, 1603, 2, 3), write(opener, 2400, 8, 0)];
      clock.advance(100);
      expect([slow, ...others].map(({ error }) => error)).toEqual([undefined, 0, 0, 0]);
      all.connect(a, b, WFBitMapS, WFBitMapT);
      clock.advance(3000);
      expect(bits(a, b)).toBe(1);
      expect(write(opener, 804, 8, 4).error).toBeUndefined();
      release();
      clock.advance(60000);
      expect(slow.error).toBe(0);
      expect([a.peer(1).now.repl, b.peer(0).now.repl]).toEqual([Established, Established]);
      expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
      expect(Buffer.compare(a.data, b.data)).toBe(0);
      noErrors(a, b);
    }
  },
);
