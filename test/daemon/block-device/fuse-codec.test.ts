import fc from 'fast-check';
import {
  attributesChanged,
  attributesReply,
  decodeRequest,
  emptyRequest,
  FallocateMode,
  initReply,
  MAX_TRANSFER,
  Opcode,
  openReply,
  replyHeader,
  statfsReply,
  writeReply,
} from '../../../src/daemon/block-device/fuse-codec';

/** A request as the kernel makes it: header and body. */
function request(opcode: number, body: Buffer, unique = 7n): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(40 + body.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeBigUInt64LE(unique, 8);
  header.writeBigUInt64LE(1n, 16);
  return Buffer.concat([header, body]);
}
function transferBody(offset: number, length: number, data = Buffer.alloc(0)): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(offset), 8);
  body.writeUInt32LE(length, 16);
  return Buffer.concat([body, data]);
}

const mark = (uniqueLow: number) => ({ uniqueLow, uniqueHigh: 0 });

test('reads and writes are found with their place and payload', () => {
  const found = emptyRequest();
  expect(decodeRequest(request(Opcode.READ, transferBody(8192, 4096), 2n ** 32n + 99n), found)).toBe(true);
  expect(found).toEqual({
    opcode: Opcode.READ,
    uniqueLow: 99,
    uniqueHigh: 1,
    offset: 8192,
    length: 4096,
    mode: 0,
    data: undefined,
  });
  const payload = Buffer.alloc(512, 'x');
  expect(decodeRequest(request(Opcode.WRITE, transferBody(2 ** 40, 512, payload)), found)).toBe(true);
  expect(found.offset).toBe(2 ** 40);
  expect(found.data).toEqual(new Uint8Array(payload));
});

test('hole punching and zeroing are told apart', () => {
  const body = Buffer.alloc(32);
  body.writeBigUInt64LE(1048576n, 8);
  body.writeBigUInt64LE(BigInt(2 ** 33), 16);
  body.writeUInt32LE(FallocateMode.KEEP_SIZE | FallocateMode.PUNCH_HOLE, 24);
  const found = emptyRequest();
  expect(decodeRequest(request(Opcode.FALLOCATE, body), found)).toBe(true);
  expect(found).toMatchObject({ offset: 1048576, length: 2 ** 33, mode: 3 });
});

test('what is cut short, too long or lies about its length is refused', () => {
  const found = emptyRequest();
  const write = request(Opcode.WRITE, transferBody(0, 512, Buffer.alloc(512)));
  expect(decodeRequest(write.subarray(0, 100), found)).toBe(false);
  expect(decodeRequest(request(Opcode.WRITE, transferBody(0, 1024, Buffer.alloc(512))), found)).toBe(false);
  expect(decodeRequest(request(Opcode.READ, transferBody(0, MAX_TRANSFER + 1)), found)).toBe(false);
  expect(decodeRequest(request(Opcode.READ, Buffer.alloc(8)), found)).toBe(false);
  expect(decodeRequest(request(Opcode.FALLOCATE, Buffer.alloc(8)), found)).toBe(false);
  expect(decodeRequest(Buffer.alloc(0), found)).toBe(false);
});

test('any bytes are either a request or refused', () => {
  const found = emptyRequest();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, honest) => {
      const buffer = Buffer.from(bytes);
      if (honest && buffer.length >= 4) buffer.writeUInt32LE(buffer.length, 0);
      const decoded = decodeRequest(buffer, found);
      if (decoded && found.data !== undefined) expect(found.data.length).toBe(found.length);
    }),
  );
});

test('the greeting offers what the loop driver profits from', () => {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(45, 4);
  const reply = initReply(mark(3), request(Opcode.INIT, body));
  if (reply === undefined) throw new Error('refused');
  expect(reply.length).toBe(80);
  expect(reply.readUInt32LE(0)).toBe(80);
  expect(reply.readInt32LE(4)).toBe(0);
  expect(reply.readBigUInt64LE(8)).toBe(3n);
  expect([reply.readUInt32LE(16), reply.readUInt32LE(20)]).toEqual([7, 31]);
  expect(reply.readUInt32LE(28)).toBe((1 << 0) | (1 << 5) | (1 << 15) | (1 << 22));
  expect([reply.readUInt16LE(32), reply.readUInt16LE(34)]).toEqual([64, 48]);
  expect(reply.readUInt32LE(36)).toBe(1 << 20);
  expect(reply.readUInt16LE(44)).toBe(256);
});

test('a kernel of another major version gets no greeting', () => {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(8, 0);
  expect(initReply(mark(3), request(Opcode.INIT, body))).toBeUndefined();
  expect(initReply(mark(3), request(Opcode.INIT, Buffer.alloc(4)))).toBeUndefined();
});

test('replies have the lengths that fuse.h gives them', () => {
  const sizes = [
    openReply(mark(1)),
    writeReply(mark(1), 4096),
    statfsReply(mark(1), 1 << 30, 4096),
    attributesReply(mark(1), 1 << 30),
  ];
  expect(sizes.map((bytes) => bytes.length - 16)).toEqual([16, 8, 80, 104]);
  for (const bytes of sizes) expect(bytes.readUInt32LE(0)).toBe(bytes.length);
  expect(replyHeader(mark(5), 30, 0).readInt32LE(4)).toBe(-30);
  expect(attributesChanged().readBigUInt64LE(8)).toBe(0n);
});

test('attributes show a regular file of the right size, also beyond 4 GiB', () => {
  const bytes = attributesReply(mark(1), 2 ** 41 + 512);
  expect(bytes.readBigUInt64LE(16 + 16 + 8)).toBe(BigInt(2 ** 41 + 512));
  expect(bytes.readUInt32LE(16 + 16 + 60)).toBe(0o100600);
});
