/*
 * Other activity logs that apply-al must read (metadata.md 6.3): the 512-byte sectors of 8.3 and older, and the slot
 * array that kernels keep on persistent memory. Nobody writes them here.
 */
import { activeSet } from './activity-log-replay';
import { AL_FREE } from './activity-log';
import { viewOf } from './field-table';

export const AL_MAGIC_83 = 0x83740267;
export const AL_MAGIC_PMEM = 0x6aa667a6;
const SECTORS_83 = 64;
const ENTRIES_83 = 62;
const SLOTS_83 = 65534;

/**
 * Active extents of an 8.3 log (64 sectors of 512 bytes), ascending; undefined if no sector is valid. The transaction
 * with the highest number wins each slot; numbers are compared by the sign of their difference.
 */
export function replayLegacyActivityLog(bytes: Uint8Array, alNrExtents: number): Uint32Array | undefined {
  const ring = Math.min(SECTORS_83, 1 + Math.ceil(alNrExtents / 61));
  const sectors = Array.from({ length: ring }, (_, i) => viewOf(bytes.subarray(i * 512, (i + 1) * 512)));
  const valid = sectors.map(isValid83);
  let oldest: number | undefined;
  let newest: number | undefined;
  sectors.forEach((sector, i) => {
    if (!valid[i]) return;
    const number = sector.getUint32(4);
    if (oldest === undefined || ((number - (sectors[oldest]?.getUint32(4) ?? 0)) | 0) < 0) oldest = i;
    if (newest === undefined || ((number - (sectors[newest]?.getUint32(4) ?? 0)) | 0) > 0) newest = i;
  });
  if (oldest === undefined || newest === undefined) return undefined;
  const hot = new Uint32Array(SLOTS_83).fill(AL_FREE);
  const steps = ((newest - oldest + ring) % ring) + 1;
  for (let step = 0; step < steps; step++) {
    const i = (oldest + step) % ring;
    const sector = sectors[i];
    if (sector === undefined || !valid[i]) continue;
    for (let entry = ENTRIES_83 - 1; entry >= 0; entry--) {
      const slot = sector.getUint32(8 + 8 * entry);
      if (slot < SLOTS_83) hot[slot] = sector.getUint32(12 + 8 * entry);
    }
  }
  return activeSet(hot);
}

function isValid83(sector: DataView): boolean {
  if (sector.byteLength < 512 || sector.getUint32(0) !== AL_MAGIC_83) return false;
  let xor = 0;
  for (let entry = 0; entry < ENTRIES_83; entry++) xor ^= sector.getUint32(12 + 8 * entry);
  return xor >>> 0 === sector.getUint32(504);
}

/** Active extents of a persistent-memory log: slot i is word i + 1. */
export function replayPmemActivityLog(bytes: Uint8Array, alNrExtents: number): Uint32Array {
  const view = viewOf(bytes);
  const count = Math.min(alNrExtents, bytes.length / 4 - 1);
  const slots = new Uint32Array(Math.max(count, 0));
  for (let i = 0; i < slots.length; i++) slots[i] = view.getUint32(4 + 4 * i);
  return activeSet(slots);
}
