/** A peer that is meant to have no disk: leaving it, its vote as a tiebreaker, and becoming one with a disk. */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { type World } from '../../../src/simulation/world/world';
import { applyActivityLog, createMetadata } from '../../../src/simulation/metadata-tool';
import { contentsOf, grow, MIB, pattern, placeOf, sizeOf } from './grown-disks';
import { TestHost, twoHosts } from './two-hosts';

const QUORUM = { quorum: 'majority', 'on-no-quorum': 'io-error' };
const toNode = (peerNodeId: number) => ({ resource: 'r0', peerNodeId }) as const;

function bitmapOption(host: TestHost, peerNodeId: number, bitmap: boolean): number {
  const options = { bitmap };
  const on = { ...toNode(peerNodeId), volume: 0, setDefaults: true };
  return host.request({ command: 'peer-device-options', ...on, options }).code;
}
/** As `up` does, but without a disk; `prepare` comes before connect. */
function upDiskless(
  host: TestHost,
  peers: readonly TestHost[],
  resource: object = {},
  diskless = true,
  prepare: () => void = () => undefined,
): void {
  const r0 = { resource: 'r0' };
  host.must({ command: 'new-resource', ...r0, nodeId: host.nodeId, options: resource });
  host.must({ command: 'new-minor', ...r0, minor: 0, volume: 0, options: { diskless } });
  for (const peer of peers) {
    const on = { ...r0, peerNodeId: peer.nodeId };
    host.must({ command: 'new-peer', ...on, options: { _name: peer.name } });
    host.must({
      command: 'new-path',
      ...on,
      local: { family: 'ipv4', host: host.address, port: 7788 },
      remote: { family: 'ipv4', host: peer.address, port: 7788 },
    });
  }
  prepare();
  for (const peer of peers) host.connect(peer);
}
/** Two hosts with a disk in sync, a third without one; all connected, with quorum. */
function threeHosts(seed: number): { world: World; a: TestHost; b: TestHost; c: TestHost } {
  const { world, a, b } = twoHosts(seed);
  const c = new TestHost(world, 'charlie', 2, '10.0.0.3');
  c.start();
  a.up([b, c], {}, QUORUM);
  b.up([a, c], {}, QUORUM);
  for (const host of [a, b]) expect(bitmapOption(host, 2, false)).toBeLessThanOrEqual(101);
  upDiskless(c, [a, b], QUORUM);
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  world.run(1000);
  return { world, a, b, c };
}
const quorum = (host: TestHost): boolean | undefined => host.engine.minors.get(0)?.now.quorum;

test('a Primary lets it go, and it may go from a Primary', () => {
  const { a, c } = threeHosts(51);
  a.must({ command: 'disconnect', ...toNode(2), force: false });
  a.connect(c);
  expect(c.request({ command: 'down', resource: 'r0' }).code).toBe(101);
});

test('it keeps the quorum of two that have lost each other', () => {
  const { world, a, b } = threeHosts(52);
  a.secondary();
  world.run(1000);
  a.must({ command: 'disconnect', ...toNode(1), force: false });
  world.run(1000);
  expect(quorum(a)).toBe(true);
  expect(quorum(b)).toBe(true);
  expect(b.kernelLog()).toContain('using tiebreaker logic to keep');
});

test('it gets a bitmap slot when it is to have a disk, while ours is attached', () => {
  const { a } = threeHosts(53);
  const peer = a.engine.minors.get(0)?.peerDeviceOf(2);
  expect(peer?.bitmapSlot).toBe(-1);
  expect(bitmapOption(a, 2, true)).toBeLessThanOrEqual(101);
  expect(peer?.bitmapSlot).toBeGreaterThanOrEqual(0);
  expect(a.kernelLog()).toContain('Former intentional diskless peer got bitmap slot');
  expect(bitmapOption(a, 2, false)).toBeLessThanOrEqual(101);
  expect(peer?.bitmapSlot).toBe(-1);
  expect(a.engine.resources.get('r0')?.now.role).toBe(Role.Primary);
  expect(a.disk).toBe(DiskState.UpToDate);
});

