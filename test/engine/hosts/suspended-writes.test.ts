/**
 * suspend-io lets the writes under way end, and peers that are there make them durable: whoever has to wait for that waits
 * while I/O is suspended too (engine.md 8.2, 9.5, 10.6).
 */
import { DiskState, Role } from '../../../src/control/contract/states';
import { type Opener } from '../../../src/engine/application-io';
import { applyActivityLog } from '../../../src/simulation/metadata-tool';
import { type World } from '../../../src/simulation/world/world';
import { placeOf } from './grown-disks';
import { type TestHost, twoHosts } from './two-hosts';

const block = new Uint8Array(4096).fill(7);
const DETACH = { command: 'detach', minor: 0, force: false, diskless: false } as const;

/** A write that the peer has received, and will take seconds to write; then I/O is suspended. */
function suspended(seed: number, protocol = 'B'): { world: World; a: TestHost; b: TestHost; opener: Opener } {
  const { world, a, b } = twoHosts(seed);
  for (const [host, peer] of [
    [a, b],
    [b, a],
  ] as const)
    host.up([peer], { protocol });
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error(a.kernelLog());
  a.secondary();
  const opener = a.open(true);
  b.machine.faults('/dev/sda').slowest = 2000;
  expect(a.write(opener, 0, block)).toBe(0);
  a.must({ command: 'suspend-io', minor: 0 });
  expect(b.contents()[0]).not.toBe(7);
  return { world, a, b, opener };
}
const cutOff = (world: World, a: TestHost, b: TestHost): void => {
  world.network.blackhole(a.address, b.address);
  world.network.blackhole(b.address, a.address);
};

test.each([1, 2, 3])('a detach waits until the peer has written what it has received (seed %d)', (seed) => {
  const { a, b } = suspended(seed);
  a.must(DETACH);
  expect(a.disk).toBe(DiskState.Diskless);
  expect(b.contents()[0]).toBe(7);
});

test.each([1, 2, 3])('so does the demotion after the last close (seed %d)', (seed) => {
  const { world, a, b, opener } = suspended(seed);
  a.machine.input(() => opener.close());
  const role = (): Role | undefined => a.engine.resources.get('r0')?.now.role;
  expect(world.runUntil(() => role() === Role.Secondary, 60_000, 1)).toBe(true);
  expect(b.contents()[0]).toBe(7);
});

test.each([1, 2, 3])('what is kept for a lost peer holds nobody up (seed %d)', (seed) => {
  const { world, a, b, opener } = suspended(seed);
  cutOff(world, a, b);
  world.run(30_000);
  a.machine.input(() => opener.close());
  const role = (): Role | undefined => a.engine.resources.get('r0')?.now.role;
  expect(world.runUntil(() => role() === Role.Secondary, 10_000, 1)).toBe(true);
});

test.each([1, 2, 3])('a demotion does not hide what a lost peer has not written (seed %d)', (seed) => {
  const { world, a, b, opener } = suspended(seed);
  cutOff(world, a, b);
  b.machine.stop('power-lost');
  a.machine.input(() => opener.close());
  const role = (): Role | undefined => a.engine.resources.get('r0')?.now.role;
  expect(world.runUntil(() => role() === Role.Secondary, 60_000, 1)).toBe(true);
  a.must({ command: 'down', resource: 'r0' });
  b.machine.faults('/dev/sda').slowest = 0.4;
  world.network.heal(a.address, b.address);
  world.network.heal(b.address, a.address);
  b.start();
  applyActivityLog(placeOf(a));
  for (const [host, peer] of [
    [a, b],
    [b, a],
  ] as const)
    host.up([peer], { protocol: 'B' });
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  world.run(1000);
  expect(b.contents()[0]).toBe(7);
  expect(Buffer.from(b.contents()).equals(Buffer.from(a.contents()))).toBe(true);
});

test.each([1, 2, 3])(
  'under protocol A a lost peer lacks what was answered: it is synced (seed %d)',
  (seed) => {
    const { world, a, b } = suspended(seed, 'A');
    b.machine.stop('power-lost');
    world.run(30_000);
    b.machine.faults('/dev/sda').slowest = 0.4;
    b.start();
    b.up([a], { protocol: 'A' });
    expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
    expect(b.contents()[0]).toBe(7);
    expect(Buffer.from(b.contents()).equals(Buffer.from(a.contents()))).toBe(true);
  },
);
