/** Handlers of the packets of the data path, for the receiver's table (connection/packet-handler.ts). */
import { ReplicationState } from '../../control/contract/states';
import { describeFault, type WireFault } from '../../wire/fault';
import { type PacketName, type Stream } from '../../wire/packet-table';
import { ID_SYNCER_HALF, OV_RESULT, OV_RESULT_ID, type Packet } from '../../wire/packets';
import {
  BlockHead,
  DATA_HEAD_BYTES,
  DataHead,
  readAckedDagtag,
  readAckMask,
  readBarrier,
  readBlockHead,
  readDataHead,
  readSetSize,
} from '../../wire/decode-hot';
import { type ConnectionHandler, type HandlerResult, type VolumeHandler } from '../connection/packet-handler';
import { type Connection, type PeerDevice } from '../objects';
import { peerFault, type PeerFault } from '../peer-fault';
import { receiveBitmapPiece } from './bitmap-exchange';
import { flushAcked, flushForwarded, flushRequested } from './flush-requests';
import { integrityDigest } from './packet-sender';
import { positionWentBack } from './dagtag-dependency';
import { dagtagReached, type ReadPurpose, type RequestedBlock, serveRead } from './peer-read';
import { markedByPeer } from './peer-marks';
import { peersInSync } from './peers-in-sync';
import { readAnswered, readRefused } from './read-request';
import { peerAckArrived, receiveBarrier, receiveWrite } from './receive-writes';
import { resyncAcked } from './resync-source';
import {
  findRequest,
  resyncBlockCancelled,
  resyncBlockEqual,
  resyncBlockFailed,
  resyncDataArrived,
  scheduleTick,
} from './resync-target';
import { type Verdict } from './verify-run';
import { barrierAcked, peerAnswered, type PeerVerdict, stableConfirmed } from './write-path';

type Of<N extends PacketName> = Extract<Packet, { readonly type: N }>;
const isOf = <N extends PacketName>(packet: { readonly type: string }, name: N): packet is Of<N> =>
  packet.type === name;

/** The packet is not what its number says, or holds what no engine sends. */
function undecodable(on: Connection | PeerDevice, packet: Packet | WireFault, stream: Stream): PeerFault {
  const text = packet.type === 'fault' ? describeFault(packet, stream) : `Unexpected packet ${packet.type}`;
  return peerFault(on, 'malformed', text);
}
const unknownRequest = (on: PeerDevice, text: string): PeerFault => peerFault(on, 'unknown-request', text);

type VolumeRow = readonly [PacketName, VolumeHandler];
function onVolume<N extends PacketName>(
  name: N,
  handle: (peerDevice: PeerDevice, packet: Of<N>) => HandlerResult,
): VolumeRow {
  return [
    name,
    (peerDevice, reader) => {
      const packet = reader.packet();
      return isOf(packet, name) ? handle(peerDevice, packet) : undecodable(peerDevice, packet, reader.stream);
    },
  ];
}
type ConnectionRow = readonly [PacketName, ConnectionHandler];
function onConnection<N extends PacketName>(
  name: N,
  handle: (connection: Connection, packet: Of<N>) => HandlerResult,
): ConnectionRow {
  return [
    name,
    (connection, reader) => {
      const packet = reader.packet();
      return isOf(packet, name) ? handle(connection, packet) : undecodable(connection, packet, reader.stream);
    },
  ];
}
const badNumber = (on: PeerDevice, name: PacketName): PeerFault =>
  peerFault(on, 'malformed', `error receiving ${name}: bad sector`);

// --- data with a digest before it

/** The data without its digest, or that the digest is wrong or missing. */
function checkedData(
  peerDevice: PeerDevice,
  tail: Uint8Array,
  wrong: (bytes: number) => string,
): Uint8Array | PeerFault {
  const hash = integrityDigest(peerDevice.connection);
  if (hash === undefined) return tail;
  const data = tail.subarray(hash.size);
  if (tail.length < hash.size) return peerFault(peerDevice, 'malformed', 'Invalid data reply size');
  const own = hash.digest(data);
  if (own.every((byte, i) => byte === tail[i])) return data;
  return peerFault(peerDevice, 'wrong-digest', wrong(data.length));
}
const isFault = (data: Uint8Array | PeerFault): data is PeerFault => !(data instanceof Uint8Array);

