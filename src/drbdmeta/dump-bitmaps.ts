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
  const scratch = new Uint32Array(maxPeers === 1 ? 0 : Math.ceil(buffer.length / 4 / maxPeers));
  for (let at = 0; at < areaBytes; at += bufferBytes) {
    const bytes = buffer.subarray(0, Math.min(bufferBytes, areaBytes - at));
    md.device.read('meta_dump_md', bytes, md.layout.bitmapByte + at);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const uniform = uniformValue(bytes, words);
    for (let slot = 0; slot < maxPeers; slot++) {
      const length = Math.ceil((words.length - slot) / maxPeers);
      if (length <= 0) continue;
      if (uniform !== undefined) take(slot, { length, words: undefined, value: uniform });
      else
        take(
          slot,
          maxPeers === 1 ? { length, words, value: 0 } : extract(words, slot, maxPeers, scratch, length),
        );
    }
  }
}

/** The value that every word has, if there is one. Compares the buffer with itself, moved by eight bytes. */
function uniformValue(bytes: Uint8Array, words: Uint32Array): number | undefined {
  if (words.length < 2 || words[0] !== words[1]) return undefined;
  const same = Buffer.compare(bytes.subarray(0, bytes.length - 8), bytes.subarray(8)) === 0;
  return same ? words[0] : undefined;
}

function extract(
  words: Uint32Array,
  slot: number,
  maxPeers: number,
  scratch: Uint32Array,
  length: number,
): SlotSegment {
  const first = words[slot] ?? 0;
  let difference = 0;
  for (let k = 0, at = slot; k < length; k++, at += maxPeers) {
    const word = words[at] ?? 0;
    scratch[k] = word;
    difference |= word ^ first;
  }
  if (difference === 0) return { length, words: undefined, value: first };
  return { length, words: scratch.subarray(0, length), value: 0 };
}
