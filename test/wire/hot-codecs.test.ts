/** The hand-made codecs of the data path agree with the packet table's. */
import * as fc from 'fast-check';
import {
  BlockHead,
  DagtagRequestHead,
  DataHead,
  readBarrier,
  readBlockHead,
  readDagtagRequest,
  readDataHead,
  readSetSize,
  readTrimSize,
} from '../../src/wire/decode-hot';
import { packetBytes } from '../../src/wire/encode';
import * as hot from '../../src/wire/encode-hot';
import { NO_VOLUME } from '../../src/wire/features';
import { type BlockAckName, type Packet } from '../../src/wire/packets';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const values = fc.record({
  protocol: fc.constantFrom(86, 95, 101, 118, 124),
  volume: fc.nat(0xffff),
  sector: fc.maxSafeNat(),
  idHigh: u32,
  idLow: u32,
  sequence: u32,
  flags: u32,
  size: u32,
  small: fc.integer({ min: -1, max: 31 }),
  dagtag: fc.maxSafeNat(),
  tail: fc.nat(200),
  offset: fc.nat(40),
});
type Values = typeof values extends fc.Arbitrary<infer V> ? V : never;

type Hot = (view: DataView, offset: number, v: Values) => number;

/** Runs a hot encoder over dirty memory and compares with the generic encoder. */
function agrees(encode: Hot, packet: (v: Values) => Packet, tail: (v: Values) => number = () => 0): void {
  fc.assert(
    fc.property(values, (v) => {
      const memory = new Uint8Array(v.offset + hot.HOT_PACKET_ROOM + 8).fill(0x5a);
      const end = encode(new DataView(memory.buffer), v.offset, v);
      const expected = packetBytes(packet(v), { protocol: v.protocol, features: 0x3ff });
      const head = expected.subarray(0, expected.length - tail(v));
      expect(Buffer.from(memory.subarray(v.offset, end)).toString('hex')).toBe(
        Buffer.from(head).toString('hex'),
      );
      expect(memory.subarray(end).every((byte) => byte === 0x5a)).toBe(true);
      expect(end - v.offset).toBeLessThanOrEqual(hot.HOT_PACKET_ROOM);
    }),
    { numRuns: 60 },
  );
}

const ACKS: readonly BlockAckName[] = [
  'P_RECV_ACK',
  'P_WRITE_ACK',
  'P_RS_WRITE_ACK',
  'P_SUPERSEDED',
  'P_NEG_ACK',
  'P_NEG_DREPLY',
  'P_NEG_RS_DREPLY',
  'P_OV_RESULT',
  'P_RS_IS_IN_SYNC',
  'P_RS_CANCEL',
  'P_RETRY_WRITE',
  'P_RS_CANCEL_AHEAD',
  'P_WRITE_ACK_IN_SYNC',
  'P_RS_NEG_ACK',
  'P_RS_DEALLOCATED_ID',
];

