import * as fc from 'fast-check';
import { packetBytes } from '../../src/wire/encode';
import { FEATURE, NO_VOLUME } from '../../src/wire/features';
import { describeFault } from '../../src/wire/fault';
import { PACKETS } from '../../src/wire/packet-table';
import { type Packet } from '../../src/wire/packets';
import { PacketReader, type ReaderStatus } from '../../src/wire/reader';

const CONTEXT = { protocol: 124, features: 0x3ff };
const PING: Packet = { type: 'P_PING', volume: NO_VOLUME };

function header(command: number, length: number, volume = 0, pad = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, 0x8620ec20);
  view.setUint16(4, volume);
  view.setUint16(6, command);
  view.setUint32(8, length);
  view.setUint32(12, pad);
  return new Uint8Array(view.buffer);
}

function readerWith(stream: 'data' | 'control', bytes: Uint8Array, context = CONTEXT): PacketReader {
  const reader = new PacketReader(stream, context);
  reader.push(bytes);
  return reader;
}

function faultOf(stream: 'data' | 'control', bytes: Uint8Array, context = CONTEXT): string {
  const reader = readerWith(stream, bytes, context);
  expect(reader.next()).toBe('fault');
  expect(reader.next()).toBe('fault');
  return reader.fault === null ? '' : describeFault(reader.fault, stream);
}

function dataPacket(bytes: number): Packet {
  const data = new Uint8Array(bytes).map((_, i) => i & 0xff);
  return { type: 'P_DATA', volume: 0, sector: 8, idHigh: 0, idLow: 1, sequence: 1, flags: 0, data };
}

describe('faults', () => {
  test('a wrong magic, in the kernel’s words', () => {
    const text = 'Wrong magic value 0x48545450 in protocol version 124, -22 [data]';
    expect(faultOf('data', Buffer.from('HTTP/1.1 400 Bad Request'))).toBe(text);
    expect(faultOf('control', Buffer.from('HTTP/1.1 400'))).toBe(text.replace('data', 'control'));
  });

  test('padding that is not zero', () => {
    expect(faultOf('data', header(0x07, 0, 0, 1))).toBe('Header padding is not zero');
  });

  test('unknown commands and commands of the other stream', () => {
    expect(faultOf('data', header(0x25, 0))).toBe('Unexpected data packet ? (0x0025)');
    expect(faultOf('data', header(0x05, 0))).toBe('Unexpected data packet P_BECOME_SYNC_TARGET (0x0005)');
    expect(faultOf('data', header(0x13, 0))).toBe('Unexpected data packet P_PING (0x0013)');
    expect(faultOf('control', header(0x00, 24))).toBe('Unexpected meta packet P_DATA (0x0000)');
  });

  test('payloads too short, too long, and where there should be none', () => {
    expect(faultOf('data', header(0x00, 23))).toBe('P_DATA: unexpected packet size, expected:24 received:23');
    expect(faultOf('data', header(0x03, 12))).toBe('No payload expected P_BARRIER l:4');
    expect(faultOf('control', header(0x16, 28))).toBe('Wrong packet size on meta (c: 22, l: 28)');
    expect(faultOf('data', header(0x00, 0xffffffff))).toContain('received:4294967295');
  });

  test('the header of another protocol on the data stream; any header on the control stream', () => {
    const h80 = packetBytes({ type: 'P_UNPLUG_REMOTE', volume: 0 }, { protocol: 86, features: 0 });
    expect(faultOf('data', h80)).toContain('Wrong magic value 0x83740267');
    expect(faultOf('data', header(7, 0), { protocol: 96, features: 0 })).toContain(
      '0x8620ec20 in protocol version 96, 100',
    );
    const early = readerWith('control', packetBytes(PING, CONTEXT), { protocol: 0, features: 0 });
    expect(early.next()).toBe('packet');
    const late = readerWith('control', packetBytes(PING, { protocol: 86, features: 0 }));
    expect(late.next()).toBe('packet');
  });

  test('P_SIZES has limits exactly if WSAME is agreed', () => {
    expect(faultOf('data', header(0x0d, 32))).toBe(
      'P_SIZES: unexpected packet size, expected:56 received:32',
    );
    const plain = { protocol: 124, features: 0x3ff & ~FEATURE.WSAME };
    expect(faultOf('data', header(0x0d, 56), plain)).toBe('No payload expected P_SIZES l:24');
  });

  test('requests may be as large as the agreed protocol allows', () => {
    const limit = (protocol: number, length: number): ReaderStatus =>
      readerWith('data', headerFor(protocol, length), { protocol, features: 0 }).next();
    expect(limit(124, 24 + 64 + (1 << 20))).toBe('more');
    expect(limit(124, 24 + 65 + (1 << 20))).toBe('fault');
    expect(limit(96, 24 + 64 + (128 << 10))).toBe('more');
    expect(limit(96, 24 + 65 + (128 << 10))).toBe('fault');
    expect(limit(90, 24 + 64 + (32 << 10))).toBe('more');
    expect(limit(90, 24 + 65 + (32 << 10))).toBe('fault');
  });
});

