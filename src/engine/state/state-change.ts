/**
 * What one committed transaction changed: copies of the old and new state records of every object. Deferred actions
 * (engine.md 2.7) and notifications work on these, because the objects have moved on when they run.
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

export interface StateChange {
  readonly resource: Resource;
  readonly old: Readonly<ResourceState>;
  readonly new: Readonly<ResourceState>;
  /** In creation order. */
  readonly links: readonly LinkChange[];
  /** Ascending volume numbers. */
  readonly devices: readonly DeviceChange[];
  readonly tag: string;
  /** I/O suspended for any reason (engine.md 1.5). */
  readonly suspendedOld: boolean;
  readonly suspendedNew: boolean;
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
  readonly peers: readonly PeerDeviceChange[];
}
export interface PeerDeviceChange {
  readonly peerDevice: PeerDevice;
  readonly old: Readonly<PeerDeviceState>;
  readonly new: Readonly<PeerDeviceState>;
  readonly link: LinkChange;
}

function suspended(
  resource: Readonly<ResourceState>,
  links: readonly LinkChange[],
  side: 'old' | 'new',
): boolean {
  return (
    resource.suspUser ||
    resource.suspNoData ||
    resource.suspQuorum ||
    resource.suspUuid ||
    links.some((link) => link[side].suspFencing)
  );
}

/** Takes copies of `now` (old) and `next` (new) of every object of the resource. */
export function captureChange(resource: Resource, tag: string): StateChange {
  const old = { ...resource.now };
  const next = { ...resource.next };
  const links = resource.connections.map((connection): LinkChange => ({
    connection,
    old: { ...connection.now },
    new: { ...connection.next },
  }));
  const linkOf = new Map(links.map((link) => [link.connection, link]));
  const devices = resource.devices.map((device): DeviceChange => {
    const peers: PeerDeviceChange[] = [];
    for (const peerDevice of device.peerDevices) {
      const link = linkOf.get(peerDevice.connection);
      if (link) peers.push({ peerDevice, old: { ...peerDevice.now }, new: { ...peerDevice.next }, link });
    }
    return { device, old: { ...device.now }, new: { ...device.next }, peers };
  });
  return {
    resource,
    old,
    new: next,
    links,
    devices,
    tag,
    suspendedOld: suspended(old, links, 'old'),
    suspendedNew: suspended(next, links, 'new'),
  };
}
