/*
 * Opens the device and looks for a valid superblock of the wanted format, at its place or, for internal meta data, at
 * the place where it was when the device had its last known size (metadata.md 8.3, 14).
 */
import {
  computeLayout,
  INDEX_INTERNAL,
  MIN_DEVICE_BYTES,
  placeLayout,
  superblockByte,
  type Layout,
} from '../metadata/layout';
import {
  decodeRecord,
  encodeRecord,
  freshRecord,
  type Format,
  type MetaRecord,
} from '../metadata/meta-record';
import { COUNTER_FILE_06_BYTES } from '../metadata/superblock-08';
import { findDefect, isExternalIndex, isTooLargeDevice } from '../metadata/superblock-check';
import { SUPERBLOCK_BYTES } from '../metadata/superblock-flags';
import { openBlockStore, type BlockStore } from './block-store';
import { hexDump } from './hex-dump';
import { deleteLastKnown, loadLastKnown, saveLastKnown, type LastKnown } from './last-known-size';
import { MetaDevice } from './meta-device';
import { errorCode, errorText } from './system-error';
import { confirm, refuse, type Tool } from './tool';

export type Found = 'valid' | 'last-known' | 'none';

/** An opened device with what was found on it. `record` is a fresh one if nothing was. */
export interface MetaData {
  readonly device: MetaDevice;
  readonly found: Found;
  record: MetaRecord;
  layout: Layout;
  /** The block as it is on the device. */
  readonly raw: Uint8Array;
  readonly lastKnown: LastKnown | undefined;
  /** Write the last-known-size file when closing. */
  superblockWritten: boolean;
}

export function layoutOf(tool: Tool, record: Readonly<MetaRecord>, deviceBytes: number): Layout {
  return computeLayout({
    deviceBytes,
    index: tool.index,
    maxPeers: record.bmMaxPeers,
    bytesPerBit: record.bmBytesPerBit,
    alStripes: record.alStripes,
    alStripeSize4k: record.alStripeSize4k,
  });
}

/** The layout by the superblock's own offsets, with the superblock at byte `at`. */
function storedLayout(tool: Tool, record: Readonly<MetaRecord>, deviceBytes: number, at: number): Layout {
  const request = {
    deviceBytes,
    index: tool.index,
    maxPeers: record.bmMaxPeers,
    bytesPerBit: record.bmBytesPerBit,
    alStripes: record.alStripes,
    alStripeSize4k: record.alStripeSize4k,
  };
  return placeLayout(request, record, at);
}

function tryOpen(tool: Tool, exclusive: boolean, direct: boolean): BlockStore {
  return (tool.io.openStore ?? openBlockStore)(tool.deviceName, { exclusive, direct });
}

function openStore(tool: Tool): BlockStore {
  let exclusive = tool.index < 0;
  let direct = true;
  for (;;) {
    try {
      return tryOpen(tool, exclusive, direct);
    } catch (error) {
      const code = errorCode(error);
      tool.io.stderr(`open(${tool.deviceName}) failed: ${errorText(error)}\n`);
      if (code === 'EBUSY' && exclusive) {
        const hopeless = tool.command === 'apply-al' && !tool.options.force;
        if (hopeless || !confirm(tool, 'Exclusive open failed. Do it anyways?')) {
          tool.io.stdout('Operation canceled.\n');
          return refuse(20);
        }
        exclusive = false;
      } else if (code === 'EINVAL' && direct) {
        tool.io.stderr('could not open with O_DIRECT, retrying without\n');
        direct = false;
      } else {
        return refuse(20);
      }
    }
  }
}

/** Opens and checks sizes; nothing of the meta data is read yet. */
export function openDevice(tool: Tool): MetaDevice {
  const store = openStore(tool);
  const { io, options } = tool;
  // Our daemon uses plain files as disks; the reference takes them with --force only.
  const plainFile = !store.isBlockDevice && !options.force;
  if (plainFile && io.env.UDRBD_COMPAT === '9.22') {
    store.close();
    return refuse(20, `'${tool.deviceName}' is not a block device!\n`);
  }
  if (store.sectorSize === undefined && !options.quiet && !plainFile)
    io.stderr('ioctl(md_fd, BLKSSZGET) returned -1, assuming hard_sect_size is 512 Byte\n');
  if (!store.isBlockDevice && !store.isPlainFile) {
    store.close();
    return refuse(20, 'ioctl(,BLKGETSIZE64,) failed: Inappropriate ioctl for device\n');
  }
  const device = new MetaDevice(tool, store, tool.minor >= 0 ? 4 : 3);
  checkSize(tool, device.size);
  return device;
}

