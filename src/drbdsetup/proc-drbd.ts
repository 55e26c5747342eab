/**
 * The text of /proc/drbd, which DRBD 8.4 showed and scripts still read (drbdsetup.md 10.1). A process cannot make
 * that file; `drbdsetup proc-drbd` prints what it would hold, with a device line per minor as in 8.4.
 */
import { procDrbdHead } from '../control/channel/proc-file';
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type PeerDeviceSnapshot,
  type PeerDeviceStatistics,
  type ResourceSnapshot,
} from '../control/contract/snapshot';
import {
  ConnectionState,
  connectionStateName,
  DiskState,
  diskStateName,
  ReplicationState,
  replicationStateName,
  Role,
  roleName,
} from '../control/contract/states';
import { netDefaults } from '../options/option-values';

interface Line {
  readonly resource: ResourceSnapshot;
  readonly device: DeviceSnapshot;
  readonly connection: ConnectionSnapshot | undefined;
  readonly peer: PeerDeviceSnapshot | undefined;
}

/** Names of DRBD 8.4: one state for the connection and its replication. */
function combinedState(
  connection: ConnectionSnapshot | undefined,
  peer: PeerDeviceSnapshot | undefined,
): string {
  const state = connection?.info.connection ?? ConnectionState.StandAlone;
  if (state === ConnectionState.Connecting) return 'WFConnection';
  if (state !== ConnectionState.Connected) return connectionStateName(state);
  const replication = peer?.info.replication ?? ReplicationState.Off;
  if (replication === ReplicationState.Off) return 'WFReportParams';
  return replication === ReplicationState.Established ? 'Connected' : replicationStateName(replication);
}

function flags({ resource, device, peer }: Line): string {
  const { info } = resource;
  const suspended = info.suspUser || info.suspNoData || info.suspFencing || info.suspQuorum;
  return [
    suspended ? 's' : 'r',
    peer?.info.resyncSuspDependency ? 'a' : '-',
    peer?.info.resyncSuspPeer ? 'p' : '-',
    peer?.info.resyncSuspUser ? 'u' : '-',
    '-',
    device.statistics?.alSuspended ? 's' : '-',
  ].join('');
}

const half = (sectors: number | undefined): number => Math.floor((sectors ?? 0) / 2);

function deviceLines(line: Line): readonly string[] {
  const { resource, device, connection, peer } = line;
  const label = `${String(device.minor).padStart(2)}: `;
  const state = combinedState(connection, peer);
  const isIdle = device.info.disk === DiskState.Diskless && resource.info.role === Role.Secondary;
  if (state === 'StandAlone' && isIdle) return [`${label}cs:Unconfigured`];
  const isAlone = state === 'StandAlone';
  const protocol = isAlone ? ' ' : (connection?.options.protocol ?? netDefaults.protocol);
  const peerRole = connection?.info.role ?? Role.Unknown;
  const peerDisk = peer?.info.disk ?? DiskState.DUnknown;
  const { statistics } = device;
  const counters = peer?.statistics;
  const ordering = 'ndfb'.charAt(resource.statistics?.writeOrdering ?? 2);
  const figures = [
    `ns:${half(counters?.sent)}`,
    `nr:${half(counters?.received)}`,
    `dw:${half(statistics?.written)}`,
    `dr:${half(statistics?.read)}`,
    `al:${statistics?.alWrites ?? 0}`,
    `bm:${statistics?.bmWrites ?? 0}`,
    `lo:${statistics?.lowerPending ?? 0}`,
    `pe:${counters?.pending ?? 0}`,
    `ua:${counters?.unacked ?? 0}`,
    `ap:${statistics?.upperPending ?? 0}`,
    'ep:1',
    `wo:${ordering}`,
    `oos:${half(counters?.outOfSync)}`,
  ];
  return [
    `${label}cs:${state} ro:${roleName(resource.info.role)}/${roleName(peerRole)} ` +
      `ds:${diskStateName(device.info.disk)}/${diskStateName(peerDisk)} ${protocol} ${flags(line)}`,
    `    ${figures.join(' ')}`,
    ...(peer?.statistics === undefined ? [] : progressLines(peer.info.replication, peer.statistics)),
  ];
}

