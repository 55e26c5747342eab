/*
 * Node-id slots without a peer that carry the "day 0" bitmap UUID (metadata.md 3).
 */
import { type MetaRecord } from '../metadata/meta-record';

/** Node ids of the day-0 slots, ascending. */
export function daySlots(record: Readonly<MetaRecord>): readonly number[] {
  const { peers, nodeId } = record;
  const slots: number[] = [];
  for (let node = 0; node < peers.length; node++) {
    const peer = peers[node];
    if (node !== nodeId && peer?.bitmapIndex === -1 && peer.flags === 0) slots.push(node);
  }
  return slots;
}

/** The highest one, whose value counts. */
export function daySlot(record: Readonly<MetaRecord>): number | undefined {
  return daySlots(record).at(-1);
}
