import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { type Resource } from '../../../src/engine/objects';
import { changeState } from '../../../src/engine/state/transaction';
import { PeerFlag } from '../../../src/metadata/superblock-flags';
import {
  attachBacking,
  buildResource,
  connectionNamed,
  firstDevice,
  peerDeviceNamed,
  peerUuids,
  place,
  type Shape,
  World,
} from './world';

const { Connected, Connecting, NetworkFailure } = ConnectionState;
const { Established, Off, WFBitMapS, WFBitMapT, SyncTarget, SyncSource, PausedSyncT, PausedSyncS } =
  ReplicationState;

/** Three nodes; peers bob (1) and carol (2) UpToDate and established. */
function three(world: World, own: DiskState = DiskState.UpToDate, shape: Shape = {}): Resource {
  const resource = buildResource(world, { peers: ['bob', 'carol'], ...shape });
  attachBacking(firstDevice(resource), own, 0x10n);
  for (const name of ['bob', 'carol']) {
    const peer = peerDeviceNamed(resource, name);
    peer.uuids = peerUuids(0x10n, 0x20n);
    peer.uuidsReceived = true;
    place(peer, Connected, Established, DiskState.UpToDate);
  }
  return resource;
}
const lose = (resource: Resource, name: string): void => {
  connectionNamed(resource, name).next.cstate = NetworkFailure;
  for (const peerDevice of connectionNamed(resource, name).peerDevices) peerDevice.next.repl = Off;
};
const setPrimary = (resource: Resource, name: string): void => {
  const connection = connectionNamed(resource, name);
  connection.now.peerRole = connection.next.peerRole = Role.Primary;
};

