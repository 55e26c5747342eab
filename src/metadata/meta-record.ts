/*
 * One record for the superblocks of all formats: the v09 fields plus the counters of v06 and v07. A v08 peer is
 * peers[0]; its two history UUIDs are historyUuids[0] and [1].
 */
import { decodeFields, encodeFields, readScalar, viewOf } from './field-table';
import { COUNTER_FILE_06, COUNTER_FILE_06_BYTES, SUPERBLOCK_07, SUPERBLOCK_08 } from './superblock-08';
import {
  decodeSuperblock09,
  encodeSuperblock09,
  freshSuperblock09,
  type Superblock09,
} from './superblock-09';
import {
  DEFAULT_BYTES_PER_BIT,
  MAGIC_06,
  MAGIC_07,
  MAGIC_08,
  MAGIC_08_UNCLEAN,
  MAGIC_09,
  MAX_PEERS,
  SUPERBLOCK_BYTES,
} from './superblock-flags';

export type Format = 'v06' | 'v07' | 'v08' | 'v09';

export interface MetaRecord extends Superblock09 {
  /** v06, v07: Flags, HumanCnt, TimeoutCnt, ConnectedCnt, ArbitraryCnt */
  counters: number[];
  /** The stored size before it was limited to what can be used; exact where effectiveSize is not. */
  storedSize: bigint;
}

/** Decodes a superblock of the given format (4096 bytes; v06: 24). Nothing is validated. */
export function decodeRecord(format: Format, bytes: Uint8Array): MetaRecord {
  if (format === 'v09') return decodeRecord09(bytes);
  const record: MetaRecord = { ...freshSuperblock09(1), counters: [0, 0, 0, 0, 0], storedSize: 0n, flags: 0 };
  switch (format) {
    case 'v06': {
      const { counters, magic } = decodeFields(COUNTER_FILE_06, bytes);
      return { ...record, counters, magic, currentUuid: 0n };
    }
    case 'v07': {
      const block = decodeFields(SUPERBLOCK_07, bytes);
      const { counters, magic, alOffset, alNrExtents, bmOffset } = block;
      return {
        ...record,
        counters,
        magic,
        alOffset,
        alNrExtents,
        bmOffset,
        currentUuid: 0n,
        effectiveSize: block.effectiveSizeKib * 2,
        storedSize: stored(bytes) * 2n,
        mdSizeSect: block.mdSizeKib * 2,
      };
    }
    case 'v08': {
      const { uuids, ...block } = decodeFields(SUPERBLOCK_08, bytes);
      const [current = 0n, bitmap = 0n, younger = 0n, older = 0n] = uuids;
      const merged: MetaRecord = { ...record, ...block, currentUuid: current, storedSize: stored(bytes) };
      merged.peers = merged.peers.map((peer, i) => (i === 0 ? { ...peer, bitmapUuid: bitmap } : peer));
      merged.historyUuids = [younger, older, ...merged.historyUuids.slice(2)];
      // Written so by 8.3.
      if (merged.alStripes === 0 && merged.alStripeSize4k === 0)
        return { ...merged, alStripes: 1, alStripeSize4k: 8 };
      return merged;
    }
  }
}

function decodeRecord09(bytes: Uint8Array): MetaRecord {
  const block = decodeSuperblock09(bytes);
  const bmMaxPeers = Math.min(block.bmMaxPeers, MAX_PEERS);
  return { ...block, counters: [0, 0, 0, 0, 0], bmMaxPeers, storedSize: stored(bytes) };
}

function stored(bytes: Uint8Array): bigint {
  return BigInt(readScalar(viewOf(bytes), 'u64', 0));
}

/** Encodes as the given format; what the format has no place for is dropped. */
export function encodeRecord(format: Format, record: Readonly<MetaRecord>): Uint8Array {
  switch (format) {
    case 'v06':
      return encodeFields(COUNTER_FILE_06, record, COUNTER_FILE_06_BYTES);
    case 'v07': {
      const effectiveSizeKib = Math.floor(record.effectiveSize / 2);
      const block = { ...record, effectiveSizeKib, mdSizeKib: Math.floor(record.mdSizeSect / 2) };
      return encodeFields(SUPERBLOCK_07, block, SUPERBLOCK_BYTES);
    }
    case 'v08': {
      const uuids = [
        record.currentUuid,
        record.peers[0]?.bitmapUuid ?? 0n,
        record.historyUuids[0] ?? 0n,
        record.historyUuids[1] ?? 0n,
      ];
      return encodeFields(SUPERBLOCK_08, { ...record, uuids }, SUPERBLOCK_BYTES);
    }
    case 'v09':
      return encodeSuperblock09(record);
  }
}

/** What create-md starts from; layout fields are still 0. */
export function freshRecord(format: Format, maxPeers: number): MetaRecord {
  const record = freshSuperblock09(maxPeers);
  const counters = format === 'v06' || format === 'v07' ? [0, 1, 1, 1, 1] : [0, 0, 0, 0, 0];
  return {
    ...record,
    counters,
    storedSize: 0n,
    magic: magicOf(format),
    bmBytesPerBit: DEFAULT_BYTES_PER_BIT,
  };
}

export function magicOf(format: Format): number {
  switch (format) {
    case 'v06':
      return MAGIC_06;
    case 'v07':
      return MAGIC_07;
    case 'v08':
      return MAGIC_08;
    case 'v09':
      return MAGIC_09;
  }
}

export function isMagicOf(format: Format, magic: number): boolean {
  return magic === magicOf(format) || (format === 'v08' && magic === MAGIC_08_UNCLEAN);
}

/** v06 and v07 have counters instead of UUIDs. */
export function hasCounters(format: Format): boolean {
  return format === 'v06' || format === 'v07';
}
