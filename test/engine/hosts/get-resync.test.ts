/** A disk that was doubted because of a diskless Primary (engine.md 2.3 S22, 5.12), and one that was left behind (4.6). */
import { DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { changeState } from '../../../src/engine/state/transaction';
import { editConnect } from '../../../src/engine/twopc/remote-edit';
import { setBitmapUuid, setCurrentUuid, superblockOf } from '../../../src/engine/uuid/generation';
import { receiveCurrentUuid } from '../../../src/engine/uuid/receive-new-current';
import { type World } from '../../../src/simulation/world/world';
import { twoHosts, type TestHost } from './two-hosts';

function inSync(seed: number): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  a.secondary();
  world.run(1000);
  return { world, a, b };
}
function theDevice(host: TestHost) {
  const device = host.engine.minors.get(0);
  const peer = device?.peerDevices[0];
  if (device === undefined || peer === undefined) throw new Error(`${host.name} has no device`);
  return { device, peer };
}
/** What S22 leaves behind: the disk is only Consistent, and a look at the other peers is due. */
function doubt(host: TestHost): void {
  const { device } = theDevice(host);
  host.machine.input(() => {
    device.tryToGetResync = true;
    changeState(device.resource, { hard: true, tag: 'test' }, () => {
      device.next.disk = DiskState.Consistent;
    });
  });
}

test('a peer on the same generation makes it UpToDate again', () => {
  const { world, a, b } = inSync(1);
  doubt(b);
  expect(world.runUntil(() => b.disk === DiskState.UpToDate, 1000)).toBe(true);
  expect(b.kernelLog()).toContain('disk( Consistent -> UpToDate ) [get-resync]');
  expect(a.inSyncWith(b)).toBe(true);
});

test('a peer with a newer generation becomes the source', () => {
  const { world, a, b } = inSync(2);
  a.machine.input(() => {
    const { device, peer } = theDevice(a);
    setBitmapUuid(device, 1, superblockOf(device).currentUuid);
    setCurrentUuid(device, 0x1234567890abcdf0n);
    device.backing?.bitmap.setRange(peer.bitmapSlot, 0, 64);
    device.resource.host.peerActions.sendUuids(peer, 0n);
  });
  world.run(100);
  doubt(b);
  expect(world.runUntil(() => b.replication(a) === ReplicationState.SyncTarget, 10_000, 1)).toBe(true);
  expect(b.kernelLog()).toContain('Becoming WFBitMapT because primary is diskless');
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 10_000)).toBe(true);
  expect(theDevice(b).device.backing?.superblock.currentUuid).toBe(0x1234567890abcdf0n);
});

test('a connected Secondary that went on without us leaves us Outdated', () => {
  const { world, a, b } = inSync(3);
  b.machine.input(() => receiveCurrentUuid(theDevice(b).peer, 0xfeedfacecafebee0n, 0n));
  world.run(10);
  expect(b.disk).toBe(DiskState.Outdated);
  expect(b.kernelLog()).toContain('disk( UpToDate -> Outdated ) [receive-current-uuid]');
  expect(a.disk).toBe(DiskState.UpToDate);
});

test('one that connects does so when the connect is committed', () => {
  const { world, a, b } = inSync(4);
  a.must({ command: 'disconnect', resource: 'r0', peerNodeId: 1, force: false });
  world.run(2000);
  const { device, peer } = theDevice(b);
  b.machine.input(() => receiveCurrentUuid(peer, 0xfeedfacecafebee0n, 0n));
  expect([device.outdateOnTwopcCommit, b.disk]).toEqual([true, DiskState.UpToDate]);
  b.machine.input(() => {
    peer.staged = {
      repl: ReplicationState.Established,
      pdsk: DiskState.Diskless,
      disk: undefined,
      resyncSuspPeer: false,
      peerRole: Role.Secondary,
    };
    changeState(device.resource, { hard: true, tag: 'connected' }, () =>
      editConnect(peer.connection, Role.Secondary, 'commit', undefined),
    );
  });
  expect(b.disk).toBe(DiskState.Outdated);
  expect(a.disk).toBe(DiskState.UpToDate);
});
