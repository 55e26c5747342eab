/** Any packet of any context survives the way over the wire; any bytes end as a packet or a fault. */
import * as fc from 'fast-check';
import { hasExtension, maySend, payloadLimits, tableErrors } from '../../src/wire/codec-table';
import { decodePacket } from '../../src/wire/decode';
import { encodePacket, packetBytes, packetSize, payloadSize } from '../../src/wire/encode';
import { BEFORE_FEATURES, FEATURE, type WireContext } from '../../src/wire/features';
import { describeFault } from '../../src/wire/fault';
import { type FieldType, type Layout } from '../../src/wire/layouts';
import {
  logName,
  NEVER_IMPLEMENTED,
  PACKET_NAMES,
  type PacketName,
  packetSpec,
} from '../../src/wire/packet-table';
import { type Packet } from '../../src/wire/packets';
import { PacketReader } from '../../src/wire/reader';

const CONTEXTS: readonly WireContext[] = [
  { protocol: 86, features: 0 },
  { protocol: 90, features: 0 },
  { protocol: 96, features: 0 },
  { protocol: 101, features: 0 },
  { protocol: 101, features: 0x0f },
  { protocol: 118, features: 0x2f },
  { protocol: 121, features: 0x0f },
  { protocol: 124, features: 0x3ff },
];

const LATIN = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 63,
});

function valueOf(type: FieldType): fc.Arbitrary<number | bigint | string> {
  switch (type) {
    case 'u8':
      return fc.integer({ min: 0, max: 0xff });
    case 'i8':
      return fc.integer({ min: -0x80, max: 0x7f });
    case 'u16':
      return fc.integer({ min: 0, max: 0xffff });
    case 'u32':
      return fc.integer({ min: 0, max: 0xffffffff });
    case 'i32':
      return fc.integer({ min: -0x80000000, max: 0x7fffffff });
    case 'u64':
      return fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
    case 'count':
      return fc.maxSafeNat();
    case 'name64':
      return LATIN;
  }
}

function fieldsOf(layout: Layout): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries(layout.fields.map((field) => [field.name, valueOf(field.type)]));
}

function isPacket(value: { type?: unknown }): value is Packet {
  return typeof value.type === 'string' && value.type in PACKETS_BY_NAME;
}
const PACKETS_BY_NAME = Object.fromEntries(PACKET_NAMES.map((name) => [name, true]));

/** Packets of one kind with any values, right for the context. */
function arbitraryPacket(name: PacketName, context: WireContext): fc.Arbitrary<Packet> {
  const spec = packetSpec(name);
  const values = fieldsOf(spec.layout);
  if (spec.older && !(context.features & FEATURE.TWOPC_V2)) values['flags'] = fc.constant(0);
  if (spec.extension)
    values[spec.extension.name] = hasExtension(spec, context)
      ? fc.record(fieldsOf(spec.extension.layout))
      : fc.constant(null);
  const { tail } = spec;
  if (tail?.kind === 'bytes')
    values[tail.name] = fc.uint8Array({ minLength: tail.min ?? 0, maxLength: Math.min(tail.max, 300) });
  if (tail?.kind === 'cstring')
    values[tail.name] = (tail.since ?? 0) <= context.protocol ? LATIN : fc.constant('');
  if (tail?.kind === 'u64s') {
    values['bitmapUuidsMask'] = fc.bigInt({ min: 0n, max: 0xffffffffn });
    values[tail.name] = fc.array(valueOf('u64'), { minLength: 32, maxLength: 64 });
  }
  const volume = context.protocol >= 100 ? valueOf('u16') : fc.constant(0);
  return fc.record({ type: fc.constant(name), volume, ...values }).map((packet) => {
    if (!isPacket(packet)) throw new Error(`${name} is no packet`);
    return packet;
  });
}

function decodeBytes(bytes: Uint8Array, context: WireContext, stream: 'data' | 'control'): unknown {
  const reader = new PacketReader(stream, context);
  reader.push(bytes);
  return reader.next() === 'packet' ? { packet: reader.packet(), left: reader.backlog } : reader.fault;
}

test('the table is consistent: no overlaps, no gaps outside structures, every number once', () => {
  expect(tableErrors()).toEqual([]);
  const numbers = PACKET_NAMES.map((name) => packetSpec(name).number);
  expect(new Set(numbers).size).toBe(numbers.length);
  // wire-protocol 3: 0x00-0x24, 0x27-0x36, 0x40-0x59 and the three of the handshake
  const expected = [
    ...Array.from({ length: 0x25 }, (_, i) => i),
    ...Array.from({ length: 0x10 }, (_, i) => 0x27 + i),
    ...Array.from({ length: 0x1a }, (_, i) => 0x40 + i),
    0xfff1,
    0xfff2,
    0xfffe,
  ];
  const known = [...numbers, ...Object.keys(NEVER_IMPLEMENTED).map(Number)].sort((a, b) => a - b);
  expect(known).toEqual(expected);
});

describe.each(CONTEXTS)('protocol $protocol, features $features', (context) => {
  test.each(PACKET_NAMES)('%s comes back as it was sent', (name) => {
    const spec = packetSpec(name);
    const initial = name === 'P_INITIAL_DATA' || name === 'P_INITIAL_META';
    fc.assert(
      fc.property(arbitraryPacket(name, context), (packet) => {
        const bytes = packetBytes(packet, context);
        const stream = spec.stream === 'both' ? 'data' : spec.stream;
        const back = decodeBytes(bytes, initial ? BEFORE_FEATURES : context, stream);
        expect(back).toEqual({ packet: initial ? { ...packet, volume: 0 } : packet, left: 0 });
        const { min, max } = payloadLimits(name, context);
        const length = payloadSize(packet, context);
        expect(length >= min && length <= max).toBe(true);
      }),
      { numRuns: 12 },
    );
  });
});

