/** Received chunks as frames of known length, copying only what spans chunks that do not lie next to each other. */
import { type ReceiveWindow } from '../../engine/ports';

/** Of a small array the memory is allocated when somebody asks for its buffer: one is enough. */
const EMPTY = new Uint8Array(0);

export class ByteReader implements ReceiveWindow {
  /** All of the memory that holds the first unread bytes, which are those from `at` to `end`. */
  private whole: Uint8Array = EMPTY;
  /** Its buffer: asking an array for that is a call of its own. */
  private memory: ArrayBufferLike = EMPTY.buffer;
  private at = 0;
  private end = 0;
  private rest: Uint8Array[] = [];
  private restBytes = 0;
  private wanted = 0;

  get available(): number {
    return this.end - this.at + this.restBytes;
  }
  // --- ReceiveWindow
  get kept(): number {
    return this.available;
  }
  get missing(): number {
    return Math.max(0, this.wanted - this.available);
  }
  moveTo(bytes: Uint8Array): void {
    this.adopt(bytes);
    this.rest = [];
    this.restBytes = 0;
  }
  private adopt(chunk: Uint8Array): void {
    const { buffer } = chunk;
    if (buffer !== this.memory) {
      this.memory = buffer;
      this.whole = new Uint8Array(buffer);
    }
    this.at = chunk.byteOffset;
    this.end = this.at + chunk.length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.rest.length > 0) this.keep(chunk);
    else if (chunk.byteOffset === this.end && chunk.buffer === this.memory) this.end += chunk.length;
    else if (this.at === this.end) this.adopt(chunk);
    else this.keep(chunk);
  }
  private keep(chunk: Uint8Array): void {
    this.rest.push(chunk);
    this.restBytes += chunk.length;
  }
  /** The next `length` bytes without taking them, or undefined if there are not that many. */
  peek(length: number): Uint8Array | undefined {
    return this.gather(length) ? new Uint8Array(this.memory, this.at, length) : undefined;
  }
  /** Puts the next `length` bytes at `position` of `bytes`; false if there are not that many. */
  gather(length: number): boolean {
    this.wanted = length;
    if (this.end - this.at >= length) return true;
    if (this.available < length) return false;
    this.join(length);
    return true;
  }
  get bytes(): Uint8Array {
    return this.whole;
  }
  get position(): number {
    return this.at;
  }
  /** What the frame that was taken last is a view of. */
  get buffer(): ArrayBufferLike {
    return this.memory;
  }
  /** Takes the next `length` bytes, or undefined if there are not that many. */
  take(length: number): Uint8Array | undefined {
    const bytes = this.peek(length);
    if (bytes !== undefined) this.at += length;
    return bytes;
  }
  /** Drops up to `length` bytes; returns how many. */
  skip(length: number): number {
    if (this.end - this.at >= length) {
      this.at += length;
      return length;
    }
    const skipped = Math.min(length, this.available);
    let left = skipped - (this.end - this.at);
    this.at = this.end;
    while (left > 0) {
      this.next();
      const step = Math.min(left, this.end - this.at);
      this.at += step;
      left -= step;
    }
    return skipped;
  }
  /** Goes on to the next chunk; this one is used up. */
  private next(): void {
    const chunk = this.rest.shift() ?? EMPTY;
    this.restBytes -= chunk.length;
    this.adopt(chunk);
  }
  /** Makes the first `length` bytes contiguous. */
  private join(length: number): void {
    if (this.at === this.end) {
      this.next();
      if (this.end - this.at >= length) return;
    }
    const joined = new Uint8Array(length);
    let filled = this.end - this.at;
    joined.set(this.whole.subarray(this.at, this.end));
    while (filled < length) {
      const chunk = this.rest.shift();
      if (chunk === undefined) break;
      const part = chunk.subarray(0, length - filled);
      joined.set(part, filled);
      filled += part.length;
      this.restBytes -= chunk.length;
      if (part.length < chunk.length) {
        const tail = chunk.subarray(part.length);
        this.rest.unshift(tail);
        this.restBytes += tail.length;
      }
    }
    this.adopt(joined);
  }
}
