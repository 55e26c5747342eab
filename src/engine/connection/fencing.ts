/** The fence-peer helper and what its exit code means (engine.md 13.2). */
import { ConnectionState, DiskState, Role } from '../../control/contract/states';
import { type Connection, type Resource } from '../objects';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { runHelper } from './run-helper';

const highestPeerDisk = (connection: Connection): DiskState =>
  connection.peerDevices.reduce<DiskState>(
    (highest, peer) => (peer.now.pdsk > highest ? peer.now.pdsk : highest),
    DiskState.Diskless,
  );
const highestOwnDisk = (connection: Connection): DiskState =>
  connection.peerDevices.reduce<DiskState>(
    (highest, peer) => (peer.device.now.disk > highest ? peer.device.now.disk : highest),
    DiskState.Diskless,
  );

/** After the loss of a connection: a Primary with a fencing policy has the peer fenced (6.1 step 10). */
export function evaluateFencing(connection: Connection): void {
  const { resource, options } = connection;
  if (options.fencing === 'dont-care' || resource.now.role !== Role.Primary) return;
  if (highestPeerDisk(connection) < DiskState.DUnknown) return;
  fencePeer(connection, 'outdate-async', () => undefined);
}

/** Before a promotion (engine.md 8.1): the peers that stand in its way, one after the other. */
export function fenceAll(resource: Resource, tag: string, done: (all: boolean) => void): void {
  const waiting = resource.connections.filter(
    (connection) =>
      connection.options.fencing !== 'dont-care' &&
      connection.now.cstate < ConnectionState.Connected &&
      highestPeerDisk(connection) > DiskState.Outdated,
  );
  const next = (all: boolean): void => {
    const connection = waiting.shift();
    if (connection === undefined) return done(all);
    fencePeer(connection, tag, (fenced) => next(all && fenced));
  };
  next(true);
}

/** `done(true)`: the peer's disks are at most Outdated. */
export function fencePeer(connection: Connection, tag: string, done: (fenced: boolean) => void): void {
  const { resource } = connection;
  if (connection.now.cstate >= ConnectionState.Connected) {
    logLine(connection, 'error', 'Expected cstate < C_CONNECTED');
    return done(false);
  }
  const intentional = resource.devices.every((device) => device.options.intentionalDiskless);
  const own = highestOwnDisk(connection);
  if (own < DiskState.Consistent && !(own === DiskState.Diskless && intentional)) {
    changeState(resource, { hard: true }, () => {
      connection.next.suspFencing = false;
    });
    return done(false);
  }
  runHelper('fence-peer', connection, (exitCode) => {
    applyExitCode(connection, exitCode, tag);
    done(highestPeerDisk(connection) <= DiskState.Outdated);
  });
}

const lowerPeers = (connection: Connection, limit: DiskState): void => {
  for (const peerDevice of connection.peerDevices) {
    if (peerDevice.next.pdsk > limit) peerDevice.next.pdsk = limit;
  }
};

function applyExitCode(connection: Connection, exitCode: number, tag: string): void {
  const { resource } = connection;
  const text = exitText(connection, exitCode);
  if (text === undefined) {
    logLine(connection, 'error', `fence-peer helper broken, returned ${exitCode}`);
    return;
  }
  logLine(connection, 'info', `fence-peer helper returned ${exitCode} (${text})`);
  if (connection.now.cstate >= ConnectionState.Connected) {
    logLine(connection, 'info', 'Ignoring fence-peer exit code');
    return;
  }
  const upToDate = highestOwnDisk(connection) === DiskState.UpToDate;
  if (exitCode === 6) logLine(connection, 'warning', 'Peer is primary, outdating myself.');
  if (exitCode === 7 && connection.options.fencing !== 'resource-and-stonith') {
    logLine(connection, 'error', 'fence-peer() = 7 && fencing != Stonith !!!');
  }
  changeState(resource, { tag, verbose: true }, () => {
    if (exitCode === 3) lowerPeers(connection, DiskState.Inconsistent);
    else if (exitCode === 4 || exitCode === 7) lowerPeers(connection, DiskState.Outdated);
    else if (exitCode === 5 && upToDate) lowerPeers(connection, DiskState.Outdated);
    else if (exitCode === 6) {
      for (const { device } of connection.peerDevices) {
        if (device.next.disk > DiskState.Outdated) device.next.disk = DiskState.Outdated;
      }
    }
  });
}

function exitText(connection: Connection, exitCode: number): string | undefined {
  switch (exitCode) {
    case 3:
      return 'peer is inconsistent or worse';
    case 4:
      return 'peer was fenced';
    case 5:
      return highestOwnDisk(connection) === DiskState.UpToDate
        ? 'peer is unreachable, assumed to be dead'
        : 'peer unreachable, doing nothing since disk != UpToDate';
    case 6:
      return 'peer is active';
    case 7:
      return 'peer was stonithed';
    default:
      return undefined;
  }
}
