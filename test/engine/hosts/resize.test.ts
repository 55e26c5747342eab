import { type Resize } from '../../../src/control/contract/requests';
import { DATA_SECTORS, twoHosts, type TestHost } from './two-hosts';
import { type World } from '../../../src/simulation/world/world';

const resize = (size: number, assumeClean = false): Resize => ({
  command: 'resize',
  minor: 0,
  size,
  assumePeerHasSpace: false,
  assumeClean,
});
const resyncsFrom = (host: TestHost): number =>
  host.kernelLog().split('Began resync as SyncSource').length - 1;
const sizeOf = (host: TestHost): number => host.engine.minors.get(0)?.size ?? 0;

function inSync(seed: number): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.must(resize(8192));
  a.primary(true);
  const ok = world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000);
  if (!ok) throw new Error(`not in sync\n${a.kernelLog()}\n${b.kernelLog()}`);
  return { world, a, b };
}

test('a size both can have is agreed on, shrinking before there is data', () => {
  const { a, b } = inSync(1);
  expect([sizeOf(a), sizeOf(b)]).toEqual([8192, 8192]);
});

test('growing online syncs the new storage from the Primary', () => {
  const { world, a, b } = inSync(2);
  a.must(resize(16384));
  world.run(5);
  expect([sizeOf(a), sizeOf(b)]).toEqual([16384, 16384]);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(resyncsFrom(a)).toBe(2);
  expect(Buffer.from(a.contents()).equals(Buffer.from(b.contents()))).toBe(true);
});

test('with --assume-clean nothing is synced', () => {
  const { world, a, b } = inSync(3);
  a.must(resize(16384, true));
  world.run(1000);
  expect([sizeOf(a), sizeOf(b)]).toEqual([16384, 16384]);
  expect(a.inSyncWith(b)).toBe(true);
  expect(resyncsFrom(a)).toBe(1);
});

test('a size the disk does not have is refused', () => {
  const { a } = inSync(4);
  expect(a.request(resize(DATA_SECTORS * 4)).code).toBe(111);
});
