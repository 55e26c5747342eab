// `drbdsetup status` as text (drbdsetup.md 6.1).
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type PeerDeviceSnapshot,
  type ResourceSnapshot,
} from '../control/contract/snapshot';
import {
  ConnectionState,
  connectionStateName,
  DiskState,
  diskStateName,
  ReplicationState,
  replicationStateName,
  roleName,
  writeOrderingName,
} from '../control/contract/states';
import { colored, plain, type Painter } from './colors';
import { fixed } from './number-text';
import { percentDone } from './sync-progress';
import {
  backingDeviceWord,
  blockedWords,
  resyncSuspendedWords,
  suspendedWords,
  yesNo,
  yesNoUnknown,
} from './state-words';
import { deviceWords, inFlightWords, peerDeviceWords } from './statistics-words';
import { WrappedText, type WrapDialect } from './wrap-text';

export interface StatusOptions {
  /** How often -v was given. */
  readonly verbose: number;
  readonly statistics: boolean;
  readonly colors: boolean;
  /** Standard output is a terminal: intended clients need no word. */
  readonly terminal: boolean;
  readonly columns: number;
  readonly dialect: WrapDialect;
}

interface Context {
  readonly options: StatusOptions;
  readonly painter: Painter;
  readonly text: WrappedText;
  /** Exactly one device, volume 0, and not verbose: volumes need no number. */
  readonly singleVolume: boolean;
  readonly devices: readonly DeviceSnapshot[];
}

/** The status of the given resources in the given order. */
export function renderStatus(resources: readonly ResourceSnapshot[], options: StatusOptions): string {
  return resources.map((resource) => renderResource(resource, options)).join('');
}

function renderResource(resource: ResourceSnapshot, options: StatusOptions): string {
  const { devices } = resource;
  const [first] = devices;
  const text = new WrappedText(options.columns, options.dialect);
  const context: Context = {
    options,
    painter: options.colors ? colored : plain,
    text,
    singleVolume: devices.length === 1 && first?.volume === 0 && options.verbose === 0,
    devices,
  };
  resourceLine(resource, context);
  for (const device of devices) deviceLine(device, context);
  for (const connection of resource.connections) connectionLines(connection, context);
  return text.unit(0, '\n').toString();
}

function resourceLine({ name, nodeId, info, statistics }: ResourceSnapshot, context: Context): void {
  const { options, painter, text } = context;
  const verbose = options.verbose > 0;
  text.unit(0, name);
  if (verbose) text.unit(4, ` node-id:${nodeId}`);
  text.unit(4, ` role:${painter.role(info.role, 'local', roleName(info.role))}`);
  const suspended = suspendedWords(info);
  if (verbose || suspended !== 'no') text.unit(4, ` suspended:${suspended}`);
  if (verbose || info.failIo) {
    text.unit(4, ` force-io-failures:${painter.failIo(info.failIo, yesNo(info.failIo))}`);
  }
  if (verbose && options.statistics) {
    text.unit(4, `\n write-ordering:${writeOrderingName(statistics?.writeOrdering ?? -1)}`);
  }
  text.unit(0, '\n');
}

function deviceLine(device: DeviceSnapshot, context: Context): void {
  const { options, painter, text, singleVolume } = context;
  const { info } = device;
  const verbose = options.verbose > 0;
  const indent = singleVolume ? 2 : 6;
  if (!singleVolume) {
    text.unit(2, `volume:${device.volume}`);
    if (verbose) text.unit(indent, ` minor:${device.minor}`);
  }
  const intentional = info.intentionalDiskless === true;
  const disk = painter.disk(info.disk, intentional, 'local', diskStateName(info.disk));
  text.unit(indent, ` disk:${disk}`);
  if (info.disk === DiskState.Diskless && (verbose || !options.terminal)) {
    text.unit(indent, ` client:${yesNoUnknown(info.intentionalDiskless)}`);
  }
  if (verbose) text.unit(indent, ` backing_dev:${backingDeviceWord(info.backingDevice)}`);
  if (verbose || !info.hasQuorum) {
    text.unit(indent, ` quorum:${painter.quorum(info.hasQuorum, yesNo(info.hasQuorum))}`);
  }
  if (options.dialect !== '9.22' && (verbose || info.open !== undefined)) {
    text.unit(indent, ` open:${painter.open(info.open, yesNoUnknown(info.open))}`);
  }
  deviceStatistics(device, context);
  text.unit(0, '\n');
}

