/*
 * The small commands: dstate, outdate, invalidate, device UUID, wipe-md, forget-peer (metadata.md 9.3 to 9.8).
 */
import { hasCounters, type MetaRecord } from '../metadata/meta-record';
import { DeviceFlag, PeerFlag, SUPERBLOCK_BYTES } from '../metadata/superblock-flags';
import { daySlot } from './day-zero';
import { deleteLastKnown } from './last-known-size';
import { closeMetaData, openMetaData, uuidText, writeSuperblock, type MetaData } from './open-meta-data';
import { confirm, refuse, type Tool } from './tool';

/** Runs `use` on valid meta data and closes; -1 (no message) without valid meta data. */
function onValid(tool: Tool, use: (md: MetaData) => number): number {
  const md = openMetaData(tool);
  const status = md.found === 'valid' ? use(md) : -1;
  closeMetaData(tool, md);
  return status;
}

function update(tool: Tool, md: MetaData): number {
  if (writeSuperblock(tool, md)) return 0;
  tool.io.stderr('update failed\n');
  return 1;
}

export function dstate(tool: Tool): number {
  const md = openMetaData(tool);
  if (md.found === 'valid') tool.io.stdout(`${storedDiskState(md.record.flags)}\n`);
  else tool.io.stderr('No valid meta data found\n');
  closeMetaData(tool, md);
  return md.found === 'valid' ? 0 : -1;
}

function storedDiskState(flags: number): string {
  if ((flags & DeviceFlag.CONSISTENT) === 0) return 'Inconsistent';
  if ((flags & DeviceFlag.WAS_UP_TO_DATE) === 0) return 'Outdated';
  return (flags & DeviceFlag.PEER_OUT_DATED) !== 0 ? 'UpToDate' : 'Consistent';
}

export function outdate(tool: Tool): number {
  return onValid(tool, (md) => {
    const { record } = md;
    if (hasCounters(tool.format)) {
      tool.io.stderr('Can not outdate GC based meta data!\n');
      return inconsistent(tool);
    }
    if ((record.flags & DeviceFlag.CONSISTENT) === 0) return inconsistent(tool);
    record.flags = (record.flags & ~DeviceFlag.WAS_UP_TO_DATE) >>> 0;
    return update(tool, md);
  });
}

function inconsistent(tool: Tool): number {
  tool.io.stderr('Device is inconsistent.\n');
  return 5;
}

export function invalidate(tool: Tool): number {
  return onValid(tool, (md) => {
    markInvalid(tool, md.record);
    return update(tool, md);
  });
}

function markInvalid(tool: Tool, record: MetaRecord): void {
  const { CONSISTENT, WAS_UP_TO_DATE, FULL_SYNC } = DeviceFlag;
  switch (tool.format) {
    case 'v06':
    case 'v07':
      record.counters[0] = (((record.counters[0] ?? 0) & ~CONSISTENT) | FULL_SYNC) >>> 0;
      return;
    case 'v08':
      record.flags = ((record.flags & ~(CONSISTENT | WAS_UP_TO_DATE)) | FULL_SYNC) >>> 0;
      return;
    case 'v09':
      record.flags = (record.flags & ~(CONSISTENT | WAS_UP_TO_DATE)) >>> 0;
      for (const peer of record.peers) peer.flags = (peer.flags | PeerFlag.FULL_SYNC) >>> 0;
  }
}

export function readDevUuid(tool: Tool): number {
  return onValid(tool, (md) => {
    tool.io.stdout(`${uuidText(md.record.deviceUuid)}\n`);
    return 0;
  });
}

export function writeDevUuid(tool: Tool): number {
  const [text] = tool.args;
  if (text === undefined) return refuse(10, 'Required Argument missing\n');
  return onValid(tool, (md) => {
    const digits = /^\s*(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)/.exec(text)?.[1] ?? '0';
    const uuid = BigInt(`0x${digits}`);
    md.record.deviceUuid = uuid >= 1n << 64n ? (1n << 64n) - 1n : uuid;
    return update(tool, md);
  });
}

export function wipeMd(tool: Tool): number {
  const md = openMetaData(tool);
  const status = wipe(tool, md);
  closeMetaData(tool, md);
  return status;
}

function wipe(tool: Tool, md: MetaData): number {
  const { io } = tool;
  if (md.found === 'none') {
    io.stderr('There appears to be no drbd meta data to wipe out?\n');
    return 0;
  }
  if (!confirm(tool, 'Do you really want to wipe out the DRBD meta data?')) {
    io.stdout('Operation cancelled.\n');
    return 1;
  }
  io.stdout('Wiping meta data...\n');
  md.device.write('meta_wipe_md', new Uint8Array(SUPERBLOCK_BYTES), md.layout.superblockByte);
  md.device.flush();
  io.stdout('DRBD meta data block successfully wiped out.\n');
  // The reference deletes it even with --dry-run.
  if (!tool.options.dryRun) deleteLastKnown(tool);
  return 0;
}

export function forgetPeer(tool: Tool): number {
  return onValid(tool, (md) => {
    const node = tool.options.nodeId ?? 0;
    const { record } = md;
    const peer = record.peers[node];
    if (tool.format !== 'v09' || peer === undefined) return refuse(10, `forget-peer needs v09 meta data\n`);
    const oldIndex = peer.bitmapIndex;
    const source = record.peers[daySlot(record) ?? -1];
    Object.assign(peer, { bitmapIndex: -1, flags: 0 });
    if (source !== undefined) {
      peer.bitmapUuid = source.bitmapUuid;
      peer.bitmapDagtag = source.bitmapDagtag;
      tool.io.stderr(`Copying bitmap slot ${source.bitmapIndex} to ${oldIndex} not implemented.\n`);
    } else {
      Object.assign(peer, { bitmapUuid: 0n, bitmapDagtag: 0n });
      tool.io.stderr(`Setting all bits in slot ${oldIndex} not implemented.\n`);
    }
    tool.io.stderr('Do it with dump-md, edit, restore-md\n');
    return update(tool, md);
  });
}
