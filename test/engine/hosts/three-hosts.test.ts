import { DiskState } from '../../../src/control/contract/states';
import { World } from '../../../src/simulation/world/world';
import { TestHost } from './two-hosts';

function threeHosts(seed: number): { world: World; all: [TestHost, TestHost, TestHost] } {
  const world = new World(seed);
  const all: [TestHost, TestHost, TestHost] = [
    new TestHost(world, 'alpha', 0, '10.0.0.1'),
    new TestHost(world, 'bravo', 1, '10.0.0.2'),
    new TestHost(world, 'charlie', 2, '10.0.0.3'),
  ];
  for (const host of all) host.start();
  for (const host of all)
    host.up(
      all.filter((other) => other !== host),
      {},
      { quorum: 'majority' },
    );
  world.run(15_000);
  return { world, all };
}
const everybodyInSync = (all: readonly TestHost[]): boolean =>
  all.every((host) => all.every((other) => other === host || host.inSyncWith(other)));
const logs = (all: readonly TestHost[]): string =>
  all.map((host) => `--- ${host.name}\n${host.kernelLog()}`).join('\n');

function waitInSync(world: World, all: readonly TestHost[]): void {
  if (!world.runUntil(() => everybodyInSync(all), 120_000)) throw new Error(`not in sync\n${logs(all)}`);
}

test('three nodes sync from a forced primary and replicate', () => {
  const { world, all } = threeHosts(1);
  const [a, b, c] = all;
  a.primary(true);
  waitInSync(world, all);
  const opener = a.open(true);
  for (let i = 0; i < 20; i++) expect(a.write(opener, i * 65536, new Uint8Array(4096).fill(i + 1))).toBe(0);
  opener.close();
  world.run(5000);
  const wanted = Buffer.from(a.contents());
  expect(wanted.equals(Buffer.from(b.contents()))).toBe(true);
  expect(wanted.equals(Buffer.from(c.contents()))).toBe(true);
  a.secondary();
  c.primary();
  const reply = b.request({ command: 'primary', resource: 'r0', force: false });
  expect(reply.code).toBe(-1);
});

test('the survivors of a lost primary go on with quorum, and the lost one comes back as sync target', () => {
  const { world, all } = threeHosts(2);
  const [a, b, c] = all;
  a.primary(true);
  waitInSync(world, all);
  const opener = a.open(true);
  for (let i = 0; i < 5; i++) expect(a.write(opener, i * 65536, new Uint8Array(4096).fill(i + 1))).toBe(0);
  a.machine.stop('power-lost');
  world.run(20_000);
  expect(b.disk).toBe(DiskState.UpToDate);
  b.primary();
  const second = b.open(true);
  for (let i = 0; i < 5; i++) expect(b.write(second, i * 131072, new Uint8Array(4096).fill(i + 50))).toBe(0);
  a.start();
  a.up([b, c], {}, { quorum: 'majority' });
  world.run(20_000);
  waitInSync(world, all);
  second.close();
  world.run(5000);
  expect(Buffer.from(a.contents()).equals(Buffer.from(b.contents()))).toBe(true);
  expect(Buffer.from(c.contents()).equals(Buffer.from(b.contents()))).toBe(true);
});

test('survivors that received different last writes of a lost primary reconcile', () => {
  const { world, all } = threeHosts(3);
  const [a, b, c] = all;
  a.primary(true);
  waitInSync(world, all);
  const opener = a.open(true);
  expect(a.write(opener, 0, new Uint8Array(4096).fill(1))).toBe(0);
  world.run(1000);
  world.network.blackhole(a.address, c.address);
  a.machine.input(() =>
    opener.write(65536, new Uint8Array(4096).fill(2), false, { onIoDone: () => undefined }),
  );
  world.run(50);
  a.machine.stop('power-lost');
  const rest = [b, c];
  world.run(15_000);
  if (!world.runUntil(() => b.inSyncWith(c) && c.inSyncWith(b), 60_000)) throw new Error(logs(rest));
  world.run(2000);
  expect(b.kernelLog()).toContain("Reconciliation resync because 'alpha' disappeared. (o=8)");
  expect(c.kernelLog()).toContain("Reconciliation resync because 'alpha' disappeared. (o=-8)");
  expect(Buffer.from(c.contents()).equals(Buffer.from(b.contents()))).toBe(true);
});

test.each([
  ['nobody has written meanwhile', false],
  ['the one in the middle has', true],
])('a host that sees all others grows while it connects to one that does not: %s', (_, writes) => {
  const { world, all } = threeHosts(3);
  const [a, b, c] = all;
  const disconnect = (from: TestHost, to: TestHost): void =>
    from.must({ command: 'disconnect', resource: 'r0', peerNodeId: to.nodeId, force: false });
  const sizes = (): (number | undefined)[] => all.map((host) => host.engine.minors.get(0)?.size);
  a.primary(true);
  waitInSync(world, all);
  const [before] = sizes();
  disconnect(a, c);
  disconnect(b, c);
  world.run(5000);
  for (const host of all) host.machine.medium('/dev/sda').size += 4 << 20;
  const opener = a.open(true);
  if (writes) expect(a.write(opener, 65536, new Uint8Array(4096).fill(7))).toBe(0);
  disconnect(a, b);
  world.run(5000);
  a.connect(b);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error(logs(all));
  expect(sizes()).toEqual([before, before, before]);
  a.connect(c);
  if (!world.runUntil(() => a.inSyncWith(c) && c.inSyncWith(a), 60_000)) throw new Error(logs(all));
  world.run(20_000);
  expect(sizes()[0]).toBeGreaterThan((before ?? 0) + (3 << 20) / 512);
  expect(new Set(sizes()).size).toBe(1);
  b.connect(c);
  waitInSync(world, all);
  for (const host of all) expect(host.kernelLog()).not.toContain('ProtocolError');
  opener.close();
  world.run(5000);
  for (const other of [b, c])
    expect(Buffer.from(other.contents()).equals(Buffer.from(a.contents()))).toBe(true);
});
