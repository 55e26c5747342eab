/**
 * How long the wire codecs take per packet: `npx esbuild bench/wire.ts --bundle --platform=node | node`.
 * One line per codec: nanoseconds per packet, median of five rounds.
 */
import { BlockHead, DataHead, readBlockHead, readDataHead } from '../src/wire/decode-hot';
import { encodePacket, packetBytes } from '../src/wire/encode';
import { encodeBlockAck, encodeDataHead, HOT_PACKET_ROOM } from '../src/wire/encode-hot';
import { BitmapReceiver, BitmapSender, ByteBitmap } from '../src/wire/bitmap-transfer';
import { type Packet } from '../src/wire/packets';
import { PacketReader } from '../src/wire/reader';

const CONTEXT = { protocol: 124, features: 0x3ff };
const ROUNDS = 5;
let sink = 0;

function measure(name: string, packets: number, run: () => void): void {
  run();
  const times = Array.from({ length: ROUNDS }, () => {
    const start = process.hrtime.bigint();
    run();
    return Number(process.hrtime.bigint() - start) / packets;
  }).sort((a, b) => a - b);
  console.log(`${name.padEnd(48)} ${(times[ROUNDS >> 1] ?? 0).toFixed(1).padStart(9)} ns`);
}

const ack: Packet = {
  type: 'P_WRITE_ACK',
  volume: 0,
  sector: 123456,
  idHigh: 1,
  idLow: 7,
  size: 4096,
  sequence: 9,
};
const data: Packet = {
  type: 'P_DATA',
  volume: 0,
  sector: 123456,
  idHigh: 1,
  idLow: 7,
  sequence: 9,
  flags: 0x100,
  data: new Uint8Array(4096),
};

/** Many copies of a packet in one slab. */
function stream(packet: Packet, count: number): Uint8Array {
  const one = packetBytes(packet, CONTEXT);
  const all = new Uint8Array(one.length * count);
  for (let i = 0; i < count; i++) all.set(one, i * one.length);
  return all;
}

function encoders(): void {
  const N = 1_000_000;
  const arena = new Uint8Array(1 << 16);
  const view = new DataView(arena.buffer);
  const end = arena.length - HOT_PACKET_ROOM;
  measure('P_WRITE_ACK, hot encoder', N, () => {
    for (let i = 0, at = 0; i < N; i++) {
      if (at > end) at = 0;
      at = encodeBlockAck(view, at, 124, 'P_WRITE_ACK', 0, 123456 + i, 1, i, 4096, i);
    }
  });
  measure('P_DATA head, hot encoder', N, () => {
    for (let i = 0, at = 0; i < N; i++) {
      if (at > end) at = 0;
      at = encodeDataHead(view, at, 124, 'P_DATA', 0, 123456 + i, 1, i, i, 0x100, 4096);
    }
  });
  const G = 100_000;
  measure('P_WRITE_ACK, generic encoder', G, () => {
    for (let i = 0; i < G; i++) sink += encodePacket(ack, CONTEXT, view, 0);
  });
}

function readers(): void {
  const N = 100_000;
  const acks = stream(ack, N);
  const head = new BlockHead();
  measure('P_WRITE_ACK, reader in 64 KiB chunks, hot', N, () => {
    const reader = new PacketReader('control', CONTEXT);
    for (let at = 0; at < acks.length; at += 65536) {
      reader.push(acks.subarray(at, Math.min(acks.length, at + 65536)));
      while (reader.next() === 'packet') {
        readBlockHead(reader.view, reader.payloadAt, head);
        sink += head.idLow;
      }
    }
  });
  measure('P_WRITE_ACK, reader, generic decoder', N, () => {
    const reader = new PacketReader('control', CONTEXT);
    reader.push(acks);
    while (reader.next() === 'packet') sink += reader.packet().type.length;
  });
  const M = 4000;
  const writes = stream(data, M);
  const dataHead = new DataHead();
  for (const [how, share] of [
    ['in a slab (no copy)', true],
    ['in chunks of their own (copied once)', false],
  ] as const)
    measure(`P_DATA 4 KiB, reader ${how}`, M, () => {
      const reader = new PacketReader('data', CONTEXT);
      for (let at = 0; at < writes.length; at += 65536) {
        const chunk = writes.subarray(at, Math.min(writes.length, at + 65536));
        reader.push(share ? chunk : chunk.slice());
        while (reader.next() === 'packet') {
          readDataHead(reader.view, reader.payloadAt, dataHead);
          sink += reader.payload().length + dataHead.idLow;
        }
      }
    });
}

function bitmaps(): void {
  const bits = 1 << 22;
  const map = new ByteBitmap(bits);
  for (let at = 0; at < bits; at += 997) map.setRange(at, Math.min(bits, at + (at % 61)));
  measure('16 GiB device, bitmap sent and received (whole)', 1, () => {
    const sender = new BitmapSender(map, { protocol: 124, useRle: true });
    const receiver = new BitmapReceiver(new ByteBitmap(bits), 124);
    for (let piece = sender.next(); piece !== null; piece = sender.next()) receiver.take(piece);
    sink += receiver.statistics.rleBytes;
  });
}

encoders();
readers();
bitmaps();
if (sink === 0) console.log('nothing measured');
