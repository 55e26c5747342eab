/** Writes that were kept while I/O was suspended, when their peer is back without a resync (engine.md 10.6). */
import { ConnectionState } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { type Connection, type PeerDevice } from '../objects';
import { afterDeferred } from '../state/transaction';
import { settleOwedCurrentUuid } from '../uuid/new-current-uuid';
import { closeSentEpoch } from './transfer-log';
import { sendToPeer, stableOnPeer } from './write-path';
import { bitOf, type WriteRequest } from './write-request';

/** Sends again what the peer has not acknowledged; what it has counts as durable there. */
export function resendRequests(connection: Connection): void {
  const { io } = connection;
  const bit = bitOf(connection.peerNodeId);
  const kept = io.sentWrites.all();
  const doubtful: WriteRequest[] = [];
  io.sentWrites.clear();
  io.appInFlight = 0;
  for (const request of kept) {
    const peerDevice = request.device.peerDeviceOf(connection.peerNodeId);
    if ((request.pendingMask & bit) === 0 || peerDevice === undefined) {
      if (peerDevice?.device.backing && wasRestarted(peerDevice)) doubtful.push(request);
      // With the connection it came by the peer has forgotten it: a peer ack for it would name nothing.
      request.sentMask &= ~bit;
      stableOnPeer(connection, request);
    } else {
      peerDevice.io.pending--;
      request.pendingMask &= ~bit;
      request.sentMask &= ~bit;
      sendToPeer(peerDevice, request);
    }
  }
  if (io.openEpochWrites > 0 && io.openEpoch !== connection.resource.io.epoch) closeSentEpoch(connection);
  if (doubtful.length > 0) loseDoubtful(connection, doubtful);
}

const wasRestarted = ({ uuids }: PeerDevice): boolean =>
  uuids !== undefined && (uuids.flags & UUID_FLAG.RECONNECT) === 0n;

/**
 * The peer that is connecting was restarted, and had not made durable all that it acknowledged of the kept writes. This
 * side cannot send them again.
 */
export function mayLackAcknowledged(peerDevice: PeerDevice): boolean {
  const { connection, device } = peerDevice;
  const bit = bitOf(connection.peerNodeId);
  if (!wasRestarted(peerDevice)) return false;
  return connection.io.sentWrites
    .all()
    .some((request) => request.device === device && (request.pendingMask & bit) === 0);
}

/**
 * The peer acknowledged these writes and was restarted before it made them durable. Their data is the application's
 * again: they cannot be sent once more. The peer is left behind in a generation of its own, and what it may lack is
 * synced when it is back.
 */
function loseDoubtful(connection: Connection, doubtful: readonly WriteRequest[]): void {
  const { resource } = connection;
  const { ports, peerActions } = resource.host;
  const leave = (): void => {
    for (const { device, sector, sectors } of doubtful) {
      const slot = device.peerDeviceOf(connection.peerNodeId)?.bitmapSlot ?? -1;
      if (slot >= 0) device.backing?.bitmap.setRange(slot, sector, sectors);
    }
    peerActions.failConnection(connection, ConnectionState.NetworkFailure);
    const devices = new Set(doubtful.map(({ device }) => device));
    for (const device of devices) if (device.backing) settleOwedCurrentUuid(device);
  };
  // What follows the commit of the connect clears the bitmap of a peer that is not resynced.
  ports.scheduler.soon({ run: () => afterDeferred(resource, leave) });
}
