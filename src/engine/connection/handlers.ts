/** What this side of the engine does with each packet: handshake, transactions, pings. The data path has its own. */
import { StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState } from '../../control/contract/states';
import { type PacketName, type Stream } from '../../wire/packet-table';
import { type Packet, type PacketOf } from '../../wire/packets';
import { describeFault, type WireFault } from '../../wire/fault';
import { type Connection, type PeerDevice } from '../objects';
import { peerFault, type PeerFault } from '../peer-fault';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { onPrepare, onPrepareResize, onTwopcReply, onVerdict } from '../twopc/participant';
import { onProtocol, onProtocolUpdate } from './agree';
import { onPing, onPingAck } from './keep-alive';
import {
  type ConnectionHandler,
  type HandlerResult,
  type HandlerTable,
  type VolumeHandler,
} from './packet-handler';
import { onPeerDagtag } from './reconcile';
import { receiveRole, receiveState } from './receive-state';
import { receiveSizes } from './receive-sizes';
import { onCurrentUuid, onUuids } from './receive-uuids';

const isType = <N extends PacketName>(packet: Packet | WireFault, name: N): packet is PacketOf<N> & Packet =>
  packet.type === name;

/** The packet is not what the table of handlers was asked for, or cannot be decoded. */
function undecodable(connection: Connection, packet: Packet | WireFault, stream: Stream): PeerFault {
  const text = packet.type === 'fault' ? describeFault(packet, stream) : `Unexpected packet ${packet.type}`;
  return peerFault(connection, 'malformed', text);
}

function onConnection<N extends PacketName>(
  name: N,
  handle: (connection: Connection, packet: PacketOf<N>) => HandlerResult,
): [PacketName, ConnectionHandler] {
  return [
    name,
    (connection, reader) => {
      const packet = reader.packet();
      return isType(packet, name)
        ? handle(connection, packet)
        : undecodable(connection, packet, reader.stream);
    },
  ];
}
function onVolume<N extends PacketName>(
  name: N,
  handle: (peerDevice: PeerDevice, packet: PacketOf<N>) => HandlerResult,
): [PacketName, VolumeHandler] {
  return [
    name,
    (peerDevice, reader) => {
      const packet = reader.packet();
      return isType(packet, name)
        ? handle(peerDevice, packet)
        : undecodable(peerDevice.connection, packet, reader.stream);
    },
  ];
}
/** A handler that cannot fail. */
const always =
  <A extends readonly unknown[]>(run: (...args: A) => void) =>
  (...args: A): HandlerResult => {
    run(...args);
    return 'ok';
  };

function receiveProtocol(connection: Connection, packet: PacketOf<'P_PROTOCOL'>): HandlerResult {
  if (onProtocol(connection, packet) === 'go-on') return 'ok';
  connection.resource.host.peerActions.giveUpConnection(connection);
  return 'handled-drop';
}

/** The peer has decided that connecting makes no sense (engine.md 5.4). */
function receiveDisconnect(connection: Connection): HandlerResult {
  const code = changeState(connection.resource, { tag: 'receive-disconnect', hard: true }, () => {
    connection.next.cstate = ConnectionState.Disconnecting;
  });
  if (code < StateCode.Success)
    return peerFault(connection, 'unexpected-packet', 'Unexpected data packet Disconnect');
  connection.resource.host.peerActions.giveUpConnection(connection);
  return 'handled-drop';
}

