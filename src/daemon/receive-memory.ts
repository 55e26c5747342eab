/**
 * Memory that sockets are read into. Large slabs come from a pool: consecutive reads lie next to each other there, so
 * that a large payload is one view, and using a slab again saves the page faults of fresh memory (performance.md 4.3).
 */

import { type ReceiveWindow } from '../engine/ports';

/** First memory of a stream: most streams never need more. */
const SMALL = 64 * 1024;
/** Two packets or requests of 1 MiB with their headers, so that hardly anything is to be moved. */
const LARGE = 2 * 1024 * 1024 + 8192;
/** While packets are small, a slab is left after so many bytes: two that take turns stay in the processor's cache. */
export const SLAB_TURN = 256 * 1024;
/** Free slabs that are kept: eight requests of 1 MiB need that many, and others would be garbage by the megabyte. */
const MOST_SPARE = 10;

export interface Slab {
  readonly bytes: Buffer;
  /** Its stream, and everybody who holds a view of it. */
  users: number;
}

const newSlab = (size: number): Slab => ({ bytes: Buffer.allocUnsafeSlow(size), users: 1 });

const slabSize = (wanted: number): number => (wanted <= SMALL ? SMALL : Math.max(wanted, LARGE));

/** Slabs whose users are counted. */
export class SlabPool {
  private readonly spare: Slab[] = [];
  private readonly used = new Map<ArrayBufferLike, Slab>();
  /** That was looked for last. */
  private last: Slab | undefined;

  /** A slab of `size` bytes or more, with one user. */
  take(size: number): Slab {
    const spare = size > SMALL && size <= LARGE ? this.spare.pop() : undefined;
    const slab = spare ?? newSlab(slabSize(size));
    slab.users = 1;
    this.used.set(slab.bytes.buffer, slab);
    return slab;
  }
  /** The slab that `bytes` is a view of has one user more; undefined if it is none of ours. */
  hold({ buffer }: { readonly buffer: ArrayBufferLike }): Slab | undefined {
    if (this.last?.bytes.buffer !== buffer) this.last = this.used.get(buffer);
    const slab = this.last;
    if (slab !== undefined) slab.users++;
    return slab;
  }
  /** Others may keep views of it for ever. */
  forget(slab: Slab): void {
    this.used.delete(slab.bytes.buffer);
    this.last = undefined;
  }
  release(slab: Slab): void {
    if (--slab.users > 0) return;
    this.last = undefined;
    if (!this.used.delete(slab.bytes.buffer)) return;
    if (slab.bytes.length === LARGE && this.spare.length < MOST_SPARE) this.spare.push(slab);
  }
}

/** Of the daemon. */
export const slabPool = new SlabPool();

/** Where one stream reads into. */
export class ReceiveMemory {
  private slab: Slab;
  private at = 0;
  /** The last read filled all there was. */
  private full = false;

  /** Without a pool nobody but the receiver's window may keep views of what was received. */
  constructor(private readonly pool: SlabPool | undefined) {
    this.slab = this.newSlab(SMALL);
  }
  private newSlab(size: number): Slab {
    return this.pool?.take(size) ?? newSlab(slabSize(size));
  }

  /** Where the next bytes go. */
  space(): Uint8Array {
    const { bytes } = this.slab;
    return this.at === 0
      ? bytes
      : new Uint8Array(bytes.buffer, bytes.byteOffset + this.at, bytes.length - this.at);
  }
  /** So many bytes were put there. */
  filled(length: number): Uint8Array {
    const from = this.at;
    this.at += length;
    this.full = this.at === this.slab.bytes.length;
    const { buffer, byteOffset } = this.slab.bytes;
    return new Uint8Array(buffer, byteOffset + from, length);
  }
  /** The receiver has seen them: makes room for the next ones. */
  makeRoom(window: ReceiveWindow | undefined): void {
    const kept = window?.kept ?? Infinity;
    if (window === undefined || kept > this.at) {
      // Who has no window may keep anything.
      if (!this.full) return;
      this.pool?.forget(this.slab);
      this.change(this.newSlab(SMALL), 0);
      return;
    }
    const { missing } = window;
    if (kept === 0 && this.slab.users === 1 && !this.full) {
      this.at = 0;
      return;
    }
    const least = Math.max(missing, SMALL / 2);
    if (this.slab.bytes.length - this.at < least) this.move(window, kept, kept + least);
    else if (this.at >= SLAB_TURN && kept + missing <= SMALL / 2 && this.slab.users > 1)
      this.move(window, kept, kept + least);
  }
  private move(window: ReceiveWindow, kept: number, size: number): void {
    const { slab, at } = this;
    const small = slab.bytes.length <= SMALL;
    if (slab.users === 1 && slab.bytes.length >= size && !(small && this.full)) {
      slab.bytes.copyWithin(0, at - kept, at);
      this.at = kept;
    } else {
      const next = this.newSlab(this.full || slab.users > 1 ? Math.max(size, LARGE) : size);
      slab.bytes.copy(next.bytes, 0, at - kept, at);
      this.change(next, kept);
    }
    this.full = false;
    window.moveTo(this.slab.bytes.subarray(0, kept));
  }
  private change(slab: Slab, at: number): void {
    this.pool?.release(this.slab);
    this.slab = slab;
    this.at = at;
    this.full = false;
  }
  /** The stream is over. */
  close(): void {
    this.change(NOTHING, 0);
  }
}
const NOTHING: Slab = { bytes: Buffer.alloc(0), users: 1 };
