/** Creating and deleting the objects of a resource, with their notifications (engine.md 1.1, 1.6). */
import { Connection, Device, type Path, PeerDevice, Resource } from '../objects';
import { PeerLink } from '../connection/peer-link';
import { ConnectionIo, DeviceIo, PeerDeviceIo, ResourceIo } from '../data/io-state';
import { type Host } from '../host';
import { type DeviceOptions, type NetOptions, QUORUM_OFF, type ResourceOptions } from '../options';
import { peerDeviceOptions } from '../apply-options';
import { TransactionState } from '../state/transaction-state';
import { ResourceTwopc } from '../twopc/twopc-state';
import { DiskState } from '../../control/contract/states';
import { PeerFlag } from '../../metadata/superblock-flags';

export function createResource(host: Host, name: string, nodeId: number, options: ResourceOptions): Resource {
  const resource = new Resource(
    host,
    name,
    nodeId,
    options,
    new TransactionState(),
    new ResourceTwopc(),
    new ResourceIo(),
  );
  host.resources.set(name, resource);
  host.notices.resourceCreated(resource);
  return resource;
}
export function destroyResource(resource: Resource): void {
  resource.host.resources.delete(resource.name);
  resource.host.notices.resourceDestroyed(resource);
  resource.unregistered = true;
}

export function createDevice(resource: Resource, minor: number, vnr: number, options: DeviceOptions): Device {
  const quorumOff = resource.options.quorum === QUORUM_OFF;
  const device = new Device(resource, minor, vnr, options, quorumOff, new DeviceIo());
  const place = resource.devices.findIndex((other) => other.vnr > vnr);
  resource.devices.splice(place < 0 ? resource.devices.length : place, 0, device);
  resource.host.minors.set(minor, device);
  for (const connection of resource.connections) createPeerDevice(device, connection);
  resource.host.notices.deviceCreated(device);
  return device;
}
export function destroyDevice(device: Device): void {
  const { resource } = device;
  resource.host.notices.deviceDestroyed(device);
  device.unregistered = true;
  remove(resource.devices, device);
  resource.host.minors.delete(device.minor);
  for (const connection of resource.connections) {
    const peerDevice = connection.peerDevice(device.vnr);
    if (peerDevice) remove(connection.peerDevices, peerDevice);
  }
}

export function createConnection(
  resource: Resource,
  peerNodeId: number,
  name: string,
  options: NetOptions,
): Connection {
  const connection = new Connection(resource, peerNodeId, name, options, new PeerLink(), new ConnectionIo());
  resource.connections.push(connection);
  for (const device of resource.devices) createPeerDevice(device, connection);
  resource.host.notices.connectionCreated(connection);
  return connection;
}
export function destroyConnection(connection: Connection): void {
  const { resource } = connection;
  for (const path of [...connection.paths]) destroyPath(connection, path);
  resource.host.notices.connectionDestroyed(connection);
  connection.unregistered = true;
  remove(resource.connections, connection);
  for (const device of resource.devices) {
    const peerDevice = device.peerDeviceOf(connection.peerNodeId);
    if (peerDevice) remove(device.peerDevices, peerDevice);
  }
}

export function createPath(connection: Connection, path: Path): void {
  connection.paths.push(path);
  connection.resource.host.notices.pathCreated(connection, path);
}
export function destroyPath(connection: Connection, path: Path): void {
  remove(connection.paths, path);
  connection.resource.host.notices.pathDestroyed(connection, path);
}

function createPeerDevice(device: Device, connection: Connection): void {
  const peerDevice = new PeerDevice(device, connection, peerDeviceOptions({}), new PeerDeviceIo());
  const slot = device.backing?.superblock.peers[connection.peerNodeId];
  if (slot !== undefined && slot.flags & PeerFlag.OUTDATED) {
    peerDevice.now.pdsk = DiskState.Outdated;
    peerDevice.next.pdsk = DiskState.Outdated;
  }
  if (device.backing) peerDevice.bitmapSlot = device.backing.slotOf(connection.peerNodeId);
  device.peerDevices.unshift(peerDevice);
  const place = connection.peerDevices.findIndex((other) => other.device.vnr > device.vnr);
  connection.peerDevices.splice(place < 0 ? connection.peerDevices.length : place, 0, peerDevice);
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
