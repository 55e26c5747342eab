/*
 * create-md (metadata.md 9.1): new meta data, or the conversion of what is there.
 */
import { initializedActivityLog } from '../metadata/activity-log';
import { convertRecord } from '../metadata/format-conversion';
import {
  bitmapBytes,
  INDEX_INTERNAL,
  INDEX_V07_INTERNAL,
  superblockByte,
  type Layout,
} from '../metadata/layout';
import { decodeRecord, freshRecord, type Format, type MetaRecord } from '../metadata/meta-record';
import { isInternalIndex } from '../metadata/superblock-check';
import { DEFAULT_BYTES_PER_BIT, SUPERBLOCK_BYTES } from '../metadata/superblock-flags';
import { probeForData } from './data-probe';
import { initializeBitmap } from './initialize-bitmap';
import { initialIdentifiers } from './initial-identifiers';
import { moveMetaData } from './move-meta-data';
import { parseNumber } from './number-text';
import {
  areaOf,
  closeMetaData,
  isValid,
  layoutOf,
  openMetaData,
  writeSuperblock,
  type MetaData,
} from './open-meta-data';
import { confirm, refuse, type Tool } from './tool';

/** What was found in place, for the questions. */
interface Existing {
  readonly format: Format;
  readonly record: MetaRecord;
  readonly superblockByte: number;
  readonly flexible: boolean;
}

export function createMd(tool: Tool): number {
  const wanted = wantedRecord(tool);
  const md = openMetaData(tool);
  if (md.found === 'last-known') {
    const moved = offerMove(tool, md);
    if (moved !== undefined) return moved;
  }
  const existing = findExisting(tool, md);
  const convert = existing !== undefined && decide(tool, existing);
  if (convert) convertExisting(tool, md, existing, wanted.bmMaxPeers);
  else createFresh(tool, md, wanted, existing);
  return finish(tool, md, existing, convert);
}

/** Checks the arguments before anything is opened. */
function wantedRecord(tool: Tool): MetaRecord {
  const { options, format, args } = tool;
  const maxPeers = format === 'v09' ? maxPeersArgument(tool, args[0]) : 1;
  const record = freshRecord(format, maxPeers);
  if (format === 'v08' || format === 'v09') {
    record.alStripes = Number(options.alStripes ?? 1n);
    record.alStripeSize4k = Number(options.alStripeSize4k ?? 8n);
  }
  const blockSize = Number(options.bitmapBlockSize?.value ?? 0n);
  record.bmBytesPerBit = blockSize === 0 ? DEFAULT_BYTES_PER_BIT : blockSize;
  if (tool.index >= 0 && record.bmBytesPerBit !== DEFAULT_BYTES_PER_BIT)
    refuse(10, 'bitmap-block-size must be 4k with indexed meta data\n');
  return record;
}

function maxPeersArgument(tool: Tool, word: string | undefined): number {
  if (word === undefined)
    return refuse(
      20,
      `USAGE: ${tool.io.programName} MINOR v09 ... create-md MAX_PEERS\n\n  MAX_PEERS argument missing\n`,
    );
  const value = parseNumber(word);
  if (value < 1n || value > 31n) return refuse(20, 'MAX_PEERS argument not in allowed range 1 .. 31.\n');
  return Number(value);
}

function stripesGiven(tool: Tool): boolean {
  return tool.options.alStripes !== undefined || tool.options.alStripeSize4k !== undefined;
}

function sameStripes(tool: Tool, record: Readonly<MetaRecord>): boolean {
  return (
    record.alStripes === Number(tool.options.alStripes ?? 1n) &&
    record.alStripeSize4k === Number(tool.options.alStripeSize4k ?? 8n)
  );
}

/** Exit status if the meta data of the former size was moved; undefined to start afresh. */
function offerMove(tool: Tool, md: MetaData): number | undefined {
  if (stripesGiven(tool) && !sameStripes(tool, md.record))
    refuse(20, 'Cannot move after offline resize and change AL-striping at the same time, yet.\n');
  if (tool.options.force || !confirm(tool, 'Move internal meta data from last-known position?\n'))
    return undefined;
  probeForData(tool, md.device, layoutOf(tool, md.record, md.device.size));
  const status = moveMetaData(tool, md);
  closeMetaData(tool, md);
  return status;
}

