/** P_OUT_OF_SYNC: a peer has something that it did not send us (wire-protocol.md 10.6). */
import { ReplicationState, Role } from '../../control/contract/states';
import { type PeerDevice } from '../objects';
import { isSyncTarget } from '../state/derived';

export function markedByPeer(peerDevice: PeerDevice, sector: number, sectors: number): void {
  markFor(peerDevice, sector, sectors);
  // A target tells what it got from its source. What a Primary writes others have got, from whom we are (to be) synced: that may
  // end before the resync with this peer begins.
  if (peerDevice.connection.now.peerRole !== Role.Primary) return;
  for (const other of peerDevice.device.peerDevices)
    if (other !== peerDevice && isOrBecomesSyncTarget(other.now.repl)) markFor(other, sector, sectors);
}

const isOrBecomesSyncTarget = (repl: ReplicationState): boolean =>
  isSyncTarget(repl) || repl === ReplicationState.StartingSyncT || repl === ReplicationState.WFBitMapT;

function markFor({ device, bitmapSlot, now, io }: PeerDevice, sector: number, sectors: number): void {
  if (bitmapSlot >= 0) device.backing?.bitmap.setRange(bitmapSlot, sector, sectors);
  // A running scan may have passed the place already.
  if (io.resync && now.repl === ReplicationState.SyncTarget)
    io.resync.nextBit = Math.min(io.resync.nextBit, Math.floor(sector / 8));
}
