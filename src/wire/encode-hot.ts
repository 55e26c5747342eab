/**
 * The packets of the data path, written straight into a caller's buffer: plain numbers in, offset after
 * the packet out, nothing allocated. Byte-identical to encodePacket() (a test compares them).
 *
 * Common parameters: `view`, `offset`: where; `protocol`: the agreed version (it decides the header);
 * `volume`; `sector`: of 512 bytes; `idHigh`, `idLow`: the two halves of the opaque block id, echoed as
 * received or, for requests of one's own, a slot number and a generation; `sequence`: wire-protocol 8.3.
 * Numbers must fit their fields: nothing is checked here.
 */
import { writeCount } from './field-codec';
import { writeHeader } from './header';
import { PACKETS } from './packet-table';
import { type BlockAckName } from './packets';

/** Room that is enough for any packet of this file (without tails): 16 + 32 bytes. */
export const HOT_PACKET_ROOM = 48;

type DataName = 'P_DATA' | 'P_DATA_REPLY' | 'P_RS_DATA_REPLY';

function putBlock(view: DataView, at: number, sector: number, idHigh: number, idLow: number): void {
  writeCount(view, at, sector);
  view.setUint32(at + 8, idHigh);
  view.setUint32(at + 12, idLow);
}

/**
 * Header and structure of P_DATA, P_DATA_REPLY or P_RS_DATA_REPLY. The caller puts `tailBytes` bytes
 * (digest, if any, and data) right behind them on the wire. `flags`: DP; 0 in replies, as `sequence`.
 */
export function encodeDataHead(
  view: DataView,
  offset: number,
  protocol: number,
  name: DataName,
  volume: number,
  sector: number,
  idHigh: number,
  idLow: number,
  sequence: number,
  flags: number,
  tailBytes: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS[name].number, volume, 24 + tailBytes);
  putBlock(view, at, sector, idHigh, idLow);
  view.setUint32(at + 16, sequence);
  view.setUint32(at + 20, flags);
  return at + 24;
}

/** P_TRIM or P_ZEROES of `size` bytes. */
export function encodeTrim(
  view: DataView,
  offset: number,
  protocol: number,
  name: 'P_TRIM' | 'P_ZEROES',
  volume: number,
  sector: number,
  idHigh: number,
  idLow: number,
  sequence: number,
  flags: number,
  size: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS[name].number, volume, 28);
  putBlock(view, at, sector, idHigh, idLow);
  view.setUint32(at + 16, sequence);
  view.setUint32(at + 20, flags);
  view.setUint32(at + 24, size);
  return at + 28;
}

/** Any acknowledgement with the p_block_ack structure; `size` in bytes. */
export function encodeBlockAck(
  view: DataView,
  offset: number,
  protocol: number,
  name: BlockAckName,
  volume: number,
  sector: number,
  idHigh: number,
  idLow: number,
  size: number,
  sequence: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS[name].number, volume, 24);
  putBlock(view, at, sector, idHigh, idLow);
  view.setUint32(at + 16, size);
  view.setUint32(at + 20, sequence);
  return at + 24;
}

/** P_DATA_REQUEST and the resync requests without dagtag; `size` in bytes. */
export function encodeBlockRequest(
  view: DataView,
  offset: number,
  protocol: number,
  name: 'P_DATA_REQUEST' | 'P_RS_DATA_REQUEST' | 'P_RS_THIN_REQ' | 'P_OV_REQUEST',
  volume: number,
  sector: number,
  idHigh: number,
  idLow: number,
  size: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS[name].number, volume, 24);
  putBlock(view, at, sector, idHigh, idLow);
  view.setUint32(at + 16, size);
  view.setUint32(at + 20, 0);
  return at + 24;
}

/** The resync requests with dagtag (FEATURE.RESYNC_DAGTAG); dagtag 0: no dependency. */
export function encodeDagtagRequest(
  view: DataView,
  offset: number,
  protocol: number,
  name: 'P_RS_DAGTAG_REQ' | 'P_RS_THIN_DAGTAG_REQ' | 'P_OV_DAGTAG_REQ',
  volume: number,
  sector: number,
  idHigh: number,
  idLow: number,
  size: number,
  dagtagNodeId: number,
  dagtag: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS[name].number, volume, 32);
  putBlock(view, at, sector, idHigh, idLow);
  view.setUint32(at + 16, size);
  view.setInt32(at + 20, dagtagNodeId);
  writeCount(view, at + 24, dagtag);
  return at + 32;
}

/** P_OV_RESULT_ID; `result`: OV_RESULT. */
export function encodeVerifyResult(
  view: DataView,
  offset: number,
  protocol: number,
  volume: number,
  sector: number,
  idHigh: number,
  idLow: number,
  size: number,
  sequence: number,
  result: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS.P_OV_RESULT_ID.number, volume, 32);
  putBlock(view, at, sector, idHigh, idLow);
  view.setUint32(at + 16, size);
  view.setUint32(at + 20, sequence);
  view.setUint32(at + 24, result);
  view.setUint32(at + 28, 0);
  return at + 32;
}

/** P_BARRIER. `connectionVolume`: NO_VOLUME, or 0 towards 8.4. */
export function encodeBarrier(
  view: DataView,
  offset: number,
  protocol: number,
  connectionVolume: number,
  barrier: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS.P_BARRIER.number, connectionVolume, 8);
  view.setUint32(at, barrier);
  view.setUint32(at + 4, 0);
  return at + 8;
}

/** P_BARRIER_ACK: `barrier` as received, `setSize` writes. */
export function encodeBarrierAck(
  view: DataView,
  offset: number,
  protocol: number,
  connectionVolume: number,
  barrier: number,
  setSize: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS.P_BARRIER_ACK.number, connectionVolume, 8);
  view.setUint32(at, barrier);
  view.setUint32(at + 4, setSize);
  return at + 8;
}

/** P_PEER_ACK; `mask`: bit n for node n (0 to 31), as an unsigned 32-bit number. */
export function encodePeerAck(
  view: DataView,
  offset: number,
  protocol: number,
  connectionVolume: number,
  mask: number,
  dagtag: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS.P_PEER_ACK.number, connectionVolume, 16);
  view.setUint32(at, 0);
  view.setUint32(at + 4, mask);
  writeCount(view, at + 8, dagtag);
  return at + 16;
}

/** P_DAGTAG: the dagtag the receiver is to count on from. */
export function encodeDagtag(
  view: DataView,
  offset: number,
  protocol: number,
  connectionVolume: number,
  dagtag: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS.P_DAGTAG.number, connectionVolume, 8);
  writeCount(view, at, dagtag);
  return at + 8;
}

/** P_OUT_OF_SYNC for `size` bytes from `sector` on. */
export function encodeOutOfSync(
  view: DataView,
  offset: number,
  protocol: number,
  volume: number,
  sector: number,
  size: number,
): number {
  const at = writeHeader(view, offset, protocol, PACKETS.P_OUT_OF_SYNC.number, volume, 16);
  writeCount(view, at, sector);
  view.setUint32(at + 8, size);
  view.setUint32(at + 12, 0);
  return at + 16;
}

/** P_PING, P_PING_ACK, P_UNPLUG_REMOTE, P_DISCONNECT: a header and nothing else. */
export function encodeEmpty(
  view: DataView,
  offset: number,
  protocol: number,
  connectionVolume: number,
  name: 'P_PING' | 'P_PING_ACK' | 'P_UNPLUG_REMOTE' | 'P_DISCONNECT',
): number {
  return writeHeader(view, offset, protocol, PACKETS[name].number, connectionVolume, 0);
}
