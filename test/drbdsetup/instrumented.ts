/**
 * The message scripts of drbd-utils' own tests (drbdsetup.md 11), fed to our renderers: what its
 * `drbdsetup_instrumented` does with the real ones.
 */
import { ControlError } from '../../src/control/channel/control-error';
import { type ControlEvent } from '../../src/control/contract/events';
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type PeerDeviceStatistics,
  type ResourceInfo,
  type ResourceSnapshot,
} from '../../src/control/contract/snapshot';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../src/control/contract/states';
import { runDrbdsetup } from '../../src/drbdsetup/run';
import { type EventReader } from '../../src/control/channel/client';

const defaults = {
  auto_promote: 1,
  on_no_quorum: 1,
  minor: 1000,
  volume_number: 0,
  diskless: 0,
  inconsistent: 0,
  has_quorum: 1,
  al_extents: 1237,
  read_balancing: 0,
  max_bio_size: 1048576,
  ping_int: 10,
  two_primaries: 0,
  c_max_rate: 102400,
  c_min_rate: 250,
};
type Variables = typeof defaults & { msg_seq?: number };

interface Message {
  readonly name: string;
  readonly variables: Variables;
}

function parseMessage(line: string): Message {
  const [name = '', ...words] = line.trim().split(/\s+/);
  const variables: Record<string, number> = { ...defaults };
  for (let index = 0; index < words.length; index += 2) {
    const [variable = '', value = ''] = words.slice(index, index + 2);
    if (!(variable in defaults) && variable !== 'msg_seq') throw new Error(`Unknown var: '${variable}'`);
    variables[variable] = Number(value);
  }
  return { name, variables: variables as Variables };
}

/** The messages of 9.22 have names where later ones have variables: a device is diskless or has a volume in its name. */
function fromOldName({ name, variables }: Message): Message {
  const [, plain = name, suffix] =
    /^(device_[a-z]+?)(?:_(disk_b|disk_inconsistent|disk|quorum|b))?$/.exec(name) ?? [];
  if (!plain.startsWith('device_')) return { name, variables };
  const second = suffix === 'b' || suffix === 'disk_b';
  return {
    name: plain,
    variables: {
      ...variables,
      ...(second ? { volume_number: 1, minor: 1001 } : {}),
      diskless: plain === 'device_create' || plain === 'device_exists' ? 1 : 0,
      inconsistent: suffix === 'disk_inconsistent' ? 1 : 0,
      has_quorum: suffix === 'quorum' ? 0 : 1,
    },
  };
}

const zero = '0000000000000000';
const resource = 'some-resource';
const peer = { peerNodeId: 1, connectionName: 'some-peer' };
const addresses = {
  local: { family: 'ipv4', host: '1.2.3.4', port: 7789 },
  remote: { family: 'ipv4', host: '5.6.7.8', port: 7790 },
} as const;

const resourceInfo = (role: ResourceInfo['role']): ResourceInfo => ({
  role,
  suspUser: false,
  suspNoData: false,
  suspFencing: false,
  suspQuorum: false,
  failIo: false,
});

function device(variables: Variables): Pick<DeviceSnapshot, 'info' | 'statistics'> {
  const disk = variables.diskless
    ? DiskState.Diskless
    : variables.inconsistent
      ? DiskState.Inconsistent
      : DiskState.UpToDate;
  return {
    info: {
      disk,
      intentionalDiskless: false,
      hasQuorum: variables.has_quorum === 1,
      open: false,
      backingDevice: disk === DiskState.Diskless ? '' : '/dev/sda',
    },
    statistics: {
      size: 10,
      read: 20,
      written: 30,
      alWrites: 40,
      bmWrites: 50,
      upperPending: 60,
      lowerPending: 70,
      upperBlocked: false,
      lowerBlocked: false,
      alSuspended: false,
      exposedUuid: zero,
      currentUuid: zero,
      diskFlags: 0,
      historyUuids: [],
    },
  };
}

