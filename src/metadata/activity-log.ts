/*
 * One block of the activity log, 4096 bytes (metadata.md 6.1), and its place in the ring (6.2).
 * An extent is 4 MiB of storage; a slot of the log holds one extent number or FREE.
 */
import { rawCrc32c } from './crc32c';
import { decodeFields, viewOf, type RecordOf } from './field-table';
import { type ActivityLogGeometry } from './layout';

export const AL_BLOCK_BYTES = 4096;
export const AL_MAGIC = 0x69cb65a2;
export const AL_UPDATES_PER_TRANSACTION = 64;
export const AL_CONTEXT_PER_TRANSACTION = 919;
/** A slot without an extent. */
export const AL_FREE = 0xffffffff;
/** An unused entry of update_slot_nr. */
export const AL_NO_SLOT = 0xffff;
/** Slots that a log can have at most (al-extents). */
export const AL_MAX_SLOTS = 65534;
const TYPE_UPDATE = 0;
const TYPE_INITIALIZED = 0xffff;

export const AL_BLOCK = {
  magic: { offset: 0, type: 'u32' },
  trNumber: { offset: 4, type: 'u32' },
  crc: { offset: 8, type: 'u32' },
  transactionType: { offset: 12, type: 'u16' },
  nUpdates: { offset: 14, type: 'u16' },
  contextSize: { offset: 16, type: 'u16' },
  contextStart: { offset: 18, type: 'u16' },
  reserved: { offset: 20, type: 'u32', count: 4, reserved: true },
  updateSlots: { offset: 36, type: 'u16', count: AL_UPDATES_PER_TRANSACTION },
  updateExtents: { offset: 164, type: 'u32', count: AL_UPDATES_PER_TRANSACTION },
  context: { offset: 420, type: 'u32', count: AL_CONTEXT_PER_TRANSACTION },
} as const;

export type AlBlock = RecordOf<typeof AL_BLOCK>;

export interface AlUpdate {
  readonly slot: number;
  /** Extent number, or AL_FREE. */
  readonly extent: number;
}

export interface AlTransaction {
  /** Counts up from 0 since the minor was created, wraps at 2^32. */
  readonly number: number;
  /** Slots of the log: al-extents. */
  readonly contextSize: number;
  /** At most 64. */
  readonly updates: readonly AlUpdate[];
  /** First slot of the window of unchanged content that this transaction repeats. */
  readonly contextStart: number;
  /** All slots as they were *before* the updates (metadata.md 6.2); missing ones are FREE. */
  readonly slots: ArrayLike<number>;
}

/** Writes a transaction into `block` (4096 bytes, every byte is set). Hand-made next to AL_BLOCK: it is hot. */
export function encodeAlTransaction(transaction: AlTransaction, block: Uint8Array): void {
  const view = viewOf(block);
  const { updates, contextStart, contextSize, slots } = transaction;
  if (updates.length > AL_UPDATES_PER_TRANSACTION)
    throw new RangeError(`${updates.length} updates do not fit into one activity log transaction`);
  block.fill(0, 0, 36);
  view.setUint32(AL_BLOCK.magic.offset, AL_MAGIC);
  view.setUint32(AL_BLOCK.trNumber.offset, transaction.number);
  view.setUint16(AL_BLOCK.transactionType.offset, TYPE_UPDATE);
  view.setUint16(AL_BLOCK.nUpdates.offset, updates.length);
  view.setUint16(AL_BLOCK.contextSize.offset, contextSize);
  view.setUint16(AL_BLOCK.contextStart.offset, contextStart);
  block.fill(0xff, 36);
  for (let i = 0; i < updates.length; i++) {
    const update = updates[i];
    if (update === undefined) continue;
    view.setUint16(AL_BLOCK.updateSlots.offset + 2 * i, update.slot);
    view.setUint32(AL_BLOCK.updateExtents.offset + 4 * i, update.extent);
  }
  const end = Math.min(AL_CONTEXT_PER_TRANSACTION, contextSize - contextStart);
  for (let i = 0; i < end; i++)
    view.setUint32(AL_BLOCK.context.offset + 4 * i, slots[contextStart + i] ?? AL_FREE);
  view.setUint32(AL_BLOCK.crc.offset, rawCrc32c(block));
}

/** The start of the context window that follows `contextStart`. */
export function nextContextStart(contextStart: number, contextSize: number): number {
  const next = contextStart + AL_CONTEXT_PER_TRANSACTION;
  return next >= contextSize ? 0 : next;
}

/** A constant block that stands for "nothing was ever logged here"; create-md and apply-al fill the ring with it. */
export function initializedAlBlock(): Uint8Array {
  const block = new Uint8Array(AL_BLOCK_BYTES);
  const view = viewOf(block);
  view.setUint32(AL_BLOCK.magic.offset, AL_MAGIC);
  view.setUint16(AL_BLOCK.transactionType.offset, TYPE_INITIALIZED);
  view.setUint32(AL_BLOCK.crc.offset, rawCrc32c(block));
  return block;
}

let initializedBlock: Uint8Array | undefined;

/** A whole ring of initialized blocks. */
export function initializedActivityLog(geometry: ActivityLogGeometry): Uint8Array {
  const blocks = alBlocks(geometry);
  const ring = new Uint8Array(blocks * AL_BLOCK_BYTES);
  const block = (initializedBlock ??= initializedAlBlock());
  for (let i = 0; i < blocks; i++) ring.set(block, i * AL_BLOCK_BYTES);
  return ring;
}

export type AlBlockKind = 'invalid' | 'initialized' | 'update' | 'unknown';

/** Magic and checksum decide; 'unknown' is a valid block of a type that nobody writes. */
export function classifyAlBlock(block: Uint8Array): AlBlockKind {
  const view = viewOf(block);
  if (view.getUint32(AL_BLOCK.magic.offset) !== AL_MAGIC) return 'invalid';
  const field = AL_BLOCK.crc.offset;
  let crc = rawCrc32c(block, 0, 0, field);
  crc = rawCrc32c(NO_CRC, crc);
  crc = rawCrc32c(block, crc, field + 4, AL_BLOCK_BYTES);
  if (crc !== view.getUint32(field)) return 'invalid';
  switch (view.getUint16(AL_BLOCK.transactionType.offset)) {
    case TYPE_UPDATE:
      return 'update';
    case TYPE_INITIALIZED:
      return 'initialized';
    default:
      return 'unknown';
  }
}
const NO_CRC = new Uint8Array(4);

/** Decodes the fields of a block without judging them. */
export function decodeAlBlock(block: Uint8Array): AlBlock {
  return decodeFields(AL_BLOCK, block);
}

/** Blocks in the ring. */
export function alBlocks(geometry: ActivityLogGeometry): number {
  return geometry.alStripes * geometry.alStripeSize4k;
}

/** On-disk block (0..alBlocks-1, counted from alByte) of ring position `ring`. */
export function alDiskBlock(ring: number, geometry: ActivityLogGeometry): number {
  return (ring % geometry.alStripes) * geometry.alStripeSize4k + Math.floor(ring / geometry.alStripes);
}

/** On-disk block where transaction number `trNumber` goes. */
export function alBlockOfTransaction(trNumber: number, geometry: ActivityLogGeometry): number {
  return alDiskBlock(trNumber % alBlocks(geometry), geometry);
}

/** Largest al-extents that a ring of this size can hold (metadata.md 6.2). */
export function alMaxExtents(geometry: ActivityLogGeometry): number {
  return Math.min(AL_MAX_SLOTS, (alBlocks(geometry) - 1) * AL_CONTEXT_PER_TRANSACTION);
}