/** Algorithms must match, except for verify, which is only refused when it is asked for (wire-protocol.md 7.4). */
function receiveSyncParameters(peerDevice: PeerDevice, packet: PacketOf<'P_SYNC_PARAM89'>): HandlerResult {
  const { connection } = peerDevice;
  const { options, link } = connection;
  const connected = connection.now.cstate >= ConnectionState.Connected;
  if (packet.csumsAlg !== options.csumsAlg) {
    if (!connected) {
      const text = `Different csums-alg settings. me="${options.csumsAlg}" peer="${packet.csumsAlg}"`;
      logLine(connection, 'error', text);
      connection.resource.host.peerActions.giveUpConnection(connection);
      return 'handled-drop';
    }
    connection.options = { ...connection.options, csumsAlg: packet.csumsAlg };
    logLine(connection, 'info', `using csums-alg: "${packet.csumsAlg}"`);
  }
  if (packet.verifyAlg !== options.verifyAlg) {
    if (connected) {
      connection.options = { ...connection.options, verifyAlg: packet.verifyAlg };
      logLine(connection, 'info', `using verify-alg: "${packet.verifyAlg}"`);
    } else {
      const text = `Different verify-alg settings. me="${options.verifyAlg}" peer="${packet.verifyAlg}", online verify will be refused`;
      logLine(connection, 'warning', text);
    }
  }
  link.peerVerifyAlg = packet.verifyAlg;
  return 'ok';
}

function receiveReplicationNext(
  peerDevice: PeerDevice,
  packet: PacketOf<'P_ENABLE_REPLICATION_NEXT'>,
): HandlerResult {
  peerDevice.replicationNext = packet.enable !== 0;
  return 'ok';
}

const connectionHandlers: readonly [PacketName, ConnectionHandler][] = [
  onConnection('P_PROTOCOL', receiveProtocol),
  onConnection('P_PROTOCOL_UPDATE', always(onProtocolUpdate)),
  onConnection('P_DISCONNECT', receiveDisconnect),
  onConnection('P_PING', always(onPing)),
  onConnection('P_PING_ACK', always(onPingAck)),
  onConnection(
    'P_TWOPC_PREPARE',
    always((connection, packet) => onPrepare(connection, packet)),
  ),
  onConnection('P_TWOPC_PREP_RSZ', always(onPrepareResize)),
  onConnection('P_TWOPC_COMMIT', always(onVerdict)),
  onConnection('P_TWOPC_ABORT', always(onVerdict)),
  onConnection('P_TWOPC_YES', always(onTwopcReply)),
  onConnection('P_TWOPC_NO', always(onTwopcReply)),
  onConnection('P_TWOPC_RETRY', always(onTwopcReply)),
  onConnection('P_PEER_DAGTAG', always(onPeerDagtag)),
  [
    'P_STATE',
    (connection, reader) => {
      const packet = reader.packet();
      if (!isType(packet, 'P_STATE')) return undecodable(connection, packet, reader.stream);
      const peerDevice = connection.peerDevice(packet.volume);
      return peerDevice === undefined ? receiveRole(connection, packet) : receiveState(peerDevice, packet);
    },
  ],
];
const volumeHandlers: readonly [PacketName, VolumeHandler][] = [
  onVolume('P_SYNC_PARAM89', receiveSyncParameters),
  onVolume('P_SIZES', receiveSizes),
  onVolume('P_UUIDS110', onUuids),
  onVolume('P_CURRENT_UUID', onCurrentUuid),
  onVolume('P_ENABLE_REPLICATION_NEXT', receiveReplicationNext),
];

/** The replication state a bitmap is for becomes visible when the disk is attached for good: until then it waits. */
function afterNegotiation(handle: VolumeHandler): VolumeHandler {
  return (peerDevice, reader) => {
    const { device, connection, resource } = peerDevice;
    const { link } = connection;
    if (device.now.disk !== DiskState.Negotiating) return handle(peerDevice, reader);
    const { generation } = link;
    link.pauseData();
    whenStateChanges(resource, () => {
      if (generation !== link.generation) return true;
      if (device.now.disk === DiskState.Negotiating) return false;
      resource.host.peerActions.resumeReading(connection);
      return true;
    });
    return 'again';
  };
}

/** All handlers, those of the data path included. */
export function handlerTable(dataPath: HandlerTable): HandlerTable {
  const volume = new Map([...dataPath.volume, ...volumeHandlers]);
  for (const name of ['P_BITMAP', 'P_COMPRESSED_BITMAP'] as const) {
    const handle = volume.get(name);
    if (handle !== undefined) volume.set(name, afterNegotiation(handle));
  }
  return { connection: new Map([...dataPath.connection, ...connectionHandlers]), volume };
}
