/**
 * Fields of two-phase commit packets whose meaning depends on the transaction (wire-protocol 13.1, 13.2).
 * The node ids and nodesToReach of a request are the same in both forms; decodePacket() hides whether
 * FEATURE.TWOPC_V2 was agreed, except that without it `flags` reads as 0.
 */
import { type TwopcReplyPacket, type TwopcVerdictPacket } from './packets';

export const TWOPC_FLAG = {
  /** Every sender with FEATURE.TWOPC_V2 sets it. */
  HAS_FLAGS: 0x80000000,
  /** reachableNodes of a COMMIT is a node mask. */
  HAS_REACHABLE: 0x40000000,
  /** There is a Primary, but none has access to UpToDate data. */
  PRI_INCAPABLE: 0x20000000,
} as const;

/** targetNodeId of a transaction that concerns everybody. */
export const NO_TARGET = -1;

/** "All nodes but these": nodesToReach of a request, weakNodes of a reply. */
export function allNodesBut(mask: bigint): bigint {
  return BigInt.asUintN(64, ~mask);
}

/** COMMIT of a state change: who is reachable, or null if the sender does not say. */
export function commitReachableNodes(packet: TwopcVerdictPacket): bigint | null {
  return packet.flags & TWOPC_FLAG.HAS_REACHABLE ? packet.reachableNodes : null;
}

/** COMMIT without HAS_REACHABLE: mask and value of the state change as state words. */
export function commitStateChange(packet: TwopcVerdictPacket): { mask: number; value: number } {
  return {
    mask: Number(packet.reachableNodes >> 32n),
    value: Number(packet.reachableNodes & 0xffffffffn),
  };
}

/** The `reachableNodes` word that carries mask and value (peers without FEATURE.TWOPC_V2). */
export function stateChangeWord(mask: number, value: number): bigint {
  return (BigInt(mask >>> 0) << 32n) | BigInt(value >>> 0);
}

/**
 * COMMIT of a resize: diskful Primaries and the new size in sectors (goes as `reachableNodes`), or null
 * if no device can be that large.
 */
export function commitResize(
  packet: TwopcVerdictPacket,
): { diskfulPrimaryNodes: bigint; exposedSize: number } | null {
  const exposedSize = sectors(packet.reachableNodes);
  return exposedSize === null ? null : { diskfulPrimaryNodes: packet.primaryNodes, exposedSize };
}

/** YES to a resize: diskful Primaries and the largest size possible in the subtree, in sectors. */
export function replyResize(
  packet: TwopcReplyPacket,
): { diskfulPrimaryNodes: bigint; maxPossibleSize: number } | null {
  const maxPossibleSize = sectors(packet.weakNodes);
  return maxPossibleSize === null ? null : { diskfulPrimaryNodes: packet.primaryNodes, maxPossibleSize };
}

function sectors(word: bigint): number | null {
  return word > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(word);
}
