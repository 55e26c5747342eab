/** `PeerActions` on real connections: the meeting point of receiver, announcements, pings and transactions. */
import { ConnectionState } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type PeerActions } from '../actions';
import { type NodeMask, hasNode } from '../node-mask';
import { type Host } from '../host';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';
import { QUORUM_OFF } from '../options';
import { tryToGetResync } from '../handshake/get-resync';
import { changeState } from '../state/transaction';
import { wakeStateWaiters } from '../state/waiters';
import { changeClusterWide } from '../twopc/coordinator';
import { EMPTY_CHANGE } from '../twopc/change-words';
import { becomeUpToDate, outdateWithoutFarPrimary } from '../twopc/remote-edit';
import {
  sendCurrentUuid,
  sendInitialParameters,
  sendRole,
  sendSizes,
  sendState,
  sendSyncParameters,
  sendUuids,
} from './announce';
import { beginConnecting } from './connect-transaction';
import { requestPing } from './keep-alive';
import { type HandlerTable } from './packet-handler';
import { Receiver } from './receiver';
import { afterLoss, primaryCameBack } from './reconcile';
import { runHelper } from './run-helper';
import { evaluateFencing, fenceAll } from './fencing';

export class EnginePeerActions implements PeerActions {
  private receiver: Receiver | undefined;

  /** The host exists now; called once, before anything else. */
  bind(host: Host, handlers: HandlerTable): void {
    this.receiver = new Receiver(host, handlers, {
      onAgreed: (connection) => {
        if (this.receiver) beginConnecting(this.receiver, connection);
      },
      onPathChanged: (connection, path) => host.notices.pathChanged(connection, path),
      onCleanup: (connection, done) => this.afterLoss(connection, done),
      onCleanedUp: afterLoss,
    });
  }

  startReceiver(connection: Connection): void {
    this.receiver?.start(connection);
  }
  stopReceiver(connection: Connection): void {
    this.receiver?.endAttempt(connection);
  }
  restartReceiver(connection: Connection): void {
    this.receiver?.endAttempt(connection);
  }
  /** Schedules the empty transaction unless the peer took its leave (engine.md 6.4). */
  connectionDown(connection: Connection): void {
    const { resource } = connection;
    resource.host.ports.scheduler.soon({
      run: () => {
        const { cstate } = connection.now;
        const agreed = cstate === ConnectionState.Disconnecting || cstate === ConnectionState.TearDown;
        if (connection.disconnectExpected || agreed) return;
        if (!hasNode(resource.members, connection.peerNodeId)) return;
        this.scheduleEmptyTransaction(resource, 'lost-peer');
      },
    });
  }

  sendUuids(peerDevice: PeerDevice, flags: bigint, weakNodes?: NodeMask): void {
    sendUuids(peerDevice, flags, weakNodes);
  }
  sendCurrentUuid(peerDevice: PeerDevice, uuid: bigint, weakNodes: NodeMask): void {
    sendCurrentUuid(peerDevice, uuid, weakNodes);
  }
  sendSyncParameters(peerDevice: PeerDevice): void {
    sendSyncParameters(peerDevice);
  }
  sendSizes(peerDevice: PeerDevice, ddsFlags: number): void {
    sendSizes(peerDevice, ddsFlags);
  }
  sendState(peerDevice: PeerDevice): void {
    sendState(peerDevice);
  }
  sendRole(connection: Connection): void {
    sendRole(connection);
  }
  sendDagtag(connection: Connection, dagtag: number): void {
    connection.link.sendData({ type: 'P_DAGTAG', volume: NO_VOLUME, dagtag });
  }

  fencePeers(resource: Resource, tag: string, done: (all: boolean) => void): void {
    fenceAll(resource, tag, done);
  }
  checkPeers(resource: Resource, done: () => void): void {
    const peers = resource.connections.filter(
      (connection) => connection.now.cstate === ConnectionState.Connected,
    );
    let open = peers.length + 1;
    const answered = (): void => {
      if (--open === 0) done();
    };
    for (const peer of peers) requestPing(peer, answered);
    resource.host.ports.scheduler.soon({ run: answered });
  }
  pingPeer(connection: Connection, done: () => void): void {
    requestPing(connection, done);
  }
  failConnection(connection: Connection, reason: ConnectionState): void {
    this.receiver?.fail(connection, reason);
  }
  giveUpConnection(connection: Connection): void {
    this.receiver?.giveUp(connection);
  }
  /** The data stream was paused and may go on. */
  resumeReading(connection: Connection): void {
    if (connection.link.resumeData()) this.receiver?.readData(connection);
  }

