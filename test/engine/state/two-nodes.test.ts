import { StateCode } from '../../../src/control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { type Resource } from '../../../src/engine/objects';
import { changeState } from '../../../src/engine/state/transaction';
import {
  attachBacking,
  buildResource,
  connectionNamed,
  firstDevice,
  peerDeviceNamed,
  peerUuids,
  place,
  World,
} from './world';

function connected(world: World, own: DiskState, peer: DiskState, current = 0x10n): Resource {
  const resource = buildResource(world);
  attachBacking(firstDevice(resource), own, current);
  const bob = peerDeviceNamed(resource, 'bob');
  bob.uuids = peerUuids(current, 0x20n);
  bob.uuidsReceived = true;
  place(bob, ConnectionState.Connected, ReplicationState.Established, peer);
  return resource;
}
/** The lines and requests of the recorded kernel (two nodes, initial sync), in its order. */
describe('the life of two nodes', () => {
  test('attach without a peer goes straight to what the meta-data says', () => {
    const world = new World();
    const resource = buildResource(world);
    const device = firstDevice(resource);
    changeState(resource, { tag: 'attach' }, () => {
      device.next.disk = DiskState.Attaching;
    });
    attachBacking(device, DiskState.Attaching);
    const code = changeState(resource, { tag: 'attach' }, () => {
      device.next.disk = DiskState.Negotiating;
    });
    expect(code).toBe(StateCode.Success);
    expect(world.log).toEqual([
      'drbd r0/0 drbd0: disk( Diskless -> Attaching ) [attach]',
      'drbd r0/0 drbd0: disk( Attaching -> Inconsistent ) [attach]',
      'drbd r0/0 drbd0: attached to current UUID: 0000000000000004',
    ]);
  });

  test('the connect of fresh disks announces the state and resumes the activity log', () => {
    const world = new World();
    const resource = buildResource(world);
    attachBacking(firstDevice(resource), DiskState.Inconsistent);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, ConnectionState.Connecting, ReplicationState.Off, DiskState.DUnknown);
    bob.peerReplicationNext = false;
    bob.replicationNext = false;
    changeState(resource, { tag: 'connected' }, () => {
      bob.connection.next.cstate = ConnectionState.Connected;
      bob.connection.next.peerRole = Role.Secondary;
      bob.next.repl = ReplicationState.Established;
      bob.next.pdsk = DiskState.Inconsistent;
    });
    world.settle();
    expect(world.log).toEqual([
      'drbd r0 bob: conn( Connecting -> Connected ) peer( Unknown -> Secondary ) [connected]',
      'drbd r0/0 drbd0 bob: pdsk( DUnknown -> Inconsistent ) repl( Off -> Established ) replication( yes -> no ) peer_replication( yes -> no ) [connected]',
    ]);
    expect(world.calls).toContain('resumeActivityLog(r0/0 drbd0)');
    expect(world.calls.filter((call) => call.startsWith('sendState'))).toEqual(['sendState(r0/0 drbd0 bob)']);
  });

  test('a forced promotion makes the disk UpToDate and owes a generation', () => {
    const world = new World();
    const resource = connected(world, DiskState.Inconsistent, DiskState.Inconsistent, 4n);
    const device = firstDevice(resource);
    const code = changeState(resource, { tag: 'primary' }, () => {
      resource.next.role = Role.Primary;
      device.next.disk = DiskState.UpToDate;
    });
    expect(code).toBe(StateCode.Success);
    expect(world.log.slice(0, 2)).toEqual([
      'drbd r0: role( Secondary -> Primary ) [primary]',
      'drbd r0/0 drbd0: disk( Inconsistent -> UpToDate ) [primary]',
    ]);
    expect(device.newCurrentUuidOwed).toBe(true);
  });

  test('a promotion without UpToDate data is refused', () => {
    const resource = connected(new World(), DiskState.Inconsistent, DiskState.Inconsistent, 4n);
    const code = changeState(resource, { tag: 'primary' }, () => {
      resource.next.role = Role.Primary;
    });
    expect(code).toBe(StateCode.NoUpToDateDisk);
  });

  test('the peer becomes Primary: we become unstable and tell it twice', () => {
    const world = new World();
    const resource = connected(world, DiskState.UpToDate, DiskState.UpToDate);
    changeState(resource, { tag: 'remote' }, () => {
      connectionNamed(resource, 'bob').next.peerRole = Role.Primary;
    });
    world.settle();
    expect(world.log).toEqual(['drbd r0 bob: peer( Secondary -> Primary ) [remote]']);
    expect(world.calls.filter((call) => call.startsWith('send'))).toEqual([
      'sendUuids(r0/0 drbd0 bob, 0)',
      'sendUuids(r0/0 drbd0 bob, 0)',
    ]);
  });

  test('the bitmap source marks what is under way before it sends the bitmap', () => {
    const world = new World();
    const resource = connected(world, DiskState.UpToDate, DiskState.Outdated);
    changeState(resource, { tag: 'peer-state' }, () => {
      peerDeviceNamed(resource, 'bob').next.repl = ReplicationState.WFBitMapS;
    });
    world.settle();
    expect(world.calls.filter((call) => /markUnacked|sendBitmap/.test(call))).toEqual([
      'markUnackedOutOfSync(r0/0 drbd0 bob)',
      'sendBitmap(r0/0 drbd0 bob)',
    ]);
  });

  test('the end of a resync as target announces identifiers, then the state twice', () => {
    const world = new World();
    const resource = connected(world, DiskState.Inconsistent, DiskState.UpToDate);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, ConnectionState.Connected, ReplicationState.SyncTarget, DiskState.UpToDate);
    bob.connection.now.peerRole = bob.connection.next.peerRole = Role.Primary;
    bob.now.resyncActive = bob.next.resyncActive = true;
    changeState(resource, { tag: 'resync-finished' }, () => {
      bob.next.repl = ReplicationState.Established;
      bob.next.resyncActive = false;
      firstDevice(resource).next.disk = DiskState.UpToDate;
    });
    world.settle();
    expect(world.log.slice(0, 2)).toEqual([
      'drbd r0/0 drbd0: disk( Inconsistent -> UpToDate ) [resync-finished]',
      'drbd r0/0 drbd0 bob: repl( SyncTarget -> Established ) [resync-finished]',
    ]);
    expect(world.calls.filter((call) => call.startsWith('send'))).toEqual([
      'sendUuids(r0/0 drbd0 bob, 0)',
      'sendState(r0/0 drbd0 bob)',
      'sendState(r0/0 drbd0 bob)',
    ]);
  });

  test('a Primary that loses its peer owes a generation and starts a new epoch', () => {
    const world = new World();
    const resource = connected(world, DiskState.UpToDate, DiskState.UpToDate);
    resource.now.role = resource.next.role = Role.Primary;
    const bob = peerDeviceNamed(resource, 'bob');
    changeState(resource, { hard: true }, () => {
      bob.connection.next.cstate = ConnectionState.NetworkFailure;
      bob.next.repl = ReplicationState.Off;
    });
    expect(firstDevice(resource).newCurrentUuidOwed).toBe(true);
    expect(world.calls).toEqual(
      expect.arrayContaining(['startNewEpoch(r0)', 'restartReceiver(r0 bob)', 'connectionDown(r0 bob)']),
    );
  });

  test('a Secondary that loses the Primary doubts its disk until the cluster was asked', () => {
    const world = new World();
    const resource = connected(world, DiskState.UpToDate, DiskState.UpToDate);
    const bob = peerDeviceNamed(resource, 'bob');
    bob.connection.now.peerRole = bob.connection.next.peerRole = Role.Primary;
    changeState(resource, { hard: true }, () => {
      bob.connection.next.cstate = ConnectionState.NetworkFailure;
      bob.next.repl = ReplicationState.Off;
    });
    world.settle();
    expect(world.log).toEqual([
      'drbd r0 bob: conn( Connected -> NetworkFailure ) peer( Primary -> Unknown )',
      'drbd r0/0 drbd0: disk( UpToDate -> Consistent )',
      'drbd r0/0 drbd0 bob: pdsk( UpToDate -> DUnknown ) repl( Established -> Off )',
    ]);
    expect(world.calls).toContain('scheduleEmptyTransaction(r0, lost-peer)');
    expect(bob.connection.notifyPeersLostPrimary).toBe(false);
  });

  test('detach leaves the disk to the data path', () => {
    const world = new World();
    const resource = buildResource(world);
    attachBacking(firstDevice(resource), DiskState.UpToDate, 0x10n);
    changeState(resource, { tag: 'down' }, () => {
      firstDevice(resource).next.disk = DiskState.Detaching;
    });
    world.settle();
    expect(world.log).toEqual(['drbd r0/0 drbd0: disk( UpToDate -> Detaching ) [down]']);
    expect(world.calls).toContain('goDiskless(r0/0 drbd0)');
  });
});
