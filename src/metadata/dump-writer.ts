/*
 * Collects dump text as bytes and hands it on in large pieces; hexadecimal words are written without making strings.
 */

const PIECE = 1 << 18;
const HEX = Uint8Array.from('0123456789ABCDEF', (digit) => digit.charCodeAt(0));

/** Two upper-case hex digits of every byte value. */
const PAIRS = Uint8Array.from({ length: 512 }, (_, i) => HEX[(i & 1) === 0 ? i >> 5 : (i >> 1) & 15] ?? 0);

export class DumpWriter {
  private readonly bytes = new Uint8Array(PIECE + 64);
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

  /** ` 0xHHHHHHHHLLLLLLLL;` */
  hexPair(high: number, low: number): void {
    if (this.length >= PIECE) this.end();
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = 0x20;
    bytes[at++] = 0x30;
    bytes[at++] = 0x78;
    for (let shift = 24; shift >= 0; shift -= 8) {
      const pair = ((high >>> shift) & 0xff) * 2;
      bytes[at++] = PAIRS[pair] ?? 0;
      bytes[at++] = PAIRS[pair + 1] ?? 0;
    }
    for (let shift = 24; shift >= 0; shift -= 8) {
      const pair = ((low >>> shift) & 0xff) * 2;
      bytes[at++] = PAIRS[pair] ?? 0;
      bytes[at++] = PAIRS[pair + 1] ?? 0;
    }
    bytes[at++] = 0x3b;
    this.length = at;
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
