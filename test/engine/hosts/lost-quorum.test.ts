/** Writes that fail because quorum is lost are on one disk only: no two UpToDate disks may stay different (engine.md 3.4). */
import { type Opener } from '../../../src/engine/application-io';
import { World } from '../../../src/simulation/world/world';
import { TestHost } from './two-hosts';

const OPTIONS = { quorum: 'majority', 'on-no-quorum': 'io-error' };

interface Three {
  readonly world: World;
  readonly a: TestHost;
  readonly b: TestHost;
  readonly c: TestHost;
  readonly opener: Opener;
}
const link = (world: World, from: TestHost, to: TestHost, works: boolean): void => {
  for (const [one, two] of [
    [from, to],
    [to, from],
  ] as const) {
    if (works) world.network.heal(one.address, two.address);
    else world.network.blackhole(one.address, two.address);
  }
};
const inSync = (one: TestHost, two: TestHost): boolean => one.inSyncWith(two) && two.inSyncWith(one);

/** A Primary that has lost b, and then c with a write under way, which failed. */
function afterFailedWrite(seed: number): Three {
  const world = new World(seed);
  const a = new TestHost(world, 'alpha', 0, '10.0.0.1');
  const b = new TestHost(world, 'bravo', 1, '10.0.0.2');
  const c = new TestHost(world, 'charlie', 2, '10.0.0.3');
  const all = [a, b, c];
  for (const host of all) host.start();
  for (const host of all)
    host.up(
      all.filter((other) => other !== host),
      {},
      OPTIONS,
    );
  world.run(15_000);
  a.primary(true);
  const settled = (): boolean => inSync(a, b) && inSync(a, c) && inSync(b, c);
  if (!world.runUntil(settled, 120_000)) throw new Error(a.kernelLog());
  const opener = a.open(true);
  expect(a.write(opener, 0, new Uint8Array(4096).fill(1))).toBe(0);
  world.run(1000);
  link(world, a, b, false);
  world.run(20_000);
  expect(a.write(opener, 4096, new Uint8Array(4096).fill(2))).toBe(0);
  link(world, a, c, false);
  expect(a.write(opener, 65536, new Uint8Array(4096).fill(3))).not.toBe(0);
  expect(a.contents()[65536]).toBe(3);
  world.run(20_000);
  return { world, a, b, c, opener };
}
function expectEqual({ world, a, b, c }: Three): void {
  const settled = (): boolean => inSync(a, b) && inSync(a, c) && inSync(b, c);
  if (!world.runUntil(settled, 120_000))
    throw new Error([a, b, c].map((host) => host.kernelLog()).join('\n---\n'));
  world.run(5000);
  for (const other of [b, c])
    expect(Buffer.from(other.contents()).equals(Buffer.from(a.contents()))).toBe(true);
}

test.each([1, 2, 3])('quorum comes back with the peer that was lost first (seed %d)', (seed) => {
  const three = afterFailedWrite(seed);
  const { world, a, b, c } = three;
  link(world, a, b, true);
  world.run(30_000);
  link(world, a, c, true);
  expectEqual(three);
  expect(a.kernelLog()).toContain('new current UUID');
});

test.each([1, 2, 3])('quorum comes back with the peer that was lost last (seed %d)', (seed) => {
  const three = afterFailedWrite(seed);
  const { world, a, b, c } = three;
  link(world, a, c, true);
  world.run(30_000);
  link(world, a, b, true);
  expectEqual(three);
});

test.each([1, 2, 3])('it was demoted before (seed %d)', (seed) => {
  const three = afterFailedWrite(seed);
  const { world, a, b, c, opener } = three;
  opener.close();
  world.run(100);
  a.secondary();
  link(world, a, seed === 1 ? b : c, true);
  world.run(seed === 3 ? 0 : 30_000);
  link(world, a, seed === 1 ? c : b, true);
  expectEqual(three);
});
