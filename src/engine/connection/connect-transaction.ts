/** The transaction that makes two nodes neighbours, and what becomes of a failed one (engine.md 5.4). */
import { stateCodeText, isSuccess, StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type Connection } from '../objects';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { changeClusterWide } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';
import { editConnect, outdateWithoutFarPrimary } from '../twopc/remote-edit';
import { type Receiver } from './receiver';

/** Milliseconds. */
const MIN_PAUSE = 50;
const RETRY_PAUSE = 1000;

/** The node with the lower id begins; the other one waits for its PREPARE. */
export function beginConnecting(receiver: Receiver, connection: Connection): void {
  if (connection.resource.nodeId < connection.peerNodeId) attemptConnect(receiver, connection);
}

function attemptAfter(receiver: Receiver, connection: Connection, delay: number): void {
  const { link, resource } = connection;
  link.connectTimer?.cancel();
  link.connectTimer = resource.host.ports.scheduler.after(delay, {
    onTimer: () => attemptConnect(receiver, connection),
  });
}

function attemptConnect(receiver: Receiver, connection: Connection): void {
  const { resource, link } = connection;
  const { attempt } = link;
  const stillConnecting = (): boolean =>
    link.attempt === attempt &&
    link.phase === 'running' &&
    connection.now.cstate === ConnectionState.Connecting;
  if (!stillConnecting()) return;
  changeClusterWide(
    resource,
    {
      kind: 'connect',
      options: { tag: 'connected', verbose: false },
      volume: NO_VOLUME,
      target: connection,
      dontRetry: true,
      edit: (phase, outcome) => {
        if (!stillConnecting()) return;
        editConnect(connection, Role.Unknown, phase, outcome);
        if (outcome !== undefined) outdateWithoutFarPrimary(resource, outcome, false);
      },
      word: () => changeWord({ role: resource.now.role, conn: ConnectionState.Connected }),
    },
    (code) => {
      if (connection.now.cstate === ConnectionState.Connected) {
        resource.host.peerActions.handshakeCommitted(connection);
        return;
      }
      if (!stillConnecting()) return;
      afterFailure(receiver, connection, code);
    },
  );
}

function afterFailure(receiver: Receiver, connection: Connection, code: number): void {
  const { resource, options } = connection;
  if (isSuccess(code)) return;
  const forceSecondary =
    resource.now.role === Role.Primary &&
    resource.cachedSuspended &&
    resource.options.onSuspendedPrimaryOutdated === 'force-secondary';
  const retry = options.rrConflict === 'retry-connect' || forceSecondary;
  const refused = code === StateCode.RefusedByPeer || code === StateCode.TwoPrimaries;
  if (
    code === StateCode.PrimaryReader ||
    code === StateCode.Timeout ||
    code === StateCode.ConcurrentStateChange
  ) {
    return attemptAfter(receiver, connection, MIN_PAUSE);
  }
  if (code === StateCode.HandshakeRetry || (refused && retry)) {
    connectFailed(connection, forceSecondary);
    return attemptAfter(receiver, connection, RETRY_PAUSE);
  }
  if (code === StateCode.HandshakeDisconnect || refused) {
    connection.link.sendData({ type: 'P_DISCONNECT', volume: NO_VOLUME });
    connectFailed(connection, false, true);
    return;
  }
  const text = `Failure to connect: ${stateCodeText(code) ?? '?'} (${code}); retrying`;
  logLine(connection, 'info', text);
  receiver.fail(connection, ConnectionState.NetworkFailure);
}

/** We know that a peer has better data than ours: say so in our own state. */
function connectFailed(connection: Connection, forceSecondary: boolean, disconnect = false): void {
  const { resource } = connection;
  const outdates = resource.now.role !== Role.Primary || forceSecondary;
  if (!outdates && !disconnect) return;
  const targets: readonly ReplicationState[] = [
    ReplicationState.WFBitMapT,
    ReplicationState.SyncTarget,
    ReplicationState.PausedSyncT,
  ];
  if (forceSecondary) logLine(connection, 'warning', 'Remote node has more recent data; force secondary!');
  changeState(resource, { tag: 'connect-failed', hard: true }, () => {
    for (const { staged, device } of connection.peerDevices) {
      if (!outdates || staged === undefined || !targets.includes(staged.repl)) continue;
      if (device.next.disk > DiskState.Outdated) device.next.disk = DiskState.Outdated;
    }
    if (disconnect) connection.next.cstate = ConnectionState.Disconnecting;
    if (!forceSecondary) return;
    resource.next.role = Role.Secondary;
    if (resource.devices.some((device) => device.openCount > 0)) resource.next.failIo = true;
  });
}
