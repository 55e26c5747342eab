/**
 * The life of a connection's streams: establishing, agreeing, receiving, cleaning up, again (engine.md 5.1-5.3, 6.1).
 */
import { StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState } from '../../control/contract/states';
import { PACKET_NAMES, type PacketName, packetSpec } from '../../wire/packet-table';
import { describeFault } from '../../wire/fault';
import { type PacketReader } from '../../wire/reader';
import { type Connection, type PeerDevice } from '../objects';
import { peerFault, type PeerFault } from '../peer-fault';
import { type ErrnoCode } from '../ports';
import { type Host } from '../host';
import { afterDeferred, changeState } from '../state/transaction';
import { logLine } from '../state/object-log';
import { twopcConnectionLost } from '../twopc/participant';
import { writeOwedForLostPeer } from '../uuid/new-current-uuid';
import {
  type AgreeStep,
  logUnexpected,
  onChallenge,
  onFeatures,
  onResponse,
  sendChallenge,
  sendFeatures,
  sendProtocol,
} from './agree';
import { EstablishStreams, type EstablishedStreams } from './establish-streams';
import { IncomingStreams } from './incoming-streams';
import { controlActivity, releasePingWaiters, startKeepAlive } from './keep-alive';
import { lookAtDisks } from './look-at-disks';
import {
  type ConnectionHandler,
  type HandlerResult,
  type HandlerTable,
  type VolumeHandler,
} from './packet-handler';
import { watchSending } from './send-stall';

/** After a handshake that may be tried again, milliseconds. */
const RETRY_PAUSE = 1000;

/** Packets about a volume we do not have that are skipped with a warning; all others break the protocol. */
const IGNORED_FOR_UNKNOWN_VOLUME: ReadonlySet<PacketName> = new Set<PacketName>([
  'P_SYNC_PARAM',
  'P_SYNC_PARAM89',
  'P_SIZES',
  'P_UUIDS',
  'P_UUIDS110',
  'P_CURRENT_UUID',
  'P_STATE',
  'P_ENABLE_REPLICATION_NEXT',
]);

/** What the receiver needs of the parts above it. */
export interface ReceiverEvents {
  /** P_PROTOCOL is out: the connect transaction may begin. */
  onAgreed(connection: Connection): void;
  onPathChanged(connection: Connection, path: EstablishedStreams['path']): void;
  /** Steps 6 and 10-13 of engine.md 6.1 that reach beyond the connection; `done` when the next state may be set. */
  onCleanup(connection: Connection, done: () => void): void;
  onCleanedUp(connection: Connection): void;
}

interface CommandRow {
  readonly name: PacketName;
  readonly connection: ConnectionHandler | undefined;
  readonly volume: VolumeHandler | undefined;
}

export class Receiver {
  private readonly incoming: IncomingStreams;
  private readonly rows: ReadonlyMap<number, CommandRow>;

  constructor(
    private readonly host: Host,
    handlers: HandlerTable,
    private readonly events: ReceiverEvents,
  ) {
    this.incoming = new IncomingStreams(host);
    const rowOf = (name: PacketName): CommandRow => ({
      name,
      connection: handlers.connection.get(name),
      volume: handlers.volume.get(name),
    });
    this.rows = new Map(PACKET_NAMES.map((name) => [packetSpec(name).number, rowOf(name)]));
  }

  /** Unconnected was committed. */
  start(connection: Connection): void {
    const { link } = connection;
    if (link.phase !== 'down' || connection.now.cstate !== ConnectionState.Unconnected) return;
    const code = changeState(connection.resource, { tag: 'connecting', verbose: true }, () => {
      connection.next.cstate = ConnectionState.Connecting;
    });
    if (code < StateCode.Success) return;
    link.phase = 'establishing';
    link.attempt++;
    connection.disconnectExpected = false;
    if (!link.pauseBeforeRetry) return this.establish(connection);
    link.pauseBeforeRetry = false;
    link.retryTimer = this.host.ports.scheduler.after(RETRY_PAUSE, {
      onTimer: () => this.establish(connection),
    });
  }
  private establish(connection: Connection): void {
    const { link } = connection;
    if (link.phase !== 'establishing') return;
    link.establishing = new EstablishStreams(
      connection,
      this.incoming,
      {
        onEstablished: (streams) => this.lookAtDisksFirst(connection, streams),
        onCannotEstablish: (reason) => {
          logLine(connection, 'error', `Failed to initiate connection: ${reason}`);
          this.giveUp(connection);
        },
      },
      (level, text) => this.logTransport(connection, level, text),
    );
    link.establishing.start();
  }
  private logTransport(connection: Connection, level: 'error' | 'warning' | 'info', text: string): void {
    const line = `drbd ${connection.resource.name} tcp:${connection.name}: ${text}`;
    this.host.ports.log.write(level, line);
  }

