/** Every packet that real kernels sent in the recordings decodes and encodes to the same bytes. */
import { encodePacket, packetSize } from '../../src/wire/encode';
import { BEFORE_FEATURES, type WireContext } from '../../src/wire/features';
import { layoutIn } from '../../src/wire/codec-table';
import { FIELD_SIZE } from '../../src/wire/layouts';
import { PACKETS, packetSpec } from '../../src/wire/packet-table';
import { type Packet } from '../../src/wire/packets';
import { PacketReader } from '../../src/wire/reader';
import { listed } from './listing';
import { loadRecording, recordingNames, type RecordedStream } from './recordings';

/** Committed counts: fewer than this compared means that the test has gone blind. */
const LEAST_PACKETS = 26180;
const LEAST_STREAMS = 593;

interface Seen {
  readonly packet: Packet;
  readonly context: WireContext;
  readonly original: Uint8Array;
  readonly headerKind: number;
  readonly length: number;
}

/** The context of a packet: control streams carry header100 only after an agreement made elsewhere. */
function contextFor(reader: PacketReader, stream: RecordedStream): WireContext {
  if (reader.headerKind !== 100) return BEFORE_FEATURES;
  return stream.stream === 'data' ? stream.agreed : { protocol: 124, features: 0x3ff };
}

function* packetsOf(stream: RecordedStream, chunks: readonly Uint8Array[]): Generator<Seen> {
  const reader = new PacketReader(stream.stream);
  let position = 0;
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let status = reader.next(); status !== 'more'; status = reader.next()) {
      if (status === 'fault')
        throw new Error(`${stream.label} at ${position}: ${JSON.stringify(reader.fault)}`);
      const packet = reader.packet();
      if (packet.type === 'fault')
        throw new Error(`${stream.label} at ${position}: ${JSON.stringify(packet)}`);
      const end = position + (reader.headerKind === 100 ? 16 : 8) + reader.length;
      const { headerKind, length } = reader;
      const context = contextFor(reader, stream);
      yield { packet, context, original: stream.bytes.subarray(position, end), headerKind, length };
      position = end;
      if (reader.command === PACKETS.P_CONNECTION_FEATURES.number) reader.setContext(stream.agreed);
    }
  }
  if (position !== stream.bytes.length) throw new Error(`${stream.label}: ${reader.backlog} bytes left over`);
}

/** Copies the bytes that no field names: kernels leave garbage in some. */
function withPaddingOf(original: Uint8Array, ours: Uint8Array, seen: Seen): Uint8Array {
  const layout = layoutIn(packetSpec(seen.packet.type), seen.context);
  const header = seen.context.protocol >= 100 ? 16 : 8;
  const named = new Set(
    layout.fields.flatMap((field) => Array.from({ length: FIELD_SIZE[field.type] }, (_, i) => field.at + i)),
  );
  const copy = ours.slice();
  for (let at = 0; at < layout.size; at++) if (!named.has(at)) copy[header + at] = original[header + at] ?? 0;
  return copy;
}

