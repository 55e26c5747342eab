// `drbdsetup status --json`: a fixed layout other programs compare, not a serializer's (drbdsetup.md 6.3).
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type PathSnapshot,
  type PeerDeviceSnapshot,
  type PeerDeviceStatistics,
  type ResourceSnapshot,
  type SocketAddress,
} from '../control/contract/snapshot';
import {
  connectionStateName,
  diskStateName,
  replicationStateName,
  roleName,
  writeOrderingName,
} from '../control/contract/states';
import { count32, count64, fixed, kib } from './number-text';
import { isSyncing, percentDone, percentInSync, syncRates } from './sync-progress';
import { resyncSuspendedWords, suspendedWords } from './state-words';
import { type WrapDialect } from './wrap-text';

export interface StatusJsonOptions {
  readonly dialect: WrapDialect;
  /** False for an engine that has no list of paths. */
  readonly paths: boolean;
}

type Member = readonly [name: string, text: string];
const text = (name: string, value: string): Member => [name, `"${value}"`];
const bool = (name: string, value: boolean): Member => [name, String(value)];
const num = (name: string, value: number | string): Member => [name, String(value)];

/** The status of the given resources in the given order. */
export function renderStatusJson(resources: readonly ResourceSnapshot[], options: StatusJsonOptions): string {
  const blocks = resources.map((resource) => resourceBlock(resource, options));
  return `[\n${blocks.join(',\n')}${blocks.length > 0 ? '\n' : ''}]\n\n`;
}

function members(indent: number, list: readonly Member[]): string {
  return list.map(([name, value]) => `${' '.repeat(indent)}"${name}": ${value}`).join(',\n');
}

/** A list that closes on the line of its last element. */
function list(indent: number, name: string, elements: readonly string[], emptyClose: string): string {
  const head = `${' '.repeat(indent)}"${name}": [\n`;
  return elements.length === 0 ? `${head}${emptyClose}` : `${head}${elements.join(',\n')} ]`;
}

function object(indent: number, content: string): string {
  const pad = ' '.repeat(indent);
  return `${pad}{\n${content}\n${pad}}`;
}

function resourceBlock(resource: ResourceSnapshot, options: StatusJsonOptions): string {
  const { info, devices } = resource;
  const head = members(2, [
    text('name', resource.name),
    num('node-id', resource.nodeId),
    text('role', roleName(info.role)),
    bool('suspended', suspendedWords(info) !== 'no'),
    bool('suspended-user', info.suspUser),
    bool('suspended-no-data', info.suspNoData),
    bool('suspended-fencing', info.suspFencing),
    bool('suspended-quorum', info.suspQuorum),
    bool('force-io-failures', info.failIo),
    text('write-ordering', writeOrderingName(resource.statistics?.writeOrdering ?? -1)),
  ]);
  const deviceList = devices.map((device) => deviceBlock(device, options));
  const connectionList = resource.connections.map((connection) =>
    connectionBlock(connection, devices, options),
  );
  return [
    '{',
    `${head},`,
    `${list(2, 'devices', deviceList, ' ]')},`,
    list(2, 'connections', connectionList, ' ]'),
    '}',
  ].join('\n');
}

function deviceBlock(
  { volume, minor, info, statistics }: DeviceSnapshot,
  options: StatusJsonOptions,
): string {
  const head = [
    num('volume', volume),
    num('minor', minor),
    text('disk-state', diskStateName(info.disk)),
    bool('client', info.intentionalDiskless === true),
    ...(options.dialect === '9.22' ? [] : [bool('open', info.open === true)]),
    bool('quorum', info.hasQuorum),
  ];
  const figures =
    statistics === undefined
      ? []
      : [
          num('size', kib(statistics.size)),
          num('read', kib(statistics.read)),
          num('written', kib(statistics.written)),
          num('al-writes', statistics.alWrites),
          num('bm-writes', statistics.bmWrites),
          num('upper-pending', statistics.upperPending),
          num('lower-pending', statistics.lowerPending),
        ];
  return object(4, members(6, [...head, ...figures]));
}

