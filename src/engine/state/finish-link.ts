/** Finish actions of connections and their requests (engine.md 2.6 step 10). */
import { ConnectionState, ReplicationState, Role } from '../../control/contract/states';
import { isDisconnectReason, isSuspended } from './derived';
import { type LinkChange, type PeerDeviceChange, type StateChange } from './state-change';

const peersOf = (change: StateChange, link: LinkChange): PeerDeviceChange[] =>
  change.devices.flatMap((node) =>
    node.peers.filter((peer) => peer.peerDevice.connection === link.connection),
  );

export function finishLink(change: StateChange, link: LinkChange): void {
  const { connection } = link;
  const { peerActions, dataActions, ports } = connection.resource.host;
  const from = link.old.cstate;
  const to = link.new.cstate;
  const connectionLost = from === ConnectionState.Connected && to < ConnectionState.Connected;
  const byAccident = isDisconnectReason(to) && to !== ConnectionState.TearDown;
  if (connectionLost && byAccident && link.old.peerRole === Role.Primary && hasOtherPeer(change, link)) {
    connection.notifyPeersLostPrimary = true;
  }
  if (from !== to) {
    if (to === ConnectionState.Disconnecting || to === ConnectionState.StandAlone) {
      peerActions.stopReceiver(connection);
    } else if (from >= ConnectionState.Connecting && isDisconnectReason(to)) {
      peerActions.restartReceiver(connection);
    }
    if (connectionLost) {
      connection.reconnect = true;
      peerActions.connectionDown(connection);
    }
    if (to === ConnectionState.Connected) connection.lastReconnectTime = ports.scheduler.now();
  }
  finishKeptRequests(change, link);
  const bitmapSource = peersOf(change, link).some(
    (peer) => peer.new.repl === ReplicationState.WFBitMapS && peer.old.repl !== ReplicationState.WFBitMapS,
  );
  if (bitmapSource && link.new.peerRole === Role.Primary) dataActions.markPeerWritesOutOfSync(connection);
}

/** Somebody to compare with what we got of the lost Primary's writes (engine.md 5.13). */
const hasOtherPeer = (change: StateChange, link: LinkChange): boolean =>
  change.links.some((other) => other !== link && other.new.cstate === ConnectionState.Connected);

/** Requests that were kept for this peer while I/O was suspended. */
function finishKeptRequests(change: StateChange, link: LinkChange): void {
  if (!isSuspended(change, 'old')) return;
  const { connection } = link;
  const { dataActions } = connection.resource.host;
  const demoted = change.old.role === Role.Primary && change.new.role !== Role.Primary;
  const goesOn = !isSuspended(change, 'new') || change.new.failIo || (demoted && staysBehind(change, link));
  if (link.new.cstate < ConnectionState.Connected) {
    if (goesOn) dataActions.cancelRequests(connection);
  } else if (link.old.cstate < ConnectionState.Connected) {
    const resyncs = peersOf(change, link).some((peer) => peer.new.repl > ReplicationState.Established);
    if (resyncs) dataActions.cancelRequests(connection);
    else dataActions.resendRequests(connection);
  }
}

/** It does not know our generation: what it lacks is synced by marks, and nobody sends it again (roles/before-demotion.ts). */
const staysBehind = (change: StateChange, link: LinkChange): boolean =>
  peersOf(change, link).every(({ peerDevice: { device, peerNodeId } }) => {
    const slot = device.backing?.superblock.peers[peerNodeId];
    return slot !== undefined && slot.bitmapUuid !== 0n;
  });
