/** The handshake of a node without a disk: is the peer's data the generation we have shown? (engine.md 5.12) */
import { DiskState, Role } from '../../control/contract/states';
import { type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { setExposedUuid } from '../state/exposed-uuid';
import { hex16, logLine } from '../state/object-log';

/** What the peer's disk may count as, or how the connect attempt ends. */
export function disklessHandshake(
  peerDevice: PeerDevice,
  peerDisk: DiskState,
): DiskState | 'retry' | 'disconnect' {
  const { device, resource, uuids } = peerDevice;
  const exposed = device.exposedUuid;
  const peer = uuids?.currentUuid ?? 0n;
  logLine(peerDevice, 'info', `my exposed UUID: ${hex16(exposed)}`);
  logLine(peerDevice, 'info', `peer's current UUID: ${hex16(peer)}`);
  if (peerDisk !== DiskState.UpToDate || uuids === undefined) return peerDisk;
  if (exposed === 0n) {
    setExposedUuid(device, peer, true);
    return peerDisk;
  }
  if (sameUuid(exposed, peer)) {
    const lostDisk = resource.now.role === Role.Primary && !device.options.intentionalDiskless;
    if (!lostDisk || !resource.host.dataActions.mayLackAcknowledged(peerDevice)) return peerDisk;
    // Stricter than the kernel module: they are on the disk that this Primary has lost, if anywhere.
    logLine(peerDevice, 'error', 'Peer was restarted and may lack writes that it acknowledged.');
    return 'disconnect';
  }
  const successor =
    uuids.bitmapUuids.some((uuid) => uuid !== 0n && sameUuid(uuid, exposed)) ||
    uuids.historyUuids.some((uuid) => uuid !== 0n && sameUuid(uuid, exposed));
  if (successor) {
    if (resource.now.role === Role.Primary) {
      logLine(peerDevice, 'warning', 'Remote node has more recent data');
      return 'retry';
    }
    setExposedUuid(device, peer, true);
    return peerDisk;
  }
  if (isAncestor(peerDevice, peer)) {
    logLine(peerDevice, 'warning', "Downgrading joining peer's disk as its data is older");
    return peerDisk > DiskState.Outdated ? DiskState.Outdated : peerDisk;
  }
  logLine(peerDevice, 'error', 'Current UUID of peer does not match my exposed UUID.');
  return 'disconnect';
}

/** Another node that we have met marks what this generation lacks. */
const isAncestor = (peerDevice: PeerDevice, uuid: bigint): boolean =>
  peerDevice.device.peerDevices.some(
    (other) =>
      other !== peerDevice && other.uuids?.bitmapUuids.some((older) => older !== 0n && sameUuid(older, uuid)),
  );

/**
 * The peer goes on calling its disk UpToDate after the handshake: it has not heard of what we have seen. Taken at its word,
 * its older data would become the source of another generation.
 */
export function staysOlder(peerDevice: PeerDevice, peerDisk: DiskState): boolean {
  const { device, now, uuids } = peerDevice;
  if (device.now.disk !== DiskState.Diskless || now.pdsk !== DiskState.Outdated) return false;
  if (peerDisk <= DiskState.Outdated || uuids === undefined || device.exposedUuid === 0n) return false;
  return !sameUuid(uuids.currentUuid, device.exposedUuid) && isAncestor(peerDevice, uuids.currentUuid);
}
