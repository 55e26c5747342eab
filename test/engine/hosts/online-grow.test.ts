import { computeLayout, INDEX_INTERNAL, superblockByte } from '../../../src/metadata/layout';
import { SUPERBLOCK_BYTES } from '../../../src/metadata/superblock-flags';
import { followLastKnownSize, readSuperblock } from '../../../src/simulation/metadata-tool';
import {
  contentsOf,
  cutsUntilDone,
  DISK,
  expectData,
  expectMetadata,
  grow,
  inSync,
  MIB,
  pattern,
  placeOf,
  resizeTo,
  sizeOf,
  SMALL,
} from './grown-disks';
import { DATA_SECTORS } from './two-hosts';

jest.setTimeout(120_000);

test.each([
  ['well beyond the old meta-data', 8 * MIB],
  ['into the old meta-data', SMALL],
])('disks that grew %s give a larger device, and the meta-data move', (_, bytes) => {
  const { world, a, b } = inSync(1);
  const oldSize = a.machine.medium(DISK).size;
  grow([a, b], bytes);
  a.must(resizeTo());
  const sectors = computeLayout({
    alStripes: 1,
    alStripeSize4k: 8,
    deviceBytes: oldSize + bytes,
    index: INDEX_INTERNAL,
    maxPeers: 3,
    bytesPerBit: 4096,
  }).usableSectors;
  // The command is through when its own node has the size; the peer's has it when the commit is there.
  world.runUntil(() => sizeOf(b) === sectors, 5000);
  expect([sizeOf(a), sizeOf(b)]).toEqual([sectors, sectors]);
  expect(sectors).toBeGreaterThan(DATA_SECTORS);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  world.run(10_000);
  for (const host of [a, b]) {
    expectMetadata(host);
    expectData(host);
    expect(host.kernelLog()).toContain('Resync of new storage after online grow');
    expect(host.kernelLog()).toContain('Writing the whole bitmap, size changed');
  }
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
});

