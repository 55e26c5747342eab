import { DiskState, ReplicationState } from '../../../src/control/contract/states';
import { type Opener } from '../../../src/engine/application-io';
import { type NetOptions } from '../../../src/engine/options';
import { replayActivityLog } from '../../../src/metadata/activity-log-replay';
import { FakeClock } from './fake-machine';
import { Cluster, type Node } from './two-nodes';

const { Established } = ReplicationState;

function cluster(seed: number, count: number, options: Partial<NetOptions> = {}) {
  const clock = new FakeClock(seed);
  const all = new Cluster(clock, count, options);
  const [a, b, c] = all.nodes;
  if (a === undefined || b === undefined) throw new Error('two nodes');
  return { clock, all, a, b, c: c ?? b };
}
function upToDatePair(seed: number, options: Partial<NetOptions> = {}) {
  const made = cluster(seed, 2, options);
  made.a.attach(DiskState.UpToDate);
  made.b.attach(DiskState.UpToDate);
  made.all.connect(made.a, made.b, Established, Established);
  made.a.becomePrimary();
  return made;
}
interface Result {
  error: number | undefined;
}
function write(opener: Opener, sector: number, sectors: number, fill: number): Result {
  const result: Result = { error: undefined };
  const data = new Uint8Array(sectors * 512).fill(fill);
  opener.write(sector * 512, data, false, { onIoDone: (error) => void (result.error = error) });
  return result;
}
function read(opener: Opener, sector: number, sectors: number): Result & { data: Uint8Array } {
  const result = { error: undefined as number | undefined, data: new Uint8Array(sectors * 512) };
  opener.read(sector * 512, result.data, { onIoDone: (error) => void (result.error = error) });
  return result;
}
const bits = (node: Node, peer: Node): number =>
  node.device.backing?.bitmap.count(node.peer(peer.id).bitmapSlot) ?? -1;
const noErrors = (...nodes: Node[]): void =>
  expect(nodes.map(({ protocolErrors }) => protocolErrors)).toEqual(nodes.map(() => []));

test('a failing local disk is detached, writes and reads go on through the peer', () => {
  const { clock, a, b } = upToDatePair(2);
  const opener = a.open();
  a.disk.failWrites = a.disk.failReads = 5;
  const first = write(opener, 80, 8, 1);
  clock.advance(500);
  expect(first.error).toBe(0);
  expect(a.device.now.disk).toBe(DiskState.Diskless);
  expect(a.device.backing).toBeUndefined();
  expect(a.log.some((line) => /Local IO failed in \w+\. Detaching\.\.\./.test(line))).toBe(true);
  const second = write(opener, 160, 8, 2);
  clock.advance(500);
  const back = read(opener, 160, 8);
  clock.advance(500);
  expect([second.error, back.error, back.data[0], b.data[80 * 512]]).toEqual([0, 0, 2, 1]);
  noErrors(a, b);
});

test('a read error is served by the peer and marks the range in every slot', () => {
  const { clock, a, b } = upToDatePair(2);
  a.device.diskOptions = { ...(a.device.diskOptions ?? never()), onIoError: 'pass_on' };
  const opener = a.open();
  b.data[4096] = 0x77;
  a.disk.failReads = 5;
  const result = read(opener, 8, 8);
  clock.advance(500);
  expect([result.error, result.data[0]]).toEqual([0, 0x77]);
  expect(a.device.now.disk).toBe(DiskState.Inconsistent);
  expect(bits(a, b)).toBe(1);
  noErrors(a, b);
});
function never(): never {
  throw new Error('unreachable');
}

test('a peer that cannot write answers with a negative ack, the write succeeds and is owed', () => {
  const { clock, a, b } = upToDatePair(3);
  const opener = a.open();
  b.disk.failWrites = 5;
  const result = write(opener, 8, 8, 9);
  clock.advance(500);
  expect(result.error).toBe(0);
  expect(a.names()).toContain('P_NEG_ACK');
  expect(bits(a, b)).toBe(1);
  expect(b.device.now.disk).toBeLessThanOrEqual(DiskState.Failed);
  noErrors(a, b);
});

test('without quorum-like suspension a lost peer fails nothing; suspended, requests wait and are resent', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { clock, all, a, b } = upToDatePair(seed);
    const opener = a.open();
    const early = write(opener, 0, 8, 1);
    clock.advance(500);
    expect(early.error).toBe(0);
    const results: Result[] = [];
    for (let i = 0; i < 10; i++) results.push(write(opener, 100 + 16 * i, 8, 10 + i));
    for (let steps = clock.below(25); steps > 0; steps--) clock.step();
    a.impose(() => void (a.resource.next.suspUser = true));
    const pending = results.filter(({ error }) => error === undefined).length;
    all.disconnect(a, b);
    const late = write(opener, 1000, 8, 99);
    clock.advance(2000);
    expect(late.error).toBeUndefined();
    const kept = results.filter(({ error }) => error === undefined).length;
    expect(kept).toBeLessThanOrEqual(pending);
    all.connect(a, b, Established, Established);
    a.impose(() => void (a.resource.next.suspUser = false));
    clock.advance(2000);
    expect([...results, late].map(({ error }) => error)).toEqual(Array<number>(11).fill(0));
    for (let i = 0; i < 10; i++) expect(b.data[(100 + 16 * i) * 512]).toBe(10 + i);
    expect(b.data[1000 * 512]).toBe(99);
    noErrors(a, b);
    expect(Buffer.compare(a.data, b.data)).toBe(0);
  }
});

