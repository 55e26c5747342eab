/*
 * A superblock as JSON text in the layout of `dump-superblock --output-format=json` (metadata.md 9.9). Made from the
 * bytes by the field tables, so that reserved fields and padding are shown too.
 */
import { hex32, hex64 } from './dump-writer';
import { readField, viewOf, type FieldTable, type ScalarField } from './field-table';
import { SUPERBLOCK_08 } from './superblock-08';
import { PEER_SLOT_09, SUPERBLOCK_09 } from './superblock-09';
import { MAX_PEERS, NODE_SLOTS, SUPERBLOCK_BYTES } from './superblock-flags';

/** First byte after the described fields. */
const PADDING_START = { v08: 100, v09: 1392 } as const;

const HEX_FIELDS: ReadonlySet<string> = new Set(['flags', 'magic', 'reserved_u32']);

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace('size4k', 'size_4k');
}

function scalarText(name: string, type: ScalarField['type'], value: bigint | number): string {
  if (type === 'u64' && name !== 'bitmap_dagtag') return `"${hex64(BigInt(value))}"`;
  return HEX_FIELDS.has(name) ? `"${hex32(Number(value))}"` : String(value);
}

/** `"name": value` lines of the fields that `wanted` names (keys of the table), in that order. */
function lines(table: FieldTable, view: DataView, wanted: readonly string[]): string[] {
  return wanted.map((key) => {
    const field = table[key];
    if (field === undefined || 'struct' in field) throw new Error(`no scalar field ${key}`);
    const name = snakeCase(key);
    if (field.type === 'size') return `"${name}": ${view.getBigUint64(field.offset)}`;
    const values = readField(view, field).map((value) => scalarText(name, field.type, value));
    return field.count === undefined ? `"${name}": ${values[0]}` : `"${name}": [ ${values.join(', ')} ]`;
  });
}

const COMMON = [
  'effectiveSize',
  'currentUuid',
  'deviceUuid',
  'flags',
  'magic',
  'mdSizeSect',
  'alOffset',
  'alNrExtents',
  'bmOffset',
  'bmBytesPerBit',
  'laPeerMaxBioSize',
  'alStripes',
  'alStripeSize4k',
];
const ONLY_09 = ['bmMaxPeers', 'nodeId', 'members', 'reservedU64', 'reservedU32'];

/** `meta` becomes the "#meta" member; its numbers and strings are printed as they are. */
export function superblockJson(
  format: 'v08' | 'v09',
  bytes: Uint8Array,
  meta: Readonly<Record<string, string | number>>,
): string {
  const view = viewOf(bytes);
  const members = format === 'v09' ? members09(view) : members08(view);
  members.push(paddingText(bytes, PADDING_START[format]), metaText(meta));
  return `{\n${members.map((member) => `  ${member}`).join(',\n')}\n}\n`;
}

function members08(view: DataView): string[] {
  const [current, bitmap, younger, older] = readField(view, SUPERBLOCK_08.uuids).map(
    (uuid) => `"${hex64(BigInt(uuid))}"`,
  );
  const common = lines(
    SUPERBLOCK_08,
    view,
    COMMON.filter((key) => key !== 'currentUuid'),
  );
  common.splice(1, 0, `"current_uuid": ${current}`);
  return [...common, `"peers": [ { "bitmap_uuid": ${bitmap} } ]`, historyText([younger ?? '', older ?? ''])];
}

function members09(view: DataView): string[] {
  const maxPeers = view.getUint32(SUPERBLOCK_09.bmMaxPeers.offset);
  const own = lines(SUPERBLOCK_09, view, ONLY_09);
  own[0] = `"bm_max_peers": ${Math.min(maxPeers, MAX_PEERS)}`;
  const history = readField(view, SUPERBLOCK_09.historyUuids).map((uuid) => `"${hex64(BigInt(uuid))}"`);
  return [...lines(SUPERBLOCK_09, view, COMMON), peersText(view), ...own, historyText(history)];
}

function peersText(view: DataView): string {
  const { offset, stride } = SUPERBLOCK_09.peers;
  const peers = Array.from({ length: NODE_SLOTS }, (_, node) => {
    const slot = new DataView(view.buffer, view.byteOffset + offset + node * stride, stride);
    const fields = Object.entries(PEER_SLOT_09).map(([key, field]) => {
      const name = key === 'reserved' ? 'reserved_u32' : snakeCase(key);
      const values = readField(slot, field).map((value) => scalarText(name, field.type, value));
      return 'count' in field ? `"${name}": [ ${values.join(', ')} ]` : `"${name}": ${values[0]}`;
    });
    return `    { ${fields.join(',  ')} }`;
  });
  return `"peers": [\n${peers.join(',\n')}\n  ]`;
}

function historyText(uuids: readonly string[]): string {
  const rows: string[] = [];
  for (let i = 0; i < uuids.length; i += 4) rows.push(`    ${uuids.slice(i, i + 4).join(', ')}`);
  return `"history_uuids": [\n${rows.join(',\n')}\n  ]`;
}

function paddingText(bytes: Uint8Array, start: number): string {
  const used: string[] = [];
  for (let at = start; at < SUPERBLOCK_BYTES; at++) {
    const byte = bytes[at] ?? 0;
    if (byte !== 0) used.push(`"${at}": "0x${byte.toString(16).toUpperCase().padStart(2, '0')}"`);
  }
  const body = used.length === 0 ? '{ }' : `{\n${used.map((entry) => `      ${entry}`).join(',\n')}\n    }`;
  return `"padding": { "start": ${start}, "end": ${SUPERBLOCK_BYTES}, "non-zero": ${body} }`;
}

function metaText(meta: Readonly<Record<string, string | number>>): string {
  const entries = Object.entries(meta).map(([key, value]) => `    "${key}": ${JSON.stringify(value)}`);
  return `"#meta": {\n${entries.join(',\n')}\n  }`;
}
