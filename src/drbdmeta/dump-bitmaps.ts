/*
 * All bitmap slots as text. The slots are interleaved on disk: one pass reads them all, the first is printed at once,
 * the others wait, in memory as long as they are few, else in a temporary file.
 */
import { BitmapSlotPrinter, wordsOfSlot } from '../metadata/dump-bitmap';
import { OUTPUT_BYTES, type DumpWriter } from '../metadata/dump-writer';
import { type MetaData } from './open-meta-data';
import { SegmentStore } from './segment-store';
import { SlotReader } from './slot-reader';
import { type Tool } from './tool';

/** Writes every slot; returns the bits set in the last one. */
export async function dumpBitmaps(
  tool: Tool,
  md: MetaData,
  writer: DumpWriter,
  areaBytes: number,
): Promise<number> {
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
  const reader = new SlotReader(md, areaBytes, OUTPUT_BYTES);
  reader.onKernel = (kernel, memory) => writer.accelerate(kernel, memory.take(OUTPUT_BYTES));
  const store = new SegmentStore(reader.memory);
  try {
    let current = printer(0);
    await reader.run((slot, segment) => {
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
