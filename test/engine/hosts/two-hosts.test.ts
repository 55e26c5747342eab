import { DiskState } from '../../../src/control/contract/states';
import { twoHosts, type TestHost } from './two-hosts';
import { type World } from '../../../src/simulation/world/world';

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}
function upBoth({ a, b }: { a: TestHost; b: TestHost }, net: object = {}): void {
  a.up([b], net);
  b.up([a], net);
}
function waitInSync(world: World, a: TestHost, b: TestHost): void {
  const ok = world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 120_000);
  if (!ok) throw new Error(`not in sync\n--- ${a.name}\n${a.kernelLog()}\n--- ${b.name}\n${b.kernelLog()}`);
}

test('a forced primary syncs a fresh peer, writes reach both disks', () => {
  const { world, a, b } = twoHosts();
  upBoth({ a, b }, { 'cram-hmac-alg': 'sha1', 'shared-secret': 'secret' });
  world.run(15_000);
  a.primary(true);
  waitInSync(world, a, b);
  const opener = a.open(true);
  expect(a.write(opener, 4096, filled(8192, 7))).toBe(0);
  expect(a.write(opener, 1 << 20, filled(65536, 9))).toBe(0);
  expect(Buffer.from(a.read(opener, 4096, 4096)).equals(Buffer.from(filled(4096, 7)))).toBe(true);
  opener.close();
  world.run(2000);
  expect(Buffer.from(b.contents()).equals(Buffer.from(a.contents()))).toBe(true);
  a.secondary();
  b.primary();
  expect(b.disk).toBe(DiskState.UpToDate);
});

test('writes during an absence are resynced by bitmap', () => {
  const { world, a, b } = twoHosts(2);
  upBoth({ a, b });
  world.run(15_000);
  a.primary(true);
  waitInSync(world, a, b);
  b.must({ command: 'disconnect', resource: 'r0', peerNodeId: 0, force: false });
  const opener = a.open(true);
  for (let i = 0; i < 10; i++) expect(a.write(opener, i * 100 * 4096, filled(4096, i + 1))).toBe(0);
  b.connect(a);
  world.run(5_000);
  waitInSync(world, a, b);
  opener.close();
  world.run(2000);
  if (!Buffer.from(b.contents()).equals(Buffer.from(a.contents())))
    throw new Error(a.kernelLog() + '\n' + b.kernelLog());
});

test('a crashed peer comes back and resyncs; down leaves nothing', () => {
  const { world, a, b } = twoHosts(3);
  upBoth({ a, b });
  world.run(15_000);
  a.primary(true);
  waitInSync(world, a, b);
  b.machine.stop('process-killed');
  world.run(1000);
  const opener = a.open(true);
  expect(a.write(opener, 0, filled(4096, 3))).toBe(0);
  b.start();
  b.up([a]);
  world.run(15_000);
  waitInSync(world, a, b);
  opener.close();
  a.must({ command: 'down', resource: 'r0' });
  b.must({ command: 'down', resource: 'r0' });
  expect(a.engine.snapshots()).toEqual([]);
});

test('disks that were attached before their peers were named get a bitmap slot at connect', () => {
  const { world, a, b } = twoHosts(4);
  a.up([b], {}, {}, true);
  b.up([a], {}, {}, true);
  world.run(15_000);
  a.primary(true);
  waitInSync(world, a, b);
  world.run(1000);
  expect(Buffer.from(b.contents()).equals(Buffer.from(a.contents()))).toBe(true);
});
