/** A verify that ends because a disk is detached: answers on their way are no error (engine.md 12.9, 2.3 S9). */
import { DiskState, ReplicationState } from '../../../src/control/contract/states';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';
import { applyActivityLog } from '../../../src/simulation/metadata-tool';
import { type TestHost, twoHosts } from './two-hosts';

const verify = { command: 'verify', resource: 'r0', peerNodeId: 1, volume: 0 } as const;
const { VerifyS, VerifyT, Established } = ReplicationState;

test.each(['the side that asks', 'the side that answers'])('%s detaches its disk', (side) => {
  const { world, a, b } = twoHosts(22);
  const net = { 'verify-alg': 'crc32c' };
  a.up([b], net);
  b.up([a], net);
  world.run(15_000);
  b.primary(true);
  expect(world.runUntil(() => a.inSyncWith(b), 60_000)).toBe(true);
  b.secondary();
  a.must(verify);
  expect(world.runUntil(() => a.replication(b) === VerifyS && b.replication(a) === VerifyT, 10_000)).toBe(
    true,
  );
  const pending = (host: TestHost, peer: number): number =>
    host.engine.minors.get(0)?.peerDeviceOf(peer)?.io.pending ?? NaN;
  expect(world.runUntil(() => pending(a, 1) > 0 && pending(b, 0) > 0, 10_000, 0.01)).toBe(true);
  const gone: TestHost = side === 'the side that asks' ? a : b;
  gone.must({ command: 'detach', minor: 0, force: true, diskless: false });
  world.run(5000);
  for (const host of [a, b]) expect(host.kernelLog()).not.toContain('Unexpected resync reply');
  expect(gone.disk).toBe(DiskState.Diskless);
  expect([a.replication(b), b.replication(a)]).toEqual([Established, Established]);
  // The numbers of the blocks that were asked for in vain are not mistaken for those of another verify.
  applyActivityLog({ medium: gone.machine.medium('/dev/sda'), index: INDEX_INTERNAL });
  gone.attach();
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  a.must({ ...verify });
  expect(world.runUntil(() => a.replication(b) === Established, 60_000)).toBe(true);
  world.run(1000);
  expect(a.kernelLog()).toContain('Online verify done');
  expect(a.kernelLog()).not.toContain('out of sync!');
  expect([pending(a, 1), pending(b, 0)]).toEqual([0, 0]);
});

test('a disk that cannot be read while it is verified is let go, as in any other read', () => {
  const { world, a, b } = twoHosts(23);
  const net = { 'verify-alg': 'crc32c' };
  a.up([b], net);
  b.up([a], net);
  world.run(15_000);
  b.primary(true);
  expect(world.runUntil(() => a.inSyncWith(b), 60_000)).toBe(true);
  const faults = a.machine.faults('/dev/sda');
  faults.readError = 1;
  a.must(verify);
  expect(world.runUntil(() => a.disk === DiskState.Diskless, 10_000)).toBe(true);
  faults.readError = 0;
  expect(a.kernelLog()).toContain('Local IO failed in drbd_endio_read_sec_final. Detaching...');
  expect(a.kernelLog()).not.toContain('Online verify done');
  world.run(1000);
  applyActivityLog({ medium: a.machine.medium('/dev/sda'), index: INDEX_INTERNAL });
  a.attach();
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  for (const [host, peer] of [
    [a, 1],
    [b, 0],
  ] as const) {
    const peerDevice = host.engine.minors.get(0)?.peerDeviceOf(peer);
    expect(peerDevice && host.engine.dataActions.outOfSyncBits(peerDevice)).toBe(0);
  }
});
