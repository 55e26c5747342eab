/** Sending the packets of the data path. Hot ones are written into a scratch buffer without an object for each. */
import {
  encodeBarrier,
  encodeBarrierAck,
  encodeBlockAck,
  encodeDataHead,
  encodePeerAck,
  encodeTrim,
  HOT_PACKET_ROOM,
} from '../../wire/encode-hot';
import { FEATURE, NO_VOLUME } from '../../wire/features';
import { type BlockAckName, DP } from '../../wire/packets';
import { ConnectionState, ReplicationState } from '../../control/contract/states';
import { type Connection, type PeerDevice } from '../objects';
import { type Digest } from '../ports';
import { type WriteRequest } from './write-request';

const scratch = new Uint8Array(HOT_PACKET_ROOM);
const view = new DataView(scratch.buffer);
/** By length: the views are made once. */
const beginnings = Array.from({ length: HOT_PACKET_ROOM + 1 }, (_, length) => scratch.subarray(0, length));
const encoded = (end: number): Uint8Array => beginnings[end] ?? scratch.subarray(0, end);

export const isConnected = (connection: Connection): boolean =>
  connection.now.cstate === ConnectionState.Connected && connection.link.up;

export function nextSequence(peerDevice: PeerDevice): number {
  return (peerDevice.io.sequence = (peerDevice.io.sequence + 1) >>> 0);
}

/** Any acknowledgement with the p_block_ack structure. `bytes` is the size of the request. */
export function sendBlockAck(
  peerDevice: PeerDevice,
  name: BlockAckName,
  sector: number,
  idHigh: number,
  idLow: number,
  bytes: number,
): void {
  const { link, agreedProtocol } = peerDevice.connection;
  const sequence = nextSequence(peerDevice);
  const end = encodeBlockAck(
    view,
    0,
    agreedProtocol,
    name,
    peerDevice.device.vnr,
    sector,
    idHigh,
    idLow,
    bytes,
    sequence,
  );
  link.sendControlBytes(encoded(end));
}

export function sendBarrier({ link, agreedProtocol }: Connection, barrier: number): void {
  link.sendDataBytes(encoded(encodeBarrier(view, 0, agreedProtocol, NO_VOLUME, barrier)));
}
export function sendBarrierAck({ link, agreedProtocol }: Connection, barrier: number, setSize: number): void {
  link.sendControlBytes(encoded(encodeBarrierAck(view, 0, agreedProtocol, NO_VOLUME, barrier, setSize)));
}
/** `mask`: bit n for node n. */
export function sendPeerAck({ link, agreedProtocol }: Connection, mask: number, dagtag: number): void {
  link.sendControlBytes(encoded(encodePeerAck(view, 0, agreedProtocol, NO_VOLUME, mask >>> 0, dagtag)));
}

/** The digest of data-integrity-alg, if the connection uses one. */
export function integrityDigest(connection: Connection): Digest | undefined {
  const algorithm = connection.options.dataIntegrityAlg;
  return algorithm === '' ? undefined : connection.resource.host.ports.digests.hash(algorithm);
}

/** P_DATA, P_DATA_REPLY or P_RS_DATA_REPLY with the digest before the data where one is due. */
export function sendDataPacket(
  peerDevice: PeerDevice,
  name: 'P_DATA' | 'P_DATA_REPLY' | 'P_RS_DATA_REPLY',
  sector: number,
  idHigh: number,
  idLow: number,
  sequence: number,
  flags: number,
  data: Uint8Array,
): void {
  const { connection } = peerDevice;
  const digest = integrityDigest(connection)?.digest(data);
  const tail = data.length + (digest?.length ?? 0);
  const end = encodeDataHead(
    view,
    0,
    connection.agreedProtocol,
    name,
    peerDevice.device.vnr,
    sector,
    idHigh,
    idLow,
    sequence,
    flags,
    tail,
  );
  connection.link.sendDataBytes(encoded(end));
  if (digest) connection.link.sendDataBytes(digest);
  connection.link.sendSharedData(data);
  peerDevice.io.sentSectors += data.length / 512;
}

/** The predecessor's dagtag, unless the peer computes it itself. */
export function sendDagtagIfNeeded(connection: Connection, dagtag: number): void {
  if (connection.io.sentDagtag === dagtag) return;
  connection.io.sentDagtag = dagtag;
  connection.link.sendData({ type: 'P_DAGTAG', volume: NO_VOLUME, dagtag });
}

/** Flags of a write (wire-protocol.md 8.1, 8.4). */
export function writeFlags(peerDevice: PeerDevice, request: WriteRequest): number {
  const { repl } = peerDevice.now;
  const { protocol } = peerDevice.connection.options;
  let flags = DP.RW_SYNC | (request.fua ? DP.FUA : 0);
  const syncing = repl >= ReplicationState.SyncSource && repl <= ReplicationState.PausedSyncT;
  if (syncing) flags |= DP.MAY_SET_IN_SYNC | DP.SEND_WRITE_ACK;
  if (protocol === 'C') flags |= DP.SEND_WRITE_ACK;
  else if (protocol === 'B' && !syncing) flags |= DP.SEND_RECEIVE_ACK;
  return flags;
}

const ZERO_CHUNK = new Uint8Array(1 << 20);

/** The write as the peer understands it. */
export function sendWrite(peerDevice: PeerDevice, request: WriteRequest, flags: number): void {
  const { connection, device } = peerDevice;
  const { sector, idHigh, idLow } = request;
  sendDagtagIfNeeded(connection, request.dagtag - request.sectors);
  connection.io.sentDagtag = request.dagtag;
  const sequence = nextSequence(peerDevice);
  if (request.operation === 'write') {
    sendDataPacket(peerDevice, 'P_DATA', sector, idHigh, idLow, sequence, flags, request.data);
    return;
  }
  const { agreedFeatures } = connection;
  // Kernels wait for a digest behind P_ZEROES that they do not send themselves (wire-protocol.md 8.2).
  const zeroes =
    request.operation === 'zero-out' &&
    (agreedFeatures & FEATURE.WZEROES) !== 0 &&
    connection.options.dataIntegrityAlg === '';
  if (!zeroes && (agreedFeatures & FEATURE.TRIM) === 0) {
    const data = request.bytes <= ZERO_CHUNK.length ? ZERO_CHUNK.subarray(0, request.bytes) : undefined;
    if (data === undefined) throw new RangeError('a discard longer than a packet for a peer without trim');
    sendDataPacket(peerDevice, 'P_DATA', sector, idHigh, idLow, sequence, flags, data);
    return;
  }
  const kind = zeroes ? DP.ZEROES | (request.mayUnmap ? DP.DISCARD : 0) : DP.DISCARD;
  const end = encodeTrim(
    view,
    0,
    connection.agreedProtocol,
    zeroes ? 'P_ZEROES' : 'P_TRIM',
    device.vnr,
    sector,
    idHigh,
    idLow,
    sequence,
    flags | kind,
    request.bytes,
  );
  connection.link.sendDataBytes(encoded(end));
  peerDevice.io.sentSectors += request.sectors;
}

/** P_OUT_OF_SYNC for a range of at most 4 GiB. */
export function sendOutOfSync(peerDevice: PeerDevice, sector: number, sectors: number): void {
  const { connection, device } = peerDevice;
  connection.link.sendData({ type: 'P_OUT_OF_SYNC', volume: device.vnr, sector, size: sectors * 512 });
}
