/** Disks that grew while two hosts were apart are looked at when they connect (engine.md 5.5, 9.9). */
import { contentsOf, expectData, expectMetadata, grow, inSync, MIB, resizeTo, sizeOf } from './grown-disks';
import { type TestHost } from './two-hosts';

const disconnect = (host: TestHost, peer: TestHost): void =>
  host.must({ command: 'disconnect', resource: 'r0', peerNodeId: peer.nodeId, force: false });
type Pair = Pick<ReturnType<typeof inSync>, 'world' | 'a' | 'b'>;
/** `patience` in milliseconds. */
function connect({ world, a, b }: Pair, patience = 60_000): void {
  a.connect(b);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), patience)).toBe(true);
}
const sizes = (...hosts: readonly TestHost[]): number[] => hosts.map(sizeOf);

test('both have grown: the device grows with the connection, and the new storage is synced from the Primary', () => {
  const pair = inSync(1);
  const { world, a, b } = pair;
  const before = sizeOf(a);
  disconnect(a, b);
  grow([a, b], 4 * MIB);
  expect(sizes(a, b)).toEqual([before, before]);
  connect(pair);
  world.run(10_000);
  // The bitmap takes a little of what was added.
  expect(sizeOf(a)).toBeGreaterThan(before + (3 * MIB) / 512);
  expect(sizes(b)).toEqual(sizes(a));
  expect(a.kernelLog()).toContain('Began resync as SyncSource');
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
  for (const host of [a, b]) {
    expectData(host);
    expectMetadata(host);
  }
});

test('one has grown: nothing changes until the other has too', () => {
  const pair = inSync(2);
  const { a, b } = pair;
  const before = sizeOf(a);
  disconnect(a, b);
  grow([b], 4 * MIB);
  connect(pair);
  expect(sizes(a, b)).toEqual([before, before]);
  disconnect(a, b);
  grow([a], 4 * MIB);
  connect(pair);
  expect(sizeOf(a)).toBeGreaterThan(before);
  expect(sizes(b)).toEqual(sizes(a));
});

test('resize of a host that is alone has no effect, and the connection later has', () => {
  const pair = inSync(3);
  const { a, b } = pair;
  const before = sizeOf(a);
  disconnect(a, b);
  grow([a, b], 4 * MIB);
  a.must(resizeTo());
  expect(sizeOf(a)).toBe(before);
  connect(pair);
  expect(sizeOf(a)).toBeGreaterThan(before);
  expect(sizes(b)).toEqual(sizes(a));
});

test('a connection that ends while the disks are looked at leaves nothing behind', () => {
  const pair = inSync(4);
  const { world, a, b } = pair;
  disconnect(a, b);
  grow([a, b], 4 * MIB);
  a.connect(b);
  const looksAtDisks = (): boolean => {
    const link = a.engine.resources.get('r0')?.connectionTo(1)?.link;
    return link?.phase === 'establishing' && link.establishing === undefined;
  };
  for (let step = 0; step < 100_000 && !looksAtDisks(); step++) world.step();
  expect(looksAtDisks()).toBe(true);
  disconnect(a, b);
  world.run(5000);
  connect(pair, 120_000);
  expect(sizes(b)).toEqual(sizes(a));
});