const head = new DataHead();
/** The hot packet: decoded by hand. */
const handleData: VolumeRow = [
  'P_DATA',
  (peerDevice, reader) => {
    readDataHead(reader.view, reader.payloadAt, head);
    const { sector, idHigh, idLow, flags } = head;
    if (!(sector >= 0)) return badNumber(peerDevice, 'P_DATA');
    const data = checkedData(
      peerDevice,
      reader.payload(DATA_HEAD_BYTES),
      (bytes) => `Digest integrity check FAILED: ${sector}s +${bytes}`,
    );
    if (isFault(data)) return data;
    const sectors = data.length / 512;
    return receiveWrite(peerDevice, { operation: 'write', sector, sectors, data, idHigh, idLow, flags });
  },
];
const NO_DATA = new Uint8Array(0);
const handleTrim = onVolume('P_TRIM', (peerDevice, packet) =>
  receiveWrite(peerDevice, { ...packet, operation: 'discard', sectors: packet.size / 512, data: NO_DATA }),
);
const handleZeroes = onVolume('P_ZEROES', (peerDevice, packet) =>
  receiveWrite(peerDevice, { ...packet, operation: 'zero-out', sectors: packet.size / 512, data: NO_DATA }),
);

const handleDataReply = onVolume('P_DATA_REPLY', (peerDevice, packet) => {
  const { sector, idHigh, idLow } = packet;
  const data = checkedData(peerDevice, packet.data, () => 'Digest integrity check FAILED. Broken NICs?');
  if (isFault(data)) return data;
  if (readAnswered(peerDevice, idHigh, idLow, sector, data)) return 'ok';
  return unknownRequest(peerDevice, `failed to find request, sector ${sector}s`);
});

// --- requests of the peer

interface BlockFields {
  readonly sector: number;
  readonly idHigh: number;
  readonly idLow: number;
  readonly size: number;
  readonly dagtag?: number;
  readonly dagtagNodeId?: number;
  readonly digest?: Uint8Array;
}
function serve(
  peerDevice: PeerDevice,
  packet: BlockFields,
  purpose: ReadPurpose,
  thin = false,
): HandlerResult {
  const { sector, size } = packet;
  const capacity = peerDevice.device.size;
  if (size <= 0 || size % 512 !== 0 || size > 1 << 20 || sector + size / 512 > capacity)
    return peerFault(peerDevice, 'bad-range', `peer request: sector: ${sector}s, size: ${size}`);
  const block: RequestedBlock = {
    purpose,
    sector,
    sectors: size / 512,
    idHigh: packet.idHigh,
    idLow: packet.idLow,
    dagtag: packet.dagtag ?? 0,
    dagtagNodeId: packet.dagtagNodeId ?? 0,
    digest: packet.digest?.slice(),
    thin,
  };
  serveRead(peerDevice, block);
  return 'ok';
}
const serveRows: readonly VolumeRow[] = [
  onVolume('P_DATA_REQUEST', (peerDevice, packet) => serve(peerDevice, packet, 'application')),
  onVolume('P_RS_DATA_REQUEST', (peerDevice, packet) => serve(peerDevice, packet, 'resync')),
  onVolume('P_RS_DAGTAG_REQ', (peerDevice, packet) => serve(peerDevice, packet, 'resync')),
  onVolume('P_RS_THIN_REQ', (peerDevice, packet) => serve(peerDevice, packet, 'resync', true)),
  onVolume('P_RS_THIN_DAGTAG_REQ', (peerDevice, packet) => serve(peerDevice, packet, 'resync', true)),
  onVolume('P_CSUM_RS_REQUEST', (peerDevice, packet) => serve(peerDevice, packet, 'resync')),
  onVolume('P_RS_CSUM_DAGTAG_REQ', (peerDevice, packet) => serve(peerDevice, packet, 'resync')),
  onVolume('P_OV_REQUEST', (peerDevice, packet) => serve(peerDevice, packet, 'verify')),
  onVolume('P_OV_DAGTAG_REQ', (peerDevice, packet) => serve(peerDevice, packet, 'verify')),
];

