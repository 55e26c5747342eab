/*
 * dump-md (metadata.md 10.1) in one pass over the bitmap, whatever the number of slots.
 */
import { dumpBody, dumpPreamble } from '../metadata/dump-header';
import { DumpWriter } from '../metadata/dump-writer';
import { bitmapBytes } from '../metadata/layout';
import { hasCounters } from '../metadata/meta-record';
import { DeviceFlag, MAGIC_08_UNCLEAN } from '../metadata/superblock-flags';
import { dumpActivityLog } from './dump-activity-log';
import { dumpBitmaps } from './dump-bitmaps';
import { closeMetaData, openMetaData, type MetaData } from './open-meta-data';
import { type Tool } from './tool';

export async function dumpMd(tool: Tool): Promise<number> {
  const md = openMetaData(tool);
  const status = await dump(tool, md);
  closeMetaData(tool, md);
  return status;
}

async function dump(tool: Tool, md: MetaData): Promise<number> {
  const { io, options } = tool;
  if (md.found === 'none') {
    io.stderr('No valid meta data found\n');
    return -1;
  }
  const unclean = isUnclean(tool, md);
  if (unclean && !allowUnclean(tool)) return -1;
  const write = io.stdoutBytes ?? ((bytes: Uint8Array) => io.stdout(Buffer.from(bytes).toString('latin1')));
  const writer = new DumpWriter(write);
  if (options.json) {
    const { dumpJson }: typeof import('./dump-json') = require('./dump-json');
    await dumpJson(tool, md, writer, unclean);
  } else {
    await dumpText(tool, md, writer, unclean);
  }
  writer.end();
  return 0;
}

/** v06 and v07 have no flag for it and always count as unclean, as in the reference. */
function isUnclean(tool: Tool, md: MetaData): boolean {
  if (hasCounters(tool.format)) return true;
  return md.record.magic === MAGIC_08_UNCLEAN || (md.record.flags & DeviceFlag.AL_CLEAN) === 0;
}

function allowUnclean(tool: Tool): boolean {
  const { io, options } = tool;
  if (options.force && options.quiet) {
    tool.suppressed++;
    return true;
  }
  io.stderr('Found meta data is "unclean", please apply-al first\n');
  return options.force;
}

async function dumpText(tool: Tool, md: MetaData, writer: DumpWriter, unclean: boolean): Promise<void> {
  const { record, layout } = md;
  const place = {
    mdOffset: layout.superblockByte,
    alOffset: layout.alByte,
    bmOffset: layout.bitmapByte,
    ...(md.found === 'last-known' ? { relocated: relocatedText(tool, md) } : {}),
  };
  writer.text(commentHeader(tool));
  writer.text(dumpPreamble(tool.format, record, place, unclean));
  writer.text(dumpBody(tool.format, record));
  if (tool.format === 'v06') return;
  const bytes = bitmapBytes(record.effectiveSize, record.bmBytesPerBit, record.bmMaxPeers);
  writer.text(`# bm-bytes ${bytes};\n`);
  const bitsSet = await dumpBitmaps(tool, md, writer, bytes);
  writer.text(`# bits-set ${bitsSet % 2 ** 32};\n`);
  if (tool.options.verbose >= 10) dumpActivityLog(tool, md, writer);
}

function relocatedText(tool: Tool, md: MetaData): string {
  const expected = md.device.size;
  return [
    '#',
    '### Device seems to have been resized!',
    '### dumping meta data from the last known position',
    `### current size of ${tool.deviceName}: ${expected} byte`,
    '### expected position of meta data:',
    `## md_offset ${(Math.floor(expected / 4096) - 1) * 4096}`,
    '## al_offset 0',
    '## bm_offset 0',
    `### last known size of ${tool.deviceName}: ${md.lastKnown?.bytes ?? 0} byte`,
    '### adjusted position of meta data:',
  ].join('\n');
}

function commentHeader(tool: Tool): string {
  const { hostname }: typeof import('node:os') = require('node:os');
  const now = new Date();
  const words = [tool.io.programName, ...tool.reordered].join(' ');
  return `# DRBD meta data dump\n# ${localTime(now)} [${Math.floor(now.getTime() / 1000)}]\n# ${hostname()}> ${words}\n#\n\n`;
}

/** `YYYY-MM-DD HH:MM:SS +ZZZZ` */
function localTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const zone = -date.getTimezoneOffset();
  const sign = zone < 0 ? '-' : '+';
  const minutes = Math.abs(zone);
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ` +
    `${sign}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`
  );
}
