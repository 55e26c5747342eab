/*
 * Keeps bitmap segments until it is their turn: uniform ones as a number, the others in memory up to a budget and then
 * in a temporary file without a name.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type SlotSegment } from '../metadata/dump-bitmap';

/** Room for the segments that are kept and for one that comes back from the file. */
export interface SegmentMemory {
  take(bytes: number): Uint8Array<ArrayBuffer>;
}

export const STORE_BYTES = 12 * 2 ** 20;

interface Kept {
  readonly length: number;
  readonly value: number;
  readonly words: Uint32Array | undefined;
  /** Byte offset in the file, or -1. */
  readonly spilled: number;
}

export class SegmentStore {
  private readonly slots = new Map<number, Kept[]>();
  private inMemory = 0;
  private fd: number | undefined;
  private fileBytes = 0;
  private loaded: Uint8Array<ArrayBuffer> | undefined;
  private longestSpilled = 0;

  /** Keeps at most STORE_BYTES in memory. */
  constructor(
    private readonly memory: SegmentMemory = { take: (bytes) => new Uint8Array(new ArrayBuffer(bytes)) },
  ) {}

  /** Copies what it keeps. */
  add(slot: number, segment: SlotSegment): void {
    let list = this.slots.get(slot);
    if (list === undefined) this.slots.set(slot, (list = []));
    const { length, value, words } = segment;
    if (words === undefined) list.push({ length, value, words, spilled: -1 });
    else if (this.inMemory + words.byteLength <= STORE_BYTES) {
      const { buffer, byteOffset } = this.memory.take(words.byteLength);
      const copy = new Uint32Array(buffer, byteOffset, length);
      copy.set(words);
      this.inMemory += words.byteLength;
      list.push({ length, value, words: copy, spilled: -1 });
    } else list.push({ length, value, words: undefined, spilled: this.spill(words) });
  }

  private spill(words: Uint32Array): number {
    const fd = (this.fd ??= openNameless());
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    const at = this.fileBytes;
    for (let done = 0; done < bytes.length;)
      done += fs.writeSync(fd, bytes, done, bytes.length - done, at + done);
    this.fileBytes += bytes.length;
    this.longestSpilled = Math.max(this.longestSpilled, bytes.length);
    return at;
  }

  /** The segments of a slot in order; their words are only valid during the call. */
  replay(slot: number, take: (segment: SlotSegment) => void): void {
    for (const { length, value, words, spilled } of this.slots.get(slot) ?? [])
      take({ length, value, words: spilled < 0 ? words : this.load(spilled, length) });
    this.slots.delete(slot);
  }

  /**
   * One segment of a slot a call, undefined after the last; their words are only valid until the next call, of whichever
   * slot. Nothing may be added any more.
   */
  cursor(slot: number): () => SlotSegment | undefined {
    let i = 0;
    return () => {
      const kept = this.slots.get(slot)?.[i++];
      if (kept === undefined) return undefined;
      const { length, value, words, spilled } = kept;
      return { length, value, words: spilled < 0 ? words : this.load(spilled, length) };
    };
  }

  private load(at: number, length: number): Uint32Array {
    this.loaded ??= this.memory.take(this.longestSpilled);
    const bytes = this.loaded.subarray(0, 4 * length);
    for (let done = 0; done < bytes.length;) {
      const count = fs.readSync(this.fd ?? -1, bytes, done, bytes.length - done, at + done);
      if (count === 0) throw new Error('temporary file is shorter than written');
      done += count;
    }
    return new Uint32Array(bytes.buffer, bytes.byteOffset, length);
  }

  close(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd);
    this.fd = undefined;
  }
}

function openNameless(): number {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdmeta-'));
  const name = path.join(folder, 'bitmap');
  const fd = fs.openSync(name, 'wx+', 0o600);
  fs.rmSync(folder, { recursive: true });
  return fd;
}
