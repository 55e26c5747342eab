/** A handler that takes longer on one side than the whole resync takes on the other (engine.md 12.1, 5.6 step 3). */
import { ReplicationState } from '../../../src/control/contract/states';
import { twoHosts } from './two-hosts';

const BLOCK = new Uint8Array(4096).fill(7);

test.each([
  ['nothing to send', false],
  ['a block to send', true],
])('the source is still in its handler when the target is through: %s', (_what, write) => {
  const { world, a, b } = twoHosts(write ? 11 : 12);
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.primary(true);
  world.runUntil(() => a.inSyncWith(b), 60_000);
  a.secondary();
  world.run(2000);
  a.machine.helperScript = ({ command }) =>
    command === 'before-resync-source' ? { exitCode: 0, takes: 5000 } : undefined;
  const toBravo = { resource: 'r0', peerNodeId: 1 } as const;
  a.must({ command: 'disconnect', ...toBravo, force: true });
  world.run(1000);
  a.must({ command: 'new-current-uuid', minor: 0, clearBitmap: false, forceResync: false });
  if (write) {
    const opener = a.open(true);
    expect(a.write(opener, 0, BLOCK)).toBe(0);
    opener.close();
    world.run(2000);
  }
  a.connect(b);
  expect(world.runUntil(() => a.replication(b) === ReplicationState.WFBitMapS, 30_000, 1)).toBe(true);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 30_000)).toBe(true);
  expect(Buffer.compare(a.contents(), b.contents())).toBe(0);
});
