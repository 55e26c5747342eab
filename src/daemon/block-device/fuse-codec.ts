/**
 * The few FUSE messages (Linux fuse.h, protocol 7.31) that one regular file needs; all numbers are little endian, as
 * the machines are that Node runs on. Requests are read as they lie; replies are made into fresh buffers.
 */
export const Opcode = {
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  FLUSH: 25,
  INIT: 26,
  ACCESS: 34,
  INTERRUPT: 36,
  DESTROY: 38,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
} as const;

/** Bits of the mode of fallocate(2). */
export const FallocateMode = { KEEP_SIZE: 1, PUNCH_HOLE: 2, ZERO_RANGE: 16 } as const;

export const REQUEST_HEADER = 40;
const WRITE_DATA = 80;
const REPLY_HEADER = 16;
/** Bytes of one read or write at most. */
export const MAX_TRANSFER = 1 << 20;
/** The kernel refuses reads into less than this. */
export const REQUEST_BUFFER = MAX_TRANSFER + 4096;
/** Asynchronous requests the kernel gives us at a time. */
const MAX_BACKGROUND = 64;
const CONGESTION = 48;

const PROTOCOL = { major: 7, minor: 31 } as const;
const InitFlag = { ASYNC_READ: 1 << 0, BIG_WRITES: 1 << 5, ASYNC_DIO: 1 << 15, MAX_PAGES: 1 << 22 } as const;
const ROOT_INODE = 1;
const REGULAR_FILE = 0o100600;
const INVALIDATE_INODE = 2;
/** Seconds for which the kernel may keep attributes. */
const ATTRIBUTES_VALID = 3600;
const MAX_READAHEAD = 128 * 1024;
const PAGE = 4096;

/** A request; `data` is a view into the buffer it was read into. */
export interface FuseRequest {
  opcode: number;
  unique: bigint;
  offset: number;
  length: number;
  /** For FALLOCATE. */
  mode: number;
  data: Buffer | undefined;
}
export const emptyRequest = (): FuseRequest => ({
  opcode: 0,
  unique: 0n,
  offset: 0,
  length: 0,
  mode: 0,
  data: undefined,
});

/** Whether these bytes are one whole request that makes sense; fills `into`. */
export function decodeRequest(bytes: Buffer, into: FuseRequest): boolean {
  if (bytes.length < REQUEST_HEADER || bytes.readUInt32LE(0) !== bytes.length) return false;
  into.opcode = bytes.readUInt32LE(4);
  into.unique = bytes.readBigUInt64LE(8);
  into.offset = 0;
  into.length = 0;
  into.mode = 0;
  into.data = undefined;
  switch (into.opcode) {
    case Opcode.READ:
      if (bytes.length < 80) return false;
      into.offset = Number(bytes.readBigUInt64LE(48));
      into.length = bytes.readUInt32LE(56);
      return into.length <= MAX_TRANSFER;
    case Opcode.WRITE:
      if (bytes.length < WRITE_DATA) return false;
      into.offset = Number(bytes.readBigUInt64LE(48));
      into.length = bytes.readUInt32LE(56);
      into.data = bytes.subarray(WRITE_DATA);
      return into.data.length === into.length;
    case Opcode.FALLOCATE:
      if (bytes.length < 72) return false;
      into.offset = Number(bytes.readBigUInt64LE(48));
      into.length = Number(bytes.readBigUInt64LE(56));
      into.mode = bytes.readUInt32LE(64);
      return true;
    default:
      return true;
  }
}

/** Header of a reply that is followed by `payload` bytes. `error` is a positive errno or 0. */
export function replyHeader(unique: bigint, error: number, payload: number): Buffer {
  const bytes = Buffer.allocUnsafe(REPLY_HEADER);
  bytes.writeUInt32LE(REPLY_HEADER + payload, 0);
  bytes.writeInt32LE(-error, 4);
  bytes.writeBigUInt64LE(unique, 8);
  return bytes;
}
function replyOf(unique: bigint, payload: number): Buffer {
  const bytes = Buffer.alloc(REPLY_HEADER + payload);
  replyHeader(unique, 0, payload).copy(bytes);
  return bytes;
}

/** Undefined if the kernel speaks another major version; bytes are the whole INIT request. */
export function initReply(unique: bigint, request: Buffer): Buffer | undefined {
  if (request.length < REQUEST_HEADER + 8 || request.readUInt32LE(REQUEST_HEADER) !== PROTOCOL.major)
    return undefined;
  const bytes = replyOf(unique, 64);
  const at = REPLY_HEADER;
  bytes.writeUInt32LE(PROTOCOL.major, at);
  bytes.writeUInt32LE(PROTOCOL.minor, at + 4);
  bytes.writeUInt32LE(MAX_READAHEAD, at + 8);
  const { ASYNC_READ, BIG_WRITES, ASYNC_DIO, MAX_PAGES } = InitFlag;
  bytes.writeUInt32LE(ASYNC_READ | BIG_WRITES | ASYNC_DIO | MAX_PAGES, at + 12);
  bytes.writeUInt16LE(MAX_BACKGROUND, at + 16);
  bytes.writeUInt16LE(CONGESTION, at + 18);
  bytes.writeUInt32LE(MAX_TRANSFER, at + 20);
  bytes.writeUInt32LE(1, at + 24);
  bytes.writeUInt16LE(MAX_TRANSFER / PAGE, at + 28);
  return bytes;
}
/** The file's attributes, for GETATTR and SETATTR. `size` in bytes. */
export function attributesReply(unique: bigint, size: number): Buffer {
  const bytes = replyOf(unique, 104);
  const at = REPLY_HEADER;
  bytes.writeBigUInt64LE(BigInt(ATTRIBUTES_VALID), at);
  const attributes = at + 16;
  bytes.writeBigUInt64LE(BigInt(ROOT_INODE), attributes);
  bytes.writeBigUInt64LE(BigInt(size), attributes + 8);
  bytes.writeBigUInt64LE(BigInt(Math.ceil(size / 512)), attributes + 16);
  bytes.writeUInt32LE(REGULAR_FILE, attributes + 60);
  bytes.writeUInt32LE(1, attributes + 64);
  bytes.writeUInt32LE(PAGE, attributes + 80);
  return bytes;
}
/** No handle and no flags: who opens with O_DIRECT passes the page cache, as a loop device with direct I/O does. */
export const openReply = (unique: bigint): Buffer => replyOf(unique, 16);

export function writeReply(unique: bigint, length: number): Buffer {
  const bytes = replyOf(unique, 8);
  bytes.writeUInt32LE(length, REPLY_HEADER);
  return bytes;
}
/** The loop driver takes its discard granularity from the block size. Sizes in bytes. */
export function statfsReply(unique: bigint, size: number, blockSize: number): Buffer {
  const bytes = replyOf(unique, 80);
  const at = REPLY_HEADER;
  bytes.writeBigUInt64LE(BigInt(Math.floor(size / blockSize)), at);
  bytes.writeUInt32LE(blockSize, at + 40);
  bytes.writeUInt32LE(255, at + 44);
  bytes.writeUInt32LE(blockSize, at + 48);
  return bytes;
}
/** Tells the kernel that what it knows about the file's attributes is out of date; cached pages stay. */
export function attributesChanged(): Buffer {
  const bytes = Buffer.alloc(REPLY_HEADER + 24);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeInt32LE(INVALIDATE_INODE, 4);
  bytes.writeBigUInt64LE(BigInt(ROOT_INODE), REPLY_HEADER);
  bytes.writeBigInt64LE(-1n, REPLY_HEADER + 8);
  return bytes;
}
