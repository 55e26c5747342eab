/*
 * All bitmap slots as text. The slots are interleaved on disk: one pass reads them all, the first is printed at once,
 * the others wait, in memory as long as they are few, else in a temporary file.
 */
import { BitmapSlotPrinter, wordsOfSlot, wordsPerBuffer, type SlotSegment } from '../metadata/dump-bitmap';
import { type DumpWriter } from '../metadata/dump-writer';
import { transferBuffer } from './block-store';
import { type MetaData } from './open-meta-data';
import { SegmentStore } from './segment-store';
import { type Tool } from './tool';

/** Writes every slot; returns the bits set in the last one. */
export function dumpBitmaps(tool: Tool, md: MetaData, writer: DumpWriter, areaBytes: number): number {
  const { bmMaxPeers: maxPeers } = md.record;
  const name = (slot: number) => (tool.format === 'v09' ? `bitmap[${slot}] ` : 'bm ');
  const printer = (slot: number): BitmapSlotPrinter => {
    writer.text(name(slot));
    return new BitmapSlotPrinter(
      writer,
      wordsOfSlot(areaBytes, slot, maxPeers),
      maxPeers,
      slot === maxPeers - 1,
    );
  };
  const store = new SegmentStore();
  try {
    let current = printer(0);
    readSlots(md, areaBytes, (slot, segment) => {
      if (slot === 0) current.segment(segment);
      else store.add(slot, segment);
    });
    current.end();
    for (let slot = 1; slot < maxPeers; slot++) {
      current = printer(slot);
      store.replay(slot, (segment) => current.segment(segment));
      current.end();
    }
    return current.bitsSet;
  } finally {
    store.close();
  }
}

/**
 * Reads the area buffer by buffer and hands out the segments of all slots; their words are only valid during the call.
 */
export function readSlots(
  md: MetaData,
  areaBytes: number,
  take: (slot: number, segment: SlotSegment) => void,
): void {
  const { bmMaxPeers: maxPeers } = md.record;
  const bufferBytes = wordsPerBuffer(maxPeers) * maxPeers * 4;
  if (areaBytes === 0) return;
  const buffer = transferBuffer(Math.min(bufferBytes, areaBytes));
  const scratch = Array.from(
    { length: maxPeers === 1 ? 0 : maxPeers },
    () => new Uint32Array(Math.ceil(buffer.length / 4 / maxPeers)),
  );
  for (let at = 0; at < areaBytes; at += bufferBytes) {
    const bytes = buffer.subarray(0, Math.min(bufferBytes, areaBytes - at));
    md.device.read('fprintf_bm', bytes, md.layout.bitmapByte + at);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const value = uniformValue(bytes, words);
    if (value === undefined && maxPeers > 1) separate(words, scratch);
    for (let slot = 0; slot < maxPeers; slot++) {
      const length = Math.ceil((words.length - slot) / maxPeers);
      if (length <= 0) continue;
      if (value !== undefined) take(slot, { length, words: undefined, value });
      else take(slot, segmentOf(maxPeers > 1 ? (scratch[slot] ?? words).subarray(0, length) : words));
    }
  }
}

/** The value that every word has, if there is one. Compares the buffer with itself, moved by eight bytes. */
function uniformValue(bytes: Uint8Array, words: Uint32Array): number | undefined {
  if (words.length < 2 || words[0] !== words[1]) return undefined;
  const same = Buffer.compare(bytes.subarray(0, bytes.length - 8), bytes.subarray(8)) === 0;
  return same ? words[0] : undefined;
}

/** Words of every slot that are copied in a turn: what is read for one slot is still in the cache for the others. */
const TURN = 1024;

function separate(words: Uint32Array, slots: readonly Uint32Array[]): void {
  const maxPeers = slots.length;
  const total = words.length;
  for (let start = 0; start * maxPeers < total; start += TURN) {
    for (let slot = 0; slot < maxPeers; slot++) {
      const out = slots[slot];
      if (out !== undefined) copyStrided(words, start * maxPeers + slot, maxPeers, out, start);
    }
  }
}

function copyStrided(
  words: Uint32Array,
  from: number,
  stride: number,
  out: Uint32Array,
  start: number,
): void {
  const end = Math.min(start + TURN, start + Math.ceil((words.length - from) / stride));
  for (let k = start, at = from; k < end; k++, at += stride) out[k] = words[at] ?? 0;
}

/** Recognises a slot that is uniform although its neighbours are not. */
function segmentOf(words: Uint32Array): SlotSegment {
  const { length } = words;
  const [first = 0] = words;
  let k = 1;
  while (k < length && words[k] === first) k++;
  return k >= length ? { length, words: undefined, value: first } : { length, words, value: 0 };
}