function checkSize(tool: Tool, size: number): void {
  if (size < MIN_DEVICE_BYTES) refuse(10, `${tool.deviceName} is only ${size} bytes. That's not enough.\n`);
  if (isTooLargeDevice(size))
    refuse(10, `${tool.deviceName} is ${size} bytes, more than 2^50. That's too much.\n`);
  const at = superblockByte(size, tool.index);
  if (at < 0 || at + SUPERBLOCK_BYTES > size)
    refuse(
      10,
      `Device too small: expecting meta data block at\nbyte offset ${at}, but ${tool.deviceName} is only ${size} bytes.\n`,
    );
}

/** Opens, reads and judges. Prints what the reference prints when the stored size is too big. */
export function openMetaData(tool: Tool): MetaData {
  if (tool.format === 'v06') return openCounterFile(tool);
  const left = tool.host.handover?.take(tool);
  if (left !== undefined) {
    const kept = new MetaDevice(tool, left.store, left.shownFd);
    kept.area = left.area;
    return { ...left.md, device: kept };
  }
  const device = openDevice(tool);
  const at = superblockByte(device.size, tool.index);
  const raw = readSuperblock(tool, device, at);
  const record = decodeRecord(tool.format, raw);
  if (isValid(tool, record, raw, device.size, at)) {
    const layout = storedLayout(tool, record, device.size, at);
    return accept(tool, device, 'valid', record, layout, raw, undefined);
  }
  if (tool.index === INDEX_INTERNAL && (tool.format === 'v08' || tool.format === 'v09')) {
    const moved = openLastKnown(tool, device);
    if (moved !== undefined) return moved;
  }
  const fresh = freshRecord(tool.format, 1);
  const layout = layoutOf(tool, fresh, device.size);
  return {
    device,
    found: 'none',
    record: fresh,
    layout,
    raw,
    lastKnown: undefined,
    superblockWritten: false,
  };
}

/** The file of v06; if it cannot be opened there is just no meta data. */
function openCounterFile(tool: Tool): MetaData {
  const raw = new Uint8Array(COUNTER_FILE_06_BYTES);
  let store = NOTHING;
  try {
    store = tryOpen(tool, false, false);
  } catch (error) {
    tool.io.stderr(`open(${tool.deviceName}) failed: ${errorText(error)}\n`);
  }
  const device = new MetaDevice(tool, store, 3);
  if (store !== NOTHING) device.read('v06_md_disk_to_cpu', raw, 0);
  const record = decodeRecord('v06', raw);
  const found = store !== NOTHING && isValid(tool, record, raw, device.size, 0) ? 'valid' : 'none';
  const layout = { ...layoutOf(tool, record, 8192), ...COUNTER_FILE_LAYOUT };
  return { device, found, record, layout, raw, lastKnown: undefined, superblockWritten: false };
}

/** Nothing may be written: the reference's range check refuses it, too. */
const COUNTER_FILE_LAYOUT = { superblockByte: 0, alByte: 0, bitmapByte: 0, mdSizeSect: 0, usableSectors: 0 };

const NOTHING: BlockStore = {
  size: 0,
  isBlockDevice: false,
  isPlainFile: false,
  sectorSize: undefined,
  read: () => 0,
  write: () => 0,
  zeroOut: () => false,
  punchHole: () => false,
  flush: () => undefined,
  close: () => undefined,
};

function readSuperblock(tool: Tool, device: MetaDevice, at: number): Uint8Array {
  const raw = new Uint8Array(SUPERBLOCK_BYTES);
  device.read(`${tool.format}_md_disk_to_cpu`, raw, at);
  return raw;
}

/** Says why not, with --verbose also when only the magic is missing; shows a block that was read from byte `at`. */
export function isValid(
  tool: Tool,
  record: Readonly<MetaRecord>,
  raw: Uint8Array,
  deviceBytes: number,
  at: number | undefined,
  format: Format = tool.format,
): boolean {
  const { verbose } = tool.options;
  const defect = findDefect(format, record, tool.index, deviceBytes);
  if (defect !== undefined && (defect.rule !== 'magic' || verbose >= 1))
    tool.io.stderr(`${defect.message}\n`);
  if (at !== undefined && verbose >= (defect === undefined ? 4 : 3)) tool.io.stderr(hexDump(raw, at));
  return defect === undefined;
}

function accept(
  tool: Tool,
  device: MetaDevice,
  found: Found,
  record: MetaRecord,
  layout: Layout,
  raw: Uint8Array,
  lastKnown: LastKnown | undefined,
): MetaData {
  device.area = areaOf(layout);
  clipSize(tool, record, layout.usableSectors);
  return { device, found, record, layout, raw, lastKnown, superblockWritten: false };
}

