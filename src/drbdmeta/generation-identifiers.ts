/*
 * get-gi, show-gi, set-gi (metadata.md 9.2). The fields of a line are a table; reading and writing use the same one.
 */
import { type Format, type MetaRecord } from '../metadata/meta-record';
import { DeviceFlag, PeerFlag } from '../metadata/superblock-flags';
import { COUNTER_DRAWING, DRAWING_08, DRAWING_09, DRAWING_HEAD } from './identifier-drawing';
import { closeMetaData, openMetaData, uuidText, writeSuperblock, type MetaData } from './open-meta-data';
import { confirm, refuse, type Tool } from './tool';

interface Field {
  readonly kind: 'uuid' | 'flag' | 'counter';
  readonly get: (record: MetaRecord) => bigint | number;
  readonly set: (record: MetaRecord, value: bigint) => void;
}

function currentField(): Field {
  return { kind: 'uuid', get: (r) => r.currentUuid, set: (r, value) => (r.currentUuid = value) };
}
function bitmapField(node: number): Field {
  return {
    kind: 'uuid',
    get: (r) => r.peers[node]?.bitmapUuid ?? 0n,
    set: (r, value) => {
      const peer = r.peers[node];
      if (peer !== undefined) peer.bitmapUuid = value;
    },
  };
}
function historyField(i: number): Field {
  return {
    kind: 'uuid',
    get: (r) => r.historyUuids[i] ?? 0n,
    set: (r, value) => (r.historyUuids[i] = value),
  };
}
function withBit(flags: number, bit: number, value: bigint): number {
  return (value === 0n ? flags & ~bit : flags | bit) >>> 0;
}
function deviceFlag(bit: number): Field {
  return {
    kind: 'flag',
    get: (r) => ((r.flags & bit) === 0 ? 0 : 1),
    set: (r, value) => (r.flags = withBit(r.flags, bit, value)),
  };
}
function peerFlag(node: number, bit: number): Field {
  return {
    kind: 'flag',
    get: (r) => (((r.peers[node]?.flags ?? 0) & bit) === 0 ? 0 : 1),
    set: (r, value) => {
      const peer = r.peers[node];
      if (peer !== undefined) peer.flags = withBit(peer.flags, bit, value);
    },
  };
}
function counterFlag(bit: number): Field {
  return {
    kind: 'flag',
    get: (r) => (((r.counters[0] ?? 0) & bit) === 0 ? 0 : 1),
    set: (r, value) => (r.counters[0] = withBit(r.counters[0] ?? 0, bit, value)),
  };
}
function counter(i: number): Field {
  return {
    kind: 'counter',
    get: (r) => r.counters[i] ?? 0,
    set: (r, value) => (r.counters[i] = Number(value)),
  };
}

function fieldsOf(format: Format, node: number): readonly Field[] {
  const uuids = [currentField(), bitmapField(node), historyField(0), historyField(1)];
  const { CONSISTENT, WAS_UP_TO_DATE, PRIMARY_IND, CRASHED_PRIMARY, AL_CLEAN, AL_DISABLED } = DeviceFlag;
  const { CONNECTED_IND, FULL_SYNC, PEER_OUT_DATED, PRIMARY_LOST_QUORUM } = DeviceFlag;
  switch (format) {
    case 'v06':
    case 'v07':
      return [
        counterFlag(CONSISTENT),
        ...[1, 2, 3, 4].map(counter),
        ...[PRIMARY_IND, CONNECTED_IND, FULL_SYNC].map(counterFlag),
      ];
    case 'v08':
      return [
        ...uuids,
        ...[CONSISTENT, WAS_UP_TO_DATE, PRIMARY_IND, CONNECTED_IND].map(deviceFlag),
        ...[FULL_SYNC, PEER_OUT_DATED, CRASHED_PRIMARY].map(deviceFlag),
      ];
    case 'v09':
      return [
        ...uuids,
        ...[CONSISTENT, WAS_UP_TO_DATE, PRIMARY_IND, CRASHED_PRIMARY].map(deviceFlag),
        ...[AL_CLEAN, AL_DISABLED, PRIMARY_LOST_QUORUM].map(deviceFlag),
        ...[PeerFlag.CONNECTED, PeerFlag.OUTDATED, PeerFlag.FENCING].map((bit) => peerFlag(node, bit)),
        ...[PeerFlag.FULL_SYNC, PeerFlag.DEVICE_SEEN].map((bit) => peerFlag(node, bit)),
      ];
  }
}

function line(fields: readonly Field[], record: MetaRecord): string {
  const texts = fields.map((field) => {
    const value = field.get(record);
    return field.kind === 'uuid'
      ? uuidText(BigInt(value))
      : String(field.kind === 'counter' ? Number(value) | 0 : value);
  });
  return `${texts.join(':')}\n`;
}

function withMetaData(tool: Tool, use: (md: MetaData) => number): number {
  const md = openMetaData(tool);
  const status = md.found === 'valid' ? use(md) : -1;
  closeMetaData(tool, md);
  return status;
}

export function getGi(tool: Tool): number {
  return withMetaData(tool, ({ record }) => {
    tool.io.stdout(line(fieldsOf(tool.format, tool.options.nodeId ?? 0), record));
    return 0;
  });
}

export function showGi(tool: Tool): number {
  return withMetaData(tool, ({ record }) => {
    tool.io.stdout(drawing(tool.format, tool.options.nodeId ?? 0, record));
    if (record.effectiveSize !== 0)
      tool.io.stdout(
        `last agreed size: ${sizeWords(record.effectiveSize)} (${record.effectiveSize} sectors)\n` +
          `last agreed max bio size: ${record.laPeerMaxBioSize} Byte\n`,
      );
    else tool.io.stdout('zero size device -- never seen peer yet?\n');
    return 0;
  });
}

