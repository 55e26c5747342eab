/**
 * Turns what happens to objects into the events that users see. The order of events, and which of them are bound
 * together by `continues`, is part of the interface (engine.md 1.6, drbdsetup.md 8.4).
 */
import { type ControlEvent } from '../../control/contract/events';
import { type Notices } from '../actions';
import { Connection, type Device, type Path, PeerDevice, type Resource } from '../objects';
import { combinedDependency } from '../state/derived';
import { resourceOf } from '../state/object-log';
import {
  type DeviceChange,
  type LinkChange,
  type PeerDeviceChange,
  type Side,
  type StateChange,
} from '../state/state-change';
import {
  connectionInfo,
  connectionStatistics,
  deviceInfo,
  deviceStatistics,
  peerDeviceInfo,
  peerDeviceStatistics,
  resourceInfo,
  resourceStatistics,
} from './snapshot';

export type EventSubscriber = (event: ControlEvent) => void;
type Action = 'create' | 'change';

/** An event without its `continues` flag; `emit` sets it for all but the last of a group. */
type Draft<T = ControlEvent> = T extends ControlEvent ? Omit<T, 'continues'> : never;

const link = (connection: Connection): { peerNodeId: number; connectionName: string } => ({
  peerNodeId: connection.peerNodeId,
  connectionName: connection.name,
});

export class Notifier implements Notices {
  private readonly subscribers = new Set<EventSubscriber>();

  /** Returns the function that ends the subscription. */
  subscribe(subscriber: EventSubscriber): () => void {
    this.subscribers.add(subscriber);
    return () => this.subscribers.delete(subscriber);
  }
  get hasSubscribers(): boolean {
    return this.subscribers.size > 0;
  }

  resourceCreated(resource: Resource): void {
    if (!this.hasSubscribers) return;
    this.emit([resourceEvent(resource, 'create')]);
  }
  resourceDestroyed(resource: Resource): void {
    this.emit([{ kind: 'resource', resource: resource.name, action: 'destroy' }]);
  }
  resourceRenamed(resource: Resource, newName: string): void {
    this.emit([{ kind: 'resource', resource: resource.name, action: 'rename', newName }]);
  }

  deviceCreated(device: Device): void {
    if (!this.hasSubscribers) return;
    const peers = byConnection(device);
    this.emit([deviceEvent(device, 'create'), ...peers.map((peer) => peerDeviceEvent(peer, 'create'))]);
  }
  deviceDestroyed(device: Device): void {
    const { vnr: volume, minor, resource } = device;
    const peers = byConnection(device).map(peerDeviceGone);
    this.emit([...peers, { kind: 'device', resource: resource.name, volume, minor, action: 'destroy' }]);
  }
  deviceChanged(device: Device): void {
    if (!this.hasSubscribers) return;
    this.emit([deviceEvent(device, 'change')]);
  }

  connectionCreated(connection: Connection): void {
    if (!this.hasSubscribers) return;
    const peers = connection.peerDevices.map((peer) => peerDeviceEvent(peer, 'create'));
    this.emit([connectionEvent(connection, 'create'), ...peers]);
  }
  connectionDestroyed(connection: Connection): void {
    const resource = connection.resource.name;
    const peers = connection.peerDevices.map(peerDeviceGone);
    this.emit([...peers, { kind: 'connection', resource, ...link(connection), action: 'destroy' }]);
  }

  pathCreated(connection: Connection, path: Path): void {
    this.path(connection, path, 'create');
  }
  pathChanged(connection: Connection, path: Path): void {
    this.path(connection, path, 'change');
  }
  pathDestroyed(connection: Connection, path: Path): void {
    const { local, remote } = path;
    const resource = connection.resource.name;
    this.emit([{ kind: 'path', resource, ...link(connection), local, remote, action: 'destroy' }]);
  }
  private path(connection: Connection, path: Path, action: Action): void {
    const { local, remote, established } = path;
    const resource = connection.resource.name;
    this.emit([{ kind: 'path', resource, ...link(connection), local, remote, action, established }]);
  }

  peerDeviceChanged(peerDevice: PeerDevice): void {
    if (!this.hasSubscribers) return;
    this.emit([peerDeviceEvent(peerDevice, 'change')]);
  }

  helperCalled(command: string, on: Connection | Device | PeerDevice): void {
    this.helper(command, on, 'call', 0);
  }
  helperReturned(command: string, on: Connection | Device | PeerDevice, rawStatus: number): void {
    this.helper(command, on, 'response', rawStatus);
  }
  private helper(
    helper: string,
    on: Connection | Device | PeerDevice,
    action: 'call' | 'response',
    status: number,
  ): void {
    const resource = resourceOf(on).name;
    const connection = on instanceof PeerDevice ? on.connection : on instanceof Connection ? on : undefined;
    const device = on instanceof PeerDevice ? on.device : on instanceof Connection ? undefined : on;
    this.emit([
      {
        kind: 'helper',
        resource,
        helper,
        ...(connection && link(connection)),
        ...(device && { volume: device.vnr, minor: device.minor }),
        action,
        status,
      },
    ]);
  }

