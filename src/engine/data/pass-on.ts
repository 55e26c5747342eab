/**
 * After a resync within a generation: a crashed Primary has won over us, say, and a peer that was in sync with us does not
 * know of it. Both are UpToDate at the same generation, so that no handshake will ever notice, but what we took is marked in our
 * bitmap: the peer gets it from us, as `invalidate-remote --reset-bitmap=no` would do.
 */
import { isSuccess } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { startResync } from '../admin/minor-requests';
import { type PeerDevice } from '../objects';
import { mayReturnToUpToDate, sameUuid } from '../state/data-trust';
import { committedDevice } from '../state/state-change';
import { changeState } from '../state/transaction';

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
      if (life !== connection.io.life) return;
      if (!owes(peerDevice)) return raiseWithoutMarks(peerDevice);
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
  const { device, bitmapSlot } = peerDevice;
  return hasSettledGeneration(peerDevice) && (device.backing?.bitmap.count(bitmapSlot) ?? 0) > 0;
}

/** Nothing but the marks is between both. */
function hasSettledGeneration(peerDevice: PeerDevice): boolean {
  const { device, bitmapSlot, now, connection, uuids, marksCount } = peerDevice;
  const { backing } = device;
  if (backing === undefined || bitmapSlot < 0 || uuids === undefined || marksCount === 'not') return false;
  return (
    connection.now.cstate === ConnectionState.Connected &&
    connection.agreedProtocol >= 120 &&
    canBeBroughtTogether(device.now.disk, now.pdsk, marksCount === 'ours') &&
    now.repl === ReplicationState.Established &&
    !peerDevice.reconcilePending &&
    sameUuid(backing.superblock.currentUuid, uuids.currentUuid)
  );
}
/** Both good, both not, or the one that is not is the one whose marks do not count. */
function canBeBroughtTogether(disk: DiskState, pdsk: DiskState, oursCount: boolean): boolean {
  const { Outdated, UpToDate } = DiskState;
  if (disk === pdsk) return disk === UpToDate || disk === Outdated;
  return oursCount ? disk === UpToDate && pdsk === Outdated : disk === Outdated && pdsk === UpToDate;
}

/** An Outdated disk had waited for what was marked, and somebody else has brought it. */
function raiseWithoutMarks(peerDevice: PeerDevice): void {
  const { device, bitmapSlot, resource, marksCount } = peerDevice;
  if (device.now.disk !== DiskState.Outdated || marksCount !== 'theirs' || !hasSettledGeneration(peerDevice))
    return;
  if (device.backing?.bitmap.count(bitmapSlot) !== 0) return;
  if (!mayReturnToUpToDate(committedDevice(device), 'new')) return;
  changeState(resource, { tag: 'pass-on', verbose: true }, () => {
    device.next.disk = DiskState.UpToDate;
  });
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
  startResync(peerDevice, repl, 'pass-on', done, () => owes(peerDevice));
}