function sizeWords(sectors: number): string {
  const { sizeText }: typeof import('./number-text') = require('./number-text');
  return sizeText(Math.floor(sectors / 2));
}

function drawing(format: Format, node: number, record: MetaRecord): string {
  const values = line(fieldsOf(format, node), record);
  switch (format) {
    case 'v06':
    case 'v07':
      return COUNTER_DRAWING + counterRow(record);
    case 'v08':
      return `${DRAWING_HEAD}${values}${DRAWING_08}${flagWords(record)}`;
    case 'v09':
      return `${DRAWING_HEAD}${values}${DRAWING_09}`;
  }
}

function counterRow(record: MetaRecord): string {
  const [flags = 0, ...counters] = record.counters;
  const choice = (bit: number, letters: string) =>
    (flags & bit) !== 0 ? `1/${letters[0]}` : `0/${letters[1]}`;
  const columns = [
    choice(DeviceFlag.CONSISTENT, 'ci'),
    ...counters.map((value) => String(value | 0)),
    choice(DeviceFlag.PRIMARY_IND, 'ps'),
    choice(DeviceFlag.CONNECTED_IND, 'cn'),
    choice(DeviceFlag.FULL_SYNC, 'yn'),
  ];
  return `       ${columns.map((text) => text.padStart(3)).join(' | ')}  \n\n`;
}

function flagWords({ flags }: MetaRecord): string {
  const has = (bit: number) => (flags & bit) !== 0;
  const state = !has(DeviceFlag.CONSISTENT)
    ? 'Inconsistent'
    : has(DeviceFlag.WAS_UP_TO_DATE)
      ? 'UpToDate'
      : 'Outdated';
  return (
    `flags:${has(DeviceFlag.CRASHED_PRIMARY) ? ' crashed' : ''} ` +
    `${has(DeviceFlag.PRIMARY_IND) ? 'Primary' : 'Secondary'}, ` +
    `${has(DeviceFlag.CONNECTED_IND) ? 'Connected' : 'StandAlone'}, ${state}` +
    `${has(DeviceFlag.FULL_SYNC) ? ', need full sync' : ''}` +
    `${has(DeviceFlag.PEER_OUT_DATED) ? ', peer Outdated' : ''}\n` +
    `meta-data: ${has(DeviceFlag.AL_CLEAN) ? 'clean' : 'need apply-al'}\n`
  );
}

export function setGi(tool: Tool): number {
  const [text] = tool.args;
  if (text === undefined) return refuse(10, 'Required Argument missing\n');
  return withMetaData(tool, (md) => {
    const fields = fieldsOf(tool.format, tool.options.nodeId ?? 0);
    const before = line(fields, md.record);
    parseInto(fields, md.record, text);
    tool.io.stdout(`previously ${before}set GI to  ${line(fields, md.record)}`);
    if (!confirm(tool, 'Write new GI to disk?')) {
      tool.io.stdout('Operation canceled.\n');
      return 0;
    }
    if (writeSuperblock(tool, md)) return 0;
    tool.io.stderr('update failed\n');
    return 1;
  });
}

/** Empty fields keep their value, missing ones too; errors name the text after the field, as the reference does. */
function parseInto(fields: readonly Field[], record: MetaRecord, text: string): void {
  const parts = text.split(':');
  fields.forEach((field, i) => {
    const part = parts[i];
    if (part === undefined || /^\s*$/.test(part)) return;
    const rest = parts.length > i + 1 ? parts.slice(i + 1).join(':') : '(null)';
    field.set(record, parseField(field, part, rest));
  });
}

const U64 = 1n << 64n;

function parseField(field: Field, part: string, rest: string): bigint {
  const value = field.kind === 'uuid' ? cNumber(part, 16) : cNumber(part, 0);
  if (value === undefined) return refuse(10, `'${rest}' is not a number.\n`);
  if (value >= U64 || value <= -U64) return refuse(10, `'${rest}': Numerical result out of range\n`);
  const unsigned = BigInt.asUintN(64, value);
  if (field.kind === 'uuid') return unsigned;
  if (unsigned > 0xffffffffn) return refuse(10, `'${rest}' is out of range (max 0xFFffFFff).\n`);
  if (field.kind === 'flag' && unsigned > 1n) return refuse(10, `'${Number(unsigned) | 0}' is not 0 or 1.\n`);
  return unsigned;
}

/** The number at the start of the text as C reads it (base 16 or, for 0, by prefix); text after it is ignored. */
function cNumber(text: string, base: 0 | 16): bigint | undefined {
  const match = /^\s*([-+]?)(.*)$/s.exec(text);
  const sign = match?.[1] === '-' ? -1n : 1n;
  const body = match?.[2] ?? '';
  const hex = base === 16 ? /^(?:0[xX])?([0-9a-fA-F]+)/.exec(body) : /^0[xX]([0-9a-fA-F]+)/.exec(body);
  if (hex !== null) return sign * BigInt(`0x${hex[1]}`);
  if (base === 16) return undefined;
  const octal = /^0([0-7]*)/.exec(body);
  if (octal !== null) return sign * BigInt(`0o0${octal[1]}`);
  const decimal = /^[1-9][0-9]*/.exec(body);
  return decimal === null ? undefined : sign * BigInt(decimal[0]);
}
