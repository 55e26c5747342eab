/*
 * The dump text up to the bitmaps (metadata.md 10.1), without the comment lines about time and host.
 */
import { hex32, hex64 } from './dump-writer';
import { type Format, type MetaRecord } from './meta-record';

const PEER_FLAG_NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'connected'],
  [1, '<=outdated'],
  [2, 'fencing'],
  [3, 'full-sync'],
  [4, 'seen'],
  [16, 'exists'],
]);

export interface DumpPlace {
  readonly mdOffset: number;
  readonly alOffset: number;
  readonly bmOffset: number;
  /** Extra comment when the block was found at its last known place. */
  readonly relocated?: string;
}

/** ` # a | b` for the flags of a peer, empty for none; cut at 79 characters as the reference does. */
export function peerFlagComment(flags: number): string {
  if (flags === 0) return '';
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if ((flags & (1 << bit)) === 0) continue;
    names.push(PEER_FLAG_NAMES.get(bit) ?? `0x${((1 << bit) >>> 0).toString(16)}=?`);
  }
  return ` # ${names.join(' | ')}`.slice(0, 79);
}

/** From `version` to the place comments. */
export function dumpPreamble(
  format: Format,
  record: Readonly<MetaRecord>,
  place: DumpPlace,
  unclean: boolean,
): string {
  const lines = [`version "${format}";`, ''];
  if (unclean)
    lines.push(
      "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.",
      '# You should "apply-al" first, if you plan to restore this.',
      '',
    );
  if (format === 'v09') lines.push(`max-peers ${record.bmMaxPeers};`);
  lines.push(`# md_size_sect ${record.mdSizeSect}`);
  if (place.relocated !== undefined) lines.push(place.relocated);
  lines.push(
    `# md_offset ${place.mdOffset}`,
    `# al_offset ${place.alOffset}`,
    `# bm_offset ${place.bmOffset}`,
    '',
  );
  return `${lines.join('\n')}\n`;
}

/** Generation identifiers, then sizes and geometry (nothing of the latter for v06). */
export function dumpBody(format: Format, record: Readonly<MetaRecord>): string {
  switch (format) {
    case 'v06':
      return counters(record);
    case 'v07':
      return `${counters(record)}# al-extents ${record.alNrExtents};\nla-size-sect ${record.effectiveSize};\n`;
    case 'v08':
      return uuids08(record) + geometry(record);
    case 'v09':
      return uuids09(record) + geometry(record);
  }
}

function counters(record: Readonly<MetaRecord>): string {
  return `gc {\n   ${record.counters.map((counter) => ` ${counter | 0};`).join('')}\n}\n`;
}

function uuids08(record: Readonly<MetaRecord>): string {
  const uuids = [record.currentUuid, record.peers[0]?.bitmapUuid ?? 0n, ...record.historyUuids.slice(0, 2)];
  return `uuid {\n    ${uuids.map((uuid) => `${hex64(uuid)};`).join(' ')}\n    flags ${hex32(record.flags)};\n}\n`;
}

function uuids09(record: Readonly<MetaRecord>): string {
  const peers = record.peers.map(
    (peer, i) =>
      `peer[${i}] {\n` +
      `    bitmap-index ${peer.bitmapIndex};\n` +
      `    bitmap-uuid ${hex64(peer.bitmapUuid)};\n` +
      `    bitmap-dagtag ${hex64(peer.bitmapDagtag)};\n` +
      `    flags ${hex32(peer.flags)};${peerFlagComment(peer.flags)}\n}\n`,
  );
  const history = Array.from(
    { length: 8 },
    (_, i) =>
      `        ${record.historyUuids
        .slice(4 * i, 4 * i + 4)
        .map((uuid) => `${hex64(uuid)};`)
        .join(' ')}\n`,
  );
  return (
    `node-id ${record.nodeId};\ncurrent-uuid ${hex64(record.currentUuid)};\nflags ${hex32(record.flags)};\n` +
    `members ${hex64(record.members)};\n${peers.join('')}history-uuids {\n${history.join('')}}\n`
  );
}

function geometry(record: Readonly<MetaRecord>): string {
  return (
    `# al-extents ${record.alNrExtents};\nla-size-sect ${record.effectiveSize};\n` +
    `bm-byte-per-bit ${record.bmBytesPerBit};\ndevice-uuid ${hex64(record.deviceUuid)};\n` +
    `la-peer-max-bio-size ${record.laPeerMaxBioSize | 0};\nal-stripes ${record.alStripes};\n` +
    `al-stripe-size-4k ${record.alStripeSize4k};\n`
  );
}