function findExisting(tool: Tool, md: MetaData): Existing | undefined {
  if (isInternalIndex(tool.index) && tool.format !== 'v06') return findInternal(tool, md);
  const at = superblockByte(md.device.size, tool.index);
  if (md.found === 'valid')
    return { format: tool.format, record: md.record, superblockByte: at, flexible: true };
  let found: Existing | undefined;
  for (const format of ['v07', 'v08', 'v09'] as const) {
    if (format === tool.format) continue;
    const record = decodeRecord(format, md.raw);
    if (isValid(tool, record, md.raw, md.device.size, undefined, format))
      found = { format, record, superblockByte: at, flexible: true };
  }
  return found;
}

/** The fixed place of v07, then the flexible one; the last match wins. */
function findInternal(tool: Tool, md: MetaData): Existing | undefined {
  const { device } = md;
  let found: Existing | undefined;
  const read = (at: number): Uint8Array => {
    const raw = new Uint8Array(SUPERBLOCK_BYTES);
    device.read('check_internal_md_flavours', raw, at);
    return raw;
  };
  const fixed = superblockByte(device.size, INDEX_V07_INTERNAL);
  if (fixed >= 0) {
    const raw = read(fixed);
    const record = decodeRecord('v07', raw);
    if (isValid({ ...tool, index: INDEX_V07_INTERNAL }, record, raw, device.size, undefined, 'v07'))
      found = { format: 'v07', record, superblockByte: fixed, flexible: false };
  }
  const flexible = superblockByte(device.size, INDEX_INTERNAL);
  const raw = read(flexible);
  for (const format of ['v07', 'v08', 'v09'] as const) {
    const record = decodeRecord(format, raw);
    if (isValid({ ...tool, index: INDEX_INTERNAL }, record, raw, device.size, undefined, format))
      found = { format, record, superblockByte: flexible, flexible: true };
  }
  return found;
}

/** True: convert; false: overwrite. Ends the command with status 1 for "no", 30 for a change of stripes. */
function decide(tool: Tool, existing: Existing): boolean {
  const internal = isInternalIndex(tool.index) && tool.format !== 'v06';
  let context = internal ? contextText(tool, existing) : '';
  const ask = (question: string): boolean => {
    const answer = confirm(tool, question, context);
    context = '';
    return answer;
  };
  const cancel = (): never => {
    tool.io.stdout('Operation cancelled.\n');
    return refuse(1);
  };
  if (existing.format === tool.format) {
    const restripe = internal && existing.format !== 'v07' && !sameStripes(tool, existing.record);
    if (restripe && ask('Do you want to change the activity log stripe settings *only*?'))
      refuse(30, 'Sorry, not yet fully implemented\nTry dump-md > dump.txt; restore-md -s x -z y dump.txt\n');
    const question = internal
      ? 'Do you really want to overwrite the existing meta-data?'
      : 'Valid meta data seems to be in place.\nDo you really want to overwrite?';
    return ask(question) ? false : cancel();
  }
  if (ask(`Valid ${existing.format} meta-data found, convert to ${tool.format}?`)) return true;
  if (
    ask(
      `So you want me to replace the ${existing.format} meta-data\nwith newly initialized ${tool.format} meta-data?`,
    )
  )
    return false;
  return cancel();
}

function contextText(tool: Tool, existing: Existing): string {
  const flexible = tool.index === INDEX_INTERNAL;
  const plus = tool.format === 'v07' && flexible ? '(plus)' : '';
  return (
    `You want me to create a ${tool.format}${plus} style ${flexible ? 'flexible-size' : 'fixed-size'} internal meta data block.\n` +
    `There appears to be a ${existing.format} ${existing.flexible ? 'flexible-size' : 'fixed-size'} internal meta data block\n` +
    `already in place on ${tool.deviceName} at byte offset ${existing.superblockByte}`
  );
}