function connectionBlock(
  connection: ConnectionSnapshot,
  devices: readonly DeviceSnapshot[],
  options: StatusJsonOptions,
): string {
  const { info, statistics } = connection;
  const is922 = options.dialect === '9.22';
  const parts = [
    members(6, [num('peer-node-id', connection.peerNodeId), text('name', connection.name)]),
    // The blank after the comma is the real tool's.
    `      "connection-state": "${connectionStateName(info.connection)}", \n` +
      members(6, [
        bool('congested', statistics?.congested ?? true),
        text('peer-role', roleName(info.role)),
        ...(is922 ? [] : [bool('tls', connection.options.tls === true)]),
        ...(statistics?.apInFlight === undefined
          ? []
          : [
              num('ap-in-flight', statistics.apInFlight),
              num('rs-in-flight', count64(statistics.rsInFlight)),
            ]),
      ]),
  ];
  if (options.paths && !is922) {
    parts.push(list(6, 'paths', connection.paths.map(pathBlock), ' ]'));
  }
  const peerDevices = connection.peerDevices.map((peerDevice) => {
    const device = devices.find(({ volume }) => volume === peerDevice.volume);
    return peerDeviceBlock(peerDevice, device?.statistics?.size);
  });
  parts.push(list(6, 'peer_devices', peerDevices, ' ]'));
  return object(4, parts.join(',\n'));
}

function addressBlock(name: string, address: SocketAddress): string {
  const content = members(12, [
    text('address', address.host),
    num('port', address.port),
    text('family', address.family),
  ]);
  return `          "${name}": {\n${content}\n          },`;
}

function pathBlock(path: PathSnapshot): string {
  const content = [
    addressBlock('this_host', path.local),
    addressBlock('remote_host', path.remote),
    members(10, [bool('established', path.established)]),
  ];
  return object(8, content.join('\n'));
}

function peerDeviceBlock(peerDevice: PeerDeviceSnapshot, deviceSize: number | undefined): string {
  const { info, statistics } = peerDevice;
  const hasDetails = Boolean(statistics?.rsTotal);
  const inSync = statistics === undefined ? 0 : percentInSync(statistics.outOfSync, deviceSize);
  const head = [
    num('volume', peerDevice.volume),
    text('replication-state', replicationStateName(info.replication)),
    text('peer-disk-state', diskStateName(info.disk)),
    bool('peer-client', info.intentionalDiskless === true),
    text('resync-suspended', resyncSuspendedWords(info)),
    num('received', kib(statistics?.received)),
    num('sent', kib(statistics?.sent)),
    num('out-of-sync', kib(statistics?.outOfSync)),
    num('pending', count32(statistics?.pending)),
    num('unacked', count32(statistics?.unacked)),
    bool('has-sync-details', hasDetails),
    bool('has-online-verify-details', hasDetails && statistics?.ovLeft !== 0),
    num('percent-in-sync', fixed(inSync, 2)),
  ];
  if (statistics !== undefined && hasDetails) {
    head.push(...detailMembers(statistics, percentDone(info.replication, statistics, deviceSize) ?? 0));
  } else if (statistics !== undefined && statistics.rsTotal === undefined && isSyncing(info.replication)) {
    head.push(num('percent-resync-done', fixed(inSync, 2)));
  }
  return object(8, members(10, head));
}

function detailMembers(statistics: PeerDeviceStatistics, done: number): readonly Member[] {
  const rates = syncRates(statistics);
  return [
    num('rs-total', count64(statistics.rsTotal)),
    num('rs-dt-start-ms', statistics.rsDtStartMs),
    num('rs-paused-ms', statistics.rsPausedMs),
    num('rs-dt0-ms', statistics.rsDt0Ms),
    num('rs-db0-sectors', statistics.rsDb0Sectors),
    num('rs-dt1-ms', statistics.rsDt1Ms),
    num('rs-db1-sectors', statistics.rsDb1Sectors),
    ...(statistics.ovLeft === 0
      ? [num('rs-failed', statistics.resyncFailed), num('rs-same-csum', statistics.rsSameCsum)]
      : [
          num('ov-start-sector', statistics.ovStartSector),
          num('ov-stop-sector', statistics.ovStopSector),
          num('ov-position', statistics.ovPosition),
          num('ov-left', statistics.ovLeft),
          num('ov-skipped', statistics.ovSkipped),
        ]),
    num('want', fixed(rates.want, 2)),
    num('db0/dt0 [MiB/s]', fixed(rates.dbdt0, 2)),
    num('db1/dt1 [MiB/s]', fixed(rates.dbdt1, 2)),
    num('estimated-seconds-to-finish', rates.eta === undefined ? 987654321 : fixed(rates.eta, 0)),
    num('db/dt [MiB/s]', fixed(rates.dbdt, 2)),
    num('percent-resync-done', fixed(done, 2)),
  ];
}
