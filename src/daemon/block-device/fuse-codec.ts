/**
 * The few FUSE messages (Linux fuse.h, protocol 7.31) that one regular file needs; all numbers are little endian, as
 * the machines are that Node runs on. Requests are read as they lie. Replies to reads and writes are made into memory
 * that the next one of their kind uses again; all others into fresh buffers.
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

/** The kernel's mark of a request, two halves: a bigint for each would be garbage for each. */
export interface Unique {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
}
/** A request; `data` is a view into the buffer it was read into. */
export interface FuseRequest extends Unique {
  opcode: number;
  uniqueLow: number;
  uniqueHigh: number;
  offset: number;
  length: number;
  /** For FALLOCATE. */
  mode: number;
  data: Uint8Array | undefined;
}
export const emptyRequest = (): FuseRequest => ({
  opcode: 0,
  uniqueLow: 0,
  uniqueHigh: 0,
  offset: 0,
  length: 0,
  mode: 0,
  data: undefined,
});

const u32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) |
    ((bytes[at + 1] ?? 0) << 8) |
    ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)) >>>
  0;
const u64 = (bytes: Uint8Array, at: number): number => u32(bytes, at) + u32(bytes, at + 4) * 0x100000000;

/** The mark of the request at `from`; it has 16 bytes or more. */
export const uniqueOf = (bytes: Uint8Array, from = 0): Unique => ({
  uniqueLow: u32(bytes, from + 8),
  uniqueHigh: u32(bytes, from + 12),
});

/** Whether the `length` bytes at `from` are one whole request that makes sense; fills `into`. */
export function decodeRequest(
  bytes: Uint8Array,
  into: FuseRequest,
  from = 0,
  length = bytes.length - from,
): boolean {
  if (length < REQUEST_HEADER || u32(bytes, from) !== length) return false;
  into.opcode = u32(bytes, from + 4);
  into.uniqueLow = u32(bytes, from + 8);
  into.uniqueHigh = u32(bytes, from + 12);
  into.offset = 0;
  into.length = 0;
  into.mode = 0;
  into.data = undefined;
  switch (into.opcode) {
    case Opcode.READ:
      if (length < 80) return false;
      into.offset = u64(bytes, from + 48);
      into.length = u32(bytes, from + 56);
      return into.length <= MAX_TRANSFER;
    case Opcode.WRITE:
      if (length < WRITE_DATA) return false;
      into.offset = u64(bytes, from + 48);
      into.length = u32(bytes, from + 56);
      into.data = new Uint8Array(bytes.buffer, bytes.byteOffset + from + WRITE_DATA, length - WRITE_DATA);
      return into.data.length === into.length;
    case Opcode.FALLOCATE:
      if (length < 72) return false;
      into.offset = u64(bytes, from + 48);
      into.length = u64(bytes, from + 56);
      into.mode = u32(bytes, from + 64);
      return true;
    default:
      return true;
  }
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
function putHeader(
  bytes: Uint8Array,
  { uniqueLow, uniqueHigh }: Unique,
  error: number,
  payload: number,
): void {
  putU32(bytes, 0, REPLY_HEADER + payload);
  putU32(bytes, 4, -error);
  putU32(bytes, 8, uniqueLow);
  putU32(bytes, 12, uniqueHigh);
}
const header = Buffer.alloc(REPLY_HEADER);
const writeAnswer = Buffer.alloc(REPLY_HEADER + 8);

/**
 * Header of a reply that is followed by `payload` bytes, valid until the next call. `error` is a positive errno or 0.
 */
export function replyHeader(unique: Unique, error: number, payload: number): Buffer {
  putHeader(header, unique, error, payload);
  return header;
}
function replyOf(unique: Unique, payload: number): Buffer {
  const bytes = Buffer.alloc(REPLY_HEADER + payload);
  putHeader(bytes, unique, 0, payload);
  return bytes;
}

/** Undefined if the kernel speaks another major version; bytes are the whole INIT request. */
export function initReply(unique: Unique, request: Buffer): Buffer | undefined {
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
export function attributesReply(unique: Unique, size: number): Buffer {
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
export const openReply = (unique: Unique): Buffer => replyOf(unique, 16);

/** Valid until the next call. */
export function writeReply(unique: Unique, length: number): Buffer {
  putHeader(writeAnswer, unique, 0, 8);
  putU32(writeAnswer, REPLY_HEADER, length);
  return writeAnswer;
}
/** The loop driver takes its discard granularity from the block size. Sizes in bytes. */
export function statfsReply(unique: Unique, size: number, blockSize: number): Buffer {
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
