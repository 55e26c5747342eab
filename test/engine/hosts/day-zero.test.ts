/** Slots of the bitmap that nobody has mark what changed since day 0 (engine.md 4.1, metadata.md 3). */
import { applyActivityLog } from '../../../src/simulation/metadata-tool';
import { type World } from '../../../src/simulation/world/world';
import { contentsOf, placeOf } from './grown-disks';
import { type TestHost, twoHosts } from './two-hosts';

const bytes = new Uint8Array(4096).fill(9);
const toB = { resource: 'r0', peerNodeId: 1 } as const;

function allowBitmap(host: TestHost, bitmap: boolean): void {
  host.must({ command: 'peer-device-options', ...toB, volume: 0, setDefaults: true, options: { bitmap } });
}
/** Two hosts with the same data, which is that of day 0, and nothing synced. */
function sameData(seed: number): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.must({ command: 'new-current-uuid', minor: 0, clearBitmap: true, forceResync: false });
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 10_000)) throw new Error('not in sync');
  return { world, a, b };
}
function up(b: TestHost, a: TestHost): void {
  applyActivityLog(placeOf(b));
  b.up([a]);
}
const synced = (host: TestHost): string | undefined =>
  /Began resync as SyncSource \(will sync (.*)\)/.exec(host.kernelLog())?.[1];

test('a peer that had no disk while there was a write gets that write alone with its disk of day 0', () => {
  const { world, a, b } = sameData(1);
  b.must({ command: 'down', resource: 'r0' });
  allowBitmap(a, false);
  a.primary();
  expect(a.write(a.open(true), 40 * 4096, bytes)).toBe(0);
  allowBitmap(a, true);
  up(b, a);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(synced(a)).toBe('4 KB [1 bits set]');
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
});

test('so does one that was forgotten, if nobody else took the last slot', () => {
  const { world, a, b } = sameData(2);
  b.must({ command: 'down', resource: 'r0' });
  a.must({ command: 'disconnect', ...toB, force: false });
  a.must({ command: 'del-peer', ...toB, force: false });
  a.must({ command: 'forget-peer', ...toB });
  a.primary();
  const file = a.open(true);
  for (const block of [3, 70]) expect(a.write(file, block * 4096, bytes)).toBe(0);
  a.must({ command: 'new-peer', ...toB, options: { _name: b.name } });
  a.must({
    command: 'new-path',
    ...toB,
    local: { family: 'ipv4', host: a.address, port: 7788 },
    remote: { family: 'ipv4', host: b.address, port: 7788 },
  });
  a.connect(b);
  up(b, a);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(synced(a)).toBe('8 KB [2 bits set]');
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
});
