/*
 * Magic numbers, flag bits and limits of the superblock (metadata.md 2).
 */

export const SUPERBLOCK_BYTES = 4096;
/** Node-id slots of a v09 superblock. */
export const NODE_SLOTS = 32;
/** Largest number of bitmap slots (max-peers). */
export const MAX_PEERS = 31;
export const DEFAULT_AL_EXTENTS = 257;
export const DEFAULT_BYTES_PER_BIT = 4096;
export const MAX_BYTES_PER_BIT = 1 << 20;
/** current_uuid of meta data that never saw a data generation (metadata.md 3). */
export const UUID_JUST_CREATED = 4n;

export const MAGIC_06 = 0x83740269;
export const MAGIC_07 = 0x8374026a;
export const MAGIC_08 = 0x8374026b;
export const MAGIC_08_UNCLEAN = 0x8374026c;
export const MAGIC_09 = 0x8374026d;

/** Device flags (superblock offset 56). */
export const DeviceFlag = {
  CONSISTENT: 0x001,
  PRIMARY_IND: 0x002,
  /** v07 and v08 only. */
  CONNECTED_IND: 0x004,
  /** v07 and v08 only. */
  FULL_SYNC: 0x008,
  WAS_UP_TO_DATE: 0x010,
  /** v08 only: the peer is outdated or inconsistent. */
  PEER_OUT_DATED: 0x020,
  CRASHED_PRIMARY: 0x040,
  AL_CLEAN: 0x080,
  AL_DISABLED: 0x100,
  PRIMARY_LOST_QUORUM: 0x200,
  HAVE_QUORUM: 0x400,
} as const;

/** Flags of a v09 node-id slot. HAVE_BITMAP exists in memory only and is never written. */
export const PeerFlag = {
  CONNECTED: 0x1,
  OUTDATED: 0x2,
  FENCING: 0x4,
  FULL_SYNC: 0x8,
  DEVICE_SEEN: 0x10,
  NODE_EXISTS: 0x10000,
  HAVE_BITMAP: 0x80000000,
} as const;
