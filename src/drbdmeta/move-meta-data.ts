/*
 * check-resize, and moving internal meta data to the end of a device that was resized while DRBD did not look
 * (metadata.md 14).
 */
import { bitmapBytes, INDEX_INTERNAL, type Layout } from '../metadata/layout';
import { encodeRecord, type MetaRecord } from '../metadata/meta-record';
import { isExternalIndex } from '../metadata/superblock-check';
import { PeerFlag, DeviceFlag, SUPERBLOCK_BYTES } from '../metadata/superblock-flags';
import { alignedBuffer } from './aligned-buffer';
import { deleteLastKnown, loadLastKnown, saveLastKnown } from './last-known-size';
import {
  areaOf,
  closeMetaData,
  layoutOf,
  openMetaData,
  writeSuperblock,
  type MetaData,
} from './open-meta-data';
import { type Tool } from './tool';

const PIECE = 2 ** 25;

export function checkResize(tool: Tool): number {
  const md = openMetaData(tool);
  const status = check(tool, md);
  closeMetaData(tool, md);
  return status;
}

function check(tool: Tool, md: MetaData): number {
  switch (md.found) {
    case 'valid':
      rememberSize(tool, md);
      return 0;
    case 'last-known':
      return moveMetaData(tool, md);
    case 'none': {
      const movable = tool.index === INDEX_INTERNAL && (tool.format === 'v08' || tool.format === 'v09');
      tool.io.stderr(
        movable
          ? 'no suitable meta data found :(\n'
          : 'Operation only supported for >= v8 internal meta data\n',
      );
      return -1;
    }
  }
}

function rememberSize(tool: Tool, md: MetaData): void {
  if (isExternalIndex(tool.index)) return deleteLastKnown(tool);
  if (tool.index !== INDEX_INTERNAL || tool.format === 'v07' || tool.format === 'v06') return;
  const known = loadLastKnown(tool);
  const uuid = md.record.deviceUuid === 0n ? undefined : md.record.deviceUuid;
  const same = known?.bytes === md.device.size && known.deviceName === tool.deviceName && known.uuid === uuid;
  if (!same && !tool.options.dryRun) saveLastKnown(tool, md.device.size, md.record.deviceUuid);
}

/**
 * Moves meta data found at its last known place. Old and new areas may overlap when the device grew by little: then the
 * new superblock is written first, saying that everything is out of sync, so that a power cut in between costs a resync
 * but no data.
 */
export function moveMetaData(tool: Tool, md: MetaData): number {
  tool.io.stderr('Moving the internal meta data to its proper location\n');
  const { device, record } = md;
  const old = md.layout;
  const next = layoutOf(tool, record, device.size);
  device.area = {
    start: Math.min(areaOf(old).start, areaOf(next).start),
    end: Math.max(areaOf(old).end, areaOf(next).end),
  };
  const overlap = areaOf(next).start < areaOf(old).end;
  const log = new Uint8Array(old.alBytes);
  device.read('v08_move_internal_md_after_resize', log, old.alByte);
  if (overlap) writeCautious(tool, md, next);
  copyBitmap(tool, md, old, next);
  device.write('v08_move_internal_md_after_resize', log, next.alByte);
  device.flush();
  md.layout = next;
  if (!writeSuperblock(tool, md)) {
    tool.io.stderr('operation failed\n');
    return 1;
  }
  tool.io.stdout('Internal drbd meta data successfully moved.\n');
  zeroOld(md, old, next);
  tool.io.stdout('Old meta data region zeroed.\n');
  return 0;
}

function writeCautious(tool: Tool, md: MetaData, next: Layout): void {
  const flags = (md.record.flags | DeviceFlag.AL_CLEAN) >>> 0;
  const cautious: MetaRecord = {
    ...md.record,
    flags: tool.format === 'v08' ? (flags | DeviceFlag.FULL_SYNC) >>> 0 : flags,
    mdSizeSect: next.mdSizeSect,
    alOffset: next.alOffset,
    bmOffset: next.bmOffset,
    peers: md.record.peers.map((peer) => ({ ...peer, flags: (peer.flags | PeerFlag.FULL_SYNC) >>> 0 })),
  };
  md.device.write('', encodeRecord(tool.format, cautious), next.superblockByte);
  md.device.flush();
}

/** From the end, so that an overlap is harmless; old byte 0 becomes new byte 0. */
function copyBitmap(tool: Tool, md: MetaData, old: Layout, next: Layout): void {
  const { device, record } = md;
  const sectors = Math.floor((md.lastKnown?.bytes ?? device.size) / 512);
  const oldBytes = bitmapBytes(sectors, record.bmBytesPerBit, record.bmMaxPeers);
  const bytes = Math.min(oldBytes, next.bitmapAreaBytes);
  const label = 'v08_move_internal_md_after_resize';
  const buffer = alignedBuffer(Math.min(PIECE, Math.max(bytes, 4096)));
  for (let end = bytes; end > 0; end -= PIECE) {
    const start = Math.max(0, end - PIECE);
    const part = buffer.subarray(0, end - start);
    device.read(label, part, old.bitmapByte + start);
    device.write(label, part, next.bitmapByte + start);
  }
  fillTail(tool, md, next, bytes);
}

/** What the bitmap gained: in sync, or not, as --initialize-bitmap says. */
function fillTail(tool: Tool, md: MetaData, next: Layout, from: number): void {
  const mode = tool.options.initializeBitmap;
  if (mode === 'skip') return;
  const buffer = alignedBuffer(PIECE).fill(mode === 'set-all' ? 0xff : 0);
  for (let at = from; at < next.bitmapAreaBytes; at += PIECE) {
    const part = buffer.subarray(0, Math.min(PIECE, next.bitmapAreaBytes - at));
    md.device.write('v08_move_internal_md_after_resize', part, next.bitmapByte + at);
  }
}

/** Zeroes what was meta data and is data area now. */
function zeroOld(md: MetaData, old: Layout, next: Layout): void {
  const start = areaOf(old).start;
  const end = Math.min(old.superblockByte + SUPERBLOCK_BYTES, areaOf(next).start);
  const zeros = alignedBuffer(Math.min(PIECE, Math.max(end - start, 4096)));
  for (let at = start; at < end; at += PIECE)
    md.device.write('zeroout_old_md', zeros.subarray(0, Math.min(PIECE, end - at)), at);
  md.device.flush();
}
