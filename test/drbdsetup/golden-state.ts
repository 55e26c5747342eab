// Turns the system states of fixtures/drbdsetup (netlink attributes) into snapshots of the control contract.
import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  toHex64,
  type ConnectionInfo,
  type ConnectionStatistics,
  type ConnectionSnapshot,
  type DeviceInfo,
  type DeviceSnapshot,
  type DeviceStatistics,
  type PeerDeviceInfo,
  type PeerDeviceSnapshot,
  type PeerDeviceStatistics,
  type ResourceInfo,
  type ResourceSnapshot,
  type SocketAddress,
} from '../../src/control/contract/snapshot';
import { optionsInContext, type OptionContext } from '../../src/options/catalogue';

export type Attributes = Readonly<Record<string, number | string | null>>;
export interface GoldenRun {
  readonly argv: readonly string[];
  readonly exit: number | null;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly stdin?: string;
}
interface GoldenPeerDevice {
  readonly vol: number;
  readonly info?: Attributes;
  readonly stat?: Attributes | null;
  readonly conf?: Attributes;
}
interface GoldenDevice {
  readonly vol: number;
  readonly minor: number;
  readonly diskless?: number;
  readonly backing?: string;
  readonly meta?: string;
  readonly disk_conf?: Attributes;
  readonly device_conf?: Attributes;
  readonly info?: Attributes;
  readonly stat?: Attributes | null;
}
interface GoldenConnection {
  readonly peer: number;
  readonly name: string;
  readonly paths?: readonly (readonly [string, string])[];
  readonly established?: number;
  readonly net_conf?: Attributes;
  readonly info?: Attributes;
  readonly stat?: Attributes | null;
  readonly pds?: readonly GoldenPeerDevice[];
}
export interface GoldenResource {
  readonly name: string;
  readonly res_opts?: Attributes;
  readonly info?: Attributes;
  readonly stat?: Attributes | null;
  readonly devices?: readonly GoldenDevice[];
  readonly connections?: readonly GoldenConnection[];
}
export interface GoldenState {
  readonly nopaths?: number;
  readonly resources: readonly GoldenResource[];
}

const folder = path.join(__dirname, '../../fixtures/drbdsetup');

/** A fixture as text; `.gz` is unpacked. */
export function fixture(name: string): string {
  const file = path.join(folder, name);
  return fs.existsSync(file)
    ? fs.readFileSync(file, 'utf8')
    : gunzipSync(fs.readFileSync(`${file}.gz`)).toString('utf8');
}

interface StateOutputs {
  readonly defaults: Readonly<Record<string, Attributes>>;
  readonly scenarios: Readonly<
    Record<string, { readonly state: GoldenState; readonly runs: readonly GoldenRun[] }>
  >;
}
export const stateOutputs: StateOutputs = JSON.parse(fixture('state-outputs.json'));

