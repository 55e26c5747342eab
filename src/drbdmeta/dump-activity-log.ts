/*
 * The activity log as comments at the end of a dump (`dump-md` with ten --verbose).
 */
import { AL_BLOCK_BYTES, AL_FREE, alBlocks, classifyAlBlock, decodeAlBlock } from '../metadata/activity-log';
import { AL_MAGIC_PMEM } from '../metadata/activity-log-legacy';
import { type DumpWriter } from '../metadata/dump-writer';
import { viewOf } from '../metadata/field-table';
import { type MetaData } from './open-meta-data';
import { type Tool } from './tool';

export function dumpActivityLog(tool: Tool, md: MetaData, writer: DumpWriter): void {
  if (tool.format === 'v07') return;
  const bytes = new Uint8Array(alBlocks(md.record) * AL_BLOCK_BYTES);
  md.device.read('printf_al', bytes, md.layout.alByte);
  writer.text('# al {\n');
  if (viewOf(bytes).getUint32(0) === AL_MAGIC_PMEM) dumpSlots(bytes, md.record.alNrExtents, writer);
  else
    for (let block = 0; block * AL_BLOCK_BYTES < bytes.length; block++)
      dumpBlock(bytes.subarray(block * AL_BLOCK_BYTES, (block + 1) * AL_BLOCK_BYTES), block, writer);
  writer.text('# }\n');
}

function dumpSlots(bytes: Uint8Array, count: number, writer: DumpWriter): void {
  const view = viewOf(bytes);
  for (let slot = 0; slot < count && 4 * slot + 8 <= bytes.length; slot++) {
    const extent = view.getUint32(4 + 4 * slot);
    writer.text(`# slot[${slot}]: ${extent === AL_FREE ? '      FREE' : String(extent).padStart(10)}\n`);
  }
}

function dumpBlock(bytes: Uint8Array, block: number, writer: DumpWriter): void {
  const name = `#     block ${String(block).padStart(2)} {`;
  const kind = classifyAlBlock(bytes);
  if (kind === 'invalid' || kind === 'initialized') {
    writer.text(`${name} ${kind.toUpperCase()} }\n`);
    return;
  }
  const fields = decodeAlBlock(bytes);
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  const row = (i: number, slot: number, extent: number) =>
    `${String(i).padStart(2)}: ${String(slot).padStart(10)} ${String(extent).padStart(10)}`;
  const inside = Math.max(0, fields.contextSize - fields.contextStart);
  const lines = [
    `magic: ${hex(fields.magic, 8)}`,
    `type: ${hex(fields.transactionType, 4)}`,
    `tr: ${String(fields.trNumber).padStart(10)}`,
    `active set size: ${fields.contextSize}`,
    ...fields.context.slice(0, inside).map((extent, i) => row(i, fields.contextStart + i, extent)),
    `updates: ${fields.nUpdates}`,
    ...fields.updateSlots
      .slice(0, fields.nUpdates)
      .map((slot, i) => row(i, slot, fields.updateExtents[i] ?? AL_FREE)),
    `crc32c: ${hex(fields.crc, 8)}`,
  ];
  writer.text(`${name}\n${lines.map((line) => `# \t${line}\n`).join('')}#     }\n`);
}
