/**
 * What events2 knows of the system, and how messages change it (drbdsetup.md 8.4). The order of its lists is part
 * of the output: new objects go to the front, and each copy of a resource reverses every list.
 */
import { type ControlEvent } from '../control/contract/events';
import {
  type ConnectionInfo,
  type ConnectionStatistics,
  type DeviceInfo,
  type DeviceStatistics,
  type PeerDeviceInfo,
  type PeerDeviceStatistics,
  type ResourceInfo,
  type ResourceStatistics,
  type SocketAddress,
} from '../control/contract/snapshot';

export interface ModelPath {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly established: boolean;
}
export interface ModelPeerDevice {
  readonly volume: number;
  readonly info: PeerDeviceInfo;
  readonly statistics: PeerDeviceStatistics | undefined;
}
export interface ModelConnection {
  readonly name: string;
  readonly peerNodeId: number;
  readonly info: ConnectionInfo;
  readonly statistics: ConnectionStatistics | undefined;
  readonly peerDevices: readonly ModelPeerDevice[];
  readonly paths: readonly ModelPath[];
}
export interface ModelDevice {
  readonly volume: number;
  readonly minor: number;
  readonly info: DeviceInfo;
  readonly statistics: DeviceStatistics | undefined;
}
export interface ModelResource {
  readonly name: string;
  readonly info: ResourceInfo;
  readonly statistics: ResourceStatistics | undefined;
  readonly devices: readonly ModelDevice[];
  readonly connections: readonly ModelConnection[];
}

/** A resource before and after a group of messages; undefined where it does not exist. */
export interface Transition {
  readonly before: ModelResource | undefined;
  readonly after: ModelResource | undefined;
}

type ObjectEvent = Exclude<ControlEvent, { kind: 'helper' } | { action: 'rename' }>;

function reversed<T>(list: readonly T[]): readonly T[] {
  return [...list].reverse();
}

/** A copy as the real tool makes it: every list turned around. */
function copyReversed(resource: ModelResource): ModelResource {
  return {
    ...resource,
    devices: reversed(resource.devices),
    connections: reversed(resource.connections).map((connection) => ({
      ...connection,
      peerDevices: reversed(connection.peerDevices),
      paths: reversed(connection.paths),
    })),
  };
}

export function samePath(
  a: Pick<ModelPath, 'local' | 'remote'>,
  b: Pick<ModelPath, 'local' | 'remote'>,
): boolean {
  const same = (x: SocketAddress, y: SocketAddress): boolean =>
    x.family === y.family && x.host === y.host && x.port === y.port;
  return same(a.local, b.local) && same(a.remote, b.remote);
}

/**
 * Changes one list: a new object (from `create`, or from a path change) goes to the front, a known one is replaced
 * in its place or removed. `updates`: dump messages change known objects instead of being ignored.
 */
function edit<T>(
  list: readonly T[],
  isSame: (item: T) => boolean,
  action: ObjectEvent['action'],
  make: (known: T | undefined) => T | undefined,
  policy: { readonly updates: boolean; readonly changeCreates: boolean },
): readonly T[] {
  const index = list.findIndex(isSame);
  const known = index < 0 ? undefined : list[index];
  if (action === 'destroy') return known === undefined ? list : list.toSpliced(index, 1);
  if (known !== undefined && action !== 'change' && !policy.updates) return list;
  if (known === undefined && action === 'change' && !policy.changeCreates) return list;
  const made = make(known);
  if (made === undefined) return list;
  return known === undefined ? [made, ...list] : list.with(index, made);
}

function editConnections(
  resource: ModelResource,
  event: Extract<ObjectEvent, { connectionName: string }>,
  change: (connection: ModelConnection) => ModelConnection,
): ModelResource {
  const index = resource.connections.findIndex(({ name }) => name === event.connectionName);
  const connection = resource.connections[index];
  return connection === undefined
    ? resource
    : { ...resource, connections: resource.connections.with(index, change(connection)) };
}