// --- answers to our requests

const unexpected = (peerDevice: PeerDevice, sector: number, bytes: number): PeerFault =>
  unknownRequest(peerDevice, `Unexpected resync reply at ${sector}+${bytes / 512}`);

const handleResyncData = onVolume('P_RS_DATA_REPLY', (peerDevice, packet) => {
  const { sector, idHigh, idLow } = packet;
  const data = checkedData(
    peerDevice,
    packet.data,
    (bytes) => `Digest integrity check FAILED: ${sector}s +${bytes}`,
  );
  if (isFault(data)) return data;
  const request = findRequest(peerDevice, sector, data.length, idHigh, idLow);
  if (request === undefined) return unexpected(peerDevice, sector, data.length);
  resyncDataArrived(peerDevice, request, data.slice());
  return 'ok';
});

/** The source has nothing but zeros there. */
function resyncDeallocated(
  peerDevice: PeerDevice,
  sector: number,
  size: number,
  idHigh: number,
  idLow: number,
): HandlerResult {
  const request = findRequest(peerDevice, sector, size, idHigh, idLow);
  if (request === undefined) return unexpected(peerDevice, sector, size);
  resyncDataArrived(peerDevice, request, 'zeros');
  return 'ok';
}

function resyncAnswer(
  name: 'P_RS_IS_IN_SYNC' | 'P_NEG_RS_DREPLY' | 'P_RS_CANCEL' | 'P_RS_CANCEL_AHEAD',
  act: typeof resyncBlockEqual,
): VolumeRow {
  return onVolume(name, (peerDevice, packet) => {
    const { sector, size, idHigh, idLow } = packet;
    const request = findRequest(peerDevice, sector, size, idHigh, idLow);
    if (request) {
      act(peerDevice, request);
      return 'ok';
    }
    const { verify } = peerDevice.io;
    const block = verify?.find(sector, size, idHigh, idLow);
    if (verify === undefined || block === undefined) return unexpected(peerDevice, sector, size);
    if (block !== 'abandoned') verify.refused(block);
    return 'ok';
  });
}

function verifyDigest(name: 'P_OV_REPLY' | 'P_OV_DAGTAG_REPLY'): VolumeRow {
  return onVolume(name, (peerDevice, packet) => {
    const { sector, size, idHigh, idLow, digest } = packet;
    const { verify } = peerDevice.io;
    const block = verify?.find(sector, size, idHigh, idLow);
    if (verify === undefined || block === undefined) return unexpected(peerDevice, sector, size);
    if (block !== 'abandoned') verify.digestArrived(block, digest.slice());
    return 'ok';
  });
}
function verifyResult(peerDevice: PeerDevice, sector: number, size: number, verdict: Verdict): HandlerResult {
  const { io } = peerDevice;
  io.verifyPosition = sector + size / 512;
  if (peerDevice.now.repl === ReplicationState.VerifyT) io.verify?.peerFound(sector, size / 512, verdict);
  return 'ok';
}
const verdictOf = (result: number, different: number, same: number): Verdict =>
  result === different ? 'different' : result === same ? 'same' : 'skip';

// --- acknowledgements

