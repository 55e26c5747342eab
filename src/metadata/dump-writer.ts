/*
 * Collects dump text as bytes and hands it on in large pieces; hexadecimal words are written without making strings.
 */
import { LINE_ROOM, type DumpKernel } from './dump-kernel';

const PIECE = 1 << 17;
/** Bytes of an output buffer for accelerate(). */
export const OUTPUT_BYTES = PIECE + LINE_ROOM;
/** The four upper-case digits of every 16-bit value as one little endian word of text. */
function makeDigits(): Uint32Array {
  const digits = '0123456789ABCDEF';
  const code = (nibble: number) => digits.charCodeAt(nibble & 15);
  return Uint32Array.from(
    { length: 65536 },
    (_, value) =>
      code(value >> 12) | (code(value >> 8) << 8) | (code(value >> 4) << 16) | (code(value) << 24),
  );
}
let digitTable: Uint32Array | undefined;

/** ` 0xHHHHHHHHLLLLLLLL;`: 20 bytes, as five words. Returns where it ends. */
function putPair(view: DataView, digits: Uint32Array, at: number, high: number, low: number): number {
  const a = digits[high >>> 16] ?? 0;
  const b = digits[high & 0xffff] ?? 0;
  const c = digits[low >>> 16] ?? 0;
  const d = digits[low & 0xffff] ?? 0;
  view.setUint32(at, 0x783020 | (a << 24), true);
  view.setUint32(at + 4, (a >>> 8) | (b << 24), true);
  view.setUint32(at + 8, (b >>> 8) | (c << 24), true);
  view.setUint32(at + 12, (c >>> 8) | (d << 24), true);
  view.setUint32(at + 16, (d >>> 8) | 0x3b000000, true);
  return at + 20;
}

function countDigits(value: number): number {
  let count = 1;
  for (let bound = 10; value >= bound; bound *= 10) count++;
  return count;
}

export class DumpWriter {
  private bytes = new Uint8Array(OUTPUT_BYTES);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  /** Where `bytes` are in its memory, too. */
  private kernel: DumpKernel | undefined;

  /** `flush` gets pieces that are only valid during the call. */
  constructor(private readonly flush: (bytes: Uint8Array) => void) {}

  /** From now on text is made in `output` (OUTPUT_BYTES of the kernel's memory), fast from words in the same memory. */
  accelerate(kernel: DumpKernel, output: Uint8Array<ArrayBuffer>): void {
    this.end();
    this.bytes = output;
    this.view = new DataView(output.buffer, output.byteOffset, output.length);
    this.kernel = kernel;
  }

  /**
   * Writes the lines and marks from words[from] to words[end - 1] as far as the kernel can, and returns how far that is.
   * words[from] is word `position` of its slot, a multiple of 8.
   */
  fastLines(words: Uint32Array, from: number, end: number, position: number, maxPeers: number): number {
    const { kernel, bytes } = this;
    if (kernel === undefined || words.buffer !== bytes.buffer) return from;
    let k = from;
    do {
      if (this.length >= PIECE) this.end();
      const at = position + k - from;
      const result = kernel.lines(
        words.byteOffset + 4 * k,
        end - k,
        bytes.byteOffset + this.length,
        bytes.byteOffset + PIECE - 1,
        (maxPeers * (at / 8)) % 8,
        (128 * at * maxPeers) % 2 ** 39,
        maxPeers,
      );
      k += Math.floor(result / 2 ** 32);
      this.length = (result % 2 ** 32) - bytes.byteOffset;
    } while (this.length >= PIECE);
    return k;
  }

  /** Bits set in an even number of words. */
  countBits(words: Uint32Array): number | undefined {
    if (this.kernel === undefined || words.buffer !== this.bytes.buffer || words.length % 2 !== 0)
      return undefined;
    return this.kernel.bits(words.byteOffset, words.length);
  }

