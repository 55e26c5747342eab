/*
 * restore-md and verify-dump (metadata.md 10.2). The whole dump is read before the first byte is written: a dump that is
 * broken in its last line changes nothing.
 */
import fs from 'node:fs';
import { parseDump, DumpSyntaxError } from '../metadata/dump-parser';
import { bitmapWordsPerSlot } from '../metadata/bitmap-geometry';
import { placeLayout } from '../metadata/layout';
import { freshRecord, type Format, type MetaRecord } from '../metadata/meta-record';
import { isExternalIndex, isLegalBytesPerBit } from '../metadata/superblock-check';
import { MAX_PEERS } from '../metadata/superblock-flags';
import { BitmapCollector } from './bitmap-collector';
import { alignedBuffer } from './aligned-buffer';
import { invalidateBefore } from './create-md';
import { probeForData } from './data-probe';
import { SparseWriter } from './sparse-writer';
import { jsonDumpAsText } from './json-dump-text';
import {
  areaOf,
  clipSize,
  closeMetaData,
  layoutOf,
  openMetaData,
  writeSuperblock,
  type MetaData,
} from './open-meta-data';
import { confirm, refuse, type Tool } from './tool';

const READ_PIECE = 1 << 20;

export function restoreMd(tool: Tool): number {
  const source = openSource(tool);
  try {
    const md = openMetaData(tool);
    if (md.found !== 'none' && !confirm(tool, 'Valid meta-data in place, overwrite?')) {
      closeMetaData(tool, md);
      return -1;
    }
    const status = restore(tool, md, source.pull);
    closeMetaData(tool, md);
    return status;
  } finally {
    source.close();
  }
}

export function verifyDump(tool: Tool): number {
  const source = openSource(tool);
  try {
    parse(source.pull, {
      version: (name) => checkVersion(tool, name),
      start: checkMaxPeers,
      header: (record) => {
        applyStripes(tool, record);
        checkGeometry(record);
        clipSize(tool, record, unopenedUsable(tool, record));
      },
      run: () => undefined,
      bitmapsRead: () => undefined,
    });
  } finally {
    source.close();
  }
  tool.io.stdout('input file parsed ok\n');
  return 0;
}

/** No device is opened: nothing internal has room on it, and a flexible external area is as large as it likes. */
function unopenedUsable(tool: Tool, record: Readonly<MetaRecord>): number {
  if (!isExternalIndex(tool.index)) return 0;
  return tool.index < 0 ? Infinity : layoutOf(tool, record, 0).usableSectors;
}

function restore(tool: Tool, md: MetaData, pull: () => string | undefined): number {
  const { io } = tool;
  const oldPeers = md.found === 'none' ? -1 : md.record.bmMaxPeers;
  let collector: BitmapCollector | undefined;
  try {
    parse(pull, {
      version: (name) => checkVersion(tool, name),
      start: (record) => {
        io.stderr('reinitializing\n');
        checkMaxPeers(record);
        if (isExternalIndex(tool.index) && tool.format === 'v09' && record.bmMaxPeers > oldPeers)
          io.stdout(
            'Meta data needs more space now, since max_peers\n' +
              `is bigger than in existing meta_data. (${oldPeers} -> ${record.bmMaxPeers})\n`,
          );
        probeForData(tool, md.device, layoutOf(tool, record, md.device.size));
      },
      header: (record) => {
        applyStripes(tool, record);
        checkGeometry(record);
        adopt(tool, md, record);
        collector = new BitmapCollector(record.bmMaxPeers, md.layout.bitmapAreaBytes);
      },
      run: (slot, count, high, low) => collector?.run(slot, count, high, low),
      bitmapsRead: () => announceTruncation(tool, md, collector),
    });
    return write(tool, md, collector);
  } finally {
    collector?.close();
  }
}

/** Turns a syntax error into the exit status. */
function parse(pull: () => string | undefined, receiver: Parameters<typeof parseDump>[1]): void {
  try {
    parseDump(pull, receiver);
  } catch (error) {
    if (error instanceof DumpSyntaxError) refuse(10, error.message);
    throw error;
  }
}

function checkVersion(tool: Tool, name: string): Format {
  return name === tool.format
    ? tool.format
    : refuse(10, `dump is '${name}' you requested '${tool.format}'.\n`);
}

/** A number of slots that no superblock can have; the parser would wait for their bitmaps for ever. */
function checkMaxPeers(record: MetaRecord): void {
  if (record.bmMaxPeers < 1) refuse(10, `max-peers ${record.bmMaxPeers} not in allowed range 1 .. 31.\n`);
}