function headerFor(protocol: number, length: number): Uint8Array {
  if (protocol >= 100) return header(0, length);
  const view = new DataView(new ArrayBuffer(8));
  if (protocol >= 95) {
    view.setUint16(0, 0x835a);
    view.setUint32(4, length);
  } else {
    view.setUint32(0, 0x83740267);
    view.setUint16(6, length);
  }
  return new Uint8Array(view.buffer);
}

describe('memory', () => {
  test('a whole packet in a chunk is handed out without copying', () => {
    const bytes = packetBytes(dataPacket(4096), CONTEXT);
    const reader = readerWith('data', bytes);
    expect(reader.next()).toBe('packet');
    expect(reader.payload().buffer).toBe(bytes.buffer);
    expect(reader.payload().byteOffset).toBe(16);
  });

  test('chunks that lie next to each other in a slab are joined without copying', () => {
    const slab = new Uint8Array(200000);
    const bytes = packetBytes(dataPacket(100000), CONTEXT);
    slab.set(bytes, 50);
    const reader = new PacketReader('data', CONTEXT);
    for (let at = 0; at < bytes.length; at += 1000) {
      expect(reader.next()).toBe('more');
      reader.push(slab.subarray(50 + at, 50 + Math.min(bytes.length, at + 1000)));
    }
    expect(reader.next()).toBe('packet');
    expect(reader.payload().buffer).toBe(slab.buffer);
  });

  test('a header cut in two does not cost a copy of the payload', () => {
    const bytes = packetBytes(dataPacket(4096), CONTEXT);
    const reader = readerWith('data', bytes.slice(0, 5));
    expect(reader.next()).toBe('more');
    reader.push(bytes.slice(5, 16));
    const rest = bytes.slice(16);
    expect(reader.next()).toBe('more');
    reader.push(rest);
    expect(reader.next()).toBe('packet');
    expect(reader.payload().buffer).toBe(rest.buffer);
  });

  test('a claimed length allocates nothing until the bytes are there', () => {
    const reader = readerWith('data', header(0, 24 + (1 << 20)));
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 1000; i++) {
      reader.push(new Uint8Array(1));
      expect(reader.next()).toBe('more');
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(512 << 10);
    expect(reader.backlog).toBe(1000);
  });

  test('a large packet that arrives in tiny chunks is joined as it comes, and complete', () => {
    const bytes = packetBytes(dataPacket(300000), CONTEXT);
    const reader = new PacketReader('data', CONTEXT);
    const answers = new Set<string>();
    for (let at = 0; at < bytes.length; at += 3) {
      if (at % 999 === 0) answers.add(reader.next());
      const chunk = bytes.slice(at, at + 3);
      reader.push(chunk);
      // What is behind the first chunks has been copied: nobody holds on to this one.
      if (at > 2000) chunk.fill(0);
    }
    expect([...answers]).toEqual(['more']);
    expect(reader.next()).toBe('packet');
    expect(Buffer.compare(reader.payload(), bytes.subarray(16))).toBe(0);
  });

  test('push asks for a pause when too much is waiting', () => {
    const reader = new PacketReader('control', CONTEXT);
    const pings = new Uint8Array(1 << 20);
    const ping = packetBytes(PING, CONTEXT);
    for (let at = 0; at < pings.length; at += 16) pings.set(ping, at);
    expect([0, 1, 2, 3].map(() => reader.push(pings.slice()))).toEqual([true, true, true, true]);
    expect(reader.push(pings.slice())).toBe(false);
    let count = 0;
    while (reader.next() === 'packet') count++;
    expect(count).toBe(5 * 65536);
    expect(reader.push(ping)).toBe(true);
  });
});

