/** The size of a device (engine.md 9.9). All sizes in sectors. */
import { PeerFlag } from '../../metadata/superblock-flags';
import { type Device, wantsBitmap } from '../objects';

/** Bytes: what was configured, or the disk's sectors where they are larger. */
export const logicalBlockSize = ({ options, backing }: Device): number =>
  Math.max(options.blockSize, backing?.dataDisk.blockSize ?? 0);

/** Smallest of the sizes that are known; 0 = none is. */
const smallest = (sizes: readonly number[]): number => {
  const known = sizes.filter((size) => size > 0);
  return known.length === 0 ? 0 : Math.min(...known);
};

/** What the device can be now: own disk, peers' disks as far as known, the last agreed size, the configured size. */
export function determineSize(device: Device, assumePeerHasSpace = false): number {
  const { backing } = device;
  if (backing === undefined) return device.size;
  const own = backing.maxSectors;
  const user = device.diskOptions?.size ?? 0;
  const effectiveSize = backing.sizeToPersist ?? backing.superblock.effectiveSize;
  const relevant = device.peerDevices.filter((peer) => {
    const flags = backing.superblock.peers[peer.peerNodeId]?.flags ?? 0;
    return wantsBitmap(peer) && (peer.sizes.maxSize > 0 || (flags & PeerFlag.DEVICE_SEEN) !== 0);
  });
  const peers = relevant.map((peer) => peer.sizes.maxSize);
  let size;
  if (assumePeerHasSpace || peers.every((peer) => peer > 0)) size = smallest([own, ...peers]);
  else size = effectiveSize > 0 ? Math.min(effectiveSize, own) : smallest([own, ...peers]);
  if (user > 0 && user <= size) size = user;
  return size;
}

const UNITS = ['KB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;

/** `16 MB (16344 KB)`. */
export function sizeText(sectors: number): string {
  const kib = Math.floor(sectors / 2);
  let value = kib;
  let unit = 0;
  while (value >= 10000 && unit < UNITS.length - 1) {
    value = Math.floor((value + 512) / 1024);
    unit++;
  }
  return `${value} ${UNITS[unit] ?? 'KB'} (${kib} KB)`;
}
