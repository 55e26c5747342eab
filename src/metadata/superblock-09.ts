/*
 * The superblock of DRBD 9 (metadata.md 2.1). peers[] is indexed by node id, not by bitmap slot.
 */
import { decodeFields, encodeFields, type RecordOf, viewOf } from './field-table';
import {
  DEFAULT_AL_EXTENTS,
  DEFAULT_BYTES_PER_BIT,
  DeviceFlag,
  MAGIC_09,
  NODE_SLOTS,
  PeerFlag,
  SUPERBLOCK_BYTES,
  UUID_JUST_CREATED,
} from './superblock-flags';

export const PEER_SLOT_09 = {
  bitmapUuid: { offset: 0, type: 'u64' },
  bitmapDagtag: { offset: 8, type: 'u64' },
  flags: { offset: 16, type: 'u32' },
  /** -1: no bitmap slot. */
  bitmapIndex: { offset: 20, type: 's32' },
  reserved: { offset: 24, type: 'u32', count: 2, reserved: true },
} as const;

export const SUPERBLOCK_09 = {
  /** Last agreed size in sectors. */
  effectiveSize: { offset: 0, type: 'size' },
  currentUuid: { offset: 8, type: 'u64' },
  /** Bit n: node n was in the member set. */
  members: { offset: 16, type: 'u64' },
  reservedU64: { offset: 24, type: 'u64', count: 3, reserved: true },
  deviceUuid: { offset: 48, type: 'u64' },
  flags: { offset: 56, type: 'u32' },
  magic: { offset: 60, type: 'u32' },
  mdSizeSect: { offset: 64, type: 'u32' },
  /** Sectors relative to the superblock, as bmOffset. */
  alOffset: { offset: 68, type: 's32' },
  alNrExtents: { offset: 72, type: 'u32' },
  bmOffset: { offset: 76, type: 's32' },
  bmBytesPerBit: { offset: 80, type: 'u32' },
  laPeerMaxBioSize: { offset: 84, type: 'u32' },
  bmMaxPeers: { offset: 88, type: 'u32' },
  nodeId: { offset: 92, type: 's32' },
  alStripes: { offset: 96, type: 'u32' },
  alStripeSize4k: { offset: 100, type: 'u32' },
  reservedU32: { offset: 104, type: 'u32', count: 2, reserved: true },
  peers: { offset: 112, struct: PEER_SLOT_09, stride: 32, count: NODE_SLOTS },
  /** [0] is the youngest. */
  historyUuids: { offset: 1136, type: 'u64', count: 32 },
} as const;

export type PeerSlot09 = RecordOf<typeof PEER_SLOT_09>;
export type Superblock09 = RecordOf<typeof SUPERBLOCK_09>;

const { peers: PEERS, historyUuids: HISTORY, ...HEAD } = SUPERBLOCK_09;
const { bitmapUuid, bitmapDagtag, flags: peerFlags, bitmapIndex } = PEER_SLOT_09;

/** Most are zero, which is one value for all of them. */
function uuidAt(view: DataView, at: number): bigint {
  return view.getUint32(at) === 0 && view.getUint32(at + 4) === 0 ? 0n : view.getBigUint64(at);
}

/**
 * Decodes a v09 superblock from at least 4096 bytes. Nothing is validated, not even the magic: see
 * superblock-check.ts. Bringing up a disk does this five times, so what there are many of is done without the table.
 */
export function decodeSuperblock09(bytes: Uint8Array): Superblock09 {
  const view = viewOf(bytes);
  const peers: PeerSlot09[] = [];
  for (let i = 0, at: number = PEERS.offset; i < PEERS.count; i++, at += PEERS.stride)
    peers.push({
      bitmapUuid: uuidAt(view, at + bitmapUuid.offset),
      bitmapDagtag: uuidAt(view, at + bitmapDagtag.offset),
      flags: view.getUint32(at + peerFlags.offset),
      bitmapIndex: view.getInt32(at + bitmapIndex.offset),
    });
  const historyUuids: bigint[] = [];
  for (let i = 0, at: number = HISTORY.offset; i < HISTORY.count; i++, at += 8)
    historyUuids.push(uuidAt(view, at));
  return { ...decodeFields(HEAD, bytes), peers, historyUuids };
}

/** Encodes to 4096 bytes; everything reserved is zero and the in-memory peer flag HAVE_BITMAP is masked off. */
export function encodeSuperblock09(sb: Readonly<Superblock09>): Uint8Array {
  const bytes = encodeFields(HEAD, sb, SUPERBLOCK_BYTES);
  const view = viewOf(bytes);
  let at: number = PEERS.offset;
  for (const peer of sb.peers.slice(0, PEERS.count)) {
    if (peer.bitmapUuid !== 0n) view.setBigUint64(at + bitmapUuid.offset, peer.bitmapUuid);
    if (peer.bitmapDagtag !== 0n) view.setBigUint64(at + bitmapDagtag.offset, peer.bitmapDagtag);
    if (peer.flags !== 0) view.setUint32(at + peerFlags.offset, peer.flags & ~PeerFlag.HAVE_BITMAP);
    if (peer.bitmapIndex !== 0) view.setInt32(at + bitmapIndex.offset, peer.bitmapIndex);
    at += PEERS.stride;
  }
  at = HISTORY.offset;
  for (const uuid of sb.historyUuids.slice(0, HISTORY.count)) {
    if (uuid !== 0n) view.setBigUint64(at, uuid);
    at += 8;
  }
  return bytes;
}

export function emptyPeerSlot09(): PeerSlot09 {
  return { bitmapUuid: 0n, bitmapDagtag: 0n, flags: 0, bitmapIndex: -1 };
}

/** A copy that stays as it is when the original changes. */
export function copySuperblock09(sb: Readonly<Superblock09>): Superblock09 {
  return { ...sb, peers: sb.peers.map((peer) => ({ ...peer })), historyUuids: [...sb.historyUuids] };
}

/** What create-md starts from; the layout fields (mdSizeSect, alOffset, bmOffset) are still 0. */
export function freshSuperblock09(maxPeers: number): Superblock09 {
  return {
    effectiveSize: 0,
    currentUuid: UUID_JUST_CREATED,
    members: 0n,
    deviceUuid: 0n,
    flags: DeviceFlag.AL_CLEAN,
    magic: MAGIC_09,
    mdSizeSect: 0,
    alOffset: 0,
    alNrExtents: DEFAULT_AL_EXTENTS,
    bmOffset: 0,
    bmBytesPerBit: DEFAULT_BYTES_PER_BIT,
    laPeerMaxBioSize: 0,
    bmMaxPeers: maxPeers,
    nodeId: -1,
    alStripes: 1,
    alStripeSize4k: 8,
    peers: Array.from({ length: NODE_SLOTS }, emptyPeerSlot09),
    historyUuids: new Array<bigint>(NODE_SLOTS).fill(0n),
  };
}
