/*
 * Reads an interleaved bitmap once and hands out the segments of all slots. The next buffer is read while one is taken
 * apart.
 */
import { wordsPerBuffer, type SlotSegment } from '../metadata/dump-bitmap';
import { dumpKernel, type DumpKernel } from '../metadata/dump-kernel';
import { PageMemory } from './aligned-buffer';
import { type MetaData } from './open-meta-data';
import { STORE_BYTES } from './segment-store';

/** The words of a segment are only valid during the call. */
export type TakeSegment = (slot: number, segment: SlotSegment) => void;

/** Bytes at address 0 that the kernel may use. */
const SCRATCH = 64;
/** Smaller bitmaps are done before the kernel is compiled. */
const KERNEL_BYTES = 1 << 20;

export class SlotReader {
  readonly memory: PageMemory;
  /** Called once, before the first segment that is not uniform, if there is a kernel and enough to do for it. */
  onKernel: ((kernel: DumpKernel, memory: PageMemory) => void) | undefined;
  private kernel: DumpKernel | undefined;
  private slots: readonly Uint32Array[] | undefined;
  private readonly maxPeers: number;
  private readonly bufferBytes: number;

  /** `areaBytes` of the bitmap mean anything; the caller needs another `extraBytes` of memory. */
  constructor(
    private readonly md: MetaData,
    private readonly areaBytes: number,
    extraBytes = 0,
  ) {
    this.maxPeers = md.record.bmMaxPeers;
    const step = wordsPerBuffer(this.maxPeers) * this.maxPeers * 4;
    this.bufferBytes = Math.min(step, areaBytes);
    const buffers = 3 * (this.bufferBytes + 8192) + 2 * 4096 * this.maxPeers;
    // Kept segments, each on pages of its own, and one that comes back from the file.
    const kept = Math.min(STORE_BYTES, areaBytes) + 2 ** 20 + this.bufferBytes / this.maxPeers;
    this.memory = new PageMemory(buffers + kept + extraBytes, SCRATCH);
  }

  async run(take: TakeSegment): Promise<void> {
    const { bufferBytes, areaBytes, memory } = this;
    if (areaBytes === 0) return;
    let buffer = memory.take(bufferBytes);
    let other = areaBytes > bufferBytes ? memory.take(bufferBytes) : buffer;
    let next = this.read(buffer, 0);
    for (let at = 0; at < areaBytes; at += bufferBytes) {
      const bytes = await next;
      if (at + bufferBytes < areaBytes) next = this.read(other, at + bufferBytes);
      this.handOut(bytes, take);
      [buffer, other] = [other, buffer];
    }
  }

  private async read(buffer: Uint8Array<ArrayBuffer>, at: number): Promise<Uint8Array<ArrayBuffer>> {
    const { device, layout } = this.md;
    const bytes = buffer.subarray(0, Math.min(this.bufferBytes, this.areaBytes - at));
    await device.readAhead('fprintf_bm', bytes, layout.bitmapByte + at);
    return bytes;
  }

  private handOut(bytes: Uint8Array<ArrayBuffer>, take: TakeSegment): void {
    const { maxPeers } = this;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const value = uniformValue(bytes, words);
    const slots = value === undefined ? this.separate(words) : [];
    for (let slot = 0; slot < maxPeers; slot++) {
      const length = Math.ceil((words.length - slot) / maxPeers);
      if (length <= 0) continue;
      if (value !== undefined) take(slot, { length, words: undefined, value });
      else take(slot, segmentOf((slots[slot] ?? words).subarray(0, length)));
    }
  }

  /** A turn's words of every slot are still in the cache when the next slot's are picked from among them. */
  private separate(words: Uint32Array): readonly Uint32Array[] {
    const { maxPeers } = this;
    this.startKernel();
    if (maxPeers === 1) return [words];
    const slots = (this.slots ??= this.slotBuffers());
    for (let start = 0; start * maxPeers < words.length; start += TURN) {
      for (let slot = 0; slot < maxPeers; slot++) {
        const from = start * maxPeers + slot;
        const count = Math.min(TURN, Math.ceil((words.length - from) / maxPeers));
        const out = slots[slot];
        if (out === undefined || count <= 0) continue;
        if (this.kernel === undefined) copyStrided(words, from, maxPeers, count, out, start);
        else this.kernel.pick(words.byteOffset + 4 * from, maxPeers, count, out.byteOffset + 4 * start);
      }
    }
    return slots;
  }

  private slotBuffers(): readonly Uint32Array[] {
    const length = Math.ceil(this.bufferBytes / 4 / this.maxPeers);
    return Array.from({ length: this.maxPeers }, () => {
      const bytes = this.memory.take(4 * length);
      return new Uint32Array(bytes.buffer, bytes.byteOffset, length);
    });
  }

  private startKernel(): void {
    const { onKernel, memory } = this;
    this.onKernel = undefined;
    if (onKernel === undefined || memory.memory === undefined || this.areaBytes < KERNEL_BYTES) return;
    this.kernel = dumpKernel(memory.memory);
    if (this.kernel !== undefined) onKernel(this.kernel, memory);
  }
}

const TURN = 1024;

function copyStrided(
  words: Uint32Array,
  from: number,
  stride: number,
  count: number,
  out: Uint32Array,
  start: number,
): void {
  for (let k = 0, at = from; k < count; k++, at += stride) out[start + k] = words[at] ?? 0;
}

/** The value that every word has, if there is one. Compares the buffer with itself, moved by eight bytes. */
function uniformValue(bytes: Uint8Array, words: Uint32Array): number | undefined {
  if (words.length < 2 || words[0] !== words[1]) return undefined;
  const same = Buffer.compare(bytes.subarray(0, bytes.length - 8), bytes.subarray(8)) === 0;
  return same ? words[0] : undefined;
}

/** Recognises a slot that is uniform although its neighbours are not. */
function segmentOf(words: Uint32Array): SlotSegment {
  const { length } = words;
  const value = uniformValue(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), words);
  return value === undefined ? { length, words, value: 0 } : { length, words: undefined, value };
}
