/** Both sides of a verify log what differs and how it ended (engine.md 12.9), and call the handler. */
import { ReplicationState } from '../../../src/control/contract/states';
import { twoHosts } from './two-hosts';

test('the side that only answers knows as much as the side that asks', () => {
  const { world, a, b } = twoHosts(21);
  const net = { 'verify-alg': 'crc32c' };
  a.up([b], net);
  b.up([a], net);
  world.run(15_000);
  a.primary(true);
  expect(world.runUntil(() => a.inSyncWith(b), 60_000)).toBe(true);
  const medium = b.machine.medium('/dev/sda');
  medium.writeNow(99 * 4096, new Uint8Array(4096).fill(1));
  medium.writeNow(700 * 4096, new Uint8Array(8192).fill(2));
  a.must({ command: 'verify', resource: 'r0', peerNodeId: 1, volume: 0 });
  const ended = (): boolean =>
    a.replication(b) === ReplicationState.Established && b.replication(a) === ReplicationState.Established;
  expect(world.runUntil(ended, 60_000)).toBe(true);
  world.run(1000);
  for (const host of [a, b]) {
    expect(host.kernelLog()).toContain('Out of sync: start=792, size=8 (sectors)');
    expect(host.kernelLog()).toMatch(/Out of sync: start=5600, size=(8|16) \(sectors\)/);
    expect(host.kernelLog()).toContain('Online verify done');
    expect(host.kernelLog()).toContain('Online verify found 3 4k blocks out of sync!');
    expect(host.kernelLog()).toContain('out-of-sync exit code 0');
  }
});
