/**
 * What happens, as events2 needs it (drbdsetup.md 8.4 and 12). Create, change and exists carry the whole of the
 * object's info and statistics, never a difference. `continues` binds an event to the next one: a reader applies
 * them together.
 */
import {
  type ConnectionInfo,
  type ConnectionStatistics,
  type DeviceInfo,
  type DeviceStatistics,
  type PeerDeviceInfo,
  type PeerDeviceStatistics,
  type ResourceInfo,
  type ResourceSnapshot,
  type ResourceStatistics,
  type SocketAddress,
} from './snapshot';

interface EventCommon {
  readonly resource: string;
  readonly continues: boolean;
}
type Present = 'exists' | 'create' | 'change';
interface ConnectionIdentity extends EventCommon {
  readonly peerNodeId: number;
  readonly connectionName: string;
}

export type ResourceEvent = EventCommon & { readonly kind: 'resource' } & (
    | { readonly action: Present; readonly info: ResourceInfo; readonly statistics?: ResourceStatistics }
    | { readonly action: 'destroy' }
    | { readonly action: 'rename'; readonly newName: string }
  );
export type DeviceEvent = EventCommon & {
  readonly kind: 'device';
  readonly volume: number;
  readonly minor: number;
} & (
    | { readonly action: Present; readonly info: DeviceInfo; readonly statistics?: DeviceStatistics }
    | { readonly action: 'destroy' }
  );
export type ConnectionEvent = ConnectionIdentity & { readonly kind: 'connection' } & (
    | { readonly action: Present; readonly info: ConnectionInfo; readonly statistics?: ConnectionStatistics }
    | { readonly action: 'destroy' }
  );
export type PeerDeviceEvent = ConnectionIdentity & {
  readonly kind: 'peer-device';
  readonly volume: number;
} & (
    | { readonly action: Present; readonly info: PeerDeviceInfo; readonly statistics?: PeerDeviceStatistics }
    | { readonly action: 'destroy' }
  );
export type PathEvent = ConnectionIdentity & {
  readonly kind: 'path';
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
} & ({ readonly action: Present; readonly established: boolean } | { readonly action: 'destroy' });

/** A helper program is called, or has ended. Absent fields do not concern the helper. */
export interface HelperEvent extends EventCommon {
  readonly kind: 'helper';
  readonly helper: string;
  readonly peerNodeId?: number;
  readonly connectionName?: string;
  readonly path?: { readonly local: SocketAddress; readonly remote: SocketAddress };
  readonly volume?: number;
  readonly minor?: number;
  readonly action: 'call' | 'response';
  /** Wait status: exit code times 256; 0 for a call. */
  readonly status: number;
}
export type ControlEvent =
  ResourceEvent | DeviceEvent | ConnectionEvent | PeerDeviceEvent | PathEvent | HelperEvent;

/**
 * The initial dump of one resource in the kernel's order: resource, connections, paths, devices, peer devices
 * (by device); all but the last carry `continues`.
 */
export function dumpEvents(snapshot: ResourceSnapshot): readonly ControlEvent[] {
  const events: ControlEvent[] = [];
  const resource = snapshot.name;
  const common = { resource, continues: true, action: 'exists' } as const;
  const statisticsOf = <T>(statistics: T | undefined): { statistics?: T } =>
    statistics === undefined ? {} : { statistics };
  events.push({
    ...common,
    kind: 'resource',
    info: snapshot.info,
    ...statisticsOf(snapshot.statistics),
  });
  const links = snapshot.connections.map((connection) => ({
    connection,
    link: { ...common, peerNodeId: connection.peerNodeId, connectionName: connection.name },
  }));
  for (const { connection, link } of links) {
    const { info, statistics } = connection;
    events.push({ ...link, kind: 'connection', info, ...statisticsOf(statistics) });
  }
  for (const { connection, link } of links) {
    for (const path of connection.paths) events.push({ ...link, kind: 'path', ...path });
  }
  for (const device of snapshot.devices) {
    const { volume, minor, info, statistics } = device;
    events.push({ ...common, kind: 'device', volume, minor, info, ...statisticsOf(statistics) });
  }
  for (const { volume } of snapshot.devices) {
    for (const { connection, link } of links) {
      const peerDevice = connection.peerDevices.find((candidate) => candidate.volume === volume);
      if (peerDevice === undefined) continue;
      const { info, statistics } = peerDevice;
      events.push({ ...link, kind: 'peer-device', volume, info, ...statisticsOf(statistics) });
    }
  }
  return events.map((event, index) => ({ ...event, continues: index + 1 < events.length }));
}
