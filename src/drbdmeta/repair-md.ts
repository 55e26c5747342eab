/*
 * repair-md (metadata.md 9.10): moves meta data of a resized device, makes the day-0 UUIDs agree.
 */
import { hex64 } from '../metadata/dump-writer';
import { type MetaRecord } from '../metadata/meta-record';
import { daySlots } from './day-zero';
import { moveMetaData } from './move-meta-data';
import { closeMetaData, openMetaData, writeSuperblock } from './open-meta-data';
import { type Tool } from './tool';

export function repairMd(tool: Tool): number {
  let md = openMetaData(tool);
  if (md.found === 'last-known') {
    const status = moveMetaData(tool, md);
    closeMetaData(tool, md);
    if (status !== 0 || tool.options.dryRun) return status;
    md = openMetaData(tool);
  }
  if (md.found !== 'valid') {
    tool.io.stderr('No valid meta data found\n');
    closeMetaData(tool, md);
    return -1;
  }
  const repaired = tool.format === 'v09' ? repairDayZero(tool, md.record) : 0;
  let status = 0;
  if (repaired > 0 && tool.options.dryRun) status = -1;
  else if (repaired > 0) {
    tool.io.stderr('Repairing metadata\n');
    if (!writeSuperblock(tool, md)) {
      tool.io.stderr('update failed\n');
      status = 1;
    }
  }
  closeMetaData(tool, md);
  return status;
}

/** Returns how many slots differed. */
function repairDayZero(tool: Tool, record: MetaRecord): number {
  const slots = daySlots(record);
  const expected = record.peers[slots.at(-1) ?? -1]?.bitmapUuid;
  if (expected === undefined) return 0;
  let repaired = 0;
  for (const node of slots) {
    const peer = record.peers[node];
    if (peer === undefined || peer.bitmapUuid === expected) continue;
    tool.io.stderr(
      `Peer slot ${node} has "day0" UUID ${hex64(peer.bitmapUuid)}, expected ${hex64(expected)}\n`,
    );
    peer.bitmapUuid = expected;
    repaired++;
  }
  return repaired;
}