test('encoding writes only where it should, whatever was there before', () => {
  const context = { protocol: 124, features: 0x3ff };
  fc.assert(
    fc.property(
      fc.constantFrom(...PACKET_NAMES).chain((name) => arbitraryPacket(name, context)),
      fc.nat(9),
      (packet, offset) => {
        const size = packetSize(packet, context);
        const dirty = new Uint8Array(offset + size + 5).fill(0xa5);
        const end = encodePacket(packet, context, new DataView(dirty.buffer), offset);
        const clean = packetBytes(packet, context);
        expect(Buffer.compare(dirty.subarray(offset, end), clean)).toBe(0);
        expect(
          [...dirty.subarray(0, offset), ...dirty.subarray(offset + size)].every((b) => b === 0xa5),
        ).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test('any payload of any command is a packet or a fault with a log line', () => {
  let decoded = 0;
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom(...PACKET_NAMES.map((name) => packetSpec(name).number)), fc.nat(0xffff)),
      fc.constantFrom(...CONTEXTS),
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        fc
          .constantFrom(4, 8, 12, 16, 24, 28, 32, 36, 40, 48, 56, 72, 148)
          .chain((n) => fc.uint8Array({ minLength: n, maxLength: n })),
      ),
      (command, context, bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        const result = decodePacket(command, 1, view, 0, bytes.length, context);
        if (result.type === 'fault') {
          expect(describeFault(result, 'data').length).toBeGreaterThan(10);
          expect(describeFault(result, 'control').length).toBeGreaterThan(10);
        } else {
          decoded++;
          expect(packetSize(result, context)).toBeGreaterThanOrEqual(8);
        }
      },
    ),
    { numRuns: 5000 },
  );
  expect(decoded).toBeGreaterThan(100);
});

test('values that do not fit their field are the caller’s mistake', () => {
  const context = { protocol: 124, features: 0 };
  const ack = {
    type: 'P_WRITE_ACK',
    volume: 0,
    sector: 8,
    idHigh: 0,
    idLow: 1,
    size: 512,
    sequence: 1,
  } as const;
  for (const wrong of [
    { sector: -1 },
    { sector: 2 ** 53 },
    { sector: NaN },
    { size: 2 ** 32 },
    { idLow: 1.5 },
  ])
    expect(() => packetBytes({ ...ack, ...wrong }, context)).toThrow(RangeError);
  const uuid = { type: 'P_SYNC_UUID', volume: 0, uuid: 1n << 64n } as const;
  expect(() => packetBytes(uuid, context)).toThrow(RangeError);
  const sizes = { diskSize: 0, userSize: 0, currentSize: 0, maxBioSize: 0, queueOrderType: 0, ddsFlags: 0 };
  const packet = { type: 'P_SIZES', volume: 0, ...sizes, limits: null } as const;
  expect(packetBytes(packet, context).length).toBe(16 + 32);
  expect(() => packetBytes(packet, { protocol: 124, features: FEATURE.WSAME })).toThrow('limits');
});

test('UUID lists that contradict their mask are refused', () => {
  const context = { protocol: 124, features: 0 };
  const packet = {
    type: 'P_UUIDS110',
    volume: 0,
    current: 1n,
    dirtyBits: 0,
    flags: 0n,
    nodeMask: 0n,
    bitmapUuidsMask: 7n,
    otherUuids: [1n, 2n],
  } as const;
  expect(decodeBytes(packetBytes(packet, context), context, 'data')).toMatchObject({
    packet: { fault: 'bad-value', field: 'otherUuids' },
  });
  const high = { ...packet, bitmapUuidsMask: 1n << 32n };
  expect(decodeBytes(packetBytes(high, context), context, 'data')).toMatchObject({
    packet: { fault: 'bad-value', field: 'bitmapUuidsMask' },
  });
});

test('a packet may be sent only within its versions and features', () => {
  const names = (context: WireContext): PacketName[] =>
    PACKET_NAMES.filter((name) => !maySend(name, context));
  expect(names({ protocol: 124, features: 0x3ff })).toEqual([
    'P_RS_DATA_REQUEST',
    'P_SYNC_PARAM',
    'P_UUIDS',
    'P_SYNC_UUID',
    'P_STATE_CHG_REQ',
    'P_SUPERSEDED',
    'P_STATE_CHG_REPLY',
    'P_OV_REQUEST',
    'P_OV_REPLY',
    'P_OV_RESULT',
    'P_CSUM_RS_REQUEST',
    'P_DELAY_PROBE',
    'P_CONN_ST_CHG_REQ',
    'P_CONN_ST_CHG_REPLY',
    'P_RETRY_WRITE',
    'P_RS_THIN_REQ',
    'P_RS_DEALLOCATED',
  ]);
  expect(maySend('P_TRIM', { protocol: 101, features: 0 })).toBe(false);
  expect(maySend('P_RS_DATA_REQUEST', { protocol: 101, features: 0x0f })).toBe(true);
  expect(maySend('P_TWOPC_PREPARE', { protocol: 101, features: 0x0f })).toBe(false);
});

test('log names are the kernel’s', () => {
  expect([0x00, 0x2e, 0xfff1, 0xfff2, 0xfffe, 0x05, 0x25].map(logName)).toEqual([
    'P_DATA',
    'P_TWOPC_PREPARE',
    'InitialMeta',
    'InitialData',
    'ConnectionFeatures',
    'P_BECOME_SYNC_TARGET',
    '?',
  ]);
});