test('the old superblock is gone, so that nobody takes it for one', () => {
  const { world, a, b } = inSync(2);
  const at = superblockByte(a.machine.medium(DISK).size, INDEX_INTERNAL);
  grow([a, b], 8 * MIB);
  a.must(resizeTo({ assumeClean: true }));
  world.run(5000);
  for (const host of [a, b]) {
    expect(
      host.machine
        .medium(DISK)
        .readNow(at, SUPERBLOCK_BYTES)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(host.kernelLog()).toContain('Resync of new storage suppressed with --assume-clean');
    expectMetadata(host);
  }
});

test('one grown disk is not enough, but its meta-data have moved already', () => {
  const { world, a, b } = inSync(3);
  grow([a], 8 * MIB);
  a.must(resizeTo());
  expect([sizeOf(a), sizeOf(b)]).toEqual([DATA_SECTORS, DATA_SECTORS]);
  expectMetadata(a);
  grow([b], 8 * MIB);
  b.must(resizeTo());
  world.runUntil(() => sizeOf(a) === sizeOf(b), 5000);
  expect(sizeOf(a)).toBeGreaterThan(DATA_SECTORS);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
});

test('writes go on while the meta-data move', () => {
  const { world, a, b } = inSync(4);
  const file = a.open(true);
  grow([a, b], 8 * MIB);
  let written = 0;
  const total = 200;
  const next = (n: number): void => {
    if (n === total) return;
    file.write((n * 37 * 65536) % (15 * MIB - 65536), pattern(n + 3), false, {
      onIoDone: (error) => {
        expect(error).toBe(0);
        written++;
        next(n + 1);
      },
    });
  };
  a.machine.input(() => next(0));
  a.must(resizeTo());
  expect(world.runUntil(() => written === total, 60_000)).toBe(true);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
});

test('a smaller size must be asked for', () => {
  const { world, a, b } = inSync(5);
  a.must(resizeTo({ size: 16384 }));
  world.run(100);
  expect([sizeOf(a), sizeOf(b)]).toEqual([16384, 16384]);
  expectMetadata(a);
});

test('the activity log gets other stripes', () => {
  const { world, a, b } = inSync(6);
  a.must(resizeTo({ size: 30000 }));
  a.must(resizeTo({ size: 30000, alStripes: 2, alStripeSize: 32 }));
  const superblock = readSuperblock(placeOf(a));
  if ('defect' in superblock) throw new Error(superblock.defect);
  expect([superblock.alStripes, superblock.alStripeSize4k]).toEqual([2, 8]);
  expect(a.kernelLog()).toContain('Changed AL layout to al-stripes = 2, al-stripe-size-kB = 32');
  const file = a.open(true);
  a.write(file, 0, pattern(9));
  expect(world.runUntil(() => a.inSyncWith(b), 10_000)).toBe(true);
  expect(a.request(resizeTo({ alStripes: 1024, alStripeSize: 32768 })).code).toBe(167);
  expect(a.request(resizeTo({ alStripes: 1, alStripeSize: 16 })).code).toBe(168);
  expect(a.request(resizeTo({ size: 30000, alStripes: 64, alStripeSize: 1024 })).code).toBe(170);
});

// test/slow/online-grow-cuts.test.ts cuts at every step.
describe('the power fails while the disks grow', () => {
  test.each([
    ['on the Primary, meta-data far apart', 'a', 8 * MIB, resizeTo(), 17],
    ['on the Secondary, meta-data far apart', 'b', 8 * MIB, resizeTo(), 19],
    ['on the Primary, meta-data that overlap', 'a', SMALL, resizeTo(), 18],
    ['on the Secondary, meta-data that overlap', 'b', SMALL, resizeTo(), 23],
    [
      'on the Primary, the activity log gets other stripes',
      'a',
      0,
      resizeTo({ size: 30000, alStripes: 2 }),
      21,
    ],
  ] as const)('%s', (_, victim, bytes, request, stride) => {
    expect(cutsUntilDone(stride, bytes, victim, request)).toBeGreaterThan(20);
  });
});

describe('a peer with a disk is away', () => {
  const peer = { resource: 'r0', peerNodeId: 1 } as const;
  function apart(seed: number): ReturnType<typeof inSync> {
    const hosts = inSync(seed);
    hosts.a.must({ command: 'disconnect', ...peer, force: false });
    hosts.world.run(1000);
    return hosts;
  }

  test('the size stays, for who knows how much space it has', () => {
    const { a, b } = apart(8);
    grow([a, b], 8 * MIB);
    a.must(resizeTo());
    expect(sizeOf(a)).toBe(DATA_SECTORS);
  });

  test('the operator may assume that it has the space; when it has not they part', () => {
    const { world, a, b } = apart(9);
    grow([a], 8 * MIB);
    a.must(resizeTo({ assumePeerHasSpace: true }));
    expect(sizeOf(a)).toBeGreaterThan(DATA_SECTORS);
    expect(a.kernelLog()).toContain('Resize forced while not fully connected!');
    a.connect(b);
    world.run(10_000);
    expect(a.kernelLog()).toContain("The peer's disk size is too small!");
    expect(sizeOf(a)).toBeGreaterThan(DATA_SECTORS);
    expect(sizeOf(b)).toBe(DATA_SECTORS);
    grow([b], 8 * MIB);
    b.must(resizeTo({ assumePeerHasSpace: true }));
    a.request({ command: 'disconnect', ...peer, force: true });
    world.run(1000);
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const)
      one.request({
        command: 'connect',
        resource: 'r0',
        peerNodeId: other.nodeId,
        tentative: false,
        discardMyData: false,
      });
    expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
    expect(sizeOf(b)).toBe(sizeOf(a));
    expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
  });
});

test('a device does not outgrow the disk that its peer has let go of', () => {
  const { world, a, b } = inSync(9);
  const before = sizeOf(a);
  b.must({ command: 'detach', minor: 0, force: false, diskless: false });
  grow([a], 8 * MIB);
  a.must(resizeTo());
  expect(sizeOf(a)).toBe(before);
  b.reattach();
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  grow([b], 8 * MIB);
  b.must(resizeTo());
  expect(world.runUntil(() => sizeOf(a) > before && sizeOf(b) === sizeOf(a), 5000)).toBe(true);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
});

test.each([true, false])(
  'a disk that is attached again learns that the device has grown for it (with a write meanwhile: %s)',
  (writes) => {
    const { world, a, b } = inSync(10);
    const before = sizeOf(a);
    b.must({ command: 'detach', minor: 0, force: false, diskless: false });
    grow([a, b], MIB);
    a.must(resizeTo());
    if (writes) a.write(a.open(true), 100 * 4096, pattern(11));
    followLastKnownSize(placeOf(b), b.machine.medium(DISK).size - MIB);
    b.reattach();
    const isThere = (): boolean => sizeOf(a) > before && a.inSyncWith(b) && b.inSyncWith(a);
    expect(world.runUntil(isThere, 60_000)).toBe(true);
    world.run(10_000);
    expect(sizeOf(b)).toBe(sizeOf(a));
    expect([a.peerFaults, b.peerFaults]).toEqual([[], []]);
    for (const host of [a, b]) expectMetadata(host);
    expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
  },
);