/** Limits the last agreed size to what the layout allows and says so on standard output. */
export function clipSize(tool: Tool, record: MetaRecord, usableSectors: number): void {
  if (usableSectors === Infinity || record.storedSize <= BigInt(Math.max(usableSectors, 0))) return;
  tool.io.stdout(`# la-size-sect was too big (${record.storedSize}), truncated (${usableSectors})!\n`);
  record.effectiveSize = Math.max(usableSectors, 0);
  record.storedSize = BigInt(record.effectiveSize);
}

export function areaOf(layout: Layout): { start: number; end: number } {
  const start = Math.min(layout.superblockByte, layout.alByte, layout.bitmapByte);
  return { start, end: start + layout.mdSizeSect * 512 };
}

function openLastKnown(tool: Tool, device: MetaDevice): MetaData | undefined {
  const { io, options, deviceName } = tool;
  const say = (text: string) => (options.verbose >= 1 ? io.stderr(text) : undefined);
  const lastKnown = loadLastKnown(tool);
  if (lastKnown === undefined) {
    say('no last-known offset information available.\n');
    return undefined;
  }
  say(` last known info: ${lastKnown.bytes} ${lastKnown.deviceName}\n`);
  if (lastKnown.uuid !== undefined) say(` last known uuid: ${uuidText(lastKnown.uuid)}\n`);
  if (lastKnown.bytes === device.size) return undefined;
  const at = superblockByte(lastKnown.bytes, tool.index);
  const inside = at >= 0 && at + SUPERBLOCK_BYTES <= device.size;
  let candidate: { raw: Uint8Array; record: MetaRecord } | undefined;
  if (inside) {
    const raw = new Uint8Array(SUPERBLOCK_BYTES);
    device.read('v08_check_for_resize', raw, at);
    const record = decodeRecord(tool.format, raw);
    if (isValid(tool, record, raw, lastKnown.bytes, at)) candidate = { raw, record };
  }
  const on = lastKnown.deviceName === deviceName ? '' : `on ${lastKnown.deviceName} `;
  say(
    `While checking for internal meta data for drbd${tool.minor >>> 0} on ${deviceName},\n` +
      'it appears that it may have been relocated.\n' +
      `It used to be ${on}at byte offset ${at}, ` +
      `${candidate === undefined ? 'but I cannot find it now' : 'and seems to still be valid'}.\n`,
  );
  if (!inside) say('Device is too small now!\n');
  if (candidate === undefined || !sameDevice(tool, lastKnown, candidate.record)) return undefined;
  const layout = storedLayout(tool, candidate.record, lastKnown.bytes, at);
  return accept(tool, device, 'last-known', candidate.record, layout, candidate.raw, lastKnown);
}

function sameDevice(tool: Tool, lastKnown: LastKnown, record: Readonly<MetaRecord>): boolean {
  if (lastKnown.uuid === undefined || lastKnown.uuid === record.deviceUuid) return true;
  const { io, options } = tool;
  // The reference prints zero as the second value; kept, its output is compared.
  io.stderr(`Last known and found uuid differ!?\n${uuidText(lastKnown.uuid)} != ${uuidText(0n)}\n`);
  io.stderr(options.force ? "You --force'ed me to ignore that.\n" : 'You may --force me to ignore that.\n');
  return options.force;
}

export function uuidText(uuid: bigint): string {
  return BigInt.asUintN(64, uuid).toString(16).toUpperCase().padStart(16, '0');
}

/**
 * Writes the superblock; true if it is valid by the rules that reading applies, false (nothing written) if not. `fits`: all
 * values were read from such a block, so the written one need not be decoded to know them.
 */
export function writeSuperblock(tool: Tool, md: MetaData, fits = false): boolean {
  const { device, record, layout } = md;
  record.mdSizeSect = layout.mdSizeSect >>> 0;
  record.alOffset = layout.alOffset;
  record.bmOffset = layout.bmOffset;
  const block = encodeRecord(tool.format, record);
  const written = fits ? record : decodeRecord(tool.format, block);
  if (tool.format !== 'v06' && !isValid(tool, written, block, device.size, undefined)) return false;
  device.flush();
  device.write(`${tool.format}_md_cpu_to_disk`, block, layout.superblockByte);
  device.flush();
  md.superblockWritten = true;
  return true;
}

/** Closes and, after a superblock was written, updates the last-known-size file. */
export function closeMetaData(tool: Tool, md: MetaData): void {
  md.device.flush();
  if (tool.host.handover?.leave(tool, md) === true) return;
  const { size } = md.device;
  md.device.close();
  if (!md.superblockWritten || tool.options.dryRun) return;
  if (isExternalIndex(tool.index)) deleteLastKnown(tool);
  else if (tool.index === INDEX_INTERNAL && (tool.format === 'v08' || tool.format === 'v09'))
    saveLastKnown(tool, size, md.record.deviceUuid);
}
