import { AL_BLOCK_BYTES, initializedActivityLog } from '../metadata/activity-log';
import { type AlFinding, replayActivityLog } from '../metadata/activity-log-replay';
import { EXTENT_SECTORS } from '../metadata/bitmap-geometry';
import {
  bitmapBytes,
  computeLayout,
  INDEX_INTERNAL,
  type Layout,
  type LayoutRequest,
  placeLayout,
  SECTOR,
  superblockByte,
} from '../metadata/layout';
import { markExtents } from '../metadata/mark-extents';
import { decodeRecord } from '../metadata/meta-record';
import { encodeSuperblock09, freshSuperblock09, type Superblock09 } from '../metadata/superblock-09';
import { findDefect } from '../metadata/superblock-check';
import { DEFAULT_BYTES_PER_BIT, DeviceFlag, SUPERBLOCK_BYTES } from '../metadata/superblock-flags';
import { type DiskMedium } from './world/disk-medium';

export interface MetadataPlace {
  readonly medium: DiskMedium;
  /** `INDEX_INTERNAL`, `INDEX_FLEX_EXTERNAL` or an index. */
  readonly index: number;
}
const bytesPerBit = DEFAULT_BYTES_PER_BIT;

function layoutOf(place: MetadataPlace, superblock: Superblock09): Layout {
  const request: LayoutRequest = {
    deviceBytes: place.medium.size,
    index: place.index,
    maxPeers: superblock.bmMaxPeers,
    bytesPerBit: superblock.bmBytesPerBit,
    alStripes: superblock.alStripes,
    alStripeSize4k: superblock.alStripeSize4k,
  };
  return computeLayout(request);
}

/** What `drbdmeta create-md --max-peers N` writes (metadata.md 4). Returns the usable data sectors. */
export function createMetadata(place: MetadataPlace, maxPeers: number): number {
  const superblock = freshSuperblock09(maxPeers);
  const layout = layoutOf(place, superblock);
  superblock.mdSizeSect = layout.mdSizeSect;
  superblock.alOffset = layout.alOffset;
  superblock.bmOffset = layout.bmOffset;
  const { medium } = place;
  medium.writeNow(layout.alByte, initializedActivityLog(superblock));
  // A bitmap is as large as its data; a whole external device is not written for it.
  const data =
    place.index === INDEX_INTERNAL ? layout.bitmapAreaBytes : Math.min(layout.bitmapAreaBytes, 1 << 20);
  medium.writeNow(layout.bitmapByte, new Uint8Array(data));
  medium.writeNow(layout.superblockByte, encodeSuperblock09(superblock));
  return layout.usableSectors;
}

/**
 * What `drbdmeta` does with internal meta-data that are not at the end of their disk any more, but where they were when
 * it had `lastKnown` bytes (metadata.md 14): moves them. False if there are none.
 */
export function followLastKnownSize(place: MetadataPlace, lastKnown: number): boolean {
  const { medium, index } = place;
  const at = superblockByte(lastKnown, index);
  const record = decodeRecord('v09', medium.readNow(at, SUPERBLOCK_BYTES));
  if (findDefect('v09', record, index, lastKnown) !== undefined) return false;
  const old = placeLayout(
    { ...record, deviceBytes: lastKnown, index, maxPeers: record.bmMaxPeers, bytesPerBit },
    record,
    at,
  );
  const next = layoutOf(place, record);
  const log = medium.readNow(old.alByte, old.alBytes);
  const bitmap = medium.readNow(
    old.bitmapByte,
    bitmapBytes(record.effectiveSize, record.bmBytesPerBit, record.bmMaxPeers),
  );
  const { mdSizeSect, alOffset, bmOffset } = next;
  medium.writeNow(next.bitmapByte, bitmap);
  medium.writeNow(next.alByte, log);
  medium.writeNow(next.superblockByte, encodeSuperblock09({ ...record, mdSizeSect, alOffset, bmOffset }));
  return true;
}