describe('encoders', () => {
  test.each(ACKS)('%s', (type) => {
    agrees(
      (view, at, v) =>
        hot.encodeBlockAck(
          view,
          at,
          v.protocol,
          type,
          v.volume,
          v.sector,
          v.idHigh,
          v.idLow,
          v.size,
          v.sequence,
        ),
      ({ volume, sector, idHigh, idLow, size, sequence }) => ({
        type,
        volume,
        sector,
        idHigh,
        idLow,
        size,
        sequence,
      }),
    );
  });

  test.each(['P_DATA', 'P_DATA_REPLY', 'P_RS_DATA_REPLY'] as const)('%s', (type) => {
    agrees(
      (view, at, v) =>
        hot.encodeDataHead(
          view,
          at,
          v.protocol,
          type,
          v.volume,
          v.sector,
          v.idHigh,
          v.idLow,
          v.sequence,
          v.flags,
          v.tail,
        ),
      ({ volume, sector, idHigh, idLow, sequence, flags, tail }) => ({
        type,
        volume,
        sector,
        idHigh,
        idLow,
        sequence,
        flags,
        data: new Uint8Array(tail),
      }),
      (v) => v.tail,
    );
  });

  test('P_DATA of 1 MiB, and of 128 KiB before protocol 100', () => {
    for (const [protocol, bytes] of [
      [124, 1 << 20],
      [96, 128 << 10],
    ] as const) {
      const view = new DataView(new ArrayBuffer(48));
      const end = hot.encodeDataHead(view, 0, protocol, 'P_DATA', 0, 8, 1, 2, 3, 4, bytes);
      const packet = {
        type: 'P_DATA',
        volume: 0,
        sector: 8,
        idHigh: 1,
        idLow: 2,
        sequence: 3,
        flags: 4,
        data: new Uint8Array(bytes),
      } as const;
      const whole = packetBytes(packet, { protocol, features: 0 });
      expect(Buffer.compare(new Uint8Array(view.buffer, 0, end), whole.subarray(0, end))).toBe(0);
    }
  });

  test.each(['P_TRIM', 'P_ZEROES'] as const)('%s', (type) => {
    agrees(
      (view, at, v) =>
        hot.encodeTrim(
          view,
          at,
          v.protocol,
          type,
          v.volume,
          v.sector,
          v.idHigh,
          v.idLow,
          v.sequence,
          v.flags,
          v.size,
        ),
      ({ volume, sector, idHigh, idLow, sequence, flags, size }) => ({
        type,
        volume,
        sector,
        idHigh,
        idLow,
        sequence,
        flags,
        size,
      }),
    );
  });

  test.each(['P_DATA_REQUEST', 'P_RS_DATA_REQUEST', 'P_RS_THIN_REQ', 'P_OV_REQUEST'] as const)(
    '%s',
    (type) => {
      agrees(
        (view, at, v) =>
          hot.encodeBlockRequest(view, at, v.protocol, type, v.volume, v.sector, v.idHigh, v.idLow, v.size),
        ({ volume, sector, idHigh, idLow, size }) => ({ type, volume, sector, idHigh, idLow, size }),
      );
    },
  );

  test.each(['P_RS_DAGTAG_REQ', 'P_RS_THIN_DAGTAG_REQ', 'P_OV_DAGTAG_REQ'] as const)('%s', (type) => {
    agrees(
      (view, at, v) =>
        hot.encodeDagtagRequest(
          view,
          at,
          v.protocol,
          type,
          v.volume,
          v.sector,
          v.idHigh,
          v.idLow,
          v.size,
          v.small,
          v.dagtag,
        ),
      ({ volume, sector, idHigh, idLow, size, small, dagtag }) => ({
        type,
        volume,
        sector,
        idHigh,
        idLow,
        size,
        dagtagNodeId: small,
        dagtag,
      }),
    );
  });

  test('P_OV_RESULT_ID', () => {
    agrees(
      (view, at, v) =>
        hot.encodeVerifyResult(
          view,
          at,
          v.protocol,
          v.volume,
          v.sector,
          v.idHigh,
          v.idLow,
          v.size,
          v.sequence,
          v.flags,
        ),
      ({ volume, sector, idHigh, idLow, size, sequence, flags }) => ({
        type: 'P_OV_RESULT_ID',
        volume,
        sector,
        idHigh,
        idLow,
        size,
        sequence,
        result: flags,
      }),
    );
  });

  test('P_BARRIER, P_BARRIER_ACK, P_PEER_ACK, P_DAGTAG', () => {
    agrees(
      (view, at, v) => hot.encodeBarrier(view, at, v.protocol, v.volume, v.flags),
      (v) => ({ type: 'P_BARRIER', volume: v.volume, barrier: v.flags }),
    );
    agrees(
      (view, at, v) => hot.encodeBarrierAck(view, at, v.protocol, v.volume, v.flags, v.size),
      (v) => ({ type: 'P_BARRIER_ACK', volume: v.volume, barrier: v.flags, setSize: v.size }),
    );
    agrees(
      (view, at, v) => hot.encodePeerAck(view, at, v.protocol, v.volume, v.flags, v.dagtag),
      (v) => ({ type: 'P_PEER_ACK', volume: v.volume, mask: BigInt(v.flags), dagtag: v.dagtag }),
    );
    agrees(
      (view, at, v) => hot.encodeDagtag(view, at, v.protocol, v.volume, v.dagtag),
      (v) => ({ type: 'P_DAGTAG', volume: v.volume, dagtag: v.dagtag }),
    );
  });

  test('P_OUT_OF_SYNC and the packets without payload', () => {
    agrees(
      (view, at, v) => hot.encodeOutOfSync(view, at, v.protocol, v.volume, v.sector, v.size),
      (v) => ({ type: 'P_OUT_OF_SYNC', volume: v.volume, sector: v.sector, size: v.size }),
    );
    for (const type of ['P_PING', 'P_PING_ACK', 'P_UNPLUG_REMOTE', 'P_DISCONNECT'] as const)
      agrees(
        (view, at, v) => hot.encodeEmpty(view, at, v.protocol, v.volume, type),
        (v) => ({ type, volume: v.volume }),
      );
  });

  test('the examples of the specification', () => {
    const memory = new Uint8Array(64);
    const view = new DataView(memory.buffer);
    const hex = (end: number): string => Buffer.from(memory.subarray(0, end)).toString('hex');
    expect(hex(hot.encodeEmpty(view, 0, 124, NO_VOLUME, 'P_PING'))).toBe('8620ec20ffff00130000000000000000');
    expect(hex(hot.encodeEmpty(view, 0, 101, 0, 'P_PING_ACK'))).toBe('8620ec20000000140000000000000000');
    const end = hot.encodeDataHead(view, 0, 124, 'P_DATA', 3, 0, 0, 0, 0, 0, 4096);
    expect(hex(end)).toBe(`8620ec20000300000000101800000000${'00'.repeat(24)}`);
  });
});