  beginHandshake(connection: Connection): void {
    for (const peerDevice of connection.peerDevices) {
      peerDevice.inHandshake = true;
      peerDevice.staged = undefined;
      peerDevice.initialStateReceived = false;
      peerDevice.uuidsReceived = false;
      peerDevice.currentUuidReceived = false;
      peerDevice.primaryWorksOn = 0n;
      peerDevice.haveSizes = false;
      peerDevice.newStorageAtConnect = false;
      peerDevice.io.sequence = 0;
    }
    for (const peerDevice of connection.peerDevices) sendInitialParameters(peerDevice);
  }
  endHandshake(connection: Connection | undefined): void {
    if (connection === undefined) return;
    for (const peerDevice of connection.peerDevices) {
      peerDevice.inHandshake = false;
      peerDevice.staged = undefined;
      peerDevice.initialStateSent = false;
      peerDevice.device.outdateOnTwopcCommit = false;
    }
    wakeStateWaiters(connection.resource);
  }
  handshakeCommitted(connection: Connection): void {
    const { link } = connection;
    link.dataReceiveTimer?.cancel();
    link.dataReceiveTimer = undefined;
    for (const peerDevice of connection.peerDevices) {
      peerDevice.inHandshake = false;
      peerDevice.staged = undefined;
      peerDevice.discardMyData = false;
      peerDevice.device.outdateOnTwopcCommit = false;
    }
    connection.discardMyData = false;
    connection.disconnectExpected = false;
    primaryCameBack(connection);
    wakeStateWaiters(connection.resource);
  }

  scheduleEmptyTransaction(resource: Resource, kind: 'lost-peer' | 'primary-resume'): void {
    resource.tryBecomeUpToDatePending = true;
    changeClusterWide(
      resource,
      {
        kind: kind === 'lost-peer' ? 'empty' : 'primary-resume',
        options: { tag: kind, forceRecalc: resource.options.quorum !== QUORUM_OFF },
        volume: NO_VOLUME,
        target: undefined,
        edit: (phase, outcome) => {
          if (phase !== 'prepare') becomeUpToDate(resource);
          if (outcome !== undefined) outdateWithoutFarPrimary(resource, outcome, false);
        },
        word: () => EMPTY_CHANGE,
      },
      () => {
        resource.tryBecomeUpToDatePending = false;
        if (kind === 'primary-resume') this.resumed(resource);
        wakeStateWaiters(resource);
      },
    );
  }
  private resumed(resource: Resource): void {
    resource.resumeHeldForOutdate = false;
    changeState(resource, { tag: 'primary-resumed', hard: true, forceRecalc: true }, () => {
      resource.next.suspNoData = false;
    });
  }

  tryToGetResync(device: Device): void {
    tryToGetResync(device);
  }

  runHelper(command: string, on: Connection | Device | PeerDevice, done?: (exitCode: number) => void): void {
    runHelper(command, on, done);
  }

  // --- cleanup of a lost connection, engine.md 6.1

  private afterLoss(connection: Connection, done: () => void): void {
    const { resource } = connection;
    for (const peerDevice of connection.peerDevices) {
      peerDevice.inHandshake = false;
      peerDevice.staged = undefined;
      peerDevice.initialStateSent = false;
      peerDevice.initialStateReceived = false;
      peerDevice.uuidsReceived = false;
      peerDevice.reconcileInjectCurrentUuid = false;
      peerDevice.reconciliationResync = false;
      peerDevice.resyncAgain = 0;
      peerDevice.rsSourceMissedEnd = false;
      peerDevice.rsPeerMissedEnd = false;
    }
    wakeStateWaiters(resource);
    evaluateFencing(connection);
    runHelper('disconnected', connection, done);
  }
}
