/*
 * Superblocks of DRBD 8.0 to 8.4 (v08), 0.7 (v07) and the counter file of 0.6 (v06): metadata.md 2.2, 2.3.
 */

export const SUPERBLOCK_08 = {
  effectiveSize: { offset: 0, type: 'size' },
  /** current, bitmap, younger history, older history */
  uuids: { offset: 8, type: 'u64', count: 4 },
  /** Not at 48 as in v09. */
  deviceUuid: { offset: 40, type: 'u64' },
  reservedU64: { offset: 48, type: 'u64', reserved: true },
  flags: { offset: 56, type: 'u32' },
  magic: { offset: 60, type: 'u32' },
  mdSizeSect: { offset: 64, type: 'u32' },
  alOffset: { offset: 68, type: 's32' },
  alNrExtents: { offset: 72, type: 'u32' },
  bmOffset: { offset: 76, type: 's32' },
  bmBytesPerBit: { offset: 80, type: 'u32' },
  laPeerMaxBioSize: { offset: 84, type: 'u32' },
  alStripes: { offset: 88, type: 'u32' },
  alStripeSize4k: { offset: 92, type: 'u32' },
  reservedU32: { offset: 96, type: 'u32', reserved: true },
} as const;

export const SUPERBLOCK_07 = {
  effectiveSizeKib: { offset: 0, type: 'size' },
  /** Flags, HumanCnt, TimeoutCnt, ConnectedCnt, ArbitraryCnt */
  counters: { offset: 8, type: 'u32', count: 5 },
  magic: { offset: 28, type: 'u32' },
  mdSizeKib: { offset: 32, type: 'u32' },
  alOffset: { offset: 36, type: 's32' },
  alNrExtents: { offset: 40, type: 'u32' },
  bmOffset: { offset: 44, type: 's32' },
} as const;

export const COUNTER_FILE_06 = {
  counters: { offset: 0, type: 'u32', count: 5 },
  magic: { offset: 20, type: 'u32' },
} as const;
export const COUNTER_FILE_06_BYTES = 24;
