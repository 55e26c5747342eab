/** Received chunks as frames of known length, copying only what spans chunks that do not lie next to each other. */
import { type ReceiveWindow } from '../../engine/ports';

/** Of a small array the memory is allocated when somebody asks for its buffer: one is enough. */
const EMPTY = new Uint8Array(0);

export class ByteReader implements ReceiveWindow {
  private current: Uint8Array = EMPTY;
  private at = 0;
  private rest: Uint8Array[] = [];
  private restBytes = 0;
  private wanted = 0;

  get available(): number {
    return this.current.length - this.at + this.restBytes;
  }
  // --- ReceiveWindow
  get kept(): number {
    return this.available;
  }
  get missing(): number {
    return Math.max(0, this.wanted - this.available);
  }
  moveTo(bytes: Uint8Array): void {
    this.current = bytes;
    this.at = 0;
    this.rest = [];
    this.restBytes = 0;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const { current, rest } = this;
    const end = current.byteOffset + current.length;
    if (rest.length === 0 && chunk.buffer === current.buffer && chunk.byteOffset === end) {
      this.current = new Uint8Array(chunk.buffer, current.byteOffset, current.length + chunk.length);
    } else if (this.at === this.current.length) {
      this.current = chunk;
      this.at = 0;
    } else {
      this.rest.push(chunk);
      this.restBytes += chunk.length;
    }
  }
  /** The next `length` bytes without taking them, or undefined if there are not that many. */
  peek(length: number): Uint8Array | undefined {
    if (!this.gather(length)) return undefined;
    const { current, at } = this;
    return new Uint8Array(current.buffer, current.byteOffset + at, length);
  }
  /** Puts the next `length` bytes at `position` of `bytes`; false if there are not that many. */
  gather(length: number): boolean {
    this.wanted = length;
    if (this.available < length) return false;
    if (this.current.length - this.at < length) this.join(length);
    return true;
  }
  get bytes(): Uint8Array {
    return this.current;
  }
  get position(): number {
    return this.at;
  }
  /** Takes the next `length` bytes, or undefined if there are not that many. */
  take(length: number): Uint8Array | undefined {
    const bytes = this.peek(length);
    if (bytes === undefined) return undefined;
    this.advance(length);
    return bytes;
  }
  /** Drops up to `length` bytes; returns how many. */
  skip(length: number): number {
    let left = Math.min(length, this.available);
    const skipped = left;
    while (left > 0) {
      const step = Math.min(left, this.current.length - this.at);
      this.advance(step);
      left -= step;
    }
    return skipped;
  }
  private advance(length: number): void {
    this.at += length;
    if (this.at < this.current.length) return;
    const next = this.rest.shift();
    this.current = next ?? EMPTY;
    this.restBytes -= next?.length ?? 0;
    this.at = 0;
  }
  /** Makes the first `length` bytes contiguous. */
  private join(length: number): void {
    const joined = new Uint8Array(length);
    const first = this.current.subarray(this.at);
    joined.set(first);
    let filled = first.length;
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
    this.current = joined;
    this.at = 0;
  }
}