  /** ASCII (or latin1) text. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) {
      if (this.length >= PIECE) this.end();
      this.bytes[this.length++] = text.charCodeAt(i);
    }
  }

  /** ` 0xHHHHHHHHLLLLLLLL;` */
  hexPair(high: number, low: number): void {
    // Making the table takes milliseconds; a dump of nothing but runs has no use for it.
    if (digitTable === undefined) return this.text(` ${hex32(high)}${hex32(low).slice(2)};`);
    if (this.length >= PIECE) this.end();
    this.length = putPair(this.view, digitTable, this.length, high, low);
  }

  /** `[COUNT,"0xHHHHHHHHLLLLLLLL"]`, for counts below 10^15. */
  countedPair(count: number, high: number, low: number): void {
    digitTable ??= makeDigits();
    if (this.length >= PIECE) this.end();
    const { bytes, view } = this;
    bytes[this.length++] = 0x5b;
    const millions = Math.floor(count / 1e6);
    if (millions > 0) this.decimal(millions, countDigits(millions));
    this.decimal(count - millions * 1e6, millions > 0 ? 6 : countDigits(count));
    bytes[this.length] = 0x2c;
    // Its blank and its semicolon become quotation marks.
    const at = this.length + 1;
    this.length = putPair(view, digitTable, at, high, low);
    bytes[at] = 0x22;
    bytes[this.length - 1] = 0x22;
    bytes[this.length++] = 0x5d;
  }

  /**
   * Writes lines of eight words (`\n   ` and four pairs) from words[from] on, and stops before a line that begins with
   * two equal words or that words[end - 1] does not complete. Returns where. A large dump is hardly anything else.
   */
  lines(words: Uint32Array, from: number, end: number): number {
    const { view } = this;
    const digits = (digitTable ??= makeDigits());
    let at = this.length;
    let k = from;
    for (; k + 8 <= end && words[k] !== words[k + 1]; k += 8) {
      if (at >= PIECE) {
        this.length = at;
        this.end();
        at = 0;
      }
      view.setUint32(at, 0x2020200a, true);
      at = putPair(view, digits, at + 4, words[k + 1] ?? 0, words[k] ?? 0);
      at = putPair(view, digits, at, words[k + 3] ?? 0, words[k + 2] ?? 0);
      at = putPair(view, digits, at, words[k + 5] ?? 0, words[k + 4] ?? 0);
      at = putPair(view, digits, at, words[k + 7] ?? 0, words[k + 6] ?? 0);
    }
    this.length = at;
    return k;
  }

  /** `\n   # at NkB`, for N below 10^15. */
  mark(kilobytes: number): void {
    if (this.length >= PIECE) this.end();
    const { view, bytes } = this;
    view.setUint32(this.length, 0x2020200a, true);
    view.setUint32(this.length + 4, 0x74612023, true);
    bytes[this.length + 8] = 0x20;
    this.length += 9;
    const high = Math.floor(kilobytes / 1e6);
    if (high > 0) this.decimal(high, countDigits(high));
    this.decimal(kilobytes - high * 1e6, high > 0 ? 6 : countDigits(kilobytes));
    view.setUint16(this.length, 0x426b, true);
    this.length += 2;
  }

  private decimal(value: number, count: number): void {
    const { bytes } = this;
    let rest = value;
    for (let at = this.length + count - 1; at >= this.length; at--) {
      const tens = Math.floor(rest / 10);
      bytes[at] = 0x30 + rest - 10 * tens;
      rest = tens;
    }
    this.length += count;
  }

  /** A new line with three blanks, before every eight words. */
  startLine(): void {
    if (this.length >= PIECE) this.end();
    this.view.setUint32(this.length, 0x2020200a, true);
    this.length += 4;
  }

  end(): void {
    if (this.length > 0) this.flush(this.bytes.subarray(0, this.length));
    this.length = 0;
  }
}

export function hex64(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(16, '0')}`;
}

export function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).toUpperCase().padStart(8, '0')}`;
}