  stateChanged(change: StateChange): void {
    if (!this.hasSubscribers) return;
    const drafts: Draft[] = [];
    if (resourceDiffers(change)) drafts.push(changedResource(change));
    for (const node of change.links) if (linkDiffers(node)) drafts.push(changedLink(node));
    for (const node of change.devices) if (deviceDiffers(node)) drafts.push(changedDevice(node));
    for (const node of change.devices) {
      for (const peer of node.peers) if (peerDiffers(peer)) drafts.push(changedPeer(node, peer));
    }
    this.emit(drafts);
  }

  private emit(drafts: readonly Draft[]): void {
    drafts.forEach((draft, index) => {
      const event: ControlEvent = { ...draft, continues: index + 1 < drafts.length };
      for (const subscriber of this.subscribers) subscriber(event);
    });
  }
}

/** Peer devices of a device in the order of the connections. */
const byConnection = (device: Device): PeerDevice[] =>
  device.resource.connections
    .map((connection) => connection.peerDevice(device.vnr))
    .filter((peer) => peer !== undefined);

const resourceEvent = (resource: Resource, action: Action): Draft => ({
  kind: 'resource',
  resource: resource.name,
  action,
  info: resourceInfo(resource),
  statistics: resourceStatistics(resource),
});
const deviceEvent = (device: Device, action: Action): Draft => ({
  kind: 'device',
  resource: device.resource.name,
  volume: device.vnr,
  minor: device.minor,
  action,
  info: deviceInfo(device),
  statistics: deviceStatistics(device),
});
const connectionEvent = (connection: Connection, action: Action): Draft => ({
  kind: 'connection',
  resource: connection.resource.name,
  ...link(connection),
  action,
  info: connectionInfo(connection),
  statistics: connectionStatistics(connection),
});
const peerDeviceEvent = (peerDevice: PeerDevice, action: Action): Draft => ({
  kind: 'peer-device',
  resource: peerDevice.resource.name,
  ...link(peerDevice.connection),
  volume: peerDevice.device.vnr,
  action,
  info: peerDeviceInfo(peerDevice),
  statistics: peerDeviceStatistics(peerDevice),
});
const peerDeviceGone = (peerDevice: PeerDevice): Draft => ({
  kind: 'peer-device',
  resource: peerDevice.resource.name,
  ...link(peerDevice.connection),
  volume: peerDevice.device.vnr,
  action: 'destroy',
});

// --- what of a state change is told (engine.md 1.6)

const fencing = (change: StateChange, side: Side): boolean =>
  change.links.some((node) => node[side].suspFencing);

function resourceDiffers(change: StateChange): boolean {
  const { old, new: now } = change;
  return (
    old.role !== now.role ||
    old.suspUser !== now.suspUser ||
    old.suspNoData !== now.suspNoData ||
    old.suspUuid !== now.suspUuid ||
    old.suspQuorum !== now.suspQuorum ||
    old.failIo !== now.failIo ||
    fencing(change, 'old') !== fencing(change, 'new')
  );
}
const linkDiffers = ({ old, new: now }: LinkChange): boolean =>
  old.peerRole !== now.peerRole || old.cstate !== now.cstate;
const deviceDiffers = ({ old, new: now }: DeviceChange): boolean =>
  old.disk !== now.disk || old.haveQuorum !== now.haveQuorum;
const peerDiffers = ({ old, new: now }: PeerDeviceChange): boolean =>
  old.pdsk !== now.pdsk ||
  old.repl !== now.repl ||
  old.resyncSuspUser !== now.resyncSuspUser ||
  old.resyncSuspPeer !== now.resyncSuspPeer ||
  old.resyncSuspDependency !== now.resyncSuspDependency ||
  old.resyncSuspOtherConnection !== now.resyncSuspOtherConnection ||
  old.resyncSuspMaxParallel !== now.resyncSuspMaxParallel;

function changedResource(change: StateChange): Draft {
  const { resource, new: state } = change;
  const info = resourceInfo(resource, state, fencing(change, 'new'));
  return {
    kind: 'resource',
    resource: resource.name,
    action: 'change',
    info: { ...info, suspQuorum: state.suspQuorum || state.suspUuid },
    statistics: resourceStatistics(resource),
  };
}
const changedLink = ({ connection, new: state }: LinkChange): Draft => ({
  kind: 'connection',
  resource: connection.resource.name,
  ...link(connection),
  action: 'change',
  info: connectionInfo(connection, state),
  statistics: connectionStatistics(connection),
});
const changedDevice = ({ device, new: state }: DeviceChange): Draft => ({
  kind: 'device',
  resource: device.resource.name,
  volume: device.vnr,
  minor: device.minor,
  action: 'change',
  info: deviceInfo(device, state),
  statistics: deviceStatistics(device),
});
const changedPeer = (node: DeviceChange, peer: PeerDeviceChange): Draft => ({
  kind: 'peer-device',
  resource: node.device.resource.name,
  ...link(peer.peerDevice.connection),
  volume: node.device.vnr,
  action: 'change',
  info: {
    ...peerDeviceInfo(peer.peerDevice, peer.new, node.new),
    resyncSuspDependency: combinedDependency(peer.new, node.new),
  },
  statistics: peerDeviceStatistics(peer.peerDevice),
});
