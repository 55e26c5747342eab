/**
 * The packets of the data path read into objects that the caller keeps and reuses: no allocation per
 * packet. `at` is the offset of the payload in the view (PacketReader: `view`, `payloadAt`), which has
 * passed the reader's length check.
 *
 * A sector or dagtag above 2^53-1 reads as NaN: compare as `!(sector + n <= capacity)`, which refuses it.
 */
import { readCount } from './field-codec';

/** P_DATA, P_DATA_REPLY, P_RS_DATA_REPLY (digest and data follow 24 bytes on), P_TRIM, P_ZEROES. */
export class DataHead {
  sector = 0;
  idHigh = 0;
  idLow = 0;
  sequence = 0;
  flags = 0;
}

/** Acknowledgements (p_block_ack, p_ov_result) and requests (`sequence` is then meaningless). */
export class BlockHead {
  sector = 0;
  idHigh = 0;
  idLow = 0;
  /** Bytes. */
  size = 0;
  sequence = 0;
}

/** P_RS_DAGTAG_REQ and its kin. */
export class DagtagRequestHead extends BlockHead {
  dagtagNodeId = 0;
  dagtag = 0;
}

export const DATA_HEAD_BYTES = 24;

export function readDataHead(view: DataView, at: number, into: DataHead): void {
  into.sector = readCount(view, at);
  into.idHigh = view.getUint32(at + 8);
  into.idLow = view.getUint32(at + 12);
  into.sequence = view.getUint32(at + 16);
  into.flags = view.getUint32(at + 20);
}

/** Size in bytes of the range a P_TRIM, P_ZEROES or P_WSAME is about. */
export function readTrimSize(view: DataView, at: number): number {
  return view.getUint32(at + 24);
}

export function readBlockHead(view: DataView, at: number, into: BlockHead): void {
  into.sector = readCount(view, at);
  into.idHigh = view.getUint32(at + 8);
  into.idLow = view.getUint32(at + 12);
  into.size = view.getUint32(at + 16);
  into.sequence = view.getUint32(at + 20);
}

export function readDagtagRequest(view: DataView, at: number, into: DagtagRequestHead): void {
  into.sector = readCount(view, at);
  into.idHigh = view.getUint32(at + 8);
  into.idLow = view.getUint32(at + 12);
  into.size = view.getUint32(at + 16);
  into.sequence = 0;
  into.dagtagNodeId = view.getInt32(at + 20);
  into.dagtag = readCount(view, at + 24);
}

/** P_BARRIER and P_BARRIER_ACK: the opaque number. */
export function readBarrier(view: DataView, at: number): number {
  return view.getUint32(at);
}

/** P_PEER_ACK: nodes 0 to 31, a signed mask. */
export function readAckMask(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}
/** P_PEER_ACK: the last write that it is about. */
export function readAckedDagtag(view: DataView, at: number): number {
  return readCount(view, at + 8);
}

/** P_BARRIER_ACK: writes in the epoch. */
export function readSetSize(view: DataView, at: number): number {
  return view.getUint32(at + 4);
}
