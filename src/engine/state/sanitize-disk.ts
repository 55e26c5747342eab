/** Sanitize: what a peer's state says about our own disk and about the trust in its disk (engine.md 2.3, S15-S23). */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { FEATURE } from '../../wire/features';
import { UUID_FLAG } from '../../wire/uuids110';
import { currentUuidOf, mayBeUpToDate, mayReturnToUpToDate, sameUuid } from './data-trust';
import { isSyncTarget } from './derived';
import { waitsForMarks } from './marks';
import { type OpenChange, type OpenDeviceChange, type OpenPeerDeviceChange } from './state-change';
import { type TransactionNotes } from './transaction-notes';

const flagsOf = (peer: OpenPeerDeviceChange): bigint => peer.peerDevice.uuids?.flags ?? 0n;
const isPeerStable = (peer: OpenPeerDeviceChange): boolean => (flagsOf(peer) & UUID_FLAG.STABLE) !== 0n;
const hasGotStable = (peer: OpenPeerDeviceChange): boolean => (flagsOf(peer) & UUID_FLAG.GOT_STABLE) !== 0n;
const hasPeersCurrentUuid = (node: OpenDeviceChange, peer: OpenPeerDeviceChange): boolean =>
  peer.peerDevice.uuids !== undefined &&
  sameUuid(peer.peerDevice.uuids.currentUuid, currentUuidOf(node.device));

/** S15. */
export function readConsistentAsUpToDate(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  if (peer.peerDevice.connection.agreedProtocol >= 110) return;
  if (peer.new.repl < ReplicationState.Established || peer.new.repl >= ReplicationState.Behind) return;
  if (node.new.disk === DiskState.Consistent) node.new.disk = DiskState.UpToDate;
  if (peer.new.pdsk === DiskState.Consistent) peer.new.pdsk = DiskState.UpToDate;
}

/**
 * S18. A peer at another generation does not make our data good: a comparison follows (engine.md 5.11). Nor does a peer
 * that has not heard of a diskless Primary which works on a later one.
 */
export function upgradeFromOutdated(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  if (
    peer.new.repl === ReplicationState.Established &&
    node.new.disk === DiskState.Outdated &&
    peer.new.pdsk >= DiskState.Consistent &&
    peer.peerDevice.uuidsReceived &&
    isPeerStable(peer) &&
    hasPeersCurrentUuid(node, peer) &&
    (peer.old.repl < ReplicationState.Established ||
      hasGotStable(peer) ||
      peer.old.pdsk === DiskState.Outdated ||
      hasAttachedEqual(peer)) &&
    !waitsForMarks(peer) &&
    mayReturnToUpToDate(node, 'new')
  ) {
    node.new.disk = peer.new.pdsk;
  }
}
/** The peer's attach has ended, and nobody has a block to sync: without this we would stay Outdated beside it. */
function hasAttachedEqual({ peerDevice, old, new: now }: OpenPeerDeviceChange): boolean {
  const attached = old.pdsk === DiskState.Negotiating || old.pdsk === DiskState.Consistent;
  if (!attached || now.pdsk !== DiskState.UpToDate || peerDevice.uuids?.dirtyBits !== 0) return false;
  return peerDevice.resource.host.dataActions.outOfSyncBits(peerDevice) === 0;
}

/** S19-S21. */
export function upgradeOwnDisk(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  const brokenOff = peer.old.repl === ReplicationState.WFBitMapT && peer.new.repl === ReplicationState.Off;
  if (brokenOff && node.new.disk === DiskState.Outdated) {
    const good = node.peers.some(
      (other) =>
        other.new.pdsk === DiskState.UpToDate && isPeerStable(other) && hasPeersCurrentUuid(node, other),
    );
    if (good && mayBeUpToDate(node, 'new')) node.new.disk = DiskState.UpToDate;
  }
  const established =
    peer.old.repl < ReplicationState.Established && peer.new.repl >= ReplicationState.Established;
  if (established && node.new.disk === DiskState.Consistent && mayBeUpToDate(node, 'new')) {
    node.new.disk = DiskState.UpToDate;
  }
  if (
    node.new.disk === DiskState.Consistent &&
    peer.old.pdsk === DiskState.Consistent &&
    peer.new.pdsk === DiskState.UpToDate &&
    isPeerStable(peer) &&
    mayReturnToUpToDate(node, 'new')
  ) {
    node.new.disk = DiskState.UpToDate;
  }
}

/** S22: the peer is a diskless Primary that has just connected. */
export function compareWithDisklessPrimary(
  node: OpenDeviceChange,
  peer: OpenPeerDeviceChange,
  notes: TransactionNotes,
): void {
  const connectedPrimary = peer.link.old.peerRole === Role.Unknown && peer.link.new.peerRole === Role.Primary;
  if (!connectedPrimary || peer.new.pdsk !== DiskState.Diskless) return;
  if (node.new.disk < DiskState.Negotiating) return;
  const { device } = node;
  const targetElsewhere = node.peers.some((other) => other !== peer && isSyncTarget(other.new.repl));
  if (hasPeersCurrentUuid(node, peer) && !targetElsewhere) {
    if (node.old.disk < DiskState.UpToDate) {
      node.new.disk = DiskState.UpToDate;
      notes.log(device, 'info', 'Upgrading local disk to D_UP_TO_DATE since current UUID matches.');
    }
    return;
  }
  notes.atCommit(() => {
    device.tryToGetResync = true;
  });
  if (node.new.disk === DiskState.UpToDate) {
    node.new.disk = DiskState.Consistent;
    notes.log(device, 'info', 'Downgrading local disk to D_CONSISTENT since current UUID differs.');
  }
}

/** S23: without a disk, an UpToDate peer must have the data we know of. */
export function distrustPeerDisk(
  change: OpenChange,
  node: OpenDeviceChange,
  peer: OpenPeerDeviceChange,
  goodPeer: boolean,
): void {
  const { peerDevice } = peer;
  if (node.new.disk !== DiskState.Diskless || peer.new.pdsk !== DiskState.UpToDate) return;
  if (peerDevice.reconcileInjectCurrentUuid) return;
  const peerCurrent = peerDevice.uuids?.currentUuid ?? 0n;
  const { exposedUuid } = node.device;
  const skipsUuids = (peerDevice.connection.agreedFeatures & FEATURE.RS_SKIP_UUID) !== 0;
  const doubt = skipsUuids
    ? (goodPeer || exposedUuid !== 0n) &&
      peer.old.pdsk !== DiskState.UpToDate &&
      !sameUuid(exposedUuid, peerCurrent)
    : peer.old.pdsk === DiskState.DUnknown &&
      change.new.role === Role.Primary &&
      !sameUuid(currentUuidOf(node.device), peerCurrent);
  if (doubt) peer.new.pdsk = DiskState.Consistent;
}

/** S21, its end: the announcement "I became stable" is consumed. */
export function consumeGotStable(peer: OpenPeerDeviceChange, notes: TransactionNotes): void {
  const { uuids } = peer.peerDevice;
  if (uuids === undefined || !hasGotStable(peer)) return;
  notes.atCommit(() => {
    uuids.flags &= ~UUID_FLAG.GOT_STABLE;
  });
}
