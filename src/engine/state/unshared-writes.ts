/**
 * What a lost quorum leaves behind: writes that failed for the application because no peer acknowledged them, but are on
 * this disk. Stricter than engine.md 2.6 step 9, where the flag falls as soon as there is quorum again: a peer that was
 * away meanwhile has the same generation and would be taken for in sync.
 */
import { ReplicationState } from '../../control/contract/states';
import { type PeerDevice } from '../objects';
import { type DeviceChange } from './state-change';

/** Its slot says that it has our generation, and the bitmap that it lacks some of it. */
export function lacksOurWrites(peerDevice: PeerDevice): boolean {
  const { device, peerNodeId } = peerDevice;
  const slot = device.backing?.superblock.peers[peerNodeId];
  return slot?.bitmapUuid === 0n && device.resource.host.dataActions.outOfSyncBits(peerDevice) > 0;
}

/** Is some peer away that lacks writes of ours? Another may bring it to our generation, without them. */
export const hasUnsharedWrites = ({ device, peers }: DeviceChange): boolean =>
  peers.some(
    (peer) =>
      peer.new.repl < ReplicationState.Established &&
      device.resource.host.dataActions.outOfSyncBits(peer.peerDevice) > 0,
  );