  /** The state has left Connecting/Connected (or is to): wind up, then go where the state says. */
  cleanUp(connection: Connection): void {
    const { link } = connection;
    if (link.phase === 'cleanup') return;
    if (link.phase === 'down') {
      this.afterCleanup(connection);
      return;
    }
    const phaseBefore = link.phase;
    link.phase = 'cleanup';
    connection.dryRun = false;
    connection.congested = false;
    link.establishing?.stop();
    link.establishing = undefined;
    if (connection.now.cstate === ConnectionState.Disconnecting) link.closeGently();
    else link.close();
    link.cancelTimers();
    releasePingWaiters(connection);
    this.pathsDown(connection);
    if (connection.now.cstate > ConnectionState.TearDown) {
      changeState(connection.resource, { tag: 'disconnected', hard: true }, () => {
        connection.next.cstate = ConnectionState.NetworkFailure;
      });
    }
    twopcConnectionLost(connection);
    const wasUp = phaseBefore !== 'establishing';
    writeOwedForLostPeer(connection, () => {
      this.host.dataActions.drainConnection(connection, () => {
        if (wasUp) logLine(connection, 'info', 'Connection closed');
        this.events.onCleanup(connection, () => this.afterCleanup(connection));
      });
    });
  }
  private pathsDown(connection: Connection): void {
    for (const path of connection.paths) {
      if (!path.established) continue;
      path.established = false;
      this.events.onPathChanged(connection, path);
    }
  }
  private afterCleanup(connection: Connection): void {
    const { link, resource } = connection;
    link.phase = 'down';
    const { cstate } = connection.now;
    if (cstate === ConnectionState.Disconnecting) {
      changeState(resource, { tag: 'disconnected', hard: true, verbose: true }, () => {
        connection.next.cstate = ConnectionState.StandAlone;
      });
    } else if (cstate > ConnectionState.Unconnected) {
      changeState(resource, { tag: 'disconnected', hard: true, verbose: true }, () => {
        connection.next.cstate = ConnectionState.Unconnected;
      });
    }
    this.events.onCleanedUp(connection);
    if (connection.now.cstate !== ConnectionState.Unconnected) return;
    afterDeferred(connection.resource, () => this.start(connection));
  }
  /**
   * The state that was just committed ends the present attempt. Called from within the commit: the work itself comes
   * as a task, unless by then another attempt runs.
   */
  endAttempt(connection: Connection): void {
    const { link } = connection;
    const { attempt } = link;
    this.host.ports.scheduler.soon({
      run: () => {
        if (link.attempt !== attempt || link.phase === 'cleanup') return;
        if (link.phase !== 'down') this.cleanUp(connection);
        else if (connection.now.cstate === ConnectionState.Disconnecting) this.afterCleanup(connection);
      },
    });
  }

  /** Drops the streams for a reason; the committed change leads to `cleanUp`. */
  fail(connection: Connection, reason: ConnectionState): void {
    const { phase } = connection.link;
    if (phase === 'down' || phase === 'cleanup') return;
    changeState(connection.resource, { hard: true }, () => {
      if (connection.next.cstate > ConnectionState.TearDown) connection.next.cstate = reason;
    });
    this.cleanUp(connection);
  }
  /** StandAlone: trying again would end the same way. */
  giveUp(connection: Connection): void {
    changeState(connection.resource, { hard: true }, () => {
      connection.next.cstate = ConnectionState.Disconnecting;
    });
    this.cleanUp(connection);
  }
  private retry(connection: Connection): void {
    connection.link.pauseBeforeRetry = true;
    this.fail(connection, ConnectionState.NetworkFailure);
  }

