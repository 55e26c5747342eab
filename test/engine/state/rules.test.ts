import { StateCode } from '../../../src/control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { type Device, type PeerDevice, type Resource } from '../../../src/engine/objects';
import { type ChangeOptions } from '../../../src/engine/state/change-options';
import { changeState } from '../../../src/engine/state/transaction';
import {
  attachBacking,
  buildResource,
  firstDevice,
  peerDeviceNamed,
  peerUuids,
  place,
  type Shape,
  World,
} from './world';

interface Scene {
  readonly resource: Resource;
  readonly device: Device;
  readonly bob: PeerDevice;
}
const { Connected, Disconnecting, StandAlone, Unconnected, Connecting } = ConnectionState;
const { Established, Off } = ReplicationState;

function connected(
  shape: Shape = {},
  own: DiskState = DiskState.UpToDate,
  pdsk: DiskState = DiskState.UpToDate,
): Scene {
  const resource = buildResource(new World(), shape);
  const device = firstDevice(resource);
  attachBacking(device, own, 0x10n);
  device.now.haveQuorum = device.next.haveQuorum = true;
  const bob = peerDeviceNamed(resource, 'bob');
  bob.uuids = peerUuids(0x10n);
  place(bob, Connected, Established, pdsk);
  return { resource, device, bob };
}
function apart(shape: Shape = {}, cstate: ConnectionState = StandAlone): Scene {
  const scene = connected(shape);
  place(scene.bob, cstate, Off, DiskState.DUnknown);
  for (const side of ['now', 'next'] as const) scene.bob.connection[side].peerRole = Role.Unknown;
  return scene;
}
const primary = (scene: Scene): Scene => {
  scene.resource.now.role = scene.resource.next.role = Role.Primary;
  return scene;
};
const peerPrimary = (scene: Scene): Scene => {
  scene.bob.connection.now.peerRole = scene.bob.connection.next.peerRole = Role.Primary;
  return scene;
};
const opened = (scene: Scene, writable: boolean): Scene => {
  scene.device.openCount = 1;
  scene.device.writable = writable;
  return scene;
};
const handshaking = (scene: Scene): Scene => {
  scene.bob.inHandshake = true;
  return scene;
};

type Case = [
  name: string,
  code: StateCode,
  scene: () => Scene,
  edit: (scene: Scene) => void,
  options?: ChangeOptions,
];
const promote = ({ resource }: Scene): void => {
  resource.next.role = Role.Primary;
};
const demote = ({ resource }: Scene): void => {
  resource.next.role = Role.Secondary;
};
const repl =
  (state: ReplicationState) =>
  ({ bob }: Scene): void => {
    bob.next.repl = state;
  };
const cstate =
  (state: ConnectionState) =>
  ({ bob }: Scene): void => {
    bob.connection.next.cstate = state;
  };
const disk =
  (state: DiskState) =>
  ({ device }: Scene): void => {
    device.next.disk = state;
  };
const S = StateCode;
const R = ReplicationState;

