/*
 * Collects dump text as bytes and hands it on in large pieces; hexadecimal words are written without making strings.
 */

const PIECE = 1 << 18;
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

export class DumpWriter {
  private readonly bytes = new Uint8Array(PIECE + 64);
  private readonly view = new DataView(this.bytes.buffer);
  private length = 0;

  /** `flush` gets pieces that are only valid during the call. */
  constructor(private readonly flush: (bytes: Uint8Array) => void) {}

  /** ASCII (or latin1) text. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) {
      if (this.length >= PIECE) this.end();
      this.bytes[this.length++] = text.charCodeAt(i);
    }
  }

  /** ` 0xHHHHHHHHLLLLLLLL;`: 20 bytes, as five words, because a large dump is hardly anything else. */
  hexPair(high: number, low: number): void {
    if (this.length >= PIECE) this.end();
    const digits = (digitTable ??= makeDigits());
    const { view, length } = this;
    const a = digits[high >>> 16] ?? 0;
    const b = digits[high & 0xffff] ?? 0;
    const c = digits[low >>> 16] ?? 0;
    const d = digits[low & 0xffff] ?? 0;
    view.setUint32(length, 0x783020 | (a << 24), true);
    view.setUint32(length + 4, (a >>> 8) | (b << 24), true);
    view.setUint32(length + 8, (b >>> 8) | (c << 24), true);
    view.setUint32(length + 12, (c >>> 8) | (d << 24), true);
    view.setUint32(length + 16, (d >>> 8) | 0x3b000000, true);
    this.length = length + 20;
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