  // --- streams are up

  private lookAtDisksFirst(connection: Connection, streams: EstablishedStreams): void {
    const { link } = connection;
    const { attempt } = link;
    link.establishing = undefined;
    lookAtDisks(connection, () => {
      if (link.attempt === attempt && link.phase === 'establishing') {
        this.onEstablished(connection, streams);
        return;
      }
      streams.data.destroy();
      streams.control.destroy();
    });
  }
  private onEstablished(connection: Connection, streams: EstablishedStreams): void {
    const { link } = connection;
    link.phase = 'features';
    streams.path.established = true;
    this.events.onPathChanged(connection, streams.path);
    this.limitDataWait(connection, connection.options.pingTimeout * 4 * 100, () => {
      if (link.phase === 'features') logLine(connection, 'error', 'timeout while waiting for feature packet');
      this.retry(connection);
    });
    link.adopt(streams.data, streams.control, {
      onAdopted: () => sendFeatures(connection),
      onDataReadable: () => this.readData(connection),
      onControlReadable: () => this.readControl(connection),
      onDataClosed: (error) => this.onDataClosed(connection, error),
      onControlClosed: () => this.onControlClosed(connection),
      onDataDrained: () => this.host.dataActions.dataStreamDrained(connection),
    });
  }
  private limitDataWait(connection: Connection, wait: number, onTimer: () => void): void {
    const { link } = connection;
    link.dataReceiveTimer?.cancel();
    link.dataReceiveTimer = this.host.ports.scheduler.after(wait, { onTimer });
  }

  private onDataClosed(connection: Connection, error: ErrnoCode): void {
    const expected = connection.disconnectExpected || connection.now.cstate < ConnectionState.Connecting;
    if (!expected) {
      const text = error === 0 ? 'sock was shut down by peer' : 'sock was reset by peer';
      logLine(connection, 'info', text);
    }
    if (connection.link.phase === 'running' || connection.link.phase === 'cleanup') {
      this.fail(connection, ConnectionState.BrokenPipe);
    } else {
      this.retry(connection);
    }
  }
  private onControlClosed(connection: Connection): void {
    if (connection.link.phase !== 'running') {
      this.retry(connection);
      return;
    }
    // The verdict on the disconnect is still in the data stream, or its end is.
    if (connection.disconnectExpected) return;
    logLine(connection, 'warning', 'meta connection shut down by peer.');
    this.fail(connection, ConnectionState.NetworkFailure);
  }

  /** Handles all packets that are there, unless a handler pauses the stream. Also called after a pause. */
  readData(connection: Connection): void {
    const { link } = connection;
    const { generation } = link;
    while (generation === link.generation && !link.dataPaused) {
      if (link.retryPacket) {
        link.retryPacket = false;
        this.dispatch(connection, link.dataReader, ConnectionState.ProtocolError);
        continue;
      }
      const status = link.dataReader.next();
      if (status === 'more') return;
      if (status === 'fault') {
        this.unreadable(connection, link.dataReader, ConnectionState.ProtocolError);
        return;
      }
      if (link.phase === 'running') this.dispatch(connection, link.dataReader, ConnectionState.ProtocolError);
      else this.agree(connection);
    }
  }
  private readControl(connection: Connection): void {
    const { link } = connection;
    const { generation } = link;
    if (link.phase !== 'running') return;
    controlActivity(connection);
    while (generation === link.generation) {
      const status = link.controlReader.next();
      if (status === 'more') return;
      if (status === 'fault') {
        this.unreadable(connection, link.controlReader, ConnectionState.NetworkFailure);
        return;
      }
      this.dispatch(connection, link.controlReader, ConnectionState.NetworkFailure);
    }
  }

  // --- before the first transaction

