/*
 * The rules of a valid superblock, in the order in which drbdmeta checks them (metadata.md 2.5).
 */
import {
  alSectors,
  INDEX_FLEX_EXTERNAL,
  INDEX_INTERNAL,
  INDEX_V07_INTERNAL,
  MAX_DEVICE_BYTES,
  relativeLayout,
} from './layout';
import { isMagicOf, type Format, type MetaRecord } from './meta-record';
import { DEFAULT_BYTES_PER_BIT, MAX_BYTES_PER_BIT, MAX_PEERS } from './superblock-flags';

export interface SuperblockDefect {
  readonly rule: 'magic' | 'other';
  readonly message: string;
}

export function isLegalBytesPerBit(value: number): boolean {
  return value >= DEFAULT_BYTES_PER_BIT && value <= MAX_BYTES_PER_BIT && Number.isInteger(Math.log2(value));
}

/** The first rule that the superblock breaks on a device of this size and index, or undefined if it is valid. */
export function findDefect(
  format: Format,
  record: Readonly<MetaRecord>,
  index: number,
  deviceBytes: number,
): SuperblockDefect | undefined {
  if (!isMagicOf(format, record.magic)) return { rule: 'magic', message: `${format} Magic number not found` };
  const message = rangeDefect(format, record) ?? layoutDefect(format, record, index, deviceBytes);
  return message === undefined ? undefined : { rule: 'other', message };
}

function rangeDefect(format: Format, record: Readonly<MetaRecord>): string | undefined {
  if (record.bmMaxPeers < 1) return `${format} max-peers value ${record.bmMaxPeers} out of bounds`;
  if (record.nodeId < -1 || record.nodeId > MAX_PEERS)
    return `${format} device node-id value ${record.nodeId} out of bounds`;
  // Only the first max-peers entries of the table are looked at, although it is indexed by node id.
  const bad = record.peers
    .slice(0, record.bmMaxPeers)
    .findIndex((peer) => peer.bitmapIndex < -1 || peer.bitmapIndex > MAX_PEERS);
  return bad < 0
    ? undefined
    : `${format} peer device ${bad} node-id value ${record.peers[bad]?.bitmapIndex} out of bounds`;
}

function layoutDefect(
  format: Format,
  record: Readonly<MetaRecord>,
  index: number,
  deviceBytes: number,
): string | undefined {
  if (format === 'v06') return undefined;
  if (!hasSaneGeometry(record)) return `${format} activity log or bitmap geometry out of bounds`;
  const expected = relativeLayout({
    deviceBytes,
    index,
    maxPeers: record.bmMaxPeers,
    bytesPerBit: record.bmBytesPerBit,
    alStripes: record.alStripes,
    alStripeSize4k: record.alStripeSize4k,
  });
  if (index !== INDEX_INTERNAL) {
    if (record.alOffset !== 8)
      return `${format} Magic number (al_offset) not found\n\texpected: 8, found ${record.alOffset}`;
    const bmOffset = 8 + alSectors(record);
    if (record.bmOffset !== bmOffset)
      return `${format} bm_offset: expected ${bmOffset}, found ${record.bmOffset}`;
    return undefined;
  }
  if (record.alOffset !== expected.alOffset)
    return `${format} al_offset: expected ${expected.alOffset}, found ${record.alOffset}`;
  if (record.bmOffset !== expected.bmOffset)
    return `strange bm_offset ${record.bmOffset} (expected: ${expected.bmOffset})`;
  if (record.mdSizeSect !== expected.mdSizeSect && format !== 'v07')
    return `strange md_size_sect ${record.mdSizeSect} (expected: ${expected.mdSizeSect})`;
  return undefined;
}

/** Bounds that keep a corrupt superblock from making anybody allocate or loop without limit. */
function hasSaneGeometry(record: Readonly<MetaRecord>): boolean {
  const blocks = record.alStripes * record.alStripeSize4k;
  return isLegalBytesPerBit(record.bmBytesPerBit) && blocks >= 1 && blocks <= MAX_AL_BLOCKS;
}
/** 32 MiB, the most that any tool creates. */
const MAX_AL_BLOCKS = 8192;

export function isInternalIndex(index: number): boolean {
  return index === INDEX_INTERNAL || index === INDEX_V07_INTERNAL;
}

export function isExternalIndex(index: number): boolean {
  return index === INDEX_FLEX_EXTERNAL || index >= 0;
}

export function isTooLargeDevice(deviceBytes: number): boolean {
  return deviceBytes > MAX_DEVICE_BYTES;
}
