/** The source of a resync learns what has been written (wire-protocol.md 10.3). */
import { type PeerDevice } from '../objects';
import { writeBitmapLazily } from './lazy-bitmap';
import { noteResynced } from './resynced-blocks';

/** P_RS_WRITE_ACK or its negative. False: it acknowledges nothing that was sent. */
export function resyncAcked(peerDevice: PeerDevice, sector: number, bytes: number, ok: boolean): boolean {
  const { io, device, bitmapSlot, connection } = peerDevice;
  const sectors = bytes / 512;
  const read = io.repliesOut.get(sector);
  if (read?.sectors !== sectors) return false;
  io.repliesOut.delete(sector);
  read.release();
  io.pending--;
  connection.io.resyncInFlight -= sectors;
  const bitmap = device.backing?.bitmap;
  if (bitmap === undefined || bitmapSlot < 0) return true;
  if (!ok) {
    if (io.resync) io.resync.failed += Math.ceil(sectors / 8);
    return true;
  }
  bitmap.clearRange(bitmapSlot, sector, sectors);
  noteResynced(device, bitmapSlot, { sector, sectors });
  writeBitmapLazily(device);
  if (io.resync?.marks.advance(device.resource.host.ports.scheduler.now(), bitmap.count(bitmapSlot)) === true)
    device.resource.host.notices.peerDeviceChanged(peerDevice);
  return true;
}
