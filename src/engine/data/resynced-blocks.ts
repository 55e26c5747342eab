/**
 * A write that a peer was not sent is marked for it when it retires, behind all older ones (engine.md 10.4): a mark made
 * before could be wiped by an older write of the same blocks. A resync may have brought it to the peer by then; what it
 * brought is not marked once more.
 */
import { type Device } from '../objects';
import { type BitRange, type DeviceBitmap } from './device-bitmap';
import { type SectorRange } from './resync-run';
import { type WriteRequest } from './write-request';

/** Bits of a slot. */
export interface ResyncedBlocks extends BitRange {
  readonly slot: number;
}

/**
 * The peer of the slot says that it has written these blocks. What was read for it was locked against writes until now:
 * each write in the log that touches them is older than the data, and in them.
 */
export function noteResynced(device: Device, slot: number, range: SectorRange): void {
  const { backing, resource } = device;
  if (backing === undefined) return;
  const { from, end } = backing.bitmap.coveredBits(range.sector, range.sectors);
  for (let request = resource.io.logHead; request; request = request.next) {
    if (request.device !== device || request.backing !== backing || !request.completed) continue;
    if (request.sector >= range.sector + range.sectors || range.sector >= request.sector + request.sectors)
      continue;
    (request.resynced ??= []).push({ slot, from, end });
  }
}

/** Marks the blocks of a write that the peer of the slot lacks. */
export function markLacking(bitmap: DeviceBitmap, slot: number, request: WriteRequest): void {
  const { resynced, sector, sectors } = request;
  if (resynced === undefined) {
    bitmap.setRange(slot, sector, sectors);
    return;
  }
  const { from, end } = bitmap.touchedBits(sector, sectors);
  for (let bit = from; bit < end; bit++)
    if (!resynced.some((blocks) => blocks.slot === slot && blocks.from <= bit && bit < blocks.end))
      bitmap.setBits(slot, bit, bit + 1);
}
