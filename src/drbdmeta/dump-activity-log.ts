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
  md.device.read('meta_dump_md', bytes, md.layout.alByte);
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
  const lines = [
    `magic: 0x${fields.magic.toString(16)}`,
    `type: 0x${fields.transactionType.toString(16)}`,
    `tr: ${fields.trNumber}`,
    `active set size: ${fields.contextSize}`,
  ];
  const list = (pairs: (readonly [number, number])[]) =>
    pairs
      .filter(([, extent]) => extent !== AL_FREE)
      .map(([slot, extent]) => `${slot}:${extent}`)
      .join(' ');
  lines.push(`context: ${list(fields.context.map((extent, i) => [fields.contextStart + i, extent]))}`);
  const updates = fields.updateSlots.slice(0, fields.nUpdates);
  lines.push(`updates: ${list(updates.map((slot, i) => [slot, fields.updateExtents[i] ?? AL_FREE]))}`);
  writer.text(`${name}\n${lines.map((line) => `#\t${line}\n`).join('')}#     }\n`);
}