function deviceStatistics({ statistics }: DeviceSnapshot, { options, text }: Context): void {
  if (statistics === undefined) return;
  const verbose = options.verbose > 0;
  if (options.statistics) {
    text.unit(0, '\n');
    for (const word of deviceWords(statistics, verbose)) text.unit(6, ` ${word}`);
    if (verbose) text.unit(6, ` al-suspended:${yesNo(statistics.alSuspended)}`);
  }
  const blocked = blockedWords(statistics);
  if (verbose || blocked !== 'no') text.unit(6, ` blocked:${blocked}`);
}

function connectionLines(connection: ConnectionSnapshot, context: Context): void {
  const { options, painter, text } = context;
  const { info, statistics, name } = connection;
  const verbose = options.verbose > 0;
  const connected = info.connection === ConnectionState.Connected;
  if (name !== '') text.unit(2, name);
  if (verbose || name === '') {
    if (name === '') text.unit(2, `node-id:${connection.peerNodeId}`);
    else text.unit(6, ` node-id:${connection.peerNodeId}`);
  }
  if (verbose || !connected) {
    const state = painter.connection(info.connection, connectionStateName(info.connection));
    text.unit(6, ` connection:${state}`);
  }
  if (verbose || connected) {
    text.unit(6, ` role:${painter.role(info.role, 'peer', roleName(info.role))}`);
    const tls = connection.options.tls === true;
    if (options.dialect !== '9.22' && (verbose || tls)) text.unit(6, ` tls:${yesNo(tls)}`);
  }
  if (verbose || statistics?.congested === true) {
    // Unknown statistics are all ones.
    text.unit(6, ` congested:${yesNo(statistics?.congested ?? true)}`);
    for (const word of inFlightWords(statistics)) text.unit(6, ` ${word}`);
  }
  text.unit(0, '\n');
  if (!connected && !verbose && !options.statistics) return;
  for (const peerDevice of connection.peerDevices) peerDeviceLine(peerDevice, context);
}

function peerDeviceLine(peerDevice: PeerDeviceSnapshot, context: Context): void {
  const { options, painter, text, singleVolume, devices } = context;
  const { info, statistics, volume } = peerDevice;
  const verbose = options.verbose > 0;
  let indent = 4;
  if (!singleVolume) {
    text.unit(4, `volume:${volume}`);
    indent = 8;
  }
  if (verbose || info.replication > ReplicationState.Established) {
    const state = painter.replication(info.replication, replicationStateName(info.replication));
    text.unit(indent, ` replication:${state}`);
    indent = 8;
  }
  const interesting = info.replication !== ReplicationState.Off || info.disk !== DiskState.DUnknown;
  if (verbose || options.statistics || interesting) {
    const intentional = info.intentionalDiskless === true;
    const disk = painter.disk(info.disk, intentional, 'peer', diskStateName(info.disk));
    text.unit(indent, ` peer-disk:${disk}`);
    if (info.disk === DiskState.Diskless && (verbose || !options.terminal)) {
      text.unit(indent, ` peer-client:${yesNoUnknown(info.intentionalDiskless)}`);
    }
  }
  const size = devices.find((device) => device.volume === volume)?.statistics?.size;
  const done = statistics === undefined ? undefined : percentDone(info.replication, statistics, size);
  if (done !== undefined) text.unit(8, ` done:${fixed(done, 2)}`);
  const suspended = resyncSuspendedWords(info);
  if (verbose || suspended !== 'no') text.unit(8, ` resync-suspended:${suspended}`);
  if (options.statistics && statistics !== undefined) {
    text.unit(0, '\n');
    for (const word of peerDeviceWords(statistics, options.verbose)) text.unit(8, ` ${word}`);
  }
  text.unit(0, '\n');
}
