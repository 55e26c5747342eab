/** The size of a device (engine.md 9.9). All sizes in sectors. */
import { PeerFlag } from '../../metadata/superblock-flags';
import { ConnectionState, DiskState } from '../../control/contract/states';
import { type BackingDevice } from '../data/backing-device';
import { hasNode, NO_NODES, type NodeMask } from '../node-mask';
import { type Device, type PeerDevice, wantsBitmap } from '../objects';

/** Bytes: what was configured, or the disk's sectors where they are larger. */
export const logicalBlockSize = ({ options, backing }: Device): number =>
  Math.max(options.blockSize, backing?.dataDisk.blockSize ?? 0);

/** Smallest of the sizes that are known; 0 = none is. */
const smallest = (sizes: readonly number[]): number => {
  const known = sizes.filter((size) => size > 0);
  return known.length === 0 ? 0 : Math.min(...known);
};

/** Its sizes count while it is there, also when it has lost its disk meanwhile; what it once had does not bind it. */
const tellsItsSize = (peer: PeerDevice): boolean =>
  peer.haveSizes && (peer.inHandshake || peer.connection.now.cstate >= ConnectionState.Connected);

/** What the disks can hold that peers have let go of and may attach again, as they told of it last; Infinity = there are none. */
export const roomOnDetachedDisks = ({ peerDevices }: Device): number =>
  peerDevices
    .filter((peer) => peer.now.pdsk <= DiskState.Diskless && wantsBitmap(peer) && tellsItsSize(peer))
    .reduce((room, { sizes }) => (sizes.maxSize > 0 ? Math.min(room, sizes.maxSize) : room), Infinity);

/** Has somebody a disk for this device whose size is not known now? `reached`: nodes that agreed to a size. */
export function misses(device: Device, { superblock }: BackingDevice, reached: NodeMask): boolean {
  return superblock.peers.some(({ flags }, nodeId) => {
    if (nodeId === superblock.nodeId || hasNode(reached, nodeId)) return false;
    const peer = device.peerDevices.find((candidate) => candidate.peerNodeId === nodeId);
    if (peer !== undefined && !wantsBitmap(peer)) return false;
    // Who has no disk at the moment may get it back; unless it has ever told its size, that is not known.
    if (peer !== undefined && tellsItsSize(peer) && peer.sizes.maxSize > 0) return false;
    return (flags & PeerFlag.DEVICE_SEEN) !== 0;
  });
}

/**
 * What the device can be now: own disk, disks of peers that are there, the last agreed size, the configured size.
 * `agreedElsewhere`: the size of a peer with a disk, who may have agreed on it with nodes that are not here.
 */
export function determineSize(device: Device, assumePeerHasSpace = false, agreedElsewhere = 0): number {
  const { backing } = device;
  if (backing === undefined) return device.size;
  const user = device.diskOptions?.size ?? 0;
  const effectiveSize = Math.max(backing.sizeToPersist ?? backing.superblock.effectiveSize, agreedElsewhere);
  const there = device.peerDevices.filter((peer) => wantsBitmap(peer) && tellsItsSize(peer));
  const possible = smallest([backing.maxSectors, ...there.map((peer) => peer.sizes.maxSize)]);
  const free = assumePeerHasSpace || !misses(device, backing, NO_NODES);
  const size = free ? possible : smallest([effectiveSize, possible]);
  return user > 0 && user <= size ? user : size;
}

/**
 * The largest size that a connected peer with a disk works with, 0 = there is none: such peers may have grown with nodes that are away
 * now, while we had no disk.
 */
export const sizeOfPeers = (device: Device): number =>
  device.peerDevices
    .filter((peer) => tellsItsSize(peer) && peer.sizes.dSize > 0)
    .reduce((largest, { sizes }) => Math.max(largest, sizes.cSize), 0);

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
