import { type NodeMask } from '../node-mask';

/** A peer's generation identifiers as last received (engine.md 1.4, wire-protocol.md p_uuids110). */
export interface PeerUuids {
  currentUuid: bigint;
  /** By node id, 32 entries. */
  readonly bitmapUuids: bigint[];
  /** Newest first, 32 entries. */
  readonly historyUuids: bigint[];
  /** Number of bits of 4 KiB. */
  dirtyBits: number;
  flags: bigint;
  nodeMask: NodeMask;
}
