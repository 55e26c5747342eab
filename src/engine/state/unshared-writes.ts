/**
 * What a lost quorum leaves behind: writes that failed for the application because no peer acknowledged them, but are on
 * this disk. Stricter than engine.md 2.6 step 9, where the flag falls as soon as there is quorum again: a peer that was
 * away meanwhile has the same generation and would be taken for in sync.
 */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { PeerFlag } from '../../metadata/superblock-flags';
import { type PeerDevice } from '../objects';
import { type DeviceChange } from './state-change';

/** Its slot says that it has our generation, and the bitmap that it lacks some of it. */
export function lacksOurWrites(peerDevice: PeerDevice): boolean {
  const { device, peerNodeId } = peerDevice;
  const slot = device.backing?.superblock.peers[peerNodeId];
  return slot?.bitmapUuid === 0n && device.resource.host.dataActions.outOfSyncBits(peerDevice) > 0;
}

/**
 * Does some peer lack writes of ours, because it is away, without its disk, or is only getting them? Another may bring
 * it to our generation without them, or it comes back in the middle of the resync.
 */
export function hasUnsharedWrites({ device, peers }: DeviceChange): boolean {
  const { dataActions } = device.resource.host;
  const hasAll = (nodeId: number): boolean =>
    peers.some(
      ({ peerDevice, new: now }) =>
        peerDevice.peerNodeId === nodeId &&
        now.repl === ReplicationState.Established &&
        now.pdsk === DiskState.UpToDate,
    );
  return (device.backing?.superblock.peers ?? []).some(
    ({ flags, bitmapIndex }, nodeId) =>
      (flags & PeerFlag.HAVE_BITMAP) !== 0 &&
      bitmapIndex >= 0 &&
      !hasAll(nodeId) &&
      dataActions.slotBits(device, bitmapIndex) > 0,
  );
}
