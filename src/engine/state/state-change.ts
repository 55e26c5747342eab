/**
 * The old and the new state records of every object of a resource, as one tree. Inside a transaction the records are
 * the objects' own (`old` is `now`, `new` is `next`); deferred actions (engine.md 2.7) and notifications get copies,
 * because the objects have moved on when they run.
 */
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

export type Side = 'old' | 'new';

export interface StateChange {
  readonly resource: Resource;
  readonly old: Readonly<ResourceState>;
  readonly new: Readonly<ResourceState>;
  /** In creation order. */
  readonly links: readonly LinkChange[];
  /** Ascending volume numbers. */
  readonly devices: readonly DeviceChange[];
  /** Who asked, for the log; empty = not named. */
  readonly tag: string;
}
export interface LinkChange {
  readonly connection: Connection;
  readonly old: Readonly<LinkState>;
  readonly new: Readonly<LinkState>;
}
export interface DeviceChange {
  readonly device: Device;
  readonly old: Readonly<DeviceState>;
  readonly new: Readonly<DeviceState>;
  /** Newest first (engine.md 1.1). */
  readonly peers: readonly PeerDeviceChange[];
}
export interface PeerDeviceChange {
  readonly peerDevice: PeerDevice;
  readonly old: Readonly<PeerDeviceState>;
  readonly new: Readonly<PeerDeviceState>;
  readonly link: LinkChange;
}

/** A change while its transaction is open: `new` may be edited. */
export interface OpenChange extends StateChange {
  readonly new: ResourceState;
  readonly links: readonly OpenLinkChange[];
  readonly devices: readonly OpenDeviceChange[];
}
export interface OpenLinkChange extends LinkChange {
  readonly new: LinkState;
}
export interface OpenDeviceChange extends DeviceChange {
  readonly new: DeviceState;
  readonly peers: readonly OpenPeerDeviceChange[];
}
export interface OpenPeerDeviceChange extends PeerDeviceChange {
  readonly new: PeerDeviceState;
  readonly link: OpenLinkChange;
}

/** The change of the open transaction: no copies. */
export function openChange(resource: Resource, tag: string): OpenChange {
  const links = resource.connections.map((connection) => ({
    connection,
    old: connection.now,
    new: connection.next,
  }));
  const linkOf = new Map(links.map((link) => [link.connection, link]));
  const devices = resource.devices.map((device) => {
    const peers: OpenPeerDeviceChange[] = [];
    for (const peerDevice of device.peerDevices) {
      const link = linkOf.get(peerDevice.connection);
      if (link) peers.push({ peerDevice, old: peerDevice.now, new: peerDevice.next, link });
    }
    return { device, old: device.now, new: device.next, peers };
  });
  return { resource, old: resource.now, new: resource.next, links, devices, tag };
}

/** A copy that stays as it is when the objects move on. */
export function copyChange(change: StateChange): StateChange {
  const links = change.links.map((link) => ({
    connection: link.connection,
    old: { ...link.old },
    new: { ...link.new },
  }));
  const linkOf = new Map(links.map((link) => [link.connection, link]));
  const devices = change.devices.map((node) => ({
    device: node.device,
    old: { ...node.old },
    new: { ...node.new },
    peers: node.peers.map((peer) => ({
      peerDevice: peer.peerDevice,
      old: { ...peer.old },
      new: { ...peer.new },
      link: linkOf.get(peer.peerDevice.connection) ?? peer.link,
    })),
  }));
  return {
    resource: change.resource,
    old: { ...change.old },
    new: { ...change.new },
    links,
    devices,
    tag: change.tag,
  };
}

/** The committed state as a change from itself to itself, for the functions that judge one side of a change. */
export function committedState(resource: Resource): StateChange {
  const links = resource.connections.map((connection) => ({
    connection,
    old: connection.now,
    new: connection.now,
  }));
  const linkOf = new Map(links.map((link) => [link.connection, link]));
  const devices = resource.devices.map((device) => {
    const peers: PeerDeviceChange[] = [];
    for (const peerDevice of device.peerDevices) {
      const link = linkOf.get(peerDevice.connection);
      if (link) peers.push({ peerDevice, old: peerDevice.now, new: peerDevice.now, link });
    }
    return { device, old: device.now, new: device.now, peers };
  });
  return { resource, old: resource.now, new: resource.now, links, devices, tag: '' };
}

/** The committed state of one device as a `DeviceChange`. */
export function committedDevice(device: Device): DeviceChange {
  const peers = device.peerDevices.map((peerDevice) => ({
    peerDevice,
    old: peerDevice.now,
    new: peerDevice.now,
    link: {
      connection: peerDevice.connection,
      old: peerDevice.connection.now,
      new: peerDevice.connection.now,
    },
  }));
  return { device, old: device.now, new: device.now, peers };
}
