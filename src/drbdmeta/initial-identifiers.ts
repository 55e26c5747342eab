/*
 * The options of create-md that preset generation identifiers (metadata.md 9.1 step 4).
 */
import { type MetaRecord } from '../metadata/meta-record';
import { DeviceFlag, PeerFlag, UUID_JUST_CREATED } from '../metadata/superblock-flags';
import { refuse, type Tool } from './tool';

/** 64 random bits with bit 0 (Primary) clear; never 0 or "just created". */
export function randomUuid(): bigint {
  const { randomBytes }: typeof import('node:crypto') = require('node:crypto');
  for (;;) {
    const uuid = randomBytes(8).readBigUInt64BE() & ~1n;
    if (uuid > UUID_JUST_CREATED) return uuid;
  }
}

export function initialIdentifiers(tool: Tool, record: MetaRecord): void {
  const { options } = tool;
  const seen = options.diskfulPeers ?? 0;
  for (let node = 0; node < record.peers.length; node++) {
    if ((seen & (1 << node)) !== 0) orFlags(record, node, PeerFlag.DEVICE_SEEN);
  }
  if (options.initialCurrentUuid !== undefined)
    record.currentUuid = parseInitialUuid(options.initialCurrentUuid);
  if (options.consistent || options.uptodate) {
    if (record.currentUuid === UUID_JUST_CREATED) record.currentUuid = randomUuid();
    record.flags |= DeviceFlag.CONSISTENT;
    if (options.uptodate) record.flags |= DeviceFlag.WAS_UP_TO_DATE;
  }
  if (options.peersOutdated) record.peers.forEach((_, node) => orFlags(record, node, PeerFlag.OUTDATED));
  if (options.rotateUuids) {
    if (record.currentUuid === UUID_JUST_CREATED) record.currentUuid = randomUuid();
    for (const peer of record.peers) peer.bitmapUuid = record.currentUuid;
    record.historyUuids[0] = record.currentUuid;
    record.currentUuid = randomUuid();
  }
}

function orFlags(record: MetaRecord, node: number, flags: number): void {
  const peer = record.peers[node];
  if (peer !== undefined) peer.flags = (peer.flags | flags) >>> 0;
}

function parseInitialUuid(text: string): bigint {
  if (text === 'generate') return randomUuid();
  const match = /^\s*(?:0[xX])?([0-9a-fA-F]+)$/.exec(text);
  if (match === null)
    return refuse(10, `--initial-current-uuid: expected 'generate' or a hex value, got '${text}'\n`);
  const value = BigInt(`0x${match[1]}`);
  const uuid = (value >= 1n << 64n ? (1n << 64n) - 1n : value) & ~1n;
  if (uuid === 0n) return refuse(10, '--initial-current-uuid: value must not be zero\n');
  return uuid;
}