  private agree(connection: Connection): void {
    const { link } = connection;
    const packet = link.dataReader.packet();
    let step: AgreeStep = 'give-up';
    if (link.phase === 'features') {
      if (packet.type === 'P_CONNECTION_FEATURES') {
        step = onFeatures(connection, packet);
        if (step === 'go-on') this.afterFeatures(connection);
      } else logUnexpected(connection, 'ConnectionFeatures', packet);
    } else if (link.phase === 'challenge') {
      if (packet.type === 'P_AUTH_CHALLENGE') {
        step = onChallenge(connection, packet);
        if (step === 'go-on') link.phase = 'response';
      } else logUnexpected(connection, 'AuthChallenge', packet);
    } else if (packet.type === 'P_AUTH_RESPONSE') {
      step = onResponse(connection, packet);
      if (step === 'go-on') this.afterAuthentication(connection);
    } else {
      logUnexpected(connection, 'AuthResponse', packet);
      step = 'retry';
    }
    if (step === 'give-up') this.giveUp(connection);
    else if (step === 'retry') this.retry(connection);
  }
  private afterFeatures(connection: Connection): void {
    if (connection.options.cramHmacAlg === '') {
      this.afterAuthentication(connection);
      return;
    }
    connection.link.phase = 'challenge';
    sendChallenge(connection);
  }
  private afterAuthentication(connection: Connection): void {
    const { link } = connection;
    link.phase = 'running';
    link.handshakeReady = false;
    link.sizesError = false;
    sendProtocol(connection);
    this.limitDataWait(connection, connection.options.pingTimeout * 10 * 100, () => {
      if (connection.now.cstate === ConnectionState.Connected) return;
      logLine(connection, 'error', 'sock_recvmsg returned -11');
      this.fail(connection, ConnectionState.BrokenPipe);
    });
    startKeepAlive(connection);
    watchSending(connection);
    this.readControl(connection);
    if (link.phase === 'running') this.events.onAgreed(connection);
  }

  // --- packets

  private dispatch(connection: Connection, reader: PacketReader, onError: ConnectionState): void {
    const row = this.rows.get(reader.command);
    if (row === undefined) return;
    const { name } = row;
    let result: HandlerResult;
    if (row.connection !== undefined) {
      result = row.connection(connection, reader);
    } else {
      const peerDevice = connection.peerDevice(reader.volume);
      if (row.volume === undefined) {
        const where = reader.stream === 'data' ? 'data' : 'meta';
        const command = reader.command.toString(16).padStart(4, '0');
        const text = `Unexpected ${where} packet ${name} (0x${command})`;
        result = peerFault(connection, 'unexpected-packet', text);
      } else if (peerDevice === undefined) {
        result = this.unknownVolume(connection, name, reader.volume);
      } else {
        result = row.volume(peerDevice, reader);
      }
    }
    if (result === 'again') connection.link.retryPacket = true;
    else if (typeof result === 'object') this.breakOff(connection, result, onError);
  }
  private unknownVolume(connection: Connection, name: PacketName, volume: number): HandlerResult {
    const text = `${name} packet received for volume ${volume}, which is not configured locally`;
    if (!IGNORED_FOR_UNKNOWN_VOLUME.has(name))
      return peerFault(connection, 'unknown-volume', text, 'warning');
    logLine(connection, 'warning', text);
    return 'ok';
  }
  private unreadable(connection: Connection, { fault, stream }: PacketReader, reason: ConnectionState): void {
    const text = fault === null ? 'Stream of packets ended' : describeFault(fault, stream);
    this.breakOff(connection, peerFault(connection, 'malformed', text), reason);
  }
  /** The peer has broken the protocol. */
  private breakOff(connection: Connection, fault: PeerFault, reason: ConnectionState): void {
    this.host.reportPeerFault(fault);
    this.fail(connection, reason);
  }
}

/** Highest disk state that the peer has shown for any volume. */
export const highestPeerDisk = (peers: readonly PeerDevice[]): DiskState =>
  peers.reduce<DiskState>(
    (highest, peer) => (peer.now.pdsk > highest ? peer.now.pdsk : highest),
    DiskState.Diskless,
  );