function setLayout(tool: Tool, md: MetaData, record: MetaRecord): Layout {
  md.record = record;
  md.layout = layoutOf(tool, record, md.device.size);
  md.device.area = areaOf(md.layout);
  if (tool.options.verbose >= 2) {
    const { layout } = md;
    tool.io.stderr(
      `md_offset: ${layout.superblockByte}\nal_offset: ${layout.alByte} (${layout.alOffset})\n` +
        `bm_offset: ${layout.bitmapByte} (${layout.bmOffset})\nmd_size_sect: ${layout.mdSizeSect}\n` +
        `max_usable_sect: ${layout.usableSectors}\n` +
        `bm_bytes: ${bitmapBytes(Math.floor(md.device.size / 512), record.bmBytesPerBit, record.bmMaxPeers)}\n` +
        `bm_block_size: ${record.bmBytesPerBit}\n`,
    );
  }
  return md.layout;
}

function convertExisting(tool: Tool, md: MetaData, existing: Existing, maxPeers: number): void {
  const { record, remarks } = convertRecord(existing.record, existing.format, tool.format);
  for (const remark of remarks) tool.io.stdout(remark);
  const layout = setLayout(tool, md, record);
  if (tool.format === 'v09' && maxPeers !== 1)
    tool.io.stdout(`Warning: setting max_peers to 1 instead of ${maxPeers}\n\n`);
  probeForData(tool, md.device, layout);
}

function createFresh(tool: Tool, md: MetaData, record: MetaRecord, existing: Existing | undefined): void {
  if (tool.format === 'v06') {
    md.record = record;
    return;
  }
  const layout = setLayout(tool, md, record);
  if (layout.bitmapByte < 0 && isInternalIndex(tool.index))
    refuse(10, `${tool.deviceName} is only ${md.device.size} bytes. That's not enough.\n`);
  if (layout.bitmapAreaBytes > 2 ** 35 * record.bmMaxPeers)
    refuse(10, 'Bitmap for that device got too large.\n');
  probeForData(tool, md.device, layout);
  if (existing !== undefined) invalidateBefore(md, existing.superblockByte);
  tool.io.stdout('initializing activity log\n');
  const log = tool.format === 'v07' ? new Uint8Array(layout.alBytes) : initializedActivityLog(record);
  md.device.write('md_initialize_common:AL', log, layout.alByte);
  initializeBitmap(tool, md.device, layout.bitmapByte, layout.bitmapAreaBytes);
  md.device.flush();
}

/**
 * An old superblock must never stand next to a new bitmap: it goes before anything else changes. A power cut then leaves
 * the old meta data, none, or the new.
 */
export function invalidateBefore(md: MetaData, at: number): void {
  const { device } = md;
  const { area } = device;
  device.area = { start: at, end: at + SUPERBLOCK_BYTES };
  device.write('', new Uint8Array(SUPERBLOCK_BYTES), at);
  device.flush();
  device.area = area;
}

function finish(tool: Tool, md: MetaData, existing: Existing | undefined, converted: boolean): number {
  const { options, io } = tool;
  const { record } = md;
  if (options.peerMaxBioSize !== undefined || !converted)
    record.laPeerMaxBioSize = options.peerMaxBioSize ?? 0;
  if (options.effectiveSize !== undefined) {
    record.effectiveSize = Number(options.effectiveSize);
    record.storedSize = options.effectiveSize;
  } else if (!converted) {
    record.effectiveSize = 0;
  }
  initialIdentifiers(tool, record);
  io.stdout('Writing meta data...\n');
  const written = writeSuperblock(tool, md);
  const place = existing?.superblockByte;
  if (written && place !== undefined && place !== md.layout.superblockByte) wipeBlock(md, place);
  closeMetaData(tool, md);
  if (!written) {
    io.stderr('operation failed\n');
    return 1;
  }
  io.stdout('New drbd meta data block successfully created.\n');
  return 0;
}

function wipeBlock(md: MetaData, at: number): void {
  md.device.area = { start: at, end: at + SUPERBLOCK_BYTES };
  md.device.write('meta_wipe_md', new Uint8Array(SUPERBLOCK_BYTES), at);
  md.device.flush();
}