interface AckFields {
  readonly sector: number;
  readonly idHigh: number;
  readonly idLow: number;
  readonly size: number;
}
function writeAck(peerDevice: PeerDevice, packet: AckFields, verdict: PeerVerdict): HandlerResult {
  const { sector, size, idHigh, idLow } = packet;
  const request = peerDevice.resource.io.writes.find(idHigh, idLow);
  if (request?.device === peerDevice.device && request.sector === sector) {
    peerAnswered(peerDevice, request, verdict);
    return 'ok';
  }
  if (verdict === 'failed') {
    const { device, bitmapSlot } = peerDevice;
    if (bitmapSlot >= 0) device.backing?.bitmap.setRange(bitmapSlot, sector, size / 512);
    return 'ok';
  }
  return unknownRequest(peerDevice, `failed to find request 0x${idLow.toString(16)}, sector ${sector}s`);
}
const ack = new BlockHead();
/** Hot packets: decoded by hand. */
const writeAckRow = (name: PacketName, verdict: PeerVerdict): VolumeRow => [
  name,
  (peerDevice, reader) => {
    readBlockHead(reader.view, reader.payloadAt, ack);
    return ack.sector >= 0 ? writeAck(peerDevice, ack, verdict) : badNumber(peerDevice, name);
  },
];
const isSyncer = ({ idHigh, idLow }: AckFields): boolean =>
  idHigh === ID_SYNCER_HALF && idLow === ID_SYNCER_HALF;
const resyncAck = (peerDevice: PeerDevice, packet: AckFields, ok: boolean): HandlerResult =>
  resyncAcked(peerDevice, packet.sector, packet.size, ok)
    ? 'ok'
    : unexpected(peerDevice, packet.sector, packet.size);
const sendsIds = ({ connection }: PeerDevice): boolean => connection.agreedProtocol >= 122;

const ackRows: readonly VolumeRow[] = [
  writeAckRow('P_RECV_ACK', 'received'),
  writeAckRow('P_WRITE_ACK', 'written'),
  writeAckRow('P_WRITE_ACK_IN_SYNC', 'in-sync'),
  onVolume('P_RS_WRITE_ACK', (peerDevice, packet) =>
    sendsIds(peerDevice) || isSyncer(packet)
      ? resyncAck(peerDevice, packet, true)
      : writeAck(peerDevice, packet, 'in-sync'),
  ),
  onVolume('P_NEG_ACK', (peerDevice, packet) =>
    !sendsIds(peerDevice) && isSyncer(packet)
      ? resyncAck(peerDevice, packet, false)
      : writeAck(peerDevice, packet, 'failed'),
  ),
  onVolume('P_RS_NEG_ACK', (peerDevice, packet) => resyncAck(peerDevice, packet, false)),
  onVolume('P_NEG_DREPLY', (peerDevice, packet) =>
    readRefused(peerDevice, packet.idHigh, packet.idLow, packet.sector)
      ? 'ok'
      : unknownRequest(peerDevice, `failed to find request, sector ${packet.sector}s`),
  ),
];

const volumeRows: readonly VolumeRow[] = [
  handleData,
  handleTrim,
  handleZeroes,
  handleDataReply,
  handleResyncData,
  onVolume('P_RS_DEALLOCATED', (peerDevice, { sector, size }) =>
    resyncDeallocated(peerDevice, sector, size, ID_SYNCER_HALF, ID_SYNCER_HALF),
  ),
  onVolume('P_RS_DEALLOCATED_ID', (peerDevice, { sector, size, idHigh, idLow }) =>
    resyncDeallocated(peerDevice, sector, size, idHigh, idLow),
  ),
  ...serveRows,
  ...ackRows,
  resyncAnswer('P_RS_IS_IN_SYNC', resyncBlockEqual),
  resyncAnswer('P_NEG_RS_DREPLY', resyncBlockFailed),
  resyncAnswer('P_RS_CANCEL', resyncBlockCancelled),
  resyncAnswer('P_RS_CANCEL_AHEAD', resyncBlockCancelled),
  verifyDigest('P_OV_REPLY'),
  verifyDigest('P_OV_DAGTAG_REPLY'),
  onVolume('P_OV_RESULT', (peerDevice, { sector, size, idLow }) =>
    verifyResult(peerDevice, sector, size, verdictOf(idLow, OV_RESULT_ID.OUT_OF_SYNC, OV_RESULT_ID.IN_SYNC)),
  ),
  onVolume('P_OV_RESULT_ID', (peerDevice, { sector, size, result }) =>
    verifyResult(peerDevice, sector, size, verdictOf(result, OV_RESULT.OUT_OF_SYNC, OV_RESULT.IN_SYNC)),
  ),
  onVolume('P_BITMAP', (peerDevice, packet) => receiveBitmapPiece(peerDevice, packet)),
  onVolume('P_COMPRESSED_BITMAP', (peerDevice, packet) => receiveBitmapPiece(peerDevice, packet)),
  onVolume('P_OUT_OF_SYNC', (peerDevice, { sector, size }) => {
    markedByPeer(peerDevice, sector, size / 512);
    return 'ok';
  }),
  onVolume('P_PEERS_IN_SYNC', (peerDevice, { mask, sector, size }) => {
    peersInSync(peerDevice, mask, sector, size);
    return 'ok';
  }),
];

