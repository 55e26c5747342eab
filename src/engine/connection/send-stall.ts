/** Streams that take nothing any more (engine.md 6.3, "Data send"). */
import { ConnectionState } from '../../control/contract/states';
import { type Connection } from '../objects';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { requestPing } from './keep-alive';
import { type StreamLevel } from './peer-link';

/** Looks every `timeout` whether the network took something of what was waiting for it at the look before. */
export function watchSending(connection: Connection): void {
  const { link, resource } = connection;
  link.koCount = connection.options.koCount;
  let data = link.dataLevel;
  let control = link.controlLevel;
  const look = (): void => {
    if (link.phase !== 'running') return;
    const stuck = { data: isStuck(data, link.dataLevel), control: isStuck(control, link.controlLevel) };
    data = link.dataLevel;
    control = link.controlLevel;
    if (stuck.control) {
      resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
      return;
    }
    if (!stuck.data) link.koCount = connection.options.koCount;
    else if (!goesOn(connection)) return;
    arm();
  };
  const arm = (): void => {
    link.stallTimer = resource.host.ports.scheduler.after(connection.options.timeout * 100, {
      onTimer: look,
    });
  };
  arm();
}

const isStuck = (before: StreamLevel, now: StreamLevel): boolean =>
  before.queued > 0 && now.queued > 0 && before.accepted - before.queued === now.accepted - now.queued;

/** False: the connection was given up. */
function goesOn(connection: Connection): boolean {
  const { link, resource, options } = connection;
  if (options.koCount === 0 || connection.now.cstate < ConnectionState.Connected) return true;
  link.koCount--;
  if (link.koCount > 0) {
    logLine(connection, 'error', `[drbd_s_${resource.name}/0] sending time expired, ko = ${link.koCount}`);
    requestPing(connection, () => undefined);
    return true;
  }
  changeState(resource, { hard: true, tag: 'timeout' }, () => {
    connection.next.cstate = ConnectionState.Timeout;
  });
  return false;
}
