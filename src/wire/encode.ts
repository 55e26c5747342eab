/**
 * Packet objects to bytes, for every packet of the table. For data, acks and resync requests see
 * encode-hot.ts, which takes plain numbers and allocates nothing.
 *
 *     const context = { protocol: 124, features: FEATURE.TWOPC_V2 };
 *     socket.write(packetBytes({ type: 'P_BARRIER', volume: NO_VOLUME, barrier: 7 }, context));
 *
 * Mistakes of the caller (a value that does not fit its field, too small a buffer) are RangeErrors:
 * nothing a peer sends can cause one.
 */
import { fixedSize, hasExtension, layoutIn } from './codec-table';
import { type WireContext } from './features';
import { writeField, writeName } from './field-codec';
import { headerSize, writeHeader } from './header';
import { type Layout } from './layouts';
import { type PacketSpec, type Tail, packetSpec } from './packet-table';
import { type Packet } from './packets';

type Values = Readonly<Record<string, unknown>>;

function isBigintArray(value: unknown): value is readonly bigint[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'bigint');
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null;
}

function tailSize(tail: Tail | undefined, values: Values, context: WireContext): number {
  if (!tail || (tail.since ?? 0) > context.protocol) return 0;
  const value = values[tail.name];
  if (value instanceof Uint8Array) return value.length;
  if (typeof value === 'string') return value.length + 1;
  if (isBigintArray(value)) return value.length * 8;
  throw new RangeError(`${tail.name} is no ${tail.kind}`);
}

function writeTail(view: DataView, at: number, size: number, value: unknown): void {
  if (value instanceof Uint8Array) {
    new Uint8Array(view.buffer, view.byteOffset + at, size).set(value);
  } else if (typeof value === 'string') {
    writeName(view, at, size, value);
  } else if (isBigintArray(value)) {
    value.forEach((word, i) => writeField(view, at + 8 * i, 'u64', word));
  }
}

function writeLayout(view: DataView, at: number, layout: Layout, values: Values): void {
  for (let i = 0; i < layout.size; i++) view.setUint8(at + i, 0);
  for (const field of layout.fields) writeField(view, at + field.at, field.type, values[field.name]);
}

function sizeOfPayload(spec: PacketSpec, values: Values, context: WireContext): number {
  return fixedSize(spec, context) + tailSize(spec.tail, values, context);
}

/** Bytes of payload (without header) the packet has in this context. */
export function payloadSize(packet: Packet, context: WireContext): number {
  return sizeOfPayload(packetSpec(packet.type), packet, context);
}

/** Bytes of the packet on the wire, header included. */
export function packetSize(packet: Packet, context: WireContext): number {
  return headerSize(context.protocol) + payloadSize(packet, context);
}

/** Writes the payload alone at `offset`; returns the offset after it. */
export function encodePayload(packet: Packet, context: WireContext, view: DataView, offset: number): number {
  const spec = packetSpec(packet.type);
  const values: Values = packet;
  const layout = layoutIn(spec, context);
  writeLayout(view, offset, layout, values);
  let at = offset + layout.size;
  if (spec.extension && hasExtension(spec, context)) {
    const inner = values[spec.extension.name];
    if (!isValues(inner)) throw new RangeError(`${packet.type} needs ${spec.extension.name} here`);
    writeLayout(view, at, spec.extension.layout, inner);
    at += spec.extension.layout.size;
  }
  const tail = tailSize(spec.tail, values, context);
  if (spec.tail && tail > 0) writeTail(view, at, tail, values[spec.tail.name]);
  return at + tail;
}

/**
 * Writes header and payload at `offset` of a buffer with room for packetSize(); returns the offset after
 * them. An extension (P_SIZES.limits, P_SYNC_PARAM89.controller) must be there if the context has it and
 * is left out otherwise. The two initial packets have an 8-byte header in every context.
 */
export function encodePacket(packet: Packet, context: WireContext, view: DataView, offset: number): number {
  const initial = packet.type === 'P_INITIAL_DATA' || packet.type === 'P_INITIAL_META';
  const spec = packetSpec(packet.type);
  const protocol = initial ? 0 : context.protocol;
  const length = payloadSize(packet, context);
  return encodePayload(
    packet,
    context,
    view,
    writeHeader(view, offset, protocol, spec.number, packet.volume, length),
  );
}

/** The packet as bytes of their own. */
export function packetBytes(packet: Packet, context: WireContext): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(packetSize(packet, context));
  const end = encodePacket(packet, context, new DataView(bytes.buffer), 0);
  return end === bytes.length ? bytes : bytes.slice(0, end);
}
