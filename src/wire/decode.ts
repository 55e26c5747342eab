/**
 * Bytes to packet objects, for every packet of the table. Bad bytes give a WireFault (`type: 'fault'`),
 * never an exception, so one switch on `type` handles both. Byte tails are views into the input.
 */
import { fixedSize, hasExtension, layoutIn, payloadLimits } from './codec-table';
import { type WireContext } from './features';
import { type WireFault } from './fault';
import { readField, readName } from './field-codec';
import { type Layout } from './layouts';
import { type PacketName, packetNameOf, packetSpec, type PacketSpec, type Tail } from './packet-table';
import { type Packet } from './packets';

type Value = number | bigint | string | null | Uint8Array | readonly bigint[] | Record<string, unknown>;

/** Reads the fields into `out`; the name of the first field whose value is impossible, or null. */
function readLayout(view: DataView, at: number, layout: Layout, out: Record<string, unknown>): string | null {
  let bad: string | null = null;
  for (const field of layout.fields) {
    const value = readField(view, at + field.at, field.type);
    if (typeof value === 'number' && Number.isNaN(value)) bad ??= field.name;
    out[field.name] = value;
  }
  return bad;
}

function readTail(view: DataView, at: number, length: number, tail: Tail): Value {
  switch (tail.kind) {
    case 'bytes':
      return new Uint8Array(view.buffer, view.byteOffset + at, length);
    case 'cstring':
      return readName(view, at, length);
    case 'u64s':
      return Array.from({ length: length >> 3 }, (_, i) => view.getBigUint64(at + 8 * i));
  }
}

function popcount(mask: bigint): number {
  let count = 0;
  for (let rest = mask; rest !== 0n; rest >>= 1n) if (rest & 1n) count++;
  return count;
}

/** Node ids end at 31, and each bit of the mask needs its UUID (wire-protocol 7.6). */
function checkPacket(packet: Packet): string | null {
  if (packet.type !== 'P_UUIDS110') return null;
  if (packet.bitmapUuidsMask >> 32n !== 0n) return 'bitmapUuidsMask';
  return popcount(packet.bitmapUuidsMask) > packet.otherUuids.length ? 'otherUuids' : null;
}

/**
 * The table says which fields a packet has; packets.ts derives the types from the same table. This is
 * the one place where the first becomes the second.
 */
function asPacket(values: Record<string, unknown>): Packet {
  return values as unknown as Packet;
}

function lengthFault(command: number, spec: PacketSpec, length: number, context: WireContext): WireFault {
  const expected = fixedSize(spec, context);
  return {
    type: 'fault',
    fault: 'bad-length',
    command,
    expected,
    received: length,
    strict: spec.tail === undefined,
  };
}

/** The fault of a payload length, or null if it is possible for the command in this context. */
export function checkLength(command: number, length: number, context: WireContext): WireFault | null {
  const name = packetNameOf(command);
  if (name === undefined) return { type: 'fault', fault: 'unexpected-command', command, length };
  const { min, max } = payloadLimits(name, context);
  return length < min || length > max ? lengthFault(command, packetSpec(name), length, context) : null;
}

/**
 * Decodes `length` bytes of payload at `offset`; the header said `command` and `volume`.
 * The view must hold that many bytes.
 */
export function decodePacket(
  command: number,
  volume: number,
  view: DataView,
  offset: number,
  length: number,
  context: WireContext,
): Packet | WireFault {
  const name = packetNameOf(command);
  const fault = checkLength(command, length, context);
  if (fault !== null || name === undefined)
    return fault ?? { type: 'fault', fault: 'unexpected-command', command, length };
  return decodeChecked(name, volume, view, offset, length, context);
}

/** The same for a command and length that checkLength() (or the reader) has let pass. */
export function decodeChecked(
  name: PacketName,
  volume: number,
  view: DataView,
  offset: number,
  length: number,
  context: WireContext,
): Packet | WireFault {
  const spec = packetSpec(name);
  const out: Record<string, unknown> = { type: name, volume };
  const layout = layoutIn(spec, context);
  if (layout !== spec.layout) for (const field of spec.layout.fields) out[field.name] = 0;
  let bad = readLayout(view, offset, layout, out);
  let at = offset + layout.size;
  if (spec.extension) {
    const inner: Record<string, unknown> = {};
    const present = hasExtension(spec, context);
    if (present) {
      bad ??= readLayout(view, at, spec.extension.layout, inner);
      at += spec.extension.layout.size;
    }
    out[spec.extension.name] = present ? inner : null;
  }
  if (spec.tail) out[spec.tail.name] = readTail(view, at, offset + length - at, spec.tail);
  const packet = asPacket(out);
  bad ??= checkPacket(packet);
  return bad === null ? packet : { type: 'fault', fault: 'bad-value', command: spec.number, field: bad };
}