function applyStripes(tool: Tool, record: MetaRecord): void {
  const { alStripes, alStripeSize4k } = tool.options;
  const stripes = Number(alStripes ?? BigInt(record.alStripes));
  const size = Number(alStripeSize4k ?? BigInt(record.alStripeSize4k));
  if (stripes === record.alStripes && size === record.alStripeSize4k) return;
  tool.io.stderr('override activity log striping from commandline\n');
  record.alStripes = stripes;
  record.alStripeSize4k = size;
}

function checkGeometry(record: MetaRecord): void {
  if (!isLegalBytesPerBit(record.bmBytesPerBit))
    refuse(10, 'Invalid value for bm-byte-per-bit: value must be a power-of-two in [4k .. 1M]\n');
  const blocks = record.alStripes * record.alStripeSize4k;
  if (blocks > 8192) refuse(10, 'invalid (too large) al-stripe* settings\n');
  if (blocks < 8) refuse(10, 'invalid (too small) al-stripe* settings\n');
}

function adopt(tool: Tool, md: MetaData, record: MetaRecord): void {
  const { alNrExtents, magic } = freshRecord(tool.format, 1);
  md.record = { ...record, alNrExtents, magic, bmMaxPeers: Math.min(record.bmMaxPeers, MAX_PEERS) };
  const computed = layoutOf(tool, md.record, md.device.size);
  md.layout = placeLayout(
    {
      ...md.record,
      deviceBytes: md.device.size,
      index: tool.index,
      maxPeers: md.record.bmMaxPeers,
      bytesPerBit: md.record.bmBytesPerBit,
    },
    computed,
    computed.superblockByte,
  );
  if (md.layout.bitmapByte < 0)
    refuse(10, `${tool.deviceName} is only ${md.device.size} bytes. That's not enough.\n`);
  md.device.area = areaOf(md.layout);
  clipSize(tool, md.record, md.layout.usableSectors);
}

function byteCount(md: MetaData, collector: BitmapCollector | undefined): number {
  const { effectiveSize, bmBytesPerBit } = md.record;
  return collector?.byteCount(md.device.sectorSize, bitmapWordsPerSlot(effectiveSize, bmBytesPerBit)) ?? 0;
}

function announceTruncation(tool: Tool, md: MetaData, collector: BitmapCollector | undefined): void {
  const room = md.layout.bitmapAreaBytes;
  const bytes = byteCount(md, collector);
  if (bytes > room)
    tool.io.stderr(
      `in meta_restore_md: truncating byte count from ${bytes} to ${room}\nBitmap info too large, truncated!\n`,
    );
}

function write(tool: Tool, md: MetaData, collector: BitmapCollector | undefined): number {
  const { device, layout, record } = md;
  if (md.found !== 'none') invalidateBefore(md, layout.superblockByte);
  const bytes = Math.min(byteCount(md, collector), layout.bitmapAreaBytes);
  if (collector !== undefined && bytes > 0) {
    const buffer = alignedBuffer(Math.min(2 ** 25, bytes));
    const writer = new SparseWriter(tool, device, 'meta_restore_md');
    collector.interleave(bytes, buffer, (piece, at) => writer.write(piece, layout.bitmapByte + at));
    writer.end();
    device.flush();
  }
  // Flags and sizes as the dump says; the activity log is not touched.
  md.record = record;
  if (!writeSuperblock(tool, md)) {
    tool.io.stderr('Writing failed\n');
    return -1;
  }
  tool.io.stdout('Successfully restored meta data\n');
  return 0;
}

interface Source {
  readonly pull: () => string | undefined;
  readonly close: () => void;
}

/** The file argument, or standard input; JSON dumps are turned into text on the way. */
function openSource(tool: Tool): Source {
  const [name] = tool.args;
  const source = name === undefined ? textSource(tool.io.stdin?.() ?? '') : fileSource(name);
  const pull = jsonDumpAsText(source.pull, (message) => refuse(10, message));
  return { pull, close: source.close };
}

function textSource(text: string): Source {
  let rest: string | undefined = text;
  const pull = () => {
    const piece = rest;
    rest = undefined;
    return piece;
  };
  return { pull, close: () => undefined };
}

function fileSource(name: string): Source {
  let fd: number;
  try {
    fd = fs.openSync(name, 'r');
  } catch {
    return refuse(20, `open of '${name}' failed.\n`);
  }
  const buffer = Buffer.alloc(READ_PIECE);
  const pull = () => {
    const count = fs.readSync(fd, buffer);
    return count === 0 ? undefined : buffer.toString('latin1', 0, count);
  };
  return { pull, close: () => fs.closeSync(fd) };
}