/** The superblock as it is on the medium, or what is wrong with it. */
export function readSuperblock(
  place: MetadataPlace,
  deviceBytes = place.medium.size,
): Superblock09 | { readonly defect: string } {
  const { medium, index } = place;
  const bytes = medium.readNow(superblockByte(deviceBytes, index), SUPERBLOCK_BYTES);
  const record = decodeRecord('v09', bytes);
  const defect = findDefect('v09', record, index, deviceBytes);
  return defect === undefined ? record : { defect: defect.message };
}

/** The bitmap area: 32-bit little endian words, interleaved over the slots. */
export function readBitmap(place: MetadataPlace, superblock: Superblock09): Uint8Array {
  const length = bitmapBytes(superblock.effectiveSize, superblock.bmBytesPerBit, superblock.bmMaxPeers);
  return place.medium.readNow(layoutOf(place, superblock).bitmapByte, length);
}

export interface AppliedLog {
  readonly hotExtents: readonly number[];
  readonly corruptBlocks: number;
}

/**
 * What `drbdmeta apply-al` does before an attach (metadata.md 6.4): sets the bits of all hot extents in all slots,
 * initialises the log, marks it clean. Returns what is wrong if the meta-data cannot be trusted.
 */
export function applyActivityLog(place: MetadataPlace): AppliedLog | { readonly defect: string } {
  const superblock = readSuperblock(place);
  if ('defect' in superblock) return superblock;
  const layout = layoutOf(place, superblock);
  const { medium } = place;
  const findings: AlFinding[] = [];
  const log = medium.readNow(layout.alByte, layout.alBytes);
  const replay = replayActivityLog(log, superblock, (finding) => findings.push(finding));
  const primary = (superblock.flags & DeviceFlag.PRIMARY_IND) !== 0;
  if (primary && (replay.outcome === 'unusable' || replay.outcome === 'no-update')) {
    return { defect: `activity log is ${replay.outcome}` };
  }
  const wrong = findings.find((finding) => finding.kind !== 'sequence-gap');
  if (wrong !== undefined) return { defect: `activity log: ${wrong.kind}` };
  // A torn block is the transaction that was being written; more than one means that others were damaged.
  if (primary && replay.corruptBlocks > 1)
    return { defect: `${replay.corruptBlocks} corrupt activity log blocks` };
  const hot = [...replay.hotExtents];
  const beyond = hot.find((extent) => extent * EXTENT_SECTORS >= medium.size / SECTOR);
  if (beyond !== undefined) return { defect: `activity log names extent ${beyond} beyond the device` };
  if (primary && replay.outcome === 'replay') {
    const bitmap = readBitmap(place, superblock);
    markExtents(bitmap, 0, hot, superblock.bmBytesPerBit, superblock.bmMaxPeers);
    medium.writeNow(layout.bitmapByte, bitmap);
  }
  if (layout.alBytes % AL_BLOCK_BYTES === 0) {
    medium.writeNow(layout.alByte, initializedActivityLog(superblock));
  }
  superblock.flags = (superblock.flags | DeviceFlag.AL_CLEAN) >>> 0;
  medium.writeNow(layout.superblockByte, encodeSuperblock09(superblock));
  return { hotExtents: hot, corruptBlocks: replay.corruptBlocks };
}

/** Bytes of a disk that holds `dataSectors` and internal meta-data for `maxPeers` peers. */
export function diskSizeFor(dataSectors: number, maxPeers: number): number {
  const fresh = freshSuperblock09(maxPeers);
  let size = dataSectors * SECTOR + SUPERBLOCK_BYTES;
  for (;;) {
    const layout = computeLayout({
      ...fresh,
      deviceBytes: size,
      index: INDEX_INTERNAL,
      maxPeers,
      bytesPerBit,
    });
    if (layout.usableSectors >= dataSectors) return size;
    size += (dataSectors - layout.usableSectors) * SECTOR;
  }
}
