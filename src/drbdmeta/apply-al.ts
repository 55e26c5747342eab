/*
 * apply-al (metadata.md 6.4): what the activity log had active when the node went down is out of sync.
 * Order on disk: bitmap, activity log, superblock, each on stable storage before the next. Repeating it is harmless.
 */
import {
  AL_BLOCK_BYTES,
  AL_MAGIC,
  alBlocks,
  initializedActivityLog,
  initializedAlBlock,
} from '../metadata/activity-log';
import {
  AL_MAGIC_PMEM,
  replayLegacyActivityLog,
  replayPmemActivityLog,
} from '../metadata/activity-log-legacy';
import { replayActivityLog, type AlFinding } from '../metadata/activity-log-replay';
import { viewOf } from '../metadata/field-table';
import { bitmapBytes } from '../metadata/layout';
import { hasCounters } from '../metadata/meta-record';
import { DeviceFlag, MAGIC_08 } from '../metadata/superblock-flags';
import { markHotExtents } from './mark-hot-extents';
import { sizeText } from './number-text';
import { closeMetaData, openMetaData, writeSuperblock, type MetaData } from './open-meta-data';
import { type Tool } from './tool';

/** What the log says: extents to mark, whether it has to be written anew, or the exit status of an error. */
interface LogState {
  readonly extents: Uint32Array | undefined;
  readonly reinitialize: boolean;
  readonly error: 0 | 1 | 2;
}

export function applyAl(tool: Tool): number {
  const md = openMetaData(tool);
  const status = md.found === 'valid' ? apply(tool, md) : noMetaData(tool);
  closeMetaData(tool, md);
  return status;
}

function noMetaData(tool: Tool): number {
  tool.io.stderr('No valid meta data found\n');
  return -1;
}

function apply(tool: Tool, md: MetaData): number {
  if (tool.format === 'v06') {
    tool.io.stderr('apply-al only implemented for DRBD >= 0.7\n');
    return -1;
  }
  const { record, device, layout } = md;
  const log = readLog(tool, md);
  const flags = hasCounters(tool.format) ? (record.counters[0] ?? 0) : record.flags;
  const wasPrimary = (flags & DeviceFlag.PRIMARY_IND) !== 0;
  let { reinitialize } = log;
  if (log.error !== 0) {
    if (wasPrimary) return log.error;
    if (!hasCounters(tool.format)) {
      tool.io.stderr('Error ignored, no need to apply the AL\n');
      reinitialize = true;
    }
  }
  if (log.extents !== undefined && wasPrimary) mark(tool, md, log.extents);
  if (reinitialize && !hasCounters(tool.format)) {
    device.flush();
    device.write('md_initialize_common:AL', initializedActivityLog(record), layout.alByte);
  }
  return hasCounters(tool.format) ? 0 : setClean(tool, md);
}

function mark(tool: Tool, md: MetaData, extents: Uint32Array): void {
  if (extents.length === 0) {
    tool.io.stderr('Nothing to do.\n');
    return;
  }
  const { record } = md;
  const bytes = bitmapBytes(record.effectiveSize, record.bmBytesPerBit, record.bmMaxPeers);
  const newlySet = markHotExtents(tool, md, extents, bytes);
  const kib = newlySet * (record.bmBytesPerBit / 1024);
  tool.io.stderr(`Marked additional ${sizeText(kib)} as out-of-sync based on AL.\n`);
}

function setClean(tool: Tool, md: MetaData): number {
  const { record } = md;
  if ((record.flags & DeviceFlag.AL_CLEAN) !== 0 && record.magic === MAGIC_08) return 0;
  record.flags = (record.flags | DeviceFlag.AL_CLEAN) >>> 0;
  if (tool.format === 'v08') record.magic = MAGIC_08;
  if (writeSuperblock(tool, md, true)) return 0;
  tool.io.stderr('update of super block flags failed\n');
  return 1;
}

/** The usual ring: 8 blocks. Memory for it is made once, and is nobody's after apply-al. */
const USUAL_LOG_BYTES = 8 * AL_BLOCK_BYTES;
let usualLog: Uint8Array | undefined;

function logMemory(bytes: number): Uint8Array {
  return bytes === USUAL_LOG_BYTES ? (usualLog ??= new Uint8Array(bytes)) : new Uint8Array(bytes);
}

function readLog(tool: Tool, md: MetaData): LogState {
  const { record, layout, device } = md;
  const bytes = logMemory(alBlocks(record) * AL_BLOCK_BYTES);
  device.read('apply_al', bytes, layout.alByte);
  const view = viewOf(bytes);
  const firstWord = view.getUint32(0);
  const newFormat =
    tool.format !== 'v07' &&
    (record.magic !== MAGIC_08 ||
      firstWord === AL_MAGIC ||
      (bytes.length > AL_BLOCK_BYTES && view.getUint32(AL_BLOCK_BYTES) === AL_MAGIC) ||
      record.alStripes !== 1 ||
      record.alStripeSize4k !== 8);
  if (!newFormat) return readOldLog(tool, record.alNrExtents, bytes);
  if (firstWord === AL_MAGIC_PMEM)
    return { extents: replayPmemActivityLog(bytes, record.alNrExtents), reinitialize: true, error: 0 };
  return readNewLog(tool, record, bytes);
}

let initializedBlock: Uint8Array | undefined;

function isInitialized(bytes: Uint8Array): boolean {
  const block = (initializedBlock ??= initializedAlBlock());
  for (let at = 0; at < bytes.length; at += AL_BLOCK_BYTES)
    if (Buffer.compare(bytes.subarray(at, at + AL_BLOCK_BYTES), block) !== 0) return false;
  return true;
}

function readOldLog(tool: Tool, alNrExtents: number, bytes: Uint8Array): LogState {
  const extents = replayLegacyActivityLog(bytes, alNrExtents);
  if (extents === undefined) tool.io.stderr('No usable activity log found.\n');
  // A v08 log becomes one of the new format in any case.
  return { extents, reinitialize: true, error: 0 };
}

function readNewLog(tool: Tool, geometry: MetaData['record'], bytes: Uint8Array): LogState {
  const { io } = tool;
  // As create-md leaves it: the replay would check each block to find nothing.
  if (isInitialized(bytes)) return { extents: undefined, reinitialize: false, error: 0 };
  const replay = replayActivityLog(bytes, geometry, (finding) => io.stderr(findingText(finding)));
  if (replay.outcome !== 'unusable' && replay.corruptBlocks > 0)
    io.stderr(`${replay.corruptBlocks} corrupt AL transactions found\n`);
  switch (replay.outcome) {
    case 'replay':
      return { extents: replay.hotExtents, reinitialize: true, error: 0 };
    case 'nothing':
      return { extents: undefined, reinitialize: false, error: 0 };
    case 'unusable':
      io.stderr('No usable activity log found. Do you need to create-md?\n');
      return { extents: undefined, reinitialize: false, error: 1 };
    case 'no-update':
      io.stderr('No valid AL update transaction found.\n');
      return { extents: undefined, reinitialize: false, error: 2 };
  }
}

function findingText(finding: AlFinding): string {
  switch (finding.kind) {
    case 'context-slot-out-of-range':
      return `slot number out of range: tr:${finding.ring} slot:${finding.slot}\n`;
    case 'update-slot-out-of-range':
      return `update slot number out of range: tr:${finding.ring} slot:${finding.slot}\n`;
    case 'unknown-type':
      return `unknown transaction type in activity log block ${finding.ring}\n`;
    case 'sequence-gap':
      return `gap in the sequence of transactions before activity log block ${finding.ring}\n`;
  }
}