const verifying: readonly number[] = [ReplicationState.VerifyS, ReplicationState.VerifyT];
const syncing: readonly number[] = [ReplicationState.SyncSource, ReplicationState.SyncTarget];

/** Kibibytes per second. */
function speed(sectors: number, milliseconds: number): number {
  return Math.floor(sectors / 2 / (Math.max(1, milliseconds) / 1000));
}
const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

function finishText(left: number, statistics: PeerDeviceStatistics): string {
  if (statistics.rsDb0Sectors <= 0) return '∞';
  const seconds = Math.floor((statistics.rsDt0Ms * 0.001 * left) / statistics.rsDb0Sectors);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Bar, percentage, amounts and speed of a running resync or verify. */
export function progressLines(replication: number, statistics: PeerDeviceStatistics): readonly string[] {
  const isVerify = verifying.includes(replication);
  const total = statistics.rsTotal ?? 0;
  if (total === 0 || (!isVerify && !syncing.includes(replication))) return [];
  const left = isVerify ? statistics.ovLeft : statistics.outOfSync - statistics.resyncFailed;
  // In units of 4 KiB, shifted right as the kernel does it to stay within its word.
  const shifted = (sectors: number): number => Math.floor(sectors / 8 / (total / 8 > 2 ** 32 ? 65536 : 1024));
  const done = left > total ? 0 : 1000 - Math.floor((shifted(left) * 1000) / (shifted(total) + 1));
  const step = Math.floor(done / 50);
  const bar = `${'='.repeat(Math.max(0, step - 1))}>${'.'.repeat(20 - step)}`;
  const inMebibytes = total > 4 * 1024 * 1024 * 2;
  const amount = (sectors: number): number => Math.floor(half(sectors) / (inMebibytes ? 1024 : 1));
  const percent = `${String(Math.floor(done / 10)).padStart(3)}.${done % 10}%`;
  const longTerm = speed(total - left, statistics.rsDtStartMs - statistics.rsPausedMs);
  const shown = replication === ReplicationState.SyncTarget || replication === ReplicationState.VerifyS;
  const want = shown ? ` want: ${grouped(statistics.cSyncRate)}` : '';
  const average = grouped(speed(statistics.rsDb0Sectors, statistics.rsDt0Ms));
  const recent = grouped(speed(statistics.rsDb1Sectors, statistics.rsDt1Ms));
  const unit = inMebibytes ? 'M' : 'K';
  const end = statistics.ovStopSector > 0 && isVerify ? ` stop sector: ${statistics.ovStopSector}` : '';
  return [
    `\t[${bar}] ${isVerify ? 'verified:' : "sync'ed:"}${percent} (${amount(left)}/${amount(total)})${unit}`,
    `\tfinish: ${finishText(left, statistics)} speed: ${average} (${recent} -- ${grouped(longTerm)})${want} K/sec`,
    ...(isVerify
      ? [
          `\t${String(Math.floor(done / 10)).padStart(3)}% sector pos: ${statistics.ovPosition}/${total}${end}`,
        ]
      : []),
  ];
}

/** The whole text: version lines, then each device with the first of its peers. */
export function renderProcDrbd(resources: readonly ResourceSnapshot[], release: string): string {
  const lines = resources
    .flatMap((resource) =>
      resource.devices.map((device): Line => {
        const [connection] = resource.connections;
        const peer = connection?.peerDevices.find(({ volume }) => volume === device.volume);
        return { resource, device, connection, peer };
      }),
    )
    .sort((a, b) => a.device.minor - b.device.minor);
  let previous = -2;
  const text = lines.flatMap((line) => {
    const isGap = line.device.minor !== previous + 1;
    previous = line.device.minor;
    return [...(isGap ? [''] : []), ...deviceLines(line)];
  });
  return [...procDrbdHead(release), ...text].map((line) => `${line}\n`).join('');
}
