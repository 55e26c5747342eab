/** Headers of requests and replies in the three dialects: simple, structured, extended. */
import {
  BASE_ALLOCATION_ID,
  ChunkFlag,
  ChunkType,
  CHUNK_MAGIC,
  EXTENDED_REPLY_MAGIC,
  EXTENDED_REQUEST_MAGIC,
  REQUEST_MAGIC,
  SIMPLE_REPLY_MAGIC,
} from './protocol';
import { type Agreement } from './negotiation';

/** Decoded in place: one object a connection, filled again for each request. */
export interface RequestHeader {
  flags: number;
  command: number;
  /** The client's mark of the request, two halves. */
  cookieHigh: number;
  cookieLow: number;
  /** Bytes; infinite if larger than any device. */
  offset: number;
  length: number;
}
export const requestHeaderBytes = (agreement: Agreement): number => (agreement.extended ? 32 : 28);

const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>>
  0;
const u64 = (bytes: Uint8Array, at: number): number => {
  const high = u32(bytes, at);
  return high >= 0x200000 ? Infinity : high * 0x100000000 + u32(bytes, at + 4);
};

/** False if the magic is wrong: the stream cannot be understood any more. */
export function decodeRequest(
  bytes: Uint8Array,
  at: number,
  extended: boolean,
  into: RequestHeader,
): boolean {
  if (u32(bytes, at) !== (extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC)) return false;
  into.flags = ((bytes[at + 4] ?? 0) << 8) | (bytes[at + 5] ?? 0);
  into.command = ((bytes[at + 6] ?? 0) << 8) | (bytes[at + 7] ?? 0);
  into.cookieHigh = u32(bytes, at + 8);
  into.cookieLow = u32(bytes, at + 12);
  into.offset = u64(bytes, at + 16);
  into.length = extended ? u64(bytes, at + 24) : u32(bytes, at + 24);
  return true;
}

/** Builds reply headers in a buffer of its own; the result is valid until the next call. */
export class ReplyEncoder {
  private readonly bytes = new Uint8Array(64);
  private readonly view = new DataView(this.bytes.buffer);
  /** By length: the views are made once. */
  private readonly beginnings = Array.from({ length: 65 }, (_, length) => this.bytes.subarray(0, length));

  constructor(private readonly agreement: Agreement) {}

  private made(end: number): Uint8Array {
    return this.beginnings[end] ?? this.bytes.subarray(0, end);
  }
  private chunk(type: number, cookieHigh: number, cookieLow: number, offset: number, length: number): number {
    const { view, agreement } = this;
    view.setUint32(0, agreement.extended ? EXTENDED_REPLY_MAGIC : CHUNK_MAGIC);
    view.setUint16(4, ChunkFlag.DONE);
    view.setUint16(6, type);
    view.setUint32(8, cookieHigh);
    view.setUint32(12, cookieLow);
    if (!agreement.extended) {
      view.setUint32(16, length);
      return 20;
    }
    this.number(Number.isFinite(offset) ? offset : 0, 16);
    this.number(length, 24);
    return 32;
  }
  private number(value: number, at: number): number {
    this.view.setUint32(at, Math.floor(value / 0x100000000));
    this.view.setUint32(at + 4, value % 0x100000000);
    return at + 8;
  }
  private simple(error: number, cookieHigh: number, cookieLow: number): Uint8Array {
    const { view } = this;
    view.setUint32(0, SIMPLE_REPLY_MAGIC);
    view.setUint32(4, error);
    view.setUint32(8, cookieHigh);
    view.setUint32(12, cookieLow);
    return this.made(16);
  }
  /**
   * A request was done, or failed with an NBD error; no data follows. Nothing but the answer to a read has to be
   * structured, and libnbd takes another system call for the four bytes by which a chunk is longer.
   */
  done(error: number, cookieHigh: number, cookieLow: number, offset: number): Uint8Array {
    const { structured, extended } = this.agreement;
    if (!structured || (error === 0 && !extended)) return this.simple(error, cookieHigh, cookieLow);
    if (error === 0) return this.made(this.chunk(ChunkType.NONE, cookieHigh, cookieLow, offset, 0));
    const at = this.chunk(ChunkType.ERROR, cookieHigh, cookieLow, offset, 6);
    this.view.setUint32(at, error);
    this.view.setUint16(at + 4, 0);
    return this.made(at + 6);
  }
  /** What precedes the data of a read. */
  readHeader(cookieHigh: number, cookieLow: number, offset: number, length: number): Uint8Array {
    if (!this.agreement.structured) return this.simple(0, cookieHigh, cookieLow);
    const at = this.chunk(ChunkType.OFFSET_DATA, cookieHigh, cookieLow, offset, length + 8);
    return this.made(this.number(offset, at));
  }
  /** One extent that holds data: the whole of what was asked for. */
  allAllocated(cookieHigh: number, cookieLow: number, offset: number, length: number): Uint8Array {
    const { view } = this;
    if (this.agreement.extended) {
      const at = this.chunk(ChunkType.BLOCK_STATUS_EXT, cookieHigh, cookieLow, offset, 24);
      view.setUint32(at, BASE_ALLOCATION_ID);
      view.setUint32(at + 4, 1);
      return this.made(this.number(0, this.number(length, at + 8)));
    }
    const at = this.chunk(ChunkType.BLOCK_STATUS, cookieHigh, cookieLow, offset, 12);
    view.setUint32(at, BASE_ALLOCATION_ID);
    view.setUint32(at + 4, length);
    view.setUint32(at + 8, 0);
    return this.made(at + 12);
  }
}