const cases: Case[] = [
  ['V1 second Primary', S.TwoPrimaries, () => peerPrimary(connected()), promote],
  [
    'V1 second Primary, allowed',
    S.Success,
    () => peerPrimary(connected({ net: { 'allow-two-primaries': true } })),
    promote,
  ],
  ['V2 promotion in a handshake', S.InTransientState, () => handshaking(apart({}, Connecting)), promote],
  ['V4/hard disconnect from StandAlone', S.AlreadyStandAlone, () => apart(), cstate(Disconnecting)],
  ['hard: StandAlone to Connecting', S.NeedConnection, () => apart(), cstate(Connecting)],
  ['V6 disconnect from Unconnected', S.InTransientState, () => apart({}, Unconnected), cstate(Disconnecting)],
  [
    'hard: Timeout to Connected',
    S.InTransientState,
    () => apart({}, ConnectionState.Timeout),
    cstate(Connected),
  ],
  ['hard: Timeout to Unconnected', S.Success, () => apart({}, ConnectionState.Timeout), cstate(Unconnected)],
  [
    'V7 peer promotes while we are Primary',
    S.TwoPrimaries,
    () => primary(connected()),
    ({ bob }) => {
      bob.connection.next.peerRole = Role.Primary;
    },
  ],
  [
    'V8 peer promotes while we are read',
    S.PrimaryReader,
    () => opened(connected(), false),
    ({ bob }) => {
      bob.connection.next.peerRole = Role.Primary;
    },
  ],
  [
    'V9 detach in a handshake',
    S.InTransientState,
    () => handshaking(apart({}, Connecting)),
    disk(DiskState.Detaching),
  ],
  ['V10 demotion while written', S.DeviceInUse, () => opened(primary(connected()), true), demote],
  [
    'V10 forced demotion while written',
    S.Success,
    () => opened(primary(connected()), true),
    demote,
    { fsIgnOpeners: true },
  ],
  [
    'V11 a diskless device becomes UpToDate',
    S.IsDiskless,
    () => connected({}, DiskState.Diskless),
    disk(DiskState.UpToDate),
  ],
  [
    'V12 outdate an Inconsistent disk',
    S.LowerThanOutdated,
    () => apart2(DiskState.Inconsistent),
    disk(DiskState.Outdated),
  ],
  [
    'V13 promotion without data',
    S.NoUpToDateDisk,
    () => connected({}, DiskState.Outdated, DiskState.Outdated),
    promote,
  ],
  [
    'V13 detach of the only copy of a Primary',
    S.NoUpToDateDisk,
    () => primary(apart()),
    disk(DiskState.Detaching),
  ],
  [
    'V13 detach of a Primary with an UpToDate peer',
    S.Success,
    () => primary(connected()),
    disk(DiskState.Detaching),
  ],
  [
    'V14 detach while read and nobody else has data',
    S.NoUpToDateDisk,
    () => opened(apart(), false),
    disk(DiskState.Detaching),
  ],
  [
    'V15 promotion without quorum',
    S.NoQuorum,
    () => {
      const s = apart({ resource: { quorum: 'majority' } });
      s.device.now.haveQuorum = s.device.next.haveQuorum = false;
      return s;
    },
    promote,
  ],
  [
    'V17 promotion without fencing',
    S.PrimaryNop,
    () => apart({ net: { fencing: 'resource-only' } }),
    promote,
  ],
  [
    'V20 outdate while a Primary is connected',
    S.ConnectedOutdates,
    () => peerPrimary(connected()),
    disk(DiskState.Outdated),
  ],
  ['V20 outdate while only a Secondary is connected', S.Success, () => connected(), disk(DiskState.Outdated)],
  ['V21 verify without an algorithm', S.NoVerifyAlgorithm, () => connected(), repl(R.VerifyS)],
  ['V21 verify', S.Success, () => connected({ net: { 'verify-alg': 'sha1' } }), repl(R.VerifyS)],
  [
    'V25 verify without a connection',
    S.NeedConnection,
    () => apart({ net: { 'verify-alg': 'sha1' } }),
    repl(R.VerifyS),
  ],
  [
    'V26 verify during a verify of the other side',
    S.ResyncRunning,
    () => {
      const s = connected({ net: { 'verify-alg': 'sha1' } });
      place(s.bob, Connected, R.VerifyT, DiskState.UpToDate);
      return s;
    },
    repl(R.VerifyS),
  ],
  [
    'V24 full sync during a resync',
    S.ResyncRunning,
    () => {
      const s = connected();
      place(s.bob, Connected, R.SyncSource, DiskState.Inconsistent);
      return s;
    },
    repl(R.StartingSyncS),
  ],
  ['V27 full sync without a connection', S.NeedConnection, () => apart(), repl(R.StartingSyncS)],
  [
    'V29 an intentionally diskless peer attaches',
    S.AttachNoBitmap,
    () => {
      const s = connected({}, DiskState.UpToDate, DiskState.Diskless);
      s.bob.options = { ...s.bob.options, bitmap: false };
      return s;
    },
    ({ bob }) => {
      bob.next.pdsk = DiskState.UpToDate;
    },
  ],
];
function apart2(own: DiskState): Scene {
  const scene = apart();
  scene.device.now.disk = scene.device.next.disk = own;
  return scene;
}

describe('a state change is judged by', () => {
  test.each(cases)('%s', (_name, code, scene, edit, options = {}) => {
    const made = scene();
    expect(changeState(made.resource, options, () => edit(made))).toBe(code);
  });

  test('nothing soft when it is imposed', () => {
    const scene = primary(apart());
    const code = changeState(scene.resource, { hard: true }, () => disk(DiskState.Detaching)(scene));
    expect(code).toBe(StateCode.Success);
  });

  test('quorum, and says what is missing', () => {
    const scene = apart({ resource: { quorum: 'majority' } });
    scene.device.now.haveQuorum = scene.device.next.haveQuorum = false;
    const infoTexts: string[] = [];
    changeState(scene.resource, { infoTexts }, () => promote(scene));
    expect(infoTexts).toEqual(['1 of 2 nodes visible, need 2 for quorum']);
  });
});
