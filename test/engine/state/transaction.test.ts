import { StateCode } from '../../../src/control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { changeState } from '../../../src/engine/state/transaction';
import { whenStateChanges } from '../../../src/engine/state/waiters';
import {
  attachBacking,
  buildResource,
  connectionNamed,
  firstDevice,
  peerDeviceNamed,
  place,
  World,
} from './world';

describe('a transaction', () => {
  test('that edits nothing has nothing to do', () => {
    const resource = buildResource(new World());
    expect(changeState(resource, {}, () => undefined)).toBe(StateCode.NothingToDo);
  });

  test('commits an allowed edit and tells it in the log with its tag', () => {
    const world = new World();
    const resource = buildResource(world);
    const bob = connectionNamed(resource, 'bob');
    const code = changeState(resource, { tag: 'connect' }, () => {
      bob.next.cstate = ConnectionState.Unconnected;
    });
    expect(code).toBe(StateCode.Success);
    expect(bob.now.cstate).toBe(ConnectionState.Unconnected);
    expect(world.log).toContain('drbd r0 bob: conn( StandAlone -> Unconnected ) [connect]');
  });

  test('that is refused leaves the state as it was, and says so if asked', () => {
    const world = new World();
    const resource = buildResource(world);
    const bob = connectionNamed(resource, 'bob');
    const disconnect = (): void => {
      bob.next.cstate = ConnectionState.Disconnecting;
    };
    expect(changeState(resource, { tag: 'disconnect', verbose: true }, disconnect)).toBe(
      StateCode.AlreadyStandAlone,
    );
    expect(bob.next.cstate).toBe(ConnectionState.StandAlone);
    expect(world.log).toEqual([
      'error: drbd r0: State change failed: Can not disconnect a StandAlone device (-9)',
      'drbd r0 bob: Failed: conn( StandAlone -> Disconnecting ) [disconnect]',
    ]);
  });

  test('that is only prepared keeps nothing', () => {
    const world = new World();
    const resource = buildResource(world);
    attachBacking(firstDevice(resource), DiskState.UpToDate, 0x10n);
    const code = changeState(resource, { prepare: true }, () => {
      resource.next.role = Role.Primary;
    });
    expect(code).toBe(StateCode.Success);
    expect(resource.now.role).toBe(Role.Secondary);
    expect(resource.next.role).toBe(Role.Secondary);
    expect(world.log).toEqual([]);
  });

  test('within a transaction is a programming error', () => {
    const resource = buildResource(new World());
    expect(() => changeState(resource, {}, () => void changeState(resource, {}, () => undefined))).toThrow(
      'state change within a state change',
    );
    expect(resource.transaction.open).toBe(false);
  });

  test('wakes waiters behind the commit, once they are satisfied for the last time', () => {
    const world = new World();
    const resource = buildResource(world);
    const bob = connectionNamed(resource, 'bob');
    let asked = 0;
    whenStateChanges(resource, () => {
      asked++;
      return bob.now.cstate === ConnectionState.Connecting;
    });
    const steps = [ConnectionState.Unconnected, ConnectionState.Connecting, ConnectionState.NetworkFailure];
    for (const cstate of steps) {
      changeState(resource, { hard: true }, () => {
        bob.next.cstate = cstate;
      });
      world.settle();
    }
    expect(asked).toBe(2);
  });

  test('that loses a peer forgets its role and its disk', () => {
    const world = new World();
    const resource = buildResource(world);
    attachBacking(firstDevice(resource), DiskState.UpToDate, 0x10n);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, ConnectionState.Connected, ReplicationState.Established, DiskState.UpToDate);
    changeState(resource, { hard: true }, () => {
      bob.connection.next.cstate = ConnectionState.NetworkFailure;
      bob.next.repl = ReplicationState.Off;
    });
    expect(bob.connection.now.peerRole).toBe(Role.Unknown);
    expect(bob.now.pdsk).toBe(DiskState.DUnknown);
    expect(world.log).toEqual([
      'drbd r0 bob: conn( Connected -> NetworkFailure ) peer( Secondary -> Unknown )',
      'drbd r0/0 drbd0 bob: pdsk( UpToDate -> DUnknown ) repl( Established -> Off )',
    ]);
  });
});
