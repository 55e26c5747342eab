/** Packets as one line of text for traces and test failures, from the packet table. */
import { NO_VOLUME } from './features';
import { packetSpec } from './packet-table';
import { type Packet } from './packets';

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

/** Block ids as one hex number, u64 in hex, the rest as it is. */
function describeField(name: string, values: Readonly<Record<string, unknown>>): string | null {
  const value = values[name];
  if (name.endsWith('Low')) return null;
  if (name.endsWith('High')) {
    const low = values[`${name.slice(0, -4)}Low`];
    return typeof value === 'number' && typeof low === 'number'
      ? `${name.slice(0, -4)}=${hex32(value)}${hex32(low)}`
      : null;
  }
  if (typeof value === 'bigint') return `${name}=0x${value.toString(16)}`;
  if (typeof value === 'string') return `${name}=${JSON.stringify(value)}`;
  if (value instanceof Uint8Array) return `${name}=${value.length} bytes`;
  if (Array.isArray(value)) return `${name}=${value.map((one: unknown) => String(one)).join(',')}`;
  if (name === 'flags' || name === 'state' || name === 'mask' || name === 'value')
    return `${name}=0x${typeof value === 'number' ? value.toString(16) : String(value)}`;
  return `${name}=${String(value)}`;
}

/** "P_BARRIER_ACK v-1 barrier=3 setSize=1" */
export function describePacket(packet: Packet): string {
  const spec = packetSpec(packet.type);
  const values: Readonly<Record<string, unknown>> = packet;
  const parts = spec.layout.fields.map((field) => describeField(field.name, values));
  if (spec.extension) {
    const inner = values[spec.extension.name];
    if (typeof inner === 'object' && inner !== null)
      for (const [name, value] of Object.entries(inner)) parts.push(describeField(name, { [name]: value }));
  }
  if (spec.tail) parts.push(describeField(spec.tail.name, values));
  const volume = packet.volume === NO_VOLUME ? -1 : packet.volume;
  return [`${packet.type} v${volume}`, ...parts.filter((part) => part !== null)].join(' ');
}
