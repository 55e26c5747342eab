/** What we say of ourselves when generations are compared (engine.md 5.4). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type Device, type PeerDevice } from '../objects';

/**
 * Our current UUID, or that of the third node we are being synced from: what we will be. A source that waits for its turn may never
 * get it.
 */
export function resolvedCurrent(
  device: Device,
  towards: PeerDevice,
): { readonly uuid: bigint; readonly syncTarget: boolean } {
  const own = device.backing?.superblock.currentUuid ?? device.exposedUuid;
  const source = device.peerDevices.find(
    (peer) => peer !== towards && peer.now.repl === ReplicationState.SyncTarget,
  );
  if (source?.uuids === undefined) return { uuid: own, syncTarget: false };
  return { uuid: source.uuids.currentUuid, syncTarget: true };
}
export const resolvedCurrentUuid = (device: Device, towards: PeerDevice): bigint =>
  resolvedCurrent(device, towards).uuid;

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
