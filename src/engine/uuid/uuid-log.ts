/** Log lines that show generation identifiers (engine.md 15.3). */
import { type PeerDevice } from '../objects';
import { hex16, logLine } from '../state/object-log';

/** `TEXT current:bitmap:history0:history1` of our own set towards this peer; without a disk the exposed UUID. */
export function logOwnUuids(peerDevice: PeerDevice, text: string): void {
  const { device } = peerDevice;
  const superblock = device.backing?.superblock;
  if (superblock === undefined) {
    logLine(peerDevice, 'info', `${text} exposed data uuid: ${hex16(device.exposedUuid)}`);
    return;
  }
  const bitmap = superblock.peers[peerDevice.peerNodeId]?.bitmapUuid ?? 0n;
  logLine(
    peerDevice,
    'info',
    `${text} ${uuidFields(superblock.currentUuid, bitmap, superblock.historyUuids)}`,
  );
}

export function uuidFields(current: bigint, bitmap: bigint, history: readonly bigint[]): string {
  return [current, bitmap, history[0] ?? 0n, history[1] ?? 0n].map(hex16).join(':');
}
