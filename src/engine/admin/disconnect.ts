/** Graceful and forced disconnects (engine.md 6.2). */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type Connection } from '../objects';
import { QUORUM_OFF } from '../options';
import { afterDeferred, changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { changeClusterWide, type ChangeDone } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';
import { outdateWithoutFarPrimary } from '../twopc/remote-edit';

export interface DisconnectOptions {
  readonly force: boolean;
  readonly tag: string;
}
/** Milliseconds that a successful disconnect waits for StandAlone. */
const STAND_ALONE_PATIENCE = 1000;
const MAX_ROUNDS = 16;

export function disconnect(connection: Connection, options: DisconnectOptions, done: ChangeDone): void {
  if (options.force) {
    const code = setDisconnecting(connection, options.tag);
    finish(connection, code, [], done);
    return;
  }
  tryDisconnect(connection, options, 0, done);
}

function setDisconnecting(connection: Connection, tag: string): number {
  return changeState(connection.resource, { tag, hard: true }, () => {
    connection.next.cstate = ConnectionState.Disconnecting;
  });
}

/** Whose disk becomes Outdated: that of the Secondary side, if anybody counts on it (engine.md 6.2). */
function outdated(connection: Connection): 'own' | 'peer' | 'nobody' {
  const { resource } = connection;
  const matters = connection.options.fencing !== 'dont-care' || resource.options.quorum !== QUORUM_OFF;
  const self = resource.now.role === Role.Primary;
  const peer = connection.now.peerRole === Role.Primary;
  if (!matters || self === peer) return 'nobody';
  return self ? 'peer' : 'own';
}

/** A diskless node stays diskless. */
const atMostOutdated = (disk: DiskState): DiskState =>
  disk > DiskState.Outdated ? DiskState.Outdated : disk;

function tryDisconnect(
  connection: Connection,
  options: DisconnectOptions,
  round: number,
  done: ChangeDone,
): void {
  const { resource } = connection;
  const who = outdated(connection);
  changeClusterWide(
    resource,
    {
      kind: 'disconnect',
      options: { tag: options.tag, verbose: true, ignOutdFail: true },
      volume: NO_VOLUME,
      target: connection,
      edit: (_phase, outcome) => {
        connection.next.cstate = ConnectionState.Disconnecting;
        if (connection.now.cstate !== ConnectionState.Connected) return;
        // Who leaves a Primary behind will have old data.
        if (outcome !== undefined) outdateWithoutFarPrimary(resource, outcome, false);
        for (const peerDevice of connection.peerDevices) {
          if (who === 'peer') peerDevice.next.pdsk = atMostOutdated(peerDevice.next.pdsk);
          if (who === 'own') peerDevice.device.next.disk = atMostOutdated(peerDevice.device.next.disk);
        }
      },
      word: () =>
        changeWord({
          conn: ConnectionState.Disconnecting,
          ...(who === 'peer' && { peerDisk: DiskState.Outdated }),
          ...(who === 'own' && { disk: DiskState.Outdated }),
        }),
    },
    (code, infoTexts) => {
      const lost = code === StateCode.RefusedByPeer || code === StateCode.NeedConnection;
      if (lost && connection.now.cstate < ConnectionState.Connected && round < MAX_ROUNDS) {
        return tryDisconnect(connection, options, round + 1, done);
      }
      if (code === StateCode.AlreadyStandAlone) return done(StateCode.Success, infoTexts);
      if (code === StateCode.IsDiskless || code === StateCode.LowerThanOutdated) {
        return finish(connection, setDisconnecting(connection, options.tag), infoTexts, done);
      }
      if (!isSuccess(code)) return done(code, infoTexts);
      finish(connection, code, infoTexts, done);
    },
  );
}

function finish(connection: Connection, code: number, infoTexts: readonly string[], done: ChangeDone): void {
  if (code === StateCode.AlreadyStandAlone) return done(ErrorCode.NoError, infoTexts);
  if (code < StateCode.Success) return done(code, infoTexts);
  const { resource } = connection;
  const { scheduler } = resource.host.ports;
  let answered = false;
  const answer = (): void => {
    if (answered) return;
    answered = true;
    afterDeferred(resource, () => done(ErrorCode.NoError, infoTexts));
  };
  const isDone = (): boolean => connection.now.cstate === ConnectionState.StandAlone;
  if (isDone()) return answer();
  const timer = scheduler.after(STAND_ALONE_PATIENCE, { onTimer: answer });
  whenStateChanges(resource, () => {
    if (answered) return true;
    if (!isDone()) return false;
    timer.cancel();
    answer();
    return true;
  });
}
