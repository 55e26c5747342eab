/** Infos and statistics of the objects as the control side gets them (engine.md 1.5, 1.6). */
import {
  type ConnectionInfo,
  type ConnectionSnapshot,
  type ConnectionStatistics,
  type DeviceInfo,
  type DeviceSnapshot,
  type DeviceStatistics,
  type PeerDeviceInfo,
  type PeerDeviceStatistics,
  type ResourceInfo,
  type ResourceSnapshot,
  type ResourceStatistics,
  toHex64,
} from '../../control/contract/snapshot';
import { WriteOrdering } from '../../control/contract/states';
import {
  givenDeviceOptions,
  givenDiskOptions,
  givenNetOptions,
  givenPeerDeviceOptions,
  givenResourceOptions,
} from '../apply-options';
import {
  type Connection,
  type Device,
  type DeviceState,
  type LinkState,
  type PeerDevice,
  type PeerDeviceState,
  type Resource,
  type ResourceState,
} from '../objects';
import { combinedDependency } from '../state/derived';

// Each info takes the state to describe: the committed one, or the one a past change led to.

export const resourceInfo = (
  resource: Resource,
  state: Readonly<ResourceState> = resource.now,
  suspFencing: boolean = resource.connections.some((connection) => connection.now.suspFencing),
): ResourceInfo => ({
  role: state.role,
  suspUser: state.suspUser,
  suspNoData: state.suspNoData,
  suspFencing,
  suspQuorum: state.suspQuorum,
  failIo: state.failIo,
});
const orderings = {
  none: WriteOrdering.None,
  drain: WriteOrdering.Drain,
  flush: WriteOrdering.Flush,
  barrier: WriteOrdering.Barrier,
} as const;
export const resourceStatistics = (resource: Resource): ResourceStatistics => ({
  writeOrdering: orderings[resource.io.writeOrdering],
});

export const connectionInfo = (
  connection: Connection,
  state: Readonly<LinkState> = connection.now,
): ConnectionInfo => ({
  connection: state.cstate,
  role: state.peerRole,
});
export const connectionStatistics = (connection: Connection): ConnectionStatistics => ({
  congested: connection.congested,
  apInFlight: connection.io.appInFlight,
  rsInFlight: connection.io.resyncInFlight,
});

export const deviceInfo = (device: Device, state: Readonly<DeviceState> = device.now): DeviceInfo => ({
  disk: state.disk,
  intentionalDiskless: device.options.intentionalDiskless,
  hasQuorum: state.haveQuorum,
  open: device.openCount > 0,
  backingDevice: device.backing?.dataDisk.path ?? '',
});
export function deviceStatistics(device: Device): DeviceStatistics {
  const { resource, backing } = device;
  const { dataActions } = resource.host;
  const blocked =
    !device.cachedErrIo &&
    (resource.cachedSuspended || device.cachedUnstable || dataActions.isSuspendedInternally(device));
  const history = backing?.superblock.historyUuids ?? [];
  return {
    size: device.size,
    ...dataActions.deviceCounters(device),
    upperBlocked: blocked,
    lowerBlocked: false,
    alSuspended: device.alSuspended,
    exposedUuid: toHex64(device.exposedUuid),
    currentUuid: toHex64(backing?.superblock.currentUuid ?? 0n),
    diskFlags: (backing?.superblock.flags ?? 0) >>> 0,
    historyUuids: history.map(toHex64),
  };
}

export const peerDeviceInfo = (
  peerDevice: PeerDevice,
  state: Readonly<PeerDeviceState> = peerDevice.now,
  device: Readonly<DeviceState> = peerDevice.device.now,
): PeerDeviceInfo => ({
  replication: state.repl,
  disk: state.pdsk,
  resyncSuspUser: state.resyncSuspUser,
  resyncSuspPeer: state.resyncSuspPeer,
  resyncSuspDependency: combinedDependency(state, device),
  resyncSuspMaxParallel: state.resyncSuspMaxParallel,
  intentionalDiskless: !peerDevice.options.bitmap,
});
const NO_PROGRESS = {
  resyncFailed: 0,
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
} as const;
export function peerDeviceStatistics(peerDevice: PeerDevice): PeerDeviceStatistics {
  const { device, io } = peerDevice;
  const { dataActions } = peerDevice.resource.host;
  const slot = device.backing?.superblock.peers[peerDevice.peerNodeId];
  const sectorsPerBit = (device.backing?.superblock.bmBytesPerBit ?? 4096) / 512;
  return {
    received: io.receivedSectors,
    sent: io.sentSectors,
    pending: io.pending,
    unacked: io.unacked,
    outOfSync: dataActions.outOfSyncBits(peerDevice) * sectorsPerBit,
    bitmapUuid: toHex64(slot?.bitmapUuid ?? 0n),
    flags: (slot?.flags ?? 0) >>> 0,
    uuidFlags: Number((peerDevice.uuids?.flags ?? 0n) & 0xffffffffn),
    ...NO_PROGRESS,
    ...dataActions.resyncProgress(peerDevice),
  };
}

const deviceSnapshot = (device: Device): DeviceSnapshot => ({
  minor: device.minor,
  volume: device.vnr,
  ...(device.backing && {
    disk: {
      backingDevice: device.backing.dataDisk.path,
      metaDevice: device.backing.metaDisk.path,
      metaIndex: device.backing.metaIndex,
      options: device.diskOptions ? givenDiskOptions(device.diskOptions) : {},
    },
  }),
  options: givenDeviceOptions(device.options),
  info: deviceInfo(device),
  statistics: deviceStatistics(device),
});
/**
 * With the options of what the engine does not do: reported as never set, so that tools do not call them unknown.
 * The engine's own come first: two spreads in a row cost ten times as much, which a dump of many resources shows.
 */
const shownNetOptions = (connection: Connection): ConnectionSnapshot['options'] => ({
  ...givenNetOptions(connection.options),
  'tls-keyring': '',
  'tls-privkey': '',
  'tls-certificate': '',
  'rdma-ctrl-rcvbuf-size': 0,
  'rdma-ctrl-sndbuf-size': 0,
  _name: connection.name,
});
const connectionSnapshot = (connection: Connection): ConnectionSnapshot => ({
  peerNodeId: connection.peerNodeId,
  name: connection.name,
  options: shownNetOptions(connection),
  info: connectionInfo(connection),
  statistics: connectionStatistics(connection),
  paths: connection.paths.map(({ local, remote, established }) => ({ local, remote, established })),
  peerDevices: connection.peerDevices.map((peerDevice) => ({
    volume: peerDevice.device.vnr,
    options: givenPeerDeviceOptions(peerDevice.options),
    info: peerDeviceInfo(peerDevice),
    statistics: peerDeviceStatistics(peerDevice),
  })),
});
export const resourceSnapshot = (resource: Resource): ResourceSnapshot => ({
  name: resource.name,
  nodeId: resource.nodeId,
  drbd8Compat: false,
  options: givenResourceOptions(resource.options),
  info: resourceInfo(resource),
  statistics: resourceStatistics(resource),
  devices: resource.devices.map(deviceSnapshot),
  connections: resource.connections.map(connectionSnapshot),
});