test('the agreed context holds for what next() has not looked at, within one chunk', () => {
  const features = {
    type: 'P_CONNECTION_FEATURES',
    volume: 0,
    protocolMin: 86,
    features: 0x3ff,
    protocolMax: 124,
    senderNodeId: 0,
    receiverNodeId: 1,
  } as const;
  const before = { protocol: 0, features: 0 };
  const sizes = { type: 'P_UNPLUG_REMOTE', volume: NO_VOLUME } as const;
  const all = Buffer.concat([
    packetBytes({ type: 'P_INITIAL_DATA', volume: 0 }, CONTEXT),
    packetBytes(features, before),
    packetBytes(sizes, CONTEXT),
  ]);
  expect(all.subarray(0, 24).toString('hex')).toBe(
    '83740267fff200008374' + '0267fffe0048' + '0000005600000' + '3ff',
  );
  const reader = new PacketReader('data');
  reader.push(all);
  expect([reader.next(), reader.command]).toEqual(['packet', 0xfff2]);
  expect(reader.next()).toBe('packet');
  expect(reader.packet()).toEqual(features);
  reader.setContext(CONTEXT);
  expect(reader.next()).toBe('packet');
  expect(reader.packet()).toEqual(sizes);
});

const piece = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc
    .tuple(fc.nat(0x60), fc.nat(100), fc.uint8Array({ maxLength: 120 }))
    .map(([command, length, body]) => Buffer.concat([header(command, length), body])),
  fc.constantFrom(
    packetBytes(PING, CONTEXT),
    packetBytes(dataPacket(512), CONTEXT),
    packetBytes({ type: 'P_BARRIER', volume: NO_VOLUME, barrier: 3 }, CONTEXT),
  ),
);

test('garbage on either stream ends in packets, a wait for more, or one fault; cuts do not matter', () => {
  let faults = 0;
  fc.assert(
    fc.property(
      fc.constantFrom<('data' | 'control')[]>('data', 'control'),
      fc.array(piece, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }),
      (stream, pieces, cuts) => {
        const bytes = Buffer.concat(pieces);
        const run = (chunks: readonly Uint8Array[]): string[] => {
          const reader = new PacketReader(stream, CONTEXT);
          const log: string[] = [];
          for (const chunk of chunks) {
            reader.push(chunk);
            let status = reader.next();
            for (; status === 'packet'; status = reader.next())
              log.push(`${reader.packet().type} ${reader.length}`);
            if (status === 'fault') break;
          }
          if (reader.fault) log.push(describeFault(reader.fault, stream));
          return log;
        };
        const chunks: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = cuts[i % cuts.length] ?? 1;
          chunks.push(new Uint8Array(bytes.subarray(at, at + length)));
          at += length;
        }
        const whole = run([new Uint8Array(bytes)]);
        expect(run(chunks)).toEqual(whole);
        if (/magic|packet|padding|Payload/i.test(whole.at(-1) ?? '')) faults++;
      },
    ),
    { numRuns: 600 },
  );
  expect(faults).toBeGreaterThan(100);
});

test('commands of the hot path are numbers of the table', () => {
  const reader = readerWith('data', packetBytes(dataPacket(512), CONTEXT));
  expect(reader.next()).toBe('packet');
  expect(reader.command).toBe(PACKETS.P_DATA.number);
  expect([reader.length, reader.volume, reader.headerKind]).toEqual([536, 0, 100]);
});
