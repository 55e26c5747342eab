/** A promotion has the peer fenced that it cannot ask, if the policy demands it (engine.md 8.1, 13.2). */
import { DiskState } from '../../../src/control/contract/states';
import { type TestHost, twoHosts } from './two-hosts';

function separated(seed: number, exitCode: number): { a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  const net = { fencing: 'resource-only' };
  a.up([b], net);
  b.up([a], net);
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  a.secondary();
  world.run(1000);
  b.machine.helperScript = ({ command }) =>
    command === 'fence-peer' ? { exitCode, takes: 1000 } : undefined;
  a.must({ command: 'disconnect', resource: 'r0', peerNodeId: 1, force: false });
  world.run(2000);
  return { a, b };
}
const peerDisk = (host: TestHost): DiskState | undefined =>
  host.engine.minors.get(0)?.peerDevices[0]?.now.pdsk;

test.each([
  [3, DiskState.Inconsistent],
  [4, DiskState.Outdated],
  [5, DiskState.Outdated],
  [7, DiskState.Outdated],
])('exit code %d: the peer is out of the way', (exitCode, disk) => {
  const { b } = separated(30 + exitCode, exitCode);
  b.primary();
  expect(peerDisk(b)).toBe(disk);
});

test('exit code 6: the peer is active, the promotion is refused', () => {
  const { b } = separated(36, 6);
  expect(b.request({ command: 'primary', resource: 'r0', force: false }).code).not.toBe(101);
  expect(b.engine.resources.get('r0')?.now.role).not.toBe(1);
});