/** Every few writes: decoded by hand. */
const hotConnectionRows: readonly ConnectionRow[] = [
  [
    'P_BARRIER',
    (connection, { view, payloadAt }) => {
      receiveBarrier(connection, readBarrier(view, payloadAt));
      return 'ok';
    },
  ],
  [
    'P_BARRIER_ACK',
    (connection, { view, payloadAt }) => {
      const wrong = barrierAcked(connection, readBarrier(view, payloadAt), readSetSize(view, payloadAt));
      return wrong === undefined ? 'ok' : peerFault(connection, 'wrong-confirmation', wrong);
    },
  ],
  [
    'P_PEER_ACK',
    (connection, { view, payloadAt }) => {
      const dagtag = readAckedDagtag(view, payloadAt);
      return dagtag >= 0 && peerAckArrived(connection, readAckMask(view, payloadAt), dagtag)
        ? 'ok'
        : peerFault(connection, 'wrong-confirmation', `peer request with dagtag ${dagtag} not found`);
    },
  ],
];

const connectionRows: readonly ConnectionRow[] = [
  ...hotConnectionRows,
  onConnection('P_CONFIRM_STABLE', (connection, packet) => {
    const { writes } = connection.resource.io;
    const oldest = writes.find(packet.oldestHigh, packet.oldestLow);
    const youngest = writes.find(packet.youngestHigh, packet.youngestLow);
    if (stableConfirmed(connection, oldest, youngest, packet.setSize)) return 'ok';
    const text = `BAD! ConfirmedStable received with n_writes=${packet.setSize}, no such writes!`;
    return peerFault(connection, 'wrong-confirmation', text);
  }),
  onConnection('P_DAGTAG', (connection, { dagtag }) => {
    if (dagtag < connection.lastDagtag) positionWentBack(connection);
    connection.lastDagtag = dagtag;
    connection.receivedDagtag = true;
    dagtagReached(connection.io.dagtagWaiters, dagtag);
    return 'ok';
  }),
  onConnection('P_FLUSH_REQUESTS', (connection, { flushSequence }) => {
    flushRequested(connection, flushSequence);
    return 'ok';
  }),
  onConnection('P_FLUSH_FORWARD', (connection, { flushSequence, initiatorNodeId }) => {
    flushForwarded(connection, flushSequence, initiatorNodeId);
    return 'ok';
  }),
  onConnection('P_FLUSH_REQUESTS_ACK', (connection, { flushSequence, primaryNodeId }) => {
    for (const run of flushAcked(connection, flushSequence, primaryNodeId)) scheduleTick(run, 0);
    return 'ok';
  }),
  onConnection('P_UNPLUG_REMOTE', () => 'ok'),
];

/** Packets that name a volume. */
export const dataVolumeHandlers: ReadonlyMap<PacketName, VolumeHandler> = new Map(volumeRows);
/** Packets of the whole connection. */
export const dataConnectionHandlers: ReadonlyMap<PacketName, ConnectionHandler> = new Map(connectionRows);
