/** What we say of ourselves when generations are compared (engine.md 5.4). */
import { DiskState } from '../../control/contract/states';
import { type Device, type PeerDevice } from '../objects';
import { isSyncTarget } from '../state/derived';

/** Our current UUID, or that of the third node we are being synced from: what we will be. */
export function resolvedCurrentUuid(device: Device, towards: PeerDevice): bigint {
  const own = device.backing?.superblock.currentUuid ?? device.exposedUuid;
  const source = device.peerDevices.find((peer) => peer !== towards && isSyncTarget(peer.now.repl));
  return source?.uuids?.currentUuid ?? own;
}

/** Something was changed since the peer was last told (engine.md 2.7 step 4a). */
export function announcedUuidsChanged(peerDevice: PeerDevice): boolean {
  const { device } = peerDevice;
  if (device.backing === undefined || device.now.disk < DiskState.Negotiating) {
    return device.exposedUuid !== peerDevice.announcedCurrentUuid;
  }
  const bitmap = device.backing.superblock.peers[peerDevice.peerNodeId]?.bitmapUuid ?? 0n;
  return (
    resolvedCurrentUuid(device, peerDevice) !== peerDevice.announcedCurrentUuid ||
    bitmap !== peerDevice.announcedBitmapUuid
  );
}
