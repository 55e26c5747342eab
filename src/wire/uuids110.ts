/** Generation UUIDs in P_UUIDS110 (wire-protocol 5 and 7.6): flags, and the two lists in one. */
import { type Uuids110Packet } from './packets';

/** uuid_flags; P_UUIDS has only the first four. */
export const UUID_FLAG = {
  DISCARD_MY_DATA: 0x1n,
  CRASHED_PRIMARY: 0x2n,
  INCONSISTENT: 0x4n,
  SKIP_INITIAL_SYNC: 0x8n,
  NEW_DATAGEN: 0x10n,
  STABLE: 0x20n,
  GOT_STABLE: 0x40n,
  RESYNC: 0x80n,
  RECONNECT: 0x100n,
  DISKLESS_PRIMARY: 0x200n,
  PRIMARY_LOST_QUORUM: 0x400n,
  SYNC_TARGET: 0x800n,
  HAS_UNALLOC: 0x1000n,
} as const;

/** A bitmap UUID that says: not in sync with that peer, although its bitmap UUID is 0. */
export const UUID_NOT_IN_SYNC = 0xffff_ffff_ffff_ffffn;
export const UUID_JUST_CREATED = 4n;
/** History UUIDs the kernel sends. */
export const HISTORY_UUIDS = 32;

const NODE_SHIFT = 56n;

/** The node id whose bitmap UUID is that of an unallocated (day-0) slot, or null. */
export function unallocatedNode(flags: bigint): number | null {
  return flags & UUID_FLAG.HAS_UNALLOC ? Number(flags >> NODE_SHIFT) : null;
}

/** `flags` with HAS_UNALLOC and the node id of the day-0 slot. */
export function withUnallocatedNode(flags: bigint, nodeId: number): bigint {
  return (flags & ((1n << NODE_SHIFT) - 1n)) | UUID_FLAG.HAS_UNALLOC | (BigInt(nodeId) << NODE_SHIFT);
}

export interface Uuid110Lists {
  /** By node id, ascending. */
  readonly bitmap: ReadonlyMap<number, bigint>;
  /** Newest first, as sent. */
  readonly history: readonly bigint[];
}

/** The lists of a received packet. */
export function uuidLists(packet: Pick<Uuids110Packet, 'bitmapUuidsMask' | 'otherUuids'>): Uuid110Lists {
  const bitmap = new Map<number, bigint>();
  let next = 0;
  for (let node = 0; node < 32; node++) {
    if (!((packet.bitmapUuidsMask >> BigInt(node)) & 1n)) continue;
    bitmap.set(node, packet.otherUuids[next++] ?? 0n);
  }
  return { bitmap, history: packet.otherUuids.slice(next) };
}

/** The fields that carry the lists; history is filled up with zeroes to the kernel's 32. */
export function packUuidLists(lists: Uuid110Lists): {
  bitmapUuidsMask: bigint;
  otherUuids: readonly bigint[];
} {
  const nodes = [...lists.bitmap.keys()].sort((a, b) => a - b);
  const history = [...lists.history];
  while (history.length < HISTORY_UUIDS) history.push(0n);
  return {
    bitmapUuidsMask: nodes.reduce((mask, node) => mask | (1n << BigInt(node)), 0n),
    otherUuids: [...nodes.map((node) => lists.bitmap.get(node) ?? 0n), ...history],
  };
}
