import { unallocatedNode, UUID_NOT_IN_SYNC, uuidLists } from '../../wire/uuids110';
import { MAX_NODES, NO_NODES, nodeBit, type NodeMask } from '../node-mask';

/** A peer's generation identifiers as last received (engine.md 1.4, wire-protocol.md p_uuids110). */
export interface PeerUuids {
  currentUuid: bigint;
  /** By node id, 32 entries; -1 (64 bits) = the peer said nothing of this node, or is not in sync with it. */
  readonly bitmapUuids: bigint[];
  /** Newest first, 32 entries. */
  readonly historyUuids: bigint[];
  /** Number of bits of 4 KiB. */
  dirtyBits: number;
  flags: bigint;
  nodeMask: NodeMask;
  /** Nodes that the peer knows of: those it told a bitmap UUID for. */
  readonly knownNodes: NodeMask;
}

interface UuidsPacket {
  readonly current: bigint;
  readonly dirtyBits: number;
  readonly flags: bigint;
  readonly nodeMask: bigint;
  readonly bitmapUuidsMask: bigint;
  readonly otherUuids: readonly bigint[];
}

/** The contents of a P_UUIDS110. */
export function uuidsOfPacket(packet: UuidsPacket): PeerUuids {
  const { bitmap, history } = uuidLists(packet);
  const node = unallocatedNode(packet.flags);
  const unallocated = node === null ? NO_NODES : nodeBit(node);
  const nodes = Array.from({ length: MAX_NODES }, (_, node) => node);
  return {
    currentUuid: packet.current,
    bitmapUuids: nodes.map((node) => bitmap.get(node) ?? UUID_NOT_IN_SYNC),
    historyUuids: nodes.map((index) => history[index] ?? 0n),
    dirtyBits: packet.dirtyBits,
    flags: packet.flags,
    nodeMask: packet.nodeMask,
    knownNodes: packet.bitmapUuidsMask & ~unallocated,
  };
}

/** What is known of a peer that has only told its current (or exposed) UUID. */
export function uuidsOfCurrent(current: bigint, nodeMask: NodeMask): PeerUuids {
  return {
    currentUuid: current,
    bitmapUuids: new Array<bigint>(MAX_NODES).fill(UUID_NOT_IN_SYNC),
    historyUuids: new Array<bigint>(MAX_NODES).fill(0n),
    dirtyBits: 0,
    flags: 0n,
    nodeMask,
    knownNodes: NO_NODES,
  };
}
