/** Which slots of the bitmap can stand in for that of a node which is at another one's generation (engine.md 4.8, 5.7). */
import { type Device } from '../objects';
import { sameUuid } from '../state/data-trust';
import { superblockOf } from './generation';

/**
 * Indexes of the slots that count from where that of node `from` does, its own first, but not the one of node `to`. Nodes of one
 * generation need not hold the same: the last writes of it had reached one of them and not the other, and which of both
 * `to` took its data from is not known.
 */
export function slotsOfGeneration(device: Device, from: number, to: number): readonly number[] {
  const { peers } = superblockOf(device);
  const { bitmapIndex, bitmapUuid } = peers[from] ?? { bitmapIndex: -1, bitmapUuid: 0n };
  if (bitmapIndex < 0) return [];
  const others = peers.filter(
    (other, node) =>
      node !== from &&
      node !== to &&
      other.bitmapIndex >= 0 &&
      other.bitmapUuid !== 0n &&
      sameUuid(other.bitmapUuid, bitmapUuid),
  );
  return [bitmapIndex, ...others.map((other) => other.bitmapIndex)];
}