function peerDevice(
  replication: ReplicationState,
  disk: DiskState,
  sync: Partial<PeerDeviceStatistics> = {},
) {
  return {
    info: {
      replication,
      disk,
      resyncSuspUser: false,
      resyncSuspPeer: false,
      resyncSuspDependency: false,
      resyncSuspMaxParallel: false,
      intentionalDiskless: false,
    },
    statistics: {
      received: 10,
      sent: 20,
      pending: 30,
      unacked: 40,
      outOfSync: 0,
      resyncFailed: 0,
      bitmapUuid: zero,
      flags: 0,
      rsTotal: 0,
      ovStartSector: 0,
      ovStopSector: 0,
      ovPosition: 0,
      ovLeft: 0,
      ovSkipped: 0,
      rsSameCsum: 0,
      rsDtStartMs: 0,
      rsPausedMs: 0,
      rsDt0Ms: 0,
      rsDb0Sectors: 0,
      rsDt1Ms: 0,
      rsDb1Sectors: 0,
      cSyncRate: 0,
      uuidFlags: 0x20,
      ...sync,
    },
  };
}

const connection = (state: ConnectionState, role: ResourceInfo['role']) => ({
  info: { connection: state, role },
  statistics: { congested: false, apInFlight: 10, rsInFlight: 20 },
});
const running = { outOfSync: 5000, rsTotal: 8000, rsDt1Ms: 100, rsDb1Sectors: 50 };

/** Each message of the harness as an event of ours. */
function toEvent({ name, variables }: Message): ControlEvent {
  const common = { resource, continues: false };
  const ofDevice = {
    ...common,
    kind: 'device',
    volume: variables.volume_number,
    minor: variables.minor,
  } as const;
  const ofPeerDevice = { ...common, ...peer, kind: 'peer-device', volume: variables.volume_number } as const;
  const ofConnection = { ...common, ...peer, kind: 'connection' } as const;
  const ofPath = { ...common, ...peer, ...addresses, kind: 'path' } as const;
  const ofResource = { ...common, kind: 'resource', statistics: { writeOrdering: 0 } } as const;
  const helper = { ...common, ...peer, kind: 'helper', helper: 'before-resync-target', volume: 0 } as const;
  const { Established, Off, SyncSource } = ReplicationState;
  switch (name) {
    case 'resource_exists':
      return { ...ofResource, action: 'exists', info: resourceInfo(Role.Secondary) };
    case 'resource_create':
      return { ...ofResource, action: 'create', info: resourceInfo(Role.Secondary) };
    case 'resource_change_role':
      return { ...ofResource, action: 'change', info: resourceInfo(Role.Primary) };
    case 'resource_destroy':
      return { ...common, kind: 'resource', action: 'destroy' };
    case 'device_exists':
      return { ...ofDevice, action: 'exists', ...device(variables) };
    case 'device_create':
      return { ...ofDevice, action: 'create', ...device(variables) };
    case 'device_change':
      return { ...ofDevice, action: 'change', ...device(variables) };
    case 'device_destroy':
      return { ...ofDevice, action: 'destroy' };
    case 'connection_create':
      return { ...ofConnection, action: 'create', ...connection(ConnectionState.StandAlone, Role.Unknown) };
    case 'connection_change_connection':
      return { ...ofConnection, action: 'change', ...connection(ConnectionState.Connected, Role.Secondary) };
    case 'connection_change_role':
      return { ...ofConnection, action: 'change', ...connection(ConnectionState.Connected, Role.Primary) };
    case 'connection_destroy':
      return { ...ofConnection, action: 'destroy' };
    case 'peer_device_create':
      return { ...ofPeerDevice, action: 'create', ...peerDevice(Off, DiskState.DUnknown) };
    case 'peer_device_change_replication':
      return { ...ofPeerDevice, action: 'change', ...peerDevice(Established, DiskState.UpToDate) };
    case 'peer_device_change_sync':
      return {
        ...ofPeerDevice,
        action: 'change',
        ...peerDevice(SyncSource, DiskState.Inconsistent, running),
      };
    case 'peer_device_destroy':
      return { ...ofPeerDevice, action: 'destroy' };
    case 'path_create':
      return { ...ofPath, action: 'create', established: false };
    case 'path_change_established':
      return { ...ofPath, action: 'change', established: true };
    case 'path_destroy':
      return { ...ofPath, action: 'destroy' };
    case 'helper_call':
      return { ...helper, action: 'call', status: 0 };
    case 'helper_response':
      return { ...helper, action: 'response', status: 1 };
    default:
      throw new Error(`unknown message '${name}'`);
  }
}