/** Attributes with their defaults; null removes one. */
export function attributes(container: string, given: Attributes | undefined): Attributes {
  const merged = { ...stateOutputs.defaults[container], ...given };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

const big = (value: number | string | null | undefined): bigint => BigInt(value ?? 0);
const num = (value: number | string | null | undefined): number => Number(BigInt.asIntN(64, big(value)));
const bool = (value: number | string | null | undefined): boolean => num(value) === 1;
const hex = (value: number | string | null | undefined): string => toHex64(big(value));
const known = <K extends string, V>(
  key: K,
  value: number | string | null | undefined,
  read: (value: number | string) => V,
): Partial<Record<K, V>> => {
  const record: Partial<Record<K, V>> = {};
  if (value !== undefined && value !== null && !String(value).startsWith('0xffffffffffffffff')) {
    record[key] = read(value);
  }
  return record;
};

// Attribute names that differ from the option's name.
const attributeNames: Readonly<Record<string, string>> = {
  'options.on-no-data-accessible': 'on_no_data',
  'options.max-io-depth': 'nr_requests',
  'options.quorum-minimum-redundancy': 'quorum_min_redundancy',
  'options.on-suspended-primary-outdated': 'on_susp_primary_outdated',
  'options.drbd8-api-compatibility': 'explicit_drbd8_compat',
  'net.transport': 'transport_name',
  'net.protocol': 'wire_protocol',
  'net.allow-two-primaries': 'two_primaries',
  'net.after-sb-0pri': 'after_sb_0p',
  'net.after-sb-1pri': 'after_sb_1p',
  'net.after-sb-2pri': 'after_sb_2p',
  'net.ping-timeout': 'ping_timeo',
  'net.data-integrity-alg': 'integrity_alg',
  'net.congestion-fill': 'cong_fill',
  'net.congestion-extents': 'cong_extents',
  'net.socket-check-timeout': 'sock_check_timeo',
  'net.fencing': 'fencing_policy',
  'net._name': 'name',
  'disk.size': 'disk_size',
  'disk.bitmap': 'd_bitmap',
  'device.diskless': 'intentional_diskless',
};

/** Netlink numbers of enumerations that are not their position in the catalogue. */
const enumNumbers: Readonly<Record<string, readonly number[]>> = {
  'net.protocol': [1, 2, 3],
  'net.after-sb-1pri': [0, 7, 8, 9, 10],
  'net.after-sb-2pri': [0, 9, 10],
  'net.rr-conflict': [0, 9, 10, 11, 12],
};

// The real kernel numbers off, majority, all 0, 1024, 1025; older recordings hold values in between.
const symbolNumbers: Readonly<Record<number, string>> = { 0: 'off', 1024: 'majority', 1025: 'all' };

/** Netlink attributes as the option record of a snapshot. */
export function optionValues(
  context: OptionContext,
  from: Attributes,
): Record<string, boolean | number | string> {
  const values: Record<string, boolean | number | string> = {};
  for (const option of optionsInContext(context)) {
    const attribute = from[attributeNames[option.id] ?? option.name.replaceAll('-', '_')];
    if (attribute === undefined || attribute === null) continue;
    switch (option.kind) {
      case 'boolean':
      case 'flag':
        values[option.name] = bool(attribute);
        break;
      case 'enum': {
        const numbers = enumNumbers[option.id] ?? option.values.map((_value, index) => index);
        values[option.name] = option.values[numbers.indexOf(num(attribute))] ?? '(null)';
        break;
      }
      case 'number-or-symbol':
        values[option.name] = symbolNumbers[num(attribute)] ?? num(attribute);
        break;
      case 'key-description':
        // No key ring here: no serial can be described.
        values[option.name] = '';
        break;
      default:
        values[option.name] =
          typeof attribute === 'string' && option.kind === 'string' ? attribute : num(attribute);
    }
  }
  return values;
}

export function goldenAddress(text: string): SocketAddress {
  const [, six, host = '', port = ''] = /^(6:)?(.*)\/(\d+)$/.exec(text) ?? [];
  return { family: six === undefined ? 'ipv4' : 'ipv6', host, port: Number(port) };
}

export function resourceInfo(given: Attributes): ResourceInfo {
  return {
    role: num(given.res_role) as ResourceInfo['role'],
    suspUser: bool(given.res_susp),
    suspNoData: bool(given.res_susp_nod),
    suspFencing: bool(given.res_susp_fen),
    suspQuorum: bool(given.res_susp_quorum),
    failIo: bool(given.res_fail_io),
  };
}
export function deviceInfo(given: Attributes): DeviceInfo {
  return {
    disk: num(given.dev_disk_state) as DeviceInfo['disk'],
    ...known('intentionalDiskless', given.is_intentional_diskless, bool),
    hasQuorum: bool(given.dev_has_quorum),
    ...known('open', given.dev_is_open, bool),
    backingDevice: String(given.backing_dev_path ?? ''),
  };
}
function historyUuids(bytes: string): string[] {
  return (bytes.match(/.{16}/g) ?? []).map((word) =>
    (word.match(/../g) ?? []).reverse().join('').toUpperCase(),
  );
}
export function deviceStatistics(given: Attributes): DeviceStatistics {
  return {
    size: num(given.dev_size),
    read: num(given.dev_read),
    written: num(given.dev_write),
    alWrites: num(given.dev_al_writes),
    bmWrites: num(given.dev_bm_writes),
    upperPending: num(given.dev_upper_pending),
    lowerPending: num(given.dev_lower_pending),
    upperBlocked: bool(given.dev_upper_blocked),
    lowerBlocked: bool(given.dev_lower_blocked),
    alSuspended: bool(given.dev_al_suspended),
    exposedUuid: hex(given.dev_exposed_data_uuid),
    currentUuid: hex(given.dev_current_uuid),
    diskFlags: num(given.dev_disk_flags),
    historyUuids: historyUuids(String(given.history_uuids ?? '')),
  };
}
export function connectionInfo(given: Attributes): ConnectionInfo {
  return {
    connection: num(given.conn_connection_state) as ConnectionInfo['connection'],
    role: num(given.conn_role) as ConnectionInfo['role'],
  };
}
export function connectionStatistics(given: Attributes): ConnectionStatistics {
  return {
    congested: bool(given.conn_congested),
    ...known('apInFlight', given.ap_in_flight, num),
    ...known('rsInFlight', given.rs_in_flight, num),
  };
}
export function peerDeviceInfo(given: Attributes): PeerDeviceInfo {
  return {
    replication: num(given.peer_repl_state) as PeerDeviceInfo['replication'],
    disk: num(given.peer_disk_state) as PeerDeviceInfo['disk'],
    resyncSuspUser: bool(given.peer_resync_susp_user),
    resyncSuspPeer: bool(given.peer_resync_susp_peer),
    resyncSuspDependency: bool(given.peer_resync_susp_dependency),
    resyncSuspMaxParallel: bool(given.peer_resync_susp_max_parallel),
    ...known('intentionalDiskless', given.peer_is_intentional_diskless, bool),
  };
}
export function peerDeviceStatistics(given: Attributes): PeerDeviceStatistics {
  const of = (name: string): number => num(given[`peer_dev_${name}`]);
  return {
    received: of('received'),
    sent: of('sent'),
    pending: of('pending'),
    unacked: of('unacked'),
    outOfSync: of('out_of_sync'),
    resyncFailed: of('resync_failed'),
    bitmapUuid: hex(given.peer_dev_bitmap_uuid),
    flags: of('flags'),
    ...known('rsTotal', given.peer_dev_rs_total, num),
    ovStartSector: of('ov_start_sector'),
    ovStopSector: of('ov_stop_sector'),
    ovPosition: of('ov_position'),
    ovLeft: of('ov_left'),
    ovSkipped: of('ov_skipped'),
    rsSameCsum: of('rs_same_csum'),
    rsDtStartMs: of('rs_dt_start_ms'),
    rsPausedMs: of('rs_paused_ms'),
    rsDt0Ms: of('rs_dt0_ms'),
    rsDb0Sectors: of('rs_db0_sectors'),
    rsDt1Ms: of('rs_dt1_ms'),
    rsDb1Sectors: of('rs_db1_sectors'),
    cSyncRate: of('rs_c_sync_rate'),
    uuidFlags: of('uuid_flags'),
  };
}

function statisticsOf<T>(
  container: string,
  given: Attributes | null | undefined,
  read: (given: Attributes) => T,
): { statistics?: T } {
  return given === null ? {} : { statistics: read(attributes(container, given)) };
}

function device(resource: string, golden: GoldenDevice): DeviceSnapshot {
  const backing = golden.backing ?? `/dev/vg/${resource}_${golden.vol}`;
  const info = attributes('device_info', {
    dev_disk_state: golden.diskless ? 0 : 9,
    backing_dev_path: golden.diskless ? '' : backing,
    ...golden.info,
  });
  const disk = attributes('disk_conf', golden.disk_conf);
  return {
    minor: golden.minor,
    volume: golden.vol,
    ...(golden.diskless
      ? {}
      : {
          disk: {
            backingDevice: backing,
            metaDevice: golden.meta ?? backing,
            metaIndex: num(disk.meta_dev_idx),
            options: optionValues('attach', disk),
          },
        }),
    options: optionValues('device_options', attributes('device_conf', golden.device_conf)),
    info: deviceInfo(info),
    ...statisticsOf('device_statistics', golden.stat, deviceStatistics),
  };
}

function peerDevice(golden: GoldenPeerDevice): PeerDeviceSnapshot {
  return {
    volume: golden.vol,
    options: optionValues('peer_device_options', attributes('peer_device_conf', golden.conf)),
    info: peerDeviceInfo(attributes('peer_device_info', golden.info)),
    ...statisticsOf('peer_device_statistics', golden.stat, peerDeviceStatistics),
  };
}

function connection(resource: GoldenResource, golden: GoldenConnection): ConnectionSnapshot {
  const paths = golden.paths ?? [['10.0.0.1/7789', `10.0.0.${golden.peer + 1}/7789`]];
  const peerDevices = golden.pds ?? (resource.devices ?? []).map(({ vol }) => ({ vol }));
  return {
    peerNodeId: golden.peer,
    name: golden.name,
    options: optionValues(
      'show_net_options',
      attributes('net_conf', { ...golden.net_conf, name: golden.name }),
    ),
    info: connectionInfo(attributes('connection_info', golden.info)),
    ...statisticsOf('connection_statistics', golden.stat, connectionStatistics),
    paths: paths.map(([local, remote]) => ({
      local: goldenAddress(local),
      remote: goldenAddress(remote),
      established: golden.established !== 0,
    })),
    peerDevices: peerDevices.map(peerDevice),
  };
}

export function goldenSnapshots(state: GoldenState): readonly ResourceSnapshot[] {
  return state.resources.map((golden) => {
    const options = attributes('res_opts', golden.res_opts);
    return {
      name: golden.name,
      nodeId: num(options.node_id),
      drbd8Compat: bool(options.drbd8_compat_mode),
      options: optionValues('resource_options', options),
      info: resourceInfo(attributes('resource_info', golden.info)),
      ...statisticsOf('resource_statistics', golden.stat, (given) => ({
        writeOrdering: num(given.res_stat_write_ordering) as 0 | 1 | 2 | 3,
      })),
      devices: (golden.devices ?? []).map((each) => device(golden.name, each)),
      connections: (golden.connections ?? []).map((each) => connection(golden, each)),
    };
  });
}