test('the readers of the data path give what the generic decoder gives', () => {
  const dataHead = new DataHead();
  const block = new BlockHead();
  const request = new DagtagRequestHead();
  const context = { protocol: 124, features: 0x3ff };
  const payload = (packet: Packet): DataView => new DataView(packetBytes(packet, context).buffer, 16);
  fc.assert(
    fc.property(values, ({ volume, sector, idHigh, idLow, sequence, flags, size, small, dagtag }) => {
      const common = { volume, sector, idHigh, idLow };
      const id = { sector, idHigh, idLow };
      const trim = payload({ type: 'P_TRIM', ...common, sequence, flags, size });
      readDataHead(trim, 0, dataHead);
      expect({ ...dataHead }).toEqual({ ...id, sequence, flags });
      expect(readTrimSize(trim, 0)).toBe(size);
      readBlockHead(payload({ type: 'P_WRITE_ACK', ...common, size, sequence }), 0, block);
      expect({ ...block }).toEqual({ ...id, size, sequence });
      readDagtagRequest(
        payload({ type: 'P_RS_DAGTAG_REQ', ...common, size, dagtagNodeId: small, dagtag }),
        0,
        request,
      );
      expect({ ...request }).toEqual({ ...id, size, sequence: 0, dagtagNodeId: small, dagtag });
      const ack = payload({ type: 'P_BARRIER_ACK', volume, barrier: flags, setSize: size });
      expect([readBarrier(ack, 0), readSetSize(ack, 0)]).toEqual([flags, size]);
    }),
  );
});

test('a sector beyond 2^53-1 reads as NaN, which no bounds check accepts', () => {
  const view = new DataView(new ArrayBuffer(32));
  view.setBigUint64(0, 1n << 53n);
  const block = new BlockHead();
  readBlockHead(view, 0, block);
  expect(block.sector + 8 <= Infinity).toBe(false);
  view.setBigUint64(0, (1n << 53n) - 1n);
  readBlockHead(view, 0, block);
  expect(block.sector).toBe(Number.MAX_SAFE_INTEGER);
});