describe('sanitize', () => {
  test('runs one resync as target at a time: the one with fewer bits', () => {
    const world = new World();
    const resource = three(world, DiskState.Inconsistent);
    world.bits.set('0/bob', 5000);
    world.bits.set('0/carol', 100);
    changeState(resource, {}, () => {
      for (const name of ['bob', 'carol']) peerDeviceNamed(resource, name).next.repl = SyncTarget;
    });
    const bob = peerDeviceNamed(resource, 'bob').now;
    const carol = peerDeviceNamed(resource, 'carol').now;
    expect([bob.repl, bob.resyncSuspOtherConnection, bob.resyncActive]).toEqual([PausedSyncT, true, false]);
    expect([carol.repl, carol.resyncSuspOtherConnection, carol.resyncActive]).toEqual([
      SyncTarget,
      false,
      true,
    ]);
  });

  test('keeps the running target for a small difference', () => {
    const world = new World();
    const resource = three(world, DiskState.Inconsistent);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, Connected, SyncTarget, DiskState.UpToDate);
    bob.now.resyncActive = bob.next.resyncActive = true;
    world.bits.set('0/bob', 300);
    world.bits.set('0/carol', 100);
    changeState(resource, {}, () => {
      peerDeviceNamed(resource, 'carol').next.repl = SyncTarget;
    });
    expect(bob.now.repl).toBe(SyncTarget);
    expect(peerDeviceNamed(resource, 'carol').now.repl).toBe(PausedSyncT);
  });

  test('pauses and continues a source with the pause flags', () => {
    const world = new World();
    const resource = three(world);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, Connected, SyncSource, DiskState.Inconsistent);
    changeState(resource, { tag: 'pause-sync' }, () => {
      bob.next.resyncSuspUser = true;
    });
    expect(bob.now.repl).toBe(PausedSyncS);
    changeState(resource, { tag: 'resume-sync' }, () => {
      bob.next.resyncSuspUser = false;
    });
    expect(bob.now.repl).toBe(SyncSource);
    expect(world.log).toEqual([
      'drbd r0/0 drbd0 bob: repl( SyncSource -> PausedSyncS ) resync-susp( no -> user ) [pause-sync]',
      'drbd r0/0 drbd0 bob: repl( PausedSyncS -> SyncSource ) resync-susp( user -> no ) [resume-sync]',
    ]);
  });

  test('a source that becomes target itself pauses for its own resync', () => {
    const world = new World();
    const resource = three(world, DiskState.Inconsistent);
    place(peerDeviceNamed(resource, 'carol'), Connected, SyncSource, DiskState.Inconsistent);
    changeState(resource, {}, () => {
      peerDeviceNamed(resource, 'bob').next.repl = SyncTarget;
    });
    expect(peerDeviceNamed(resource, 'carol').now.repl).toBe(PausedSyncS);
  });

  test.each<[string, ReplicationState, DiskState, DiskState]>([
    [
      'the target of a bitmap exchange is at most Outdated',
      WFBitMapT,
      DiskState.Outdated,
      DiskState.UpToDate,
    ],
    ['a sync target is Inconsistent', SyncTarget, DiskState.Inconsistent, DiskState.UpToDate],
    ['the target of a sync source is Inconsistent', SyncSource, DiskState.UpToDate, DiskState.Inconsistent],
    [
      'the peer of a bitmap source is not UpToDate',
      ReplicationState.WFBitMapS,
      DiskState.UpToDate,
      DiskState.Consistent,
    ],
  ])('%s', (_name, repl, disk, pdsk) => {
    const resource = three(new World());
    const bob = peerDeviceNamed(resource, 'bob');
    changeState(resource, { hard: true }, () => {
      bob.next.repl = repl;
    });
    expect([firstDevice(resource).now.disk, bob.now.pdsk]).toEqual([disk, pdsk]);
  });

  test('two-node split: a lost diskful Primary leaves doubt, a lost Outdated one does not', () => {
    for (const [pdsk, expected] of [
      [DiskState.UpToDate, DiskState.Consistent],
      [DiskState.Outdated, DiskState.UpToDate],
    ] as const) {
      const resource = buildResource(new World());
      attachBacking(firstDevice(resource), DiskState.UpToDate, 0x10n);
      const bob = peerDeviceNamed(resource, 'bob');
      place(bob, Connected, Established, pdsk);
      setPrimary(resource, 'bob');
      changeState(resource, { hard: true }, () => lose(resource, 'bob'));
      expect(firstDevice(resource).now.disk).toBe(expected);
    }
  });

  test('the loss of a Secondary leaves no doubt', () => {
    const resource = three(new World());
    changeState(resource, { hard: true }, () => lose(resource, 'bob'));
    expect(firstDevice(resource).now.disk).toBe(DiskState.UpToDate);
  });

  test('quorum is lost with both peers, and suspends a Primary', () => {
    const world = new World();
    const resource = three(world, DiskState.UpToDate, { resource: { quorum: 'majority' } });
    resource.members = 7n;
    const device = firstDevice(resource);
    for (const side of ['now', 'next'] as const)
      Object.assign(device[side], { quorum: true, haveQuorum: true });
    resource.now.role = resource.next.role = Role.Primary;
    changeState(resource, { hard: true }, () => lose(resource, 'bob'));
    expect([device.now.haveQuorum, resource.now.suspQuorum]).toEqual([true, false]);
    changeState(resource, { hard: true }, () => lose(resource, 'carol'));
    expect([device.now.haveQuorum, resource.now.suspQuorum]).toEqual([false, true]);
    expect(device.primaryLostQuorum).toBe(true);
    world.settle();
    expect(world.log).toContain('drbd r0: susp-io( no -> quorum )');
    expect(world.calls).toContain('runHelper(quorum-lost, r0/0 drbd0)');
  });

  test('regaining quorum with a generation owed rotates before it resumes', () => {
    const world = new World();
    const resource = three(world, DiskState.UpToDate, { resource: { quorum: 'majority' } });
    resource.members = 7n;
    const device = firstDevice(resource);
    resource.now.role = resource.next.role = Role.Primary;
    resource.now.suspQuorum = resource.next.suspQuorum = true;
    device.newCurrentUuidOwed = true;
    for (const name of ['bob', 'carol'])
      place(peerDeviceNamed(resource, name), Connecting, Off, DiskState.DUnknown);
    changeState(resource, { tag: 'connected', hard: true }, () => {
      const bob = peerDeviceNamed(resource, 'bob');
      bob.connection.next.cstate = Connected;
      bob.connection.next.peerRole = Role.Secondary;
      bob.next.repl = Established;
      bob.next.pdsk = DiskState.UpToDate;
    });
    expect(resource.now.suspUuid).toBe(true);
    world.settle();
    expect([resource.now.suspUuid, device.newCurrentUuidOwed]).toEqual([false, false]);
    expect(world.log.filter((line) => line.includes('susp-io'))).toEqual([
      'drbd r0: susp-io( quorum -> uuid ) [connected]',
      'drbd r0: susp-io( uuid -> no ) [susp-uuid]',
    ]);
  });

  test('a Primary that loses all data suspends if told so', () => {
    const resource = three(new World(), DiskState.UpToDate, {
      resource: { 'on-no-data-accessible': 'suspend-io' },
    });
    resource.now.role = resource.next.role = Role.Primary;
    changeState(resource, { hard: true }, () => {
      lose(resource, 'bob');
      lose(resource, 'carol');
      firstDevice(resource).next.disk = DiskState.Failed;
    });
    expect(resource.now.suspNoData).toBe(true);
  });

  test('an Outdated disk follows a stable UpToDate peer when they meet again without resync', () => {
    const resource = three(new World(), DiskState.Outdated);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, Connecting, Off, DiskState.DUnknown);
    changeState(resource, {}, () => {
      bob.connection.next.cstate = Connected;
      bob.connection.next.peerRole = Role.Secondary;
      bob.next.repl = Established;
      bob.next.pdsk = DiskState.UpToDate;
    });
    expect(firstDevice(resource).now.disk).toBe(DiskState.UpToDate);
  });

  test('the attach negotiation ends with the last result', () => {
    const world = new World();
    const resource = three(world, DiskState.Attaching);
    const device = firstDevice(resource);
    changeState(resource, { tag: 'attach' }, () => {
      device.next.disk = DiskState.Negotiating;
    });
    expect(device.now.disk).toBe(DiskState.Negotiating);
    peerDeviceNamed(resource, 'bob').negotiationResult = Established;
    changeState(resource, { forceRecalc: true }, () => undefined);
    expect(device.now.disk).toBe(DiskState.Negotiating);
    peerDeviceNamed(resource, 'carol').negotiationResult = WFBitMapT;
    changeState(resource, { forceRecalc: true }, () => undefined);
    expect(device.now.disk).toBe(DiskState.Inconsistent);
    expect(peerDeviceNamed(resource, 'carol').now.repl).toBe(WFBitMapT);
  });

  test('who becomes target by attaching still sends its bitmap to a peer that waits for it', () => {
    const world = new World();
    const resource = three(world, DiskState.Attaching);
    const device = firstDevice(resource);
    changeState(resource, { tag: 'attach' }, () => {
      device.next.disk = DiskState.Negotiating;
    });
    peerDeviceNamed(resource, 'bob').negotiationResult = WFBitMapS;
    peerDeviceNamed(resource, 'carol').negotiationResult = WFBitMapT;
    changeState(resource, { forceRecalc: true }, () => undefined);
    expect(device.now.disk).toBe(DiskState.Inconsistent);
    expect(peerDeviceNamed(resource, 'bob').now.repl).toBe(WFBitMapS);
    changeState(resource, { hard: true, tag: 'receive-bitmap' }, () => {
      peerDeviceNamed(resource, 'bob').next.repl = SyncSource;
    });
    expect(peerDeviceNamed(resource, 'bob').now.repl).toBe(PausedSyncS);
  });

  test.each([
    ['the same generation', 0x10n, DiskState.UpToDate],
    ['a later generation', 0x30n, DiskState.Outdated],
  ])('an Outdated disk and an UpToDate peer, next to a diskless Primary on %s', (_, exposed, expected) => {
    const resource = three(new World(), DiskState.Outdated);
    const carol = peerDeviceNamed(resource, 'carol');
    place(carol, Connected, Established, DiskState.Diskless);
    carol.uuids = peerUuids(exposed, 0n);
    setPrimary(resource, 'carol');
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, Connecting, Off, DiskState.DUnknown);
    changeState(resource, {}, () => {
      bob.connection.next.cstate = Connected;
      bob.connection.next.peerRole = Role.Secondary;
      bob.next.repl = Established;
      bob.next.pdsk = DiskState.UpToDate;
    });
    expect(firstDevice(resource).now.disk).toBe(expected);
  });

  test('an attach that every peer refuses detaches again', () => {
    const resource = three(new World(), DiskState.Negotiating);
    for (const name of ['bob', 'carol']) peerDeviceNamed(resource, name).negotiationResult = 'no-result';
    changeState(resource, { forceRecalc: true, hard: true }, () => undefined);
    expect(firstDevice(resource).now.disk).toBe(DiskState.Detaching);
  });

  test('an attach that one peer refuses detaches again, and nothing is synced from that disk', () => {
    const resource = three(new World(), DiskState.Negotiating);
    peerDeviceNamed(resource, 'bob').negotiationResult = 'no-result';
    peerDeviceNamed(resource, 'carol').negotiationResult = WFBitMapS;
    changeState(resource, { forceRecalc: true, hard: true }, () => undefined);
    expect(firstDevice(resource).now.disk).toBe(DiskState.Detaching);
    expect(peerDeviceNamed(resource, 'carol').now.repl).toBe(Established);
  });

  test('fencing: a lost peer that is not known to be outdated forbids UpToDate', () => {
    const resource = three(new World(), DiskState.Consistent, { net: { fencing: 'resource-only' } });
    const device = firstDevice(resource);
    const slot = device.backing?.superblock.peers[2];
    if (slot) slot.flags = (slot.flags | PeerFlag.FENCING) >>> 0;
    place(peerDeviceNamed(resource, 'carol'), Connecting, Off, DiskState.DUnknown);
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, Connecting, Off, DiskState.DUnknown);
    const meetBob = (): void => {
      bob.connection.next.cstate = Connected;
      bob.connection.next.peerRole = Role.Secondary;
      bob.next.repl = Established;
      bob.next.pdsk = DiskState.Consistent;
    };
    changeState(resource, {}, meetBob);
    expect(device.now.disk).toBe(DiskState.Consistent);
  });
});

