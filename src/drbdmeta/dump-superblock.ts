/*
 * dump-superblock and hexdump-superblock (metadata.md 9.9): the block where the superblock should be, valid or not.
 */
import { superblockByte } from '../metadata/layout';
import { decodeRecord, hasCounters } from '../metadata/meta-record';
import { findDefect } from '../metadata/superblock-check';
import { superblockJson } from '../metadata/superblock-json';
import { type OutputFormat } from './command-line';
import { hexDump } from './hex-dump';
import { closeMetaData, openMetaData, type Found, type MetaData } from './open-meta-data';
import { refuse, type Tool } from './tool';

const STATUS: Readonly<Record<Found, number>> = { valid: 0, 'last-known': 2, none: 3 };
const VALID_WORD: Readonly<Record<Found, string>> = {
  valid: 'VALID_MD_FOUND',
  'last-known': 'VALID_MD_FOUND_AT_LAST_KNOWN_LOCATION',
  none: 'NO_VALID_MD_FOUND',
};

export function hexdumpSuperblock(tool: Tool): number {
  return dump(tool, 'hex');
}

export function dumpSuperblock(tool: Tool): number {
  const format = tool.options.json ? 'json' : (tool.options.outputFormat ?? 'auto');
  return dump(tool, format);
}

function dump(tool: Tool, format: OutputFormat): number {
  tool.options.force = true;
  const md = openMetaData(tool);
  const at =
    md.found === 'last-known' ? md.layout.superblockByte : superblockByte(md.device.size, tool.index);
  const { raw } = md;
  switch (format === 'auto' ? (tool.io.stdoutIsTerminal === true ? 'hex' : 'bin') : format) {
    case 'hex':
      tool.io.stdout(hexDump(raw, at));
      break;
    case 'json':
      if (hasCounters(tool.format)) refuse(4, `json dump of superblock not implemented for ${tool.format}\n`);
      tool.io.stdout(json(tool, md, at));
      break;
    default:
      tool.io.stdout(Buffer.from(raw).toString('latin1'));
  }
  closeMetaData(tool, md);
  return STATUS[md.found];
}

function json(tool: Tool, md: MetaData, at: number): string {
  const { hostname }: typeof import('node:os') = require('node:os');
  const meta = {
    dump_time_utc: `${new Date().toISOString().slice(0, 19).replace('T', ' ')}Z`,
    dump_host: hostname(),
    md_device_name: tool.deviceName,
    dump_offset: at,
    bd_size: md.device.size,
    dumped_as: tool.format,
    looks_like: looksLike(tool, md),
    valid: VALID_WORD[md.found],
  };
  return superblockJson(tool.format === 'v08' ? 'v08' : 'v09', md.raw, meta);
}

function looksLike(tool: Tool, md: MetaData): string {
  if (md.found !== 'none') return tool.format;
  const other = (['v08', 'v09'] as const).find(
    (format) => findDefect(format, decodeRecord(format, md.raw), tool.index, md.device.size) === undefined,
  );
  return other ?? 'UNKNOWN';
}
