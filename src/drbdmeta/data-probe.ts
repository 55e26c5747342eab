/*
 * Looks for data that new meta data would destroy (metadata.md 11).
 */
import { viewOf } from '../metadata/field-table';
import { isExternalIndex } from '../metadata/superblock-check';
import { type Layout } from '../metadata/layout';
import { type MetaDevice } from './meta-device';
import { confirm, refuse, type Tool } from './tool';

const PROBE_BYTES = 69632;
const SOME_DATA = 'some data';

interface Finding {
  readonly name: string;
  /** KiB in use, 'unknown', 'undetermined' (refused) or 'refuse'. */
  readonly usedKib: number | 'unknown' | 'undetermined' | 'refuse';
}

/** Asks or refuses (status 40, or 1 for a "no") if there is anything in the first 69632 bytes. */
export function probeForData(tool: Tool, device: MetaDevice, layout: Layout): void {
  const bytes = new Uint8Array(PROBE_BYTES);
  device.read('check_for_existing_data', bytes, 0);
  if (bytes.every((byte) => byte === 0)) return;
  const finding = identify(bytes, tool);
  const { io, options } = tool;
  io.stdout(
    `md_offset ${layout.superblockByte}\nal_offset ${layout.alByte}\nbm_offset ${layout.bitmapByte}\n\n` +
      `Found ${finding.name}\n`,
  );
  if (finding.usedKib === 'unknown') {
    const known = finding.name === SOME_DATA ? nameByBlkid(tool) : undefined;
    if (known !== undefined) io.stderr(`blkid finds: ${known}\n`);
    io.stdout('\n ==> This might destroy existing data! <==\n');
    return ask(tool);
  }
  if (isExternalIndex(tool.index)) {
    io.stdout('\nThis would corrupt existing data.\n');
    return overrideOrRefuse(tool, options.ignoreSanityChecks);
  }
  const usableKib = Math.floor(layout.usableSectors / 2);
  if (typeof finding.usedKib === 'number')
    io.stdout(`${kib(finding.usedKib)} kB data area apparently used\n`);
  io.stdout(`${kib(usableKib)} kB left usable by current configuration\n`);
  if (finding.usedKib === 'undetermined')
    io.stdout('Could not determine the size of the actually used data area.\n\n');
  if (typeof finding.usedKib !== 'number') {
    io.stdout(TRUNCATED);
    return overrideOrRefuse(tool, options.ignoreSanityChecks);
  }
  if (finding.usedKib > usableKib) {
    io.stdout(`\n${TRUNCATED}${ADVICE}Operation refused.\n\n`);
    refuse(40);
  }
  io.stdout(
    '\nEven though it looks like this would place the new meta data into\n' +
      'unused space, you still need to confirm, as this is only a guess.\n',
  );
  ask(tool);
}

const TRUNCATED =
  'Device size would be truncated, which\nwould corrupt data and result in\n' +
  "'access beyond end of device' errors.\n";
const ADVICE =
  'You need to either\n   * use external meta data (recommended)\n   * shrink that filesystem first\n' +
  '   * zero out the device (destroy the filesystem)\n';

function kib(value: number): string {
  return String(value).padStart(12);
}

function ask(tool: Tool): void {
  if (confirm(tool, 'Do you want to proceed?')) return;
  tool.io.stdout('Operation canceled.\n');
  refuse(1);
}

function overrideOrRefuse(tool: Tool, override: boolean): void {
  if (override) {
    tool.io.stdout('\nIgnoring sanity check on user request.\n\n');
    return;
  }
  tool.io.stdout(
    'If you want me to do this, you need to zero out the first part\n' +
      'of the device (destroy the content).\nYou should be very sure that you mean it.\n' +
      'Operation refused.\n\n',
  );
  refuse(40);
}

function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function identify(bytes: Uint8Array, tool: Tool): Finding {
  const view = viewOf(bytes);
  if ([4086, 8182].some((at) => hasText(bytes, at, 'SWAP-SPACE') || hasText(bytes, at, 'SWAPSPACE2')))
    return { name: 'swap space signature', usedKib: 'refuse' };
  if (hasText(bytes, 0x218, 'LVM2'))
    return { name: 'LVM2 physical volume signature', usedKib: physicalVolumeKib(tool) };
  if (view.getUint16(0x438, true) === 0xef53) {
    const ext3 = (view.getUint8(0x45c) & 4) !== 0;
    const size = [1024, 2048, 4096][view.getUint32(0x418, true)] ?? 4096;
    return sized(ext3 ? 'ext3 filesystem' : 'ext2 filesystem', view.getUint32(0x404, true), size);
  }
  if (hasText(bytes, 0, 'XFSB'))
    return sized('xfs filesystem', Number(view.getBigUint64(8)), view.getUint32(4));
  if (hasText(bytes, 0x8000, 'JFS1'))
    return sized('JFS filesystem', Number(view.getBigUint64(0x8008, true)), view.getUint32(0x8018, true));
  if (hasText(bytes, 0x10034, 'ReIsErFs') || hasText(bytes, 0x10034, 'ReIsEr2Fs'))
    return sized('reiser filesystem', view.getUint32(0x10000, true), view.getUint16(0x1002c, true));
  return { name: SOME_DATA, usedKib: 'unknown' };
}

function sized(name: string, blocks: number, blockBytes: number): Finding {
  if (blocks === 0) return { name, usedKib: 'unknown' };
  return { name, usedKib: Math.ceil((blocks * blockBytes) / 1024) };
}

/** What the reference has no name for: btrfs, LUKS, partition tables, ... Undefined if blkid(8) has none either. */
function nameByBlkid(tool: Tool): string | undefined {
  const { spawnSync }: typeof import('node:child_process') = require('node:child_process');
  const result = spawnSync('blkid', ['-p', '-o', 'export', tool.deviceName], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'latin1',
    timeout: 5000,
  });
  const found = [...(result.stdout ?? '').matchAll(/^(TYPE|PTTYPE)=([-\w.]+)$/gm)].map(([, key, value]) =>
    key === 'TYPE' ? value : `partition table ${value}`,
  );
  // Its own meta data is nothing new to the user.
  const foreign = found.filter((name) => name !== 'drbd');
  return foreign.length === 0 ? undefined : foreign.join(', ');
}

const PVS =
  'pvs -vvv --readonly --noheadings --nosuffix --units s -o pv_size --config ' +
  `"devices { write_cache_state=0 filter = [ 'a|$dev_name|', 'r|.|' ] scan_lvs = 1 }"`;

/** LVM knows how much of the device it uses; without an answer nothing is overwritten. */
function physicalVolumeKib(tool: Tool): number | 'undetermined' {
  const { spawnSync }: typeof import('node:child_process') = require('node:child_process');
  const result = spawnSync('sh', ['-vxc', PVS], {
    env: { ...tool.io.env, dev_name: tool.deviceName },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'latin1',
  });
  const sectors = /^\s*([0-9]+)/.exec(result.stdout ?? '')?.[1];
  if (sectors !== undefined) return Math.ceil(Number(sectors) / 2);
  const lines = (result.stderr ?? '').split('\n').filter((line) => line !== '');
  for (const line of lines.slice(-4)) tool.io.stderr(`pvs stderr:${line}\n`);
  tool.io.stderr('\n');
  return 'undetermined';
}
