/*
 * From one superblock format to another (metadata.md 12). Only the superblock is translated; the caller computes the
 * new layout, and the activity log and bitmap stay where they are.
 */
import { freshRecord, magicOf, type Format, type MetaRecord } from './meta-record';
import { DeviceFlag, PeerFlag } from './superblock-flags';

const STEPS: readonly Format[] = ['v07', 'v08', 'v09'];

export interface Conversion {
  readonly record: MetaRecord;
  /** What the reference says on standard output while converting. */
  readonly remarks: readonly string[];
}

/** Converts between v07, v08 and v09, in single steps; max-peers becomes 1. */
export function convertRecord(record: Readonly<MetaRecord>, from: Format, to: Format): Conversion {
  const remarks: string[] = [];
  if (from === 'v07' || to === 'v07') remarks.push('Converting meta data...\n');
  let current: MetaRecord = { ...record };
  let at = STEPS.indexOf(from);
  const target = STEPS.indexOf(to);
  while (at < target) current = at++ === 0 ? from07to08(current) : from08to09(current);
  while (at > target) {
    if (at === 1) remarks.push('Conversion v08 -> v07 is BROKEN!\nBe prepared to manually intervene!\n');
    current = at-- === 2 ? from09to08(current) : from08to07(current);
  }
  return { record: { ...current, magic: magicOf(to) }, remarks };
}

function from07to08(record: MetaRecord): MetaRecord {
  const [flags = 0, human = 0, timeout = 0, connected = 0, arbitrary = 0] = record.counters;
  const current =
    (BigInt(human & 0xffff) << 48n) |
    (BigInt(timeout & 0xffff) << 32n) |
    (BigInt((connected + arbitrary) & 0xffff) << 16n) |
    0xbaben;
  const historyUuids = record.historyUuids.map((uuid, i) =>
    i < 2 ? BigInt.asUintN(64, current - BigInt(i + 1) * 0x10000n) : uuid,
  );
  const fresh = freshRecord('v08', 1);
  return { ...record, flags, currentUuid: current, historyUuids, peers: fresh.peers, deviceUuid: 0n };
}

function from08to09(record: MetaRecord): MetaRecord {
  const { CONNECTED_IND, FULL_SYNC, PEER_OUT_DATED } = DeviceFlag;
  let flags = 0;
  if (record.flags & CONNECTED_IND) flags |= PeerFlag.CONNECTED;
  if (record.flags & FULL_SYNC) flags |= PeerFlag.FULL_SYNC;
  if (record.flags & PEER_OUT_DATED) flags |= PeerFlag.OUTDATED;
  const peers = freshRecord('v09', 1).peers.map((peer, i) => (i === 0 ? { ...peer, flags } : peer));
  return {
    ...record,
    flags: (record.flags & ~(CONNECTED_IND | FULL_SYNC | PEER_OUT_DATED)) >>> 0,
    peers,
    nodeId: -1,
    bmMaxPeers: 1,
    members: 0n,
  };
}

function from09to08(record: MetaRecord): MetaRecord {
  const peerFlags = record.peers[0]?.flags ?? 0;
  let flags = record.flags;
  if (peerFlags & PeerFlag.CONNECTED) flags |= DeviceFlag.CONNECTED_IND;
  if (peerFlags & PeerFlag.OUTDATED) flags |= DeviceFlag.PEER_OUT_DATED;
  if (peerFlags & PeerFlag.FULL_SYNC) flags |= DeviceFlag.FULL_SYNC;
  return { ...record, flags: flags >>> 0, bmMaxPeers: 1 };
}

function from08to07(record: MetaRecord): MetaRecord {
  return { ...record, counters: [0, 0, 0, 0, 0], bmMaxPeers: 1 };
}
