/**
 * After the loss of a Primary: those that remain may have received different last writes of it. Who got further brings
 * the other up to date (engine.md 5.13).
 */
import { isSuccess } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type PacketOf } from '../../wire/packets';
import { UUID_FLAG } from '../../wire/uuids110';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';
import { hasReconcileHold, sameUuid } from '../state/data-trust';
import { isStable, weakNodes } from '../state/derived';
import { logLine } from '../state/object-log';
import { committedDevice, committedState } from '../state/state-change';
import { changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { sendCurrentUuid } from './announce';

const BITMAP_PATIENCE_MILLISECONDS = 10_000;

/** A connection is cleaned up: with whom nothing is settled yet? */
export function afterLoss(lost: Connection): void {
  const { notifyPeersLostPrimary } = lost;
  if (notifyPeersLostPrimary) tellOthersOfLostPrimary(lost);
  // Who leaves himself is owed nothing any more.
  if (forgetPending(lost.peerDevices) || notifyPeersLostPrimary) settled(lost.resource);
}

/** The connection was to a Primary: tell everybody who has a disk how far we had come in its stream. */
function tellOthersOfLostPrimary(lost: Connection): void {
  lost.notifyPeersLostPrimary = false;
  lost.lostAsPrimary = true;
  for (const other of lost.resource.connections) {
    if (other === lost || other.now.cstate !== ConnectionState.Connected) continue;
    const diskful = other.peerDevices.filter(
      (peer) => peer.now.pdsk >= DiskState.Inconsistent && peer.now.pdsk !== DiskState.DUnknown,
    );
    if (diskful.length === 0) continue;
    for (const peerDevice of diskful) {
      const { device } = peerDevice;
      const uuid = device.backing?.superblock.currentUuid ?? device.exposedUuid;
      sendCurrentUuid(peerDevice, uuid, weakNodes(committedDevice(device), 'old'));
      peerDevice.reconcilePending = device.backing !== undefined;
    }
    other.link.sendData({
      type: 'P_PEER_DAGTAG',
      volume: NO_VOLUME,
      dagtag: lost.lastDagtag,
      nodeId: lost.peerNodeId,
    });
  }
}

/** A Primary brings everybody up to date itself; with one that has lost its role the handshake has settled it. */
export function primaryCameBack(connection: Connection): void {
  const { resource, lostAsPrimary } = connection;
  connection.lostAsPrimary = false;
  if (!lostAsPrimary && connection.now.peerRole !== Role.Primary) return;
  const pending = resource.connections.filter(({ peerDevices }) => forgetPending(peerDevices));
  if (pending.length > 0) settled(resource);
}

export function onPeerDagtag(connection: Connection, packet: PacketOf<'P_PEER_DAGTAG'>): void {
  const { resource, link } = connection;
  const lost = resource.connectionTo(packet.nodeId);
  // In a handshake it would need a feature that is not offered.
  if (lost === undefined || connection.now.cstate !== ConnectionState.Connected) return;
  const { attempt } = link;
  link.pauseData();
  const goOn = (): void => {
    if (link.attempt === attempt && link.up) {
      reconcile(connection, lost, packet.dagtag);
      resource.host.peerActions.resumeReading(connection);
    }
  };
  const isGone = (): boolean => lost.now.cstate < ConnectionState.Connected && lost.link.phase !== 'cleanup';
  const isOver = (): boolean => link.attempt !== attempt || !link.up;
  const look = (): boolean => {
    if (!isGone() && !isOver()) return false;
    goOn();
    return true;
  };
  if (lost.now.cstate === ConnectionState.Connected) {
    // Is it really gone? An answer means that only the others have lost it.
    resource.host.peerActions.pingPeer(lost, () => {
      if (lost.now.cstate === ConnectionState.Connected) {
        letPeerCompare(connection);
        resource.host.peerActions.resumeReading(connection);
      } else if (!look()) whenStateChanges(resource, look);
    });
    return;
  }
  if (!look()) whenStateChanges(resource, look);
}

/** Only the peer has lost that node; if nobody goes on without us our data tells it whether it owes anything. */
function letPeerCompare({ peerDevices, resource }: Connection): void {
  const state = committedState(resource);
  for (const peerDevice of peerDevices) {
    const stable = isStable(state, committedDevice(peerDevice.device), 'new');
    if (stable && peerDevice.now.repl === ReplicationState.Established)
      resource.host.peerActions.sendUuids(peerDevice, UUID_FLAG.RESYNC);
  }
}

type Direction = 'source' | 'target' | 'equal' | 'incomparable';

function byIdentifiers(peerDevice: PeerDevice): Direction {
  const { device, uuids, resource } = peerDevice;
  const superblock = device.backing?.superblock;
  if (superblock === undefined || uuids === undefined) return 'incomparable';
  if (sameUuid(superblock.currentUuid, uuids.currentUuid)) return 'equal';
  const mine = superblock.peers[peerDevice.peerNodeId]?.bitmapUuid ?? 0n;
  if (mine !== 0n && sameUuid(mine, uuids.currentUuid)) return 'source';
  const theirs = uuids.bitmapUuids[resource.nodeId] ?? 0n;
  return theirs !== 0n && sameUuid(theirs, superblock.currentUuid) ? 'target' : 'incomparable';
}

const isComparable = ({ now, device }: PeerDevice): boolean =>
  now.repl <= ReplicationState.Established &&
  (device.now.disk === DiskState.Consistent || device.now.disk === DiskState.UpToDate);

/** Directions of all volumes as one; undefined if they contradict each other or nothing can be said. */
function commonDirection(peerDevices: readonly PeerDevice[]): Direction | undefined {
  const directions = new Set(peerDevices.map(byIdentifiers));
  if (directions.has('incomparable')) return undefined;
  directions.delete('equal');
  if (directions.size > 1) return undefined;
  return [...directions][0] ?? 'equal';
}

function reconcile(connection: Connection, lost: Connection, dagtag: number): void {
  const offset = lost.lastDagtag - dagtag;
  const { peerDevices } = connection;
  const withDisks = peerDevices.filter(
    ({ device, now }) => device.now.disk > DiskState.Diskless && now.pdsk > DiskState.Diskless,
  );
  if (withDisks.length < peerDevices.length) {
    logLine(
      connection,
      'info',
      `'${lost.name}' disappeared (o=${offset}), no reconciliation since one diskless`,
    );
  }
  if (withDisks.length === 0 || !withDisks.every(isComparable)) return settle(connection);
  let direction = commonDirection(withDisks);
  if (direction === undefined) return settle(connection);
  if (direction === 'equal' && offset !== 0) direction = offset > 0 ? 'source' : 'target';
  if (direction === 'source' || direction === 'target')
    resync(connection, lost, withDisks, direction, offset);
  else withoutResync(connection, lost, withDisks, offset);
  if (direction === 'target') lost.lastDagtag = dagtag;
}

function resync(
  connection: Connection,
  lost: Connection,
  peerDevices: readonly PeerDevice[],
  direction: 'source' | 'target',
  offset: number,
): void {
  logLine(connection, 'info', `Reconciliation resync because '${lost.name}' disappeared. (o=${offset})`);
  for (const peerDevice of peerDevices) peerDevice.reconciliationResync = true;
  const repl = direction === 'source' ? ReplicationState.WFBitMapS : ReplicationState.WFBitMapT;
  const code = changeState(connection.resource, { tag: 'receive-peer-dagtag', verbose: true }, () => {
    for (const peerDevice of peerDevices) peerDevice.next.repl = repl;
  });
  if (isSuccess(code)) {
    expectBitmap(connection, peerDevices);
    return;
  }
  for (const peerDevice of peerDevices) peerDevice.reconciliationResync = false;
  settle(connection);
}

/** Who told us its position may not have heard ours, or not from a state in which it compares: then no bitmap comes. */
function expectBitmap(connection: Connection, peerDevices: readonly PeerDevice[]): void {
  const { resource, link } = connection;
  const { attempt } = link;
  const waits = ({ now, io }: PeerDevice): boolean =>
    (now.repl === ReplicationState.WFBitMapS || now.repl === ReplicationState.WFBitMapT) &&
    io.bitmapReceiver === undefined &&
    !io.bitmapReceived;
  resource.host.ports.scheduler.after(BITMAP_PATIENCE_MILLISECONDS, {
    onTimer: () => {
      if (link.attempt !== attempt || !link.up || !peerDevices.some(waits)) return;
      logLine(connection, 'warning', 'No bitmap for the reconciliation resync, connecting again.');
      resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
    },
  });
}

function withoutResync(
  connection: Connection,
  lost: Connection,
  peerDevices: readonly PeerDevice[],
  offset: number,
): void {
  const text = `No reconciliation resync even though '${lost.name}' disappeared. (o=${offset})`;
  logLine(connection, 'info', text);
  const { dataActions } = connection.resource.host;
  for (const { device, bitmapSlot } of peerDevices) {
    if (bitmapSlot < 0) continue;
    dataActions.clearSlot(device, bitmapSlot);
    dataActions.writeBitmap(device);
  }
  settle(connection);
}

/** Nothing is pending between us any more. */
function settle(connection: Connection): void {
  if (forgetPending(connection.peerDevices)) settled(connection.resource);
}
function forgetPending(peerDevices: readonly PeerDevice[]): boolean {
  let pending = false;
  for (const peerDevice of peerDevices) {
    pending ||= peerDevice.reconcilePending;
    peerDevice.reconcilePending = false;
  }
  return pending;
}
/** If nothing else holds a disk back it may become UpToDate again. */
function settled(resource: Resource): void {
  const doubted = resource.devices.filter((device) => device.now.disk === DiskState.Consistent);
  if (doubted.length === 0 || doubted.some(hasReconcileHold)) return;
  resource.host.peerActions.scheduleEmptyTransaction(resource, 'lost-peer');
}

/** There was nothing to resync with an UpToDate peer: we hold the current generation and owe nothing to anyone. */
export function settledByUpToDatePeer({ peerDevices, resource }: Device): void {
  if (forgetPending(peerDevices)) settled(resource);
}
