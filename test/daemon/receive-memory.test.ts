/** Memory of streams: nothing that somebody still looks at is written over, whatever comes in whatever pieces. */
import fc from 'fast-check';
import { ReceiveMemory, SlabPool } from '../../src/daemon/receive-memory';
import { ByteReader } from '../../src/daemon/nbd/byte-reader';
import { PacketReader } from '../../src/wire/reader';

/** Frames: length in four bytes, then that many bytes of the frame's own value. */
function frame(index: number, length: number): Buffer {
  const bytes = Buffer.alloc(4 + length, index % 251);
  bytes.writeUInt32BE(length);
  return bytes;
}
interface Held {
  readonly bytes: Uint8Array;
  readonly value: number;
  release(): void;
}
const isFilled = (bytes: Uint8Array, value: number): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).equals(Buffer.alloc(bytes.length, value));
const isIntact = ({ bytes, value }: Held): boolean => isFilled(bytes, value);

const lengths = fc.array(
  fc.oneof(fc.nat(5000), fc.nat(200_000), fc.constantFrom(1 << 20, 65_532, 65_536, 3 << 20)),
  { minLength: 1, maxLength: 12 },
);
const sizes = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 300_000 }), fc.constant(Infinity)));

/** Puts `bytes` into the memory in pieces; `consume` is called after each. */
function feed(
  memory: ReceiveMemory,
  bytes: Buffer,
  sizes: Iterator<number>,
  consume: (piece: Uint8Array) => void,
): void {
  for (let at = 0; at < bytes.length;) {
    const space = memory.space();
    expect(space.length).toBeGreaterThan(0);
    const length = Math.min(space.length, bytes.length - at, Number(sizes.next().value));
    bytes.copy(space, 0, at, at + length);
    at += length;
    consume(memory.filled(length));
  }
}

test('views of payloads that are held stay as they are, and slabs are used again', () => {
  fc.assert(
    fc.property(lengths, sizes, fc.nat(6), (frames, pieces, mostHeld) => {
      const pool = new SlabPool();
      const memory = new ReceiveMemory(pool);
      const reader = new ByteReader();
      const held: Held[] = [];
      let taken = 0;
      let wanted = 0;
      const letGo = (most: number): void => {
        while (held.length > most) {
          const one = held.shift();
          if (one === undefined) break;
          expect(isIntact(one)).toBe(true);
          one.release();
        }
      };
      const all = Buffer.concat(frames.map((length, index) => frame(index, length)));
      feed(memory, all, pieces, (piece) => {
        reader.push(piece);
        for (;;) {
          if (wanted === 0) {
            const header = reader.take(4);
            if (header === undefined) break;
            wanted = Buffer.from(header).readUInt32BE() + 1;
          }
          const payload = reader.take(wanted - 1);
          if (payload === undefined) break;
          const slab = pool.hold(payload);
          held.push({
            bytes: payload,
            value: taken % 251,
            release: () => slab && pool.release(slab),
          });
          expect(payload.length).toBe(frames[taken]);
          taken++;
          wanted = 0;
          letGo(mostHeld);
        }
        memory.makeRoom(reader);
      });
      expect(taken).toBe(frames.length);
      letGo(0);
    }),
    { numRuns: 60 },
  );
});

test('a reader of packets gets every packet whole, and large ones without another copy', () => {
  // P_DATA: a header of 16 bytes, 24 bytes that do not matter here, the data.
  const packet = (index: number, length: number): Buffer => {
    const bytes = Buffer.alloc(16 + 24 + length, index % 251);
    bytes.writeUInt32BE(0x8620ec20, 0);
    bytes.writeUInt32BE(0, 4);
    bytes.writeUInt32BE(24 + length, 8);
    bytes.writeUInt32BE(0, 12);
    return bytes;
  };
  const sectors = fc.array(fc.oneof(fc.integer({ min: 1, max: 64 }), fc.constant(2048)), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(sectors, sizes, fc.boolean(), (counts, pieces, retains) => {
      const pool = retains ? new SlabPool() : undefined;
      const memory = new ReceiveMemory(pool);
      const held: Held[] = [];
      const letGo = (most: number): void => {
        for (const one of held.splice(0, Math.max(0, held.length - most))) {
          expect(isIntact(one)).toBe(true);
          one.release();
        }
      };
      const reader = new PacketReader('data');
      const window = {
        get kept() {
          return reader.backlog;
        },
        get missing() {
          return reader.missing;
        },
        moveTo: (bytes: Uint8Array) => reader.moveTo(bytes),
      };
      let taken = 0;
      const all = Buffer.concat(counts.map((count, index) => packet(index, count * 512)));
      feed(memory, all, pieces, (piece) => {
        reader.push(piece);
        while (reader.next() === 'packet') {
          const data = reader.payload().subarray(24);
          expect(data.length).toBe((counts[taken] ?? 0) * 512);
          expect(isFilled(data, taken % 251)).toBe(true);
          // As a write of a peer does until it is on disk.
          const slab = data.length >= 65_536 ? pool?.hold(data) : undefined;
          if (slab !== undefined)
            held.push({ bytes: data, value: taken % 251, release: () => pool?.release(slab) });
          taken++;
          letGo(3);
        }
        expect(reader.fault).toBeNull();
        memory.makeRoom(window);
      });
      expect(taken).toBe(counts.length);
      letGo(0);
    }),
    { numRuns: 60 },
  );
});

test('without a window nothing is written over', () => {
  const memory = new ReceiveMemory(undefined);
  const seen: Uint8Array[] = [];
  const pieces = fc.sample(fc.integer({ min: 1, max: 50_000 }), 40)[Symbol.iterator]();
  const all = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) & 0xff));
  feed(memory, all, { next: () => ({ done: false, value: pieces.next().value ?? 9999 }) }, (piece) => {
    seen.push(piece);
    memory.makeRoom(undefined);
  });
  expect(Buffer.concat(seen).equals(all)).toBe(true);
});
