/**
 * After a resync within a generation: a crashed Primary has won over us, say, and a peer that was in sync with us does not
 * know of it. Both are UpToDate at the same generation, so that no handshake will ever notice, but what we took is marked in our
 * bitmap: the peer gets it from us, as `invalidate-remote --reset-bitmap=no` would do.
 */
import { isSuccess } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { startResync } from '../admin/minor-requests';
import { type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';

/** Whoever was the source may be in touch with the peer as well, and tell both of us that we are in sync. */
const PATIENCE_MILLISECONDS = 1000;
/** What peers once said that they owe us may be out of date: we do not wait for ever. */
const TURN = 10;

/** The peer is UpToDate as we are: does it have what we have? */
export function passOnLater(peerDevice: PeerDevice, waited = 0): void {
  if (!owes(peerDevice)) return;
  const { connection, device, resource, bitmapSlot } = peerDevice;
  const { life } = connection.io;
  const before = device.backing?.bitmap.count(bitmapSlot) ?? 0;
  resource.host.ports.scheduler.after(PATIENCE_MILLISECONDS, {
    onTimer: () => {
      if (life !== connection.io.life || !owes(peerDevice)) return;
      // Announcements go on: they may make it needless.
      const fewer = (device.backing?.bitmap.count(bitmapSlot) ?? 0) < before;
      const turn = TURN * (1 + resource.nodeId);
      if (fewer || (waited < turn && isOwedSomething(peerDevice))) passOnLater(peerDevice, waited + 1);
      else passOn(peerDevice);
    },
  });
}

/** What we hold may be replaced first. Three nodes that owe each other in a ring would chase each other. */
const isOwedSomething = (peerDevice: PeerDevice): boolean =>
  peerDevice.device.peerDevices.some(
    (other) =>
      other !== peerDevice &&
      other.now.repl === ReplicationState.Established &&
      other.now.pdsk === DiskState.UpToDate &&
      (other.uuids?.dirtyBits ?? 0) > 0,
  );

function owes(peerDevice: PeerDevice): boolean {
  const { device, bitmapSlot, now, connection, uuids, marksCount } = peerDevice;
  const { backing } = device;
  if (backing === undefined || bitmapSlot < 0 || uuids === undefined || marksCount === 'not') return false;
  return (
    connection.now.cstate === ConnectionState.Connected &&
    connection.agreedProtocol >= 120 &&
    device.now.disk === DiskState.UpToDate &&
    now.pdsk === DiskState.UpToDate &&
    now.repl === ReplicationState.Established &&
    !peerDevice.reconcilePending &&
    sameUuid(backing.superblock.currentUuid, uuids.currentUuid) &&
    backing.bitmap.count(bitmapSlot) > 0
  );
}

/** A Primary has the data that count. */
function passOn(peerDevice: PeerDevice): void {
  const { WFBitMapS, WFBitMapT } = ReplicationState;
  const { resource, connection, marksCount } = peerDevice;
  const isTarget =
    connection.now.peerRole === Role.Primary ||
    (marksCount === 'theirs' && resource.now.role !== Role.Primary);
  const repl = isTarget ? WFBitMapT : WFBitMapS;
  const done = (code: number): void => {
    if (!isSuccess(code)) passOnLater(peerDevice);
  };
  startResync(peerDevice, repl, 'pass-on', done, true);
}
