/** Log lines with the prefix of their object (engine.md 15.1). */
import { Connection, Device, PeerDevice, type Resource } from '../objects';
import { type LogLevel } from '../ports';

export type LoggedObject = Resource | Connection | Device | PeerDevice;

const resourceName = (resource: Resource): string =>
  resource.unregistered ? `/unregistered/${resource.name}` : resource.name;
const deviceName = (device: Device): string =>
  `${resourceName(device.resource)}/${device.vnr} drbd${device.minor}`;

/** `drbd RES[/VNR drbdMINOR][ PEER]: `, with the blank at its end. */
export function logPrefix(object: LoggedObject): string {
  if (object instanceof PeerDevice) return `drbd ${deviceName(object.device)} ${object.connection.name}: `;
  if (object instanceof Device) return `drbd ${deviceName(object)}: `;
  if (object instanceof Connection) return `drbd ${resourceName(object.resource)} ${object.name}: `;
  return `drbd ${resourceName(object)}: `;
}

export function resourceOf(object: LoggedObject): Resource {
  if (object instanceof PeerDevice) return object.device.resource;
  if (object instanceof Device || object instanceof Connection) return object.resource;
  return object;
}

export function logLine(object: LoggedObject, level: LogLevel, text: string): void {
  resourceOf(object).host.ports.log.write(level, logPrefix(object) + text);
}

/** A 64-bit identifier as log lines print it: 16 upper-case hexadecimal digits. */
export const hex16 = (value: bigint): string =>
  BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(16, '0');
