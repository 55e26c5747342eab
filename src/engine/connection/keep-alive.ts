/** Pings on the control stream (engine.md 6.3, wire-protocol.md 4.4). */
import { ConnectionState } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type Connection } from '../objects';
import { logLine } from '../state/object-log';

/** Milliseconds. */
const pingInterval = (connection: Connection): number => connection.options.pingInt * 1000;
const pingPatience = (connection: Connection): number => connection.options.pingTimeout * 100;

export function startKeepAlive(connection: Connection): void {
  const { link } = connection;
  link.pingPending = false;
  link.controlDeadline = now(connection) + pingInterval(connection);
  arm(connection);
}

/** Something came on the control stream: the peer lives. */
export function controlActivity(connection: Connection): void {
  const { link } = connection;
  const wait = link.pingPending ? pingPatience(connection) : pingInterval(connection);
  link.controlDeadline = now(connection) + wait;
}

/** Pings now; `done` when the answer came or the connection is lost. */
export function requestPing(connection: Connection, done: () => void): void {
  const { link } = connection;
  if (!link.up || link.phase !== 'running') {
    connection.resource.host.ports.scheduler.soon({ run: done });
    return;
  }
  link.pingWaiters.push(done);
  if (!link.pingPending) sendPing(connection);
}

export function onPing(connection: Connection): void {
  connection.link.sendControl({ type: 'P_PING_ACK', volume: NO_VOLUME });
}
export function onPingAck(connection: Connection): void {
  const { link } = connection;
  link.pingPending = false;
  link.controlDeadline = now(connection) + pingInterval(connection);
  arm(connection);
  releasePingWaiters(connection);
}
/** The connection is going down: whoever waits for an answer must not wait for ever. */
export function releasePingWaiters(connection: Connection): void {
  const { link } = connection;
  link.pingPending = false;
  const { scheduler } = connection.resource.host.ports;
  for (const run of link.pingWaiters.splice(0)) scheduler.soon({ run });
}

const now = (connection: Connection): number => connection.resource.host.ports.scheduler.now();

function sendPing(connection: Connection): void {
  const { link } = connection;
  link.sendControl({ type: 'P_PING', volume: NO_VOLUME });
  link.pingPending = true;
  link.controlDeadline = now(connection) + pingPatience(connection);
  arm(connection);
}
function arm(connection: Connection): void {
  const { link } = connection;
  link.pingTimer?.cancel();
  const wait = Math.max(0, link.controlDeadline - now(connection));
  link.pingTimer = connection.resource.host.ports.scheduler.after(wait, {
    onTimer: () => onDeadline(connection),
  });
}
function onDeadline(connection: Connection): void {
  const { link } = connection;
  if (link.phase !== 'running') return;
  if (now(connection) < link.controlDeadline) {
    arm(connection);
    return;
  }
  if (!link.pingPending) {
    sendPing(connection);
    return;
  }
  logLine(connection, 'error', 'PingAck did not arrive in time.');
  connection.resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
}