test('a diskless Primary reads and writes through its peers', () => {
  const { clock, all, a, b } = cluster(4, 2);
  b.attach(DiskState.UpToDate);
  a.device.size = b.device.size;
  all.connect(a, b, Established, Established);
  a.becomePrimary();
  const opener = a.open();
  const results = Array.from({ length: 30 }, (_, i) => write(opener, 16 * i, 16, i + 1));
  clock.advance(1000);
  const back = read(opener, 0, 480);
  clock.advance(500);
  expect(results.every(({ error }) => error === 0)).toBe(true);
  expect(back.error).toBe(0);
  expect(Buffer.compare(back.data, b.data.subarray(0, 480 * 512))).toBe(0);
  expect(back.data[16 * 512 * 7]).toBe(8);
  expect(a.resource.io.logHead).toBeUndefined();
  noErrors(a, b);
});

test('of three nodes the one that missed writes is owed them by both others, and peer acks clear the rest', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { clock, all, a, b, c } = cluster(seed, 3);
    for (const node of [a, b, c]) node.attach(DiskState.UpToDate);
    all.connect(a, b, Established, Established);
    all.connect(a, c, Established, Established);
    all.connect(b, c, Established, Established);
    a.becomePrimary();
    const opener = a.open();
    const early = write(opener, 0, 8, 1);
    clock.advance(1000);
    expect([bits(b, c), bits(c, b), bits(a, b), bits(a, c)]).toEqual([0, 0, 0, 0]);
    all.disconnect(b, c);
    all.disconnect(a, c);
    clock.advance(1000);
    const missed = write(opener, 800, 8, 2);
    clock.advance(1000);
    expect([early.error, missed.error]).toEqual([0, 0]);
    expect([bits(a, c), bits(b, c)]).toEqual([1, 1]);
    expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
    expect(b.device.backing?.activityLog.inUse(800, 8)).toBe(false);
    // The Primary goes in the middle of writes: nobody knows who has them.
    const open = write(opener, 1600, 8, 3);
    for (let steps = clock.below(8); steps > 0; steps--) clock.step();
    all.disconnect(a, b);
    clock.advance(1000);
    expect(open.error).toBe(0);
    expect(bits(a, b)).toBeGreaterThanOrEqual(1);
    if (b.data[1600 * 512] === 3) expect(bits(b, c)).toBe(2);
    noErrors(a, b, c);
  }
});

test('after a crash of the Primary every block that differs from the peer is hot or has a bit', () => {
  for (let seed = 1; seed <= 15; seed++) {
    const { clock, all, a, b } = upToDatePair(seed);
    const opener = a.open();
    const acknowledged: { result: Result; sector: number; fill: number }[] = [];
    for (let i = 0; i < 60; i++) {
      const sector = 8 * clock.below(5000);
      acknowledged.push({ result: write(opener, sector, 8, (i % 200) + 1), sector, fill: (i % 200) + 1 });
      for (let steps = clock.below(20); steps > 0; steps--) clock.step();
      if (i === 40 && seed % 3 === 0) all.disconnect(a, b);
    }
    const image = a.disk.crash();
    const { backing } = a.device;
    if (backing === undefined) throw new Error('no disk');
    const { alByte, alBytes, bitmapByte } = backing.layout;
    const hot = new Set(
      replayActivityLog(image.subarray(alByte, alByte + alBytes), backing.superblock).hotExtents,
    );
    const slot = a.peer(1).bitmapSlot;
    for (let bit = 0; bit < backing.bitmap.bits; bit++) {
      const range = [bit * 4096, (bit + 1) * 4096] as const;
      if (Buffer.compare(image.subarray(...range), b.disk.bytes.subarray(...range)) === 0) continue;
      const at = bitmapByte + (Math.floor(bit / 32) * 3 + slot) * 4 + ((bit % 32) >> 3);
      const owed = (((image[at] ?? 0) >> (bit & 7)) & 1) === 1;
      if (!owed && !hot.has(Math.floor(bit / 1024)))
        throw new Error(`seed ${seed}: block ${bit} is forgotten`);
    }
    noErrors(a, b);
  }
});

test('a full activity log on either side stalls nobody for good', () => {
  const clock = new FakeClock(8);
  const all = new Cluster(clock, 2, {}, 80 << 20);
  const [a, b] = all.nodes;
  if (a === undefined || b === undefined) throw new Error('two nodes');
  a.attach(DiskState.UpToDate);
  b.attach(DiskState.UpToDate, { 'al-extents': 7 });
  all.connect(a, b, Established, Established);
  a.becomePrimary();
  const opener = a.open();
  const results: Result[] = [];
  for (let i = 0; i < 300; i++) results.push(write(opener, 8 * clock.below(18000), 8, i & 255));
  clock.advance(5000);
  expect(results.filter(({ error }) => error !== 0).length).toBe(0);
  expect(Buffer.compare(a.data, b.data)).toBe(0);
  expect([bits(a, b), bits(b, a)]).toEqual([0, 0]);
  noErrors(a, b);
});
