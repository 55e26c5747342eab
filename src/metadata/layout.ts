/*
 * Where superblock, activity log and bitmap are (metadata.md 1). Offsets named "Byte" are absolute bytes on the
 * meta data device, "Offset" are signed sectors relative to the superblock, sizes are what their names say.
 */

export const SECTOR = 512;
/** An indexed (and a v07 fixed internal) meta data area: 128 MiB. */
export const FIXED_AREA_BYTES = 134217728;
export const FIXED_AREA_SECTORS = FIXED_AREA_BYTES / SECTOR;
/** Largest device: 2^50 bytes, for every bitmap block size. */
export const MAX_DEVICE_BYTES = 2 ** 50;
/** Smallest device that drbdmeta accepts. */
export const MIN_DEVICE_BYTES = 69632;

/** Codes of the place of meta data, as in drbdmeta and on the configuration interface; n >= 0 is an index. */
export const INDEX_V07_INTERNAL = -1;
export const INDEX_FLEX_EXTERNAL = -2;
export const INDEX_INTERNAL = -3;

export interface ActivityLogGeometry {
  readonly alStripes: number;
  readonly alStripeSize4k: number;
}

export interface LayoutRequest extends ActivityLogGeometry {
  /** Size of the device that holds the meta data. */
  readonly deviceBytes: number;
  readonly index: number;
  readonly maxPeers: number;
  readonly bytesPerBit: number;
}

export interface Layout {
  readonly superblockByte: number;
  readonly alByte: number;
  readonly alBytes: number;
  readonly bitmapByte: number;
  /** Room for the bitmap; only the first bitmapBytes(effectiveSize, ...) are meaningful. */
  readonly bitmapAreaBytes: number;
  readonly mdSizeSect: number;
  readonly alOffset: number;
  readonly bmOffset: number;
  /** Largest data device in sectors, by drbdmeta's rule. */
  readonly usableSectors: number;
}

/** Bytes of bitmap for a device of `sectors`, all slots together, rounded up to 4096. */
export function bitmapBytes(sectors: number, bytesPerBit: number, maxPeers: number): number {
  const bits = Math.ceil(sectors / (bytesPerBit / SECTOR));
  return roundUp((roundUp(bits, 64) / 8) * maxPeers, 4096);
}

export function alSectors(geometry: ActivityLogGeometry): number {
  return geometry.alStripes * geometry.alStripeSize4k * 8;
}

/** Absolute byte of the superblock; negative or beyond the device if the device is too small. */
export function superblockByte(deviceBytes: number, index: number): number {
  switch (index) {
    case INDEX_INTERNAL:
      return roundDown(deviceBytes - 4096, 4096);
    case INDEX_V07_INTERNAL:
      return roundDown(deviceBytes, 4096) - FIXED_AREA_BYTES;
    case INDEX_FLEX_EXTERNAL:
      return 0;
    default:
      return index * FIXED_AREA_BYTES;
  }
}

/** The relative layout: what create-md writes into the superblock. */
export function relativeLayout(
  request: LayoutRequest,
): Pick<Layout, 'mdSizeSect' | 'alOffset' | 'bmOffset' | 'bitmapAreaBytes'> {
  const al = alSectors(request);
  if (request.index === INDEX_INTERNAL) {
    const sectors = Math.floor(request.deviceBytes / SECTOR);
    const area = bitmapBytes(sectors, request.bytesPerBit, request.maxPeers);
    return {
      mdSizeSect: area / SECTOR + 8 + al,
      alOffset: -al,
      bmOffset: -(area / SECTOR) - al,
      bitmapAreaBytes: area,
    };
  }
  const mdSizeSect =
    request.index === INDEX_FLEX_EXTERNAL ? Math.floor(request.deviceBytes / SECTOR) : FIXED_AREA_SECTORS;
  const bmOffset = request.index === INDEX_V07_INTERNAL ? 72 : 8 + al;
  return { mdSizeSect, alOffset: 8, bmOffset, bitmapAreaBytes: (mdSizeSect - bmOffset) * SECTOR };
}

/** Computes all positions. Does not judge: a device that is too small yields negative positions. */
export function computeLayout(request: LayoutRequest): Layout {
  const relative = relativeLayout(request);
  return placeLayout(request, relative, superblockByte(request.deviceBytes, request.index));
}

/** Positions that follow from a superblock's own offsets, found at byte `superblock`. */
export function placeLayout(
  request: LayoutRequest,
  relative: Pick<Layout, 'mdSizeSect' | 'alOffset' | 'bmOffset'>,
  superblock: number,
): Layout {
  const alByte = superblock + relative.alOffset * SECTOR;
  const bitmapByte = superblock + relative.bmOffset * SECTOR;
  const alBytes = alSectors(request) * SECTOR;
  const internal = request.index === INDEX_INTERNAL || request.index === INDEX_V07_INTERNAL;
  return {
    superblockByte: superblock,
    alByte,
    alBytes,
    bitmapByte,
    bitmapAreaBytes:
      request.index === INDEX_INTERNAL
        ? alByte - bitmapByte
        : (relative.mdSizeSect - relative.bmOffset) * SECTOR,
    mdSizeSect: relative.mdSizeSect,
    alOffset: relative.alOffset,
    bmOffset: relative.bmOffset,
    usableSectors: internal
      ? Math.floor(Math.min(superblock, alByte, bitmapByte) / SECTOR)
      : externalUsableSectors(relative.mdSizeSect - relative.bmOffset, request.bytesPerBit, request.maxPeers),
  };
}

/** Integer division at every step, as drbdmeta does; bigint because the product can pass 2^53. */
function externalUsableSectors(areaSectors: number, bytesPerBit: number, maxPeers: number): number {
  const words = (BigInt(areaSectors) * 64n) / BigInt(Math.max(maxPeers, 1));
  return Number((words * 64n * BigInt(bytesPerBit)) / 512n);
}

/**
 * Largest data device in sectors by the kernel's rule: whole bytes per slot instead of 64-bit words. The engine uses
 * this one when it attaches.
 */
export function attachCapacitySectors(
  layout: Layout,
  index: number,
  bytesPerBit: number,
  maxPeers: number,
): number {
  if (index === INDEX_INTERNAL || index === INDEX_V07_INTERNAL) return layout.usableSectors;
  const area = index >= 0 ? 262072 * SECTOR : roundDown(layout.bitmapAreaBytes, 4096);
  return Math.floor(area / maxPeers) * 8 * (bytesPerBit / SECTOR);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export function roundDown(value: number, multiple: number): number {
  return Math.floor(value / multiple) * multiple;
}