test('who loses a Primary has something to tell the peers that are left', () => {
  const resource = three(new World());
  setPrimary(resource, 'bob');
  changeState(resource, { hard: true }, () => lose(resource, 'bob'));
  expect(connectionNamed(resource, 'bob').notifyPeersLostPrimary).toBe(true);
});

describe('members', () => {
  test('grow by whom we connect to, shrink to whom a two-phase commit reached', () => {
    const resource = three(new World());
    const bob = peerDeviceNamed(resource, 'bob');
    place(bob, Connecting, Off, DiskState.DUnknown);
    changeState(resource, {}, () => {
      bob.connection.next.cstate = Connected;
      bob.connection.next.peerRole = Role.Secondary;
    });
    expect(resource.members).toBe(0b11n);
    changeState(resource, { forceRecalc: true, reachable: 0b101n }, () => undefined);
    expect(resource.members).toBe(0b101n);
    expect(firstDevice(resource).backing?.superblock.members).toBe(0b101n);
  });

  test('are taken from a participant without quorum only if a quorate neighbour is among them', () => {
    const resource = three(new World(), DiskState.UpToDate, { resource: { quorum: 'all' } });
    firstDevice(resource).now.haveQuorum = firstDevice(resource).next.haveQuorum = false;
    changeState(resource, { twopc: true, reachable: 0b11n }, () => undefined);
    expect(resource.members).toBe(1n);
    peerDeviceNamed(resource, 'bob').peerQuorate = true;
    changeState(resource, { twopc: true, reachable: 0b11n }, () => undefined);
    expect(resource.members).toBe(0b11n);
  });
});
