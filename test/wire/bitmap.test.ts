import * as fc from 'fast-check';
import { decodeRuns, encodeRuns } from '../../src/wire/bitmap-compression';
import { BitmapReceiver, BitmapSender, ByteBitmap, type BitmapPiece } from '../../src/wire/bitmap-transfer';
import { PacketReader } from '../../src/wire/reader';
import { loadRecording, recordingNames } from './recordings';

/** wire-protocol 11.3: run length, bits of code, bytes. */
const VECTORS: readonly (readonly [number, number, string])[] = [
  [1, 2, '00'],
  [2, 2, '02'],
  [3, 3, '01'],
  [4, 3, '05'],
  [5, 5, '03'],
  [8, 5, '1b'],
  [9, 7, '07'],
  [16, 7, '77'],
  [17, 10, '0f00'],
  [48, 10, 'ef03'],
  [49, 14, '1f00'],
  [304, 14, 'df3f'],
  [305, 21, '3f0000'],
  [8496, 21, '3fff1f'],
  [8497, 29, '7f000000'],
  [2105648, 29, '7fffff1f'],
  [2105649, 42, 'bf0000000000'],
  [17181974832, 42, 'bfffffffff03'],
  [17181974833, 64, 'ff00000000000000'],
];

/** A bitmap of one run of set bits, as long as needed. */
function allSet(bits: number): { bits: number; nextSet: (n: number) => number; nextClear: () => number } {
  return { bits, nextSet: (from) => from, nextClear: () => bits };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test.each(VECTORS)('a run of %d is coded in %d bits as %s', (run, bits, code) => {
  const out = new Uint8Array(16);
  const runs = encodeRuns(allSet(run), 0, out);
  if (run < 8) {
    expect(runs).toBeNull(); // shorter in plain
    return;
  }
  expect(runs).toEqual({ encoding: 0x82 | (((8 - (bits & 7)) & 7) << 4), bytes: code.length / 2, next: run });
  expect(hex(out.subarray(0, runs?.bytes))).toBe(code);
});

test.each(VECTORS)('%d is read back from %d bits %s', (run, bits, code) => {
  const pad = (8 - (bits & 7)) & 7;
  const ranges: number[][] = [];
  const sink = { bits: run, setRange: (from: number, to: number) => void ranges.push([from, to]) };
  expect(decodeRuns(0x82 | (pad << 4), Buffer.from(code, 'hex'), 0, sink)).toEqual({ ok: true, next: run });
  expect(ranges).toEqual([[0, run]]);
});

test('the longest run the code knows is longer than any bitmap here: refused', () => {
  const sink = { bits: Number.MAX_SAFE_INTEGER, setRange: () => undefined };
  expect(decodeRuns(0x82, Buffer.from('ffffffffffffffff', 'hex'), 0, sink).ok).toBe(false);
});

function pieces(source: ByteBitmap, protocol: number, useRle: boolean): BitmapPiece[] {
  const sender = new BitmapSender(source, { protocol, useRle });
  const out: BitmapPiece[] = [];
  for (let piece = sender.next(); piece !== null; piece = sender.next()) out.push(piece);
  return out;
}

test('the two example streams of the specification', () => {
  const mixed = new ByteBitmap(26000);
  mixed.setRange(3, 8);
  mixed.setRange(1008, 1009);
  expect(pieces(mixed, 124, true)).toEqual([
    {
      type: 'P_COMPRESSED_BITMAP',
      encoding: 0x42,
      code: new Uint8Array(Buffer.from('193fb7823f372000', 'hex')),
    },
  ]);
  const full = new ByteBitmap(26000);
  full.setRange(0, 26000);
  expect(pieces(full, 124, true)).toEqual([
    { type: 'P_COMPRESSED_BITMAP', encoding: 0xb2, code: new Uint8Array(Buffer.from('7f5f4400', 'hex')) },
  ]);
});

test('a bitmap the code cannot shorten goes plain, in chunks of 4080 bytes and an empty end', () => {
  const noise = new ByteBitmap(40000);
  for (let bit = 0; bit < 40000; bit += 2) noise.setRange(bit, bit + 1);
  const sizes = pieces(noise, 124, true).map((piece) =>
    piece.type === 'P_BITMAP' ? piece.bytes.length : -1,
  );
  expect(sizes).toEqual([4080, 920, 0]);
  expect(pieces(noise, 94, false).map((p) => (p.type === 'P_BITMAP' ? p.bytes.length : -1))).toEqual([
    4088, 912, 0,
  ]);
});

const bitmap = fc
  .record({
    bits: fc.integer({ min: 0, max: 200000 }),
    runs: fc.array(fc.tuple(fc.nat(200000), fc.oneof(fc.nat(3), fc.nat(5000))), { maxLength: 300 }),
    noise: fc.tuple(fc.nat(200000), fc.nat(70000)),
  })
  .map(({ bits, runs, noise }) => {
    const map = new ByteBitmap(bits);
    for (const [from, length] of runs) if (from < bits) map.setRange(from, Math.min(bits, from + length));
    for (let at = noise[0]; at < Math.min(bits, noise[0] + noise[1]); at += 2) map.setRange(at, at + 1);
    return map;
  });

test('any bitmap arrives as it was sent, merged with what was there', () => {
  fc.assert(
    fc.property(bitmap, fc.constantFrom(86, 95, 101, 124), fc.boolean(), (sent, protocol, useRle) => {
      const got = new ByteBitmap(sent.bits);
      const receiver = new BitmapReceiver(got, protocol);
      const sender = new BitmapSender(sent, { protocol, useRle });
      const answers: unknown[] = [];
      for (let piece = sender.next(); piece !== null; piece = sender.next())
        answers.push(receiver.take(piece));
      expect(answers.pop()).toBe('done');
      expect(answers.every((answer) => answer === 'more')).toBe(true);
      expect(Buffer.compare(got.bytes, sent.bytes)).toBe(0);
      expect(receiver.statistics).toEqual(sender.statistics);
    }),
    { numRuns: 150 },
  );
});

test('scanning agrees with looking at every bit', () => {
  fc.assert(
    fc.property(bitmap, fc.nat(200000), (map, start) => {
      const bit = (at: number): number => ((map.bytes[at >> 3] ?? 0) >> (at & 7)) & 1;
      const from = Math.min(start, map.bits);
      let set = from;
      while (set < map.bits && !bit(set)) set++;
      let clear = from;
      while (clear < map.bits && bit(clear)) clear++;
      expect([map.nextSet(from), map.nextClear(from)]).toEqual([set, clear]);
    }),
    { numRuns: 100 },
  );
});

test('garbage code ends in an answer, and never sets a bit outside', () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      fc.uint8Array({ minLength: 1, maxLength: 4079 }),
      fc.nat(70000),
      (encoding, code, bits) => {
        const map = new ByteBitmap(bits);
        const answer = new BitmapReceiver(map, 124).take({ type: 'P_COMPRESSED_BITMAP', encoding, code });
        expect(typeof answer === 'string' || answer.reason.length > 0).toBe(true);
        expect(map.nextSet(bits)).toBe(bits);
        if (bits % 64) expect((map.bytes[bits >> 3] ?? 0) >> (bits & 7)).toBe(0);
      },
    ),
    { numRuns: 500 },
  );
});