/** The answers to the requests of `show` as one snapshot. */
function toSnapshots(lines: readonly string[]): readonly ResourceSnapshot[] {
  const messages = lines.filter((line) => /^get_/.test(line)).map(parseMessage);
  const named = (name: string): readonly Variables[] =>
    messages.filter((message) => message.name === name).map(({ variables }) => variables);
  const striping = ['32K', '64K', '128K', '256K', '512K', '1M'].map((size) => `${size}-striping`);
  const balancing = [
    'prefer-local',
    'prefer-remote',
    'round-robin',
    'least-pending',
    'when-congested-remote',
  ];
  const readBalancing = [...balancing, ...striping] as NonNullable<
    NonNullable<DeviceSnapshot['disk']>['options']['read-balancing']
  >[];
  const minors = named('get_peer_device');
  const connections = named('get_connection').map((variables): ConnectionSnapshot => ({
    peerNodeId: 1,
    name: 'some-peer',
    options: { 'ping-int': variables.ping_int, 'allow-two-primaries': variables.two_primaries === 1 },
    ...connection(ConnectionState.Connected, Role.Primary),
    paths: [],
    peerDevices: minors.map((each) => ({
      volume: each.volume_number,
      options: { 'c-max-rate': each.c_max_rate, 'c-min-rate': each.c_min_rate },
      ...peerDevice(ReplicationState.Established, DiskState.UpToDate),
    })),
  }));
  return named('get_resource').map((variables) => ({
    name: resource,
    nodeId: 4,
    drbd8Compat: false,
    options: {
      'auto-promote': variables.auto_promote === 1,
      'on-no-quorum': variables.on_no_quorum === 1 ? 'suspend-io' : 'io-error',
    },
    info: resourceInfo(Role.Secondary),
    devices: named('get_device').map((each) => ({
      minor: each.minor,
      volume: each.volume_number,
      disk: {
        backingDevice: '/dev/sda',
        metaDevice: '/dev/sda',
        metaIndex: -3,
        options: {
          'al-extents': each.al_extents,
          'read-balancing': readBalancing[each.read_balancing] ?? 'prefer-local',
        },
      },
      options: { 'max-bio-size': each.max_bio_size },
      ...device(each),
    })),
    connections,
  }));
}

function play(lines: readonly string[], reader: EventReader, dialect: string | undefined): void {
  let counter = 0;
  for (const line of lines) {
    const message = dialect === '9.22' ? fromOldName(parseMessage(line)) : parseMessage(line);
    counter = message.variables.msg_seq ?? counter;
    if (message.name === 'initial_state_done') reader.onDumpEnd();
    else {
      const event = toEvent(message);
      // Sequence number 0 marks our dumps.
      reader.onEvent(event, event.kind !== 'helper' && event.action === 'exists' ? 0 : counter + 1);
    }
    counter += 1;
  }
  // The harness ends with status 0; the end of our stream has another one.
  reader.onClosed(new ControlError('protocol', 'end of the script'));
}

/** Runs a script; `stdout` and whether it went as the harness would. */
export async function runInstrumented(
  argv: readonly string[],
  script: string,
  dialect?: string,
): Promise<string> {
  const lines = script.split('\n').filter((line) => line.trim() !== '');
  let stdout = '';
  await runDrbdsetup(argv, {
    stdout: (text) => (stdout += text),
    stderr: () => undefined,
    env: { UDRBD_RUN_DIR: '/nonexistent', ...(dialect === undefined ? {} : { UDRBD_COMPAT: dialect }) },
    programName: 'drbdsetup',
    connections: {
      connect: () =>
        Promise.resolve({
          request: () => Promise.reject(new Error('no requests here')),
          dump: () => Promise.resolve(toSnapshots(lines)),
          events: (_live, reader) => setImmediate(() => play(lines, reader, dialect)),
          close: () => undefined,
        }),
    },
  });
  return stdout;
}