function encoded({ packet, context }: Seen): Uint8Array {
  const room = new Uint8Array(packetSize(packet, context) + 3);
  const end = encodePacket(packet, context, new DataView(room.buffer), 3);
  return room.subarray(3, end);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

test('every recorded packet decodes and re-encodes to the same bytes', () => {
  const counts = new Map<string, number>();
  const dirtyPadding = new Map<string, number>();
  let packets = 0;
  let streams = 0;
  for (const name of recordingNames()) {
    for (const stream of loadRecording(name).streams) {
      streams++;
      for (const seen of packetsOf(stream, [stream.bytes])) {
        packets++;
        const { type } = seen.packet;
        counts.set(type, (counts.get(type) ?? 0) + 1);
        const ours = encoded(seen);
        if (same(ours, seen.original)) continue;
        dirtyPadding.set(type, (dirtyPadding.get(type) ?? 0) + 1);
        if (same(withPaddingOf(seen.original, ours, seen), seen.original)) continue;
        throw new Error(
          `${stream.label} ${type}\n${Buffer.from(seen.original).toString('hex').slice(0, 800)}\n${Buffer.from(ours).toString('hex').slice(0, 800)}`,
        );
      }
    }
  }
  const list = (map: Map<string, number>): string => [...map].map(([k, n]) => `${k} ${n}`).join(', ');
  process.stderr.write(
    `${packets} packets of ${counts.size} kinds in ${streams} recorded streams; with garbage in padding: ${list(dirtyPadding)}\n`,
  );
  expect(packets).toBeGreaterThanOrEqual(LEAST_PACKETS);
  expect(streams).toBeGreaterThanOrEqual(LEAST_STREAMS);
});

test('every recorded packet reads as an independent decoder read it', () => {
  let compared = 0;
  for (const name of recordingNames()) {
    const { streams, listing } = loadRecording(name);
    for (const stream of streams) {
      const from = new RegExp(`^ *[0-9.]+ c${stream.connection} ${stream.by}>. . `);
      const expected = listing.filter((line) => from.test(line)).map((line) => line.replace(from, ''));
      const ours = [...packetsOf(stream, [stream.bytes])].map((seen) =>
        listed(seen.packet, seen.headerKind, seen.length, stream.agreed.protocol),
      );
      expect({ stream: stream.label, ours }).toEqual({ stream: stream.label, ours: expected });
      compared += ours.length;
    }
  }
  process.stderr.write(`${compared} packets compared with the listing\n`);
  expect(compared).toBeGreaterThanOrEqual(LEAST_PACKETS);
});

/** Cuts a stream into pieces whose lengths are a fixed sequence of small and large numbers. */
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    // Memory of its own, so that neighbours are not next to each other.
    pieces.push(bytes.slice(at, at + length));
    at += length;
  }
  return pieces;
}

test('how a stream is cut into chunks changes nothing', () => {
  const brief = (seen: Seen): string => `${seen.packet.type} ${seen.packet.volume} ${seen.length}`;
  let packets = 0;
  for (const name of recordingNames().filter((_, i) => i % 6 === 0)) {
    for (const stream of loadRecording(name).streams) {
      const whole = [...packetsOf(stream, [stream.bytes])].map(brief);
      const one = stream.bytes.length < 20000 ? [1] : [4095];
      for (const chunks of [
        stream.pieces,
        cut(stream.bytes, one),
        cut(stream.bytes, [1, 2, 3, 5, 7, 8, 13, 16, 17, 64, 65536]),
        cut(stream.bytes, [4096, 15, 1, 100000]),
      ]) {
        const here = [...packetsOf(stream, chunks)];
        expect(here.map(brief)).toEqual(whole);
        for (const seen of here)
          if (!same(withPaddingOf(seen.original, encoded(seen), seen), seen.original))
            throw new Error(`${stream.label} ${brief(seen)} cut badly`);
        packets += here.length;
      }
    }
  }
  expect(packets).toBeGreaterThanOrEqual(15000);
});

test('recorded streams with damaged bytes end in packets, a wait, or one fault', () => {
  const names = recordingNames().filter((_, i) => i % 5 === 0);
  const streams = names.flatMap((name) => loadRecording(name).streams).filter((one) => one.bytes.length > 0);
  // Fixed steps instead of chance: a failure can be repeated.
  let random = 12345;
  const below = (n: number): number => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    return random % n;
  };
  const ends = new Map<string, number>();
  for (let round = 0; round < 3000; round++) {
    const stream = streams[below(streams.length)];
    if (stream === undefined) throw new Error('no streams');
    const from = below(stream.bytes.length);
    const bytes = stream.bytes.slice(below(2) ? from : 0, from + 2000);
    for (let i = 0; i <= below(4); i++) bytes[below(bytes.length)] = below(256);
    const reader = new PacketReader(stream.stream);
    reader.push(bytes);
    let status = reader.next();
    for (; status === 'packet'; status = reader.next()) {
      const packet = reader.packet();
      ends.set(packet.type === 'fault' ? packet.fault : 'packet', 1);
      if (reader.command === PACKETS.P_CONNECTION_FEATURES.number) reader.setContext(stream.agreed);
    }
    const end = reader.fault?.fault ?? status;
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  expect([...ends.keys()].sort()).toEqual(
    expect.arrayContaining([
      'bad-length',
      'bad-magic',
      'bad-padding',
      'more',
      'packet',
      'unexpected-command',
    ]),
  );
});