test('wrong plain chunks and unknown codes are refused with the kernel’s words', () => {
  const receiver = new BitmapReceiver(new ByteBitmap(40000), 124);
  expect(receiver.take({ type: 'P_BITMAP', bytes: new Uint8Array(4088) })).toEqual({
    reason: 'receive_bitmap_plain:want (4080) != size (4088)',
  });
  expect(receiver.take({ type: 'P_COMPRESSED_BITMAP', encoding: 3, code: new Uint8Array(1) })).toEqual({
    reason: 'receive_bitmap_c: unknown encoding 3',
  });
});

test('bits behind the end are masked out of plain chunks', () => {
  const map = new ByteBitmap(10);
  const receiver = new BitmapReceiver(map, 124);
  expect(receiver.take({ type: 'P_BITMAP', bytes: new Uint8Array(8).fill(0xff) })).toBe('more');
  expect(receiver.take({ type: 'P_BITMAP', bytes: new Uint8Array(0) })).toBe('done');
  expect(hex(map.bytes)).toBe('ff03000000000000');
});

/** Bits of the device in a run of set bits at the end of the recorded bitmap: the sum of the runs. */
function bitsCovered(piece: BitmapPiece): number {
  if (piece.type !== 'P_COMPRESSED_BITMAP') return 0;
  const sink = { bits: Number.MAX_SAFE_INTEGER, setRange: () => undefined };
  const decoded = decodeRuns(piece.encoding, piece.code, 0, sink);
  return decoded.ok ? decoded.next : 0;
}

test('recorded compressed bitmaps are what our sender makes of the same bits', () => {
  let compared = 0;
  for (const name of recordingNames()) {
    for (const stream of loadRecording(name).streams.filter((one) => one.stream === 'data')) {
      const reader = new PacketReader('data');
      reader.push(stream.bytes);
      while (reader.next() === 'packet') {
        const packet = reader.packet();
        if (packet.type === 'P_CONNECTION_FEATURES') reader.setContext(stream.agreed);
        if (packet.type !== 'P_COMPRESSED_BITMAP') continue;
        const map = new ByteBitmap(bitsCovered(packet));
        expect(new BitmapReceiver(map, stream.agreed.protocol).take(packet)).toBe('done');
        const [ours, ...more] = pieces(map, stream.agreed.protocol, true);
        expect(more).toEqual([]);
        if (ours?.type !== 'P_COMPRESSED_BITMAP') throw new Error('went plain');
        expect([ours.encoding, hex(ours.code)]).toEqual([packet.encoding, hex(packet.code)]);
        compared++;
      }
    }
  }
  process.stderr.write(`${compared} recorded compressed bitmaps compared\n`);
  expect(compared).toBeGreaterThanOrEqual(82);
});

test('the log line about a transfer is the kernel’s', () => {
  // 90/01: a device of 32688 sectors, 4086 bits, all set
  const full = new ByteBitmap(4086);
  full.setRange(0, 4086);
  const sender = new BitmapSender(full, { protocol: 124, useRle: true });
  const receiver = new BitmapReceiver(new ByteBitmap(4086), 124);
  for (let piece = sender.next(); piece !== null; piece = sender.next()) receiver.take(piece);
  const line = ' bitmap stats [Bytes(packets)]: plain 0(0), RLE 20(1), total 20; compression: 96.4%';
  expect([sender.describe(), receiver.describe()]).toEqual([`send${line}`, `receive${line}`]);
  const plain = new BitmapSender(full, { protocol: 124, useRle: false });
  while (plain.next() !== null);
  expect(plain.describe()).toBeNull();
});
