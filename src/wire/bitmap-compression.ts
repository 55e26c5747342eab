/**
 * The run length code of P_COMPRESSED_BITMAP (wire-protocol 11.2): lengths of alternating runs in a
 * variable length code, written least significant bit first. bitmap-transfer.ts makes whole bitmaps of it.
 */

/** Bits to send: 1 = out of sync, one per 4 KiB. Positions count from 0; `bits` means "none". */
export interface RunSource {
  readonly bits: number;
  /** Position of the first set bit at or after `from`, or `bits`. */
  nextSet(from: number): number;
  /** Position of the first clear bit at or after `from`, or `bits`. */
  nextClear(from: number): number;
}

export interface RunSink {
  readonly bits: number;
  /** Sets the bits from `from` up to, not including, `to`. */
  setRange(from: number, to: number): void;
}

/** One row of the code: prefix, data bits behind it, and the run lengths it covers. */
interface Level {
  readonly prefixBits: number;
  readonly prefix: number;
  readonly dataBits: number;
  readonly base: number;
  readonly last: number;
}

function level(prefixBits: number, prefix: number, dataBits: number, base: number): Level {
  return { prefixBits, prefix, dataBits, base, last: base + 2 ** dataBits - 1 };
}

const LEVELS: readonly Level[] = [
  level(1, 0x00, 1, 1),
  level(2, 0x01, 1, 3),
  level(3, 0x03, 2, 5),
  level(4, 0x07, 3, 9),
  level(5, 0x0f, 5, 17),
  level(6, 0x1f, 8, 49),
  level(8, 0x3f, 13, 305),
  level(8, 0x7f, 21, 8497),
  level(8, 0xbf, 34, 2105649),
  level(8, 0xff, 56, 17181974833),
];

/** Appends bits, least significant first, to zeroed bytes. */
class BitWriter {
  used = 0;
  constructor(private readonly bytes: Uint8Array) {}

  get free(): number {
    return this.bytes.length * 8 - this.used;
  }

  /** The low `count` bits of `value`; at most 31. */
  putFew(value: number, count: number): void {
    const index = this.used >>> 3;
    const shift = this.used & 7;
    this.bytes[index] = (this.bytes[index] ?? 0) | (value << shift);
    for (let got = 8 - shift, i = index + 1; got < count; got += 8, i++) this.bytes[i] = value >>> got;
    this.used += count;
  }

  /** The low `count` bits of `value` (below 2^53). */
  put(value: number, count: number): void {
    let rest = value;
    let left = count;
    while (left > 0) {
      const index = this.used >>> 3;
      const shift = this.used & 7;
      const take = Math.min(8 - shift, left);
      this.bytes[index] = (this.bytes[index] ?? 0) | ((rest % 2 ** take) << shift);
      rest = Math.floor(rest / 2 ** take);
      this.used += take;
      left -= take;
    }
  }
}

class BitReader {
  at = 0;
  constructor(
    private readonly bytes: Uint8Array,
    readonly end: number,
  ) {}

  /** `count` bits from `from` on; bits behind the end read as 0. */
  peek(from: number, count: number): number {
    let value = 0;
    let got = 0;
    while (got < count) {
      const shift = (from + got) & 7;
      const take = Math.min(8 - shift, count - got);
      const byte = this.bytes[(from + got) >>> 3] ?? 0;
      value += ((byte >>> shift) & ((1 << take) - 1)) * 2 ** got;
      got += take;
    }
    return value;
  }
}

/** Appends the code of one run; false if it does not fit. */
function putRun(writer: BitWriter, run: number): boolean {
  const row = LEVELS.find((one) => run <= one.last);
  if (row === undefined || row.prefixBits + row.dataBits > writer.free) return false;
  if (row.dataBits <= 21) {
    writer.putFew(((run - row.base) << row.prefixBits) | row.prefix, row.prefixBits + row.dataBits);
  } else {
    writer.put(row.prefix, row.prefixBits);
    writer.put(run - row.base, row.dataBits);
  }
  return true;
}

/** The next run length, or 0 if the code is cut off or longer than any bitmap. */
function takeRun(reader: BitReader): number {
  const ahead = reader.peek(reader.at, 8);
  const row = LEVELS.find((one) => ahead % 2 ** one.prefixBits === one.prefix);
  if (row === undefined || reader.at + row.prefixBits + row.dataBits > reader.end) return 0;
  const data = reader.peek(reader.at + row.prefixBits, row.dataBits);
  reader.at += row.prefixBits + row.dataBits;
  return data <= Number.MAX_SAFE_INTEGER - row.base ? row.base + data : 0;
}

export interface EncodedRuns {
  /** First byte of the payload: code, padding, value of the first run. */
  readonly encoding: number;
  /** Bytes of code, in the buffer given. */
  readonly bytes: number;
  /** First bit not covered. */
  readonly next: number;
}

const RLE_VLI = 2;

/**
 * Codes runs from bit `from` on into `out` (overwritten; its length is the limit) until it is full or the
 * bitmap ends. Null if plain transfer would be shorter, or nothing fits, or nothing is left.
 */
export function encodeRuns(source: RunSource, from: number, out: Uint8Array): EncodedRuns | null {
  if (from >= source.bits) return null;
  out.fill(0);
  const writer = new BitWriter(out);
  const firstSet = source.nextSet(from) === from;
  let set = firstSet;
  let at = from;
  while (at < source.bits) {
    const end = set ? source.nextClear(at) : source.nextSet(at);
    if (!putRun(writer, end - at)) break;
    at = end;
    set = !set;
  }
  const bytes = (writer.used + 7) >>> 3;
  if (at - from < bytes * 8 || bytes === 0) return null;
  const pad = (8 - (writer.used & 7)) & 7;
  return { encoding: (firstSet ? 0x80 : 0) | (pad << 4) | RLE_VLI, bytes, next: at };
}

export type DecodedRuns =
  { readonly ok: true; readonly next: number } | { readonly ok: false; readonly reason: string };

/**
 * Sets the bits that the code says, from bit `from` on. `next` is the first bit not covered. On bad code
 * the bits decoded so far are set: they may only mean too much resync.
 */
export function decodeRuns(encoding: number, code: Uint8Array, from: number, sink: RunSink): DecodedRuns {
  if ((encoding & 0x0f) !== RLE_VLI)
    return { ok: false, reason: `receive_bitmap_c: unknown encoding ${encoding & 0x0f}` };
  const reader = new BitReader(code, code.length * 8 - ((encoding >>> 4) & 7));
  let set = (encoding & 0x80) !== 0;
  let at = from;
  while (reader.at < reader.end) {
    const run = takeRun(reader);
    if (run === 0) {
      const used = reader.at;
      return {
        ok: false,
        reason: `bitmap decoding error: h:${reader.end - used} l:${used >>> 3}/${code.length}`,
      };
    }
    if (run > sink.bits - at)
      return { ok: false, reason: `bitmap overflow (e:${at + run - 1}) while decoding bm RLE packet` };
    if (set) sink.setRange(at, at + run);
    at += run;
    set = !set;
  }
  return { ok: true, next: at };
}