function applyToResource(resource: ModelResource, event: ObjectEvent, updates: boolean): ModelResource {
  const policy = { updates, changeCreates: false };
  switch (event.kind) {
    case 'resource':
      return event.action === 'destroy'
        ? resource
        : { ...resource, info: event.info, statistics: event.statistics };
    case 'device': {
      const make = (): ModelDevice | undefined =>
        event.action === 'destroy'
          ? undefined
          : { volume: event.volume, minor: event.minor, info: event.info, statistics: event.statistics };
      const isSame = ({ volume }: ModelDevice): boolean => volume === event.volume;
      return { ...resource, devices: edit(resource.devices, isSame, event.action, make, policy) };
    }
    case 'connection': {
      const make = (known: ModelConnection | undefined): ModelConnection | undefined =>
        event.action === 'destroy'
          ? undefined
          : {
              name: event.connectionName,
              peerNodeId: event.peerNodeId,
              info: event.info,
              statistics: event.statistics,
              peerDevices: known?.peerDevices ?? [],
              paths: known?.paths ?? [],
            };
      const isSame = ({ name }: ModelConnection): boolean => name === event.connectionName;
      return { ...resource, connections: edit(resource.connections, isSame, event.action, make, policy) };
    }
    case 'peer-device':
      return editConnections(resource, event, (connection) => {
        const make = (): ModelPeerDevice | undefined =>
          event.action === 'destroy'
            ? undefined
            : { volume: event.volume, info: event.info, statistics: event.statistics };
        const isSame = ({ volume }: ModelPeerDevice): boolean => volume === event.volume;
        return {
          ...connection,
          peerDevices: edit(connection.peerDevices, isSame, event.action, make, policy),
        };
      });
    case 'path':
      return editConnections(resource, event, (connection) => {
        const make = (): ModelPath | undefined =>
          event.action === 'destroy'
            ? undefined
            : { local: event.local, remote: event.remote, established: event.established };
        const isSame = (path: ModelPath): boolean => samePath(path, event);
        return {
          ...connection,
          paths: edit(connection.paths, isSame, event.action, make, { ...policy, changeCreates: true }),
        };
      });
  }
}

export class EventModel {
  private readonly resources = new Map<string, ModelResource>();
  /** Edited copies of resources whose group of messages is not complete, in the order they were begun. */
  private readonly pending = new Map<string, ModelResource | undefined>();

  /** All resources as they are. */
  all(): readonly ModelResource[] {
    return [...this.resources.values()];
  }

  /**
   * Applies a message. Once its group is complete the changed resources are returned, the one begun last first.
   * `updates`: a dump that is to change what is known (events2 --poll).
   */
  apply(event: ObjectEvent, updates = false): readonly Transition[] {
    const edited = this.edited(event, updates);
    if (edited !== 'ignored') this.pending.set(event.resource, edited);
    return event.continues ? [] : this.commit();
  }

  rename(from: string, to: string): void {
    const resource = this.resources.get(from);
    if (resource === undefined) return;
    this.resources.delete(from);
    this.resources.set(to, { ...resource, name: to });
  }

  private edited(event: ObjectEvent, updates: boolean): ModelResource | undefined | 'ignored' {
    const committed = this.resources.get(event.resource);
    const isPending = this.pending.has(event.resource);
    const current = isPending
      ? this.pending.get(event.resource)
      : committed === undefined
        ? undefined
        : copyReversed(committed);
    if (current === undefined) {
      const appears = event.kind === 'resource' && (event.action === 'create' || event.action === 'exists');
      if (!appears) return 'ignored';
      const { info, statistics } = event;
      return { name: event.resource, info, statistics, devices: [], connections: [] };
    }
    if (event.kind === 'resource') {
      if (event.action === 'destroy') return undefined;
      if (event.action !== 'change' && !updates) return isPending ? current : 'ignored';
    }
    return applyToResource(current, event, updates);
  }

  private commit(): readonly Transition[] {
    const transitions = [...this.pending].map(([name, after]) => {
      const before = this.resources.get(name);
      if (after === undefined) this.resources.delete(name);
      else this.resources.set(name, after);
      return { before, after };
    });
    this.pending.clear();
    return transitions.reverse();
  }
}