test('a diskless Primary keeps its size when one of its peers returns with a larger disk', () => {
  const { world, a, b, c } = threeHosts(56);
  a.secondary();
  world.run(1000);
  c.primary();
  const size = sizeOf(c);
  a.must({ command: 'down', resource: 'r0' });
  b.request({ command: 'disconnect', ...toNode(0), force: false });
  grow([a], 8 * MIB);
  createMetadata(placeOf(a), 3);
  a.up([b, c], {}, QUORUM);
  const peer = (): DiskState | undefined => c.engine.minors.get(0)?.peerDeviceOf(0)?.now.pdsk;
  expect(world.runUntil(() => peer() === DiskState.Inconsistent, 10_000)).toBe(true);
  expect(sizeOf(a)).toBeGreaterThan(size);
  expect(sizeOf(c)).toBe(size);
  b.connect(a);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect([sizeOf(a), sizeOf(b), sizeOf(c)]).toEqual([size, size, size]);
});

test('who was quorate alone, after the other disk and then the tiebreaker went, is so after a restart', () => {
  const { world, a, b, c } = threeHosts(57);
  const cut = (host: TestHost, peer: TestHost): void => {
    world.network.blackhole(host.address, peer.address);
    world.network.blackhole(peer.address, host.address);
  };
  const gone = (peer: TestHost): boolean =>
    a.engine.resources
      .get('r0')
      ?.connections.every(
        (connection) =>
          connection.peerNodeId !== peer.nodeId || connection.now.cstate < ConnectionState.Connected,
      ) === true;
  cut(a, b);
  cut(b, c);
  expect(world.runUntil(() => gone(b), 60_000)).toBe(true);
  world.run(1000);
  cut(a, c);
  expect(world.runUntil(() => gone(c), 60_000)).toBe(true);
  world.run(1000);
  expect(quorum(a)).toBe(true);
  a.must({ command: 'down', resource: 'r0' });
  applyActivityLog(placeOf(a));
  upDiskless(a, [b, c], QUORUM, false, () => {
    bitmapOption(a, 2, false);
    a.attach();
  });
  expect(quorum(a)).toBe(true);
  expect(a.kernelLog()).toContain('Restored quorum from before reboot');
});

test('what a diskless Primary writes during a resync is not asked for twice at a time', () => {
  const { world, a, b, c } = threeHosts(58);
  a.secondary();
  world.run(1000);
  c.primary();
  const file = c.open(true);
  for (const peer of [b, c]) a.must({ command: 'disconnect', ...toNode(peer.nodeId), force: false });
  for (let at = 0; at < 8; at++) c.write(file, at * MIB, pattern(at + 1).slice(0, 32768));
  let open = 0;
  let started = 0;
  const next = (): void => {
    if (started === 400) return;
    const at = (started++ * 7) % 128;
    open++;
    file.write(at * 4096, pattern(started % 251).slice(0, 4096), false, {
      onIoDone: () => {
        open--;
        world.later(10, () => c.machine.input(next));
      },
    });
  };
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    world.network.link(from.address, to.address).latency = 150;
  a.connect(b);
  expect(world.runUntil(() => a.replication(b) === ReplicationState.SyncTarget, 30_000)).toBe(true);
  c.machine.input(() => {
    for (let i = 0; i < 4; i++) next();
  });
  expect(world.runUntil(() => started === 400 && open === 0, 120_000)).toBe(true);
  expect(world.runUntil(() => a.replication(b) === ReplicationState.Established, 60_000)).toBe(true);
  expect(b.kernelLog()).toContain('Began resync as SyncSource');
  for (const host of [a, b]) expect(host.kernelLog()).not.toContain('Unexpected resync reply');
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
});
