/**
 * Every packet of protocols 86 to 124: number, stream, structure, variable tail, and when a sender may
 * use it (wire-protocol section 3). Types (packets.ts), generic codecs (encode.ts, decode.ts), length
 * limits (reader.ts) and debug output all come from this table.
 */
import { FEATURE, LIMIT } from './features';
import * as L from './layouts';

export type Stream = 'data' | 'control';

/** Holds from an agreed protocol on, or with an agreed feature. */
export interface Condition {
  readonly since?: number;
  readonly feature?: number;
}

/**
 * What follows the structure. `bytes`: handed out as a view, uninterpreted. `cstring`: latin1 and one
 * NUL. `u64s`: array of bigint. `max` in bytes.
 */
export interface Tail {
  readonly name: string;
  readonly kind: 'bytes' | 'cstring' | 'u64s';
  readonly max: number;
  readonly min?: number;
  /** Agreed protocol from which on it is sent; the packet ends with the structure before. */
  readonly since?: number;
}

export interface PacketSpec {
  readonly number: number;
  /** Where the packet travels; 'both' only for the obsolete delay probe. */
  readonly stream: Stream | 'both';
  /** Does the header's volume number mean anything? Otherwise send NO_VOLUME. */
  readonly scope: 'volume' | 'connection' | 'either';
  readonly layout: L.Layout;
  /** A second structure that follows under a condition; null in the decoded packet when absent. */
  readonly extension?: { readonly name: string; readonly layout: L.Layout; readonly when: Condition };
  /** Replaces `layout` while the condition does not hold; fields it lacks decode as 0. */
  readonly older?: { readonly layout: L.Layout; readonly until: Condition };
  readonly tail?: Tail;
  /** First and last agreed protocol with which it may be sent. */
  readonly since: number;
  readonly until?: number;
  /** Feature that must be agreed, feature that must not be. */
  readonly feature?: number;
  readonly notFeature?: number;
}

const DATA_TAIL = { name: 'data', kind: 'bytes', max: LIMIT.DIGEST + LIMIT.MAX_BIO_SIZE } as const;
const DIGEST_TAIL = { name: 'digest', kind: 'bytes', max: LIMIT.DIGEST } as const;
const BITMAP_BYTES = LIMIT.BITMAP_PACKET - 8;
const { TRIM, THIN_RESYNC, WSAME, WZEROES, RESYNC_DAGTAG, TWOPC_V2, RESYNC_WITHOUT_REPLICATION } = FEATURE;
const V2 = { feature: TWOPC_V2 } as const;

/** Data stream, one volume; control stream, one volume; data stream, connection. */
const onData = { stream: 'data', scope: 'volume', since: 86 } as const;
const onControl = { stream: 'control', scope: 'volume', since: 86 } as const;
const connData = { stream: 'data', scope: 'connection', since: 86 } as const;
const connControl = { stream: 'control', scope: 'connection', since: 86 } as const;
const ack = { ...onControl, layout: L.BLOCK_ACK } as const;
const twopcReply = { ...onControl, scope: 'either', layout: L.TWOPC_REPLY, since: 110 } as const;
const twopcRequest = { ...onData, scope: 'either', since: 110 } as const;
const verdict = {
  ...twopcRequest,
  layout: L.TWOPC_VERDICT,
  older: { layout: L.TWOPC_VERDICT_V1, until: V2 },
} as const;
const integrity = { name: 'integrityAlg', kind: 'cstring', max: LIMIT.NAME, since: 87 } as const;
const dagtagRequest = { ...onData, layout: L.RS_REQUEST, feature: RESYNC_DAGTAG } as const;

export const PACKETS = {
  P_DATA: { number: 0x00, ...onData, layout: L.DATA, tail: DATA_TAIL },
  P_DATA_REPLY: { number: 0x01, ...onData, layout: L.DATA, tail: DATA_TAIL },
  P_RS_DATA_REPLY: { number: 0x02, ...onData, layout: L.DATA, tail: DATA_TAIL },
  P_BARRIER: { number: 0x03, ...connData, layout: L.BARRIER },
  P_BITMAP: {
    number: 0x04,
    ...onData,
    layout: L.NOTHING,
    tail: { name: 'bytes', kind: 'bytes', max: BITMAP_BYTES },
  },
  P_UNPLUG_REMOTE: { number: 0x07, ...connData, layout: L.NOTHING },
  P_DATA_REQUEST: { number: 0x08, ...onData, layout: L.BLOCK_REQUEST },
  P_RS_DATA_REQUEST: { number: 0x09, ...onData, layout: L.BLOCK_REQUEST, notFeature: RESYNC_DAGTAG },
  P_SYNC_PARAM: {
    number: 0x0a,
    ...onData,
    layout: L.RS_PARAM,
    tail: { name: 'verifyAlg', kind: 'cstring', max: LIMIT.NAME, since: 88 },
    until: 88,
  },
  P_PROTOCOL: { number: 0x0b, ...connData, layout: L.PROTOCOL, tail: integrity },
  P_UUIDS: { number: 0x0c, ...onData, layout: L.UUIDS, until: 109 },
  P_SIZES: {
    number: 0x0d,
    ...onData,
    layout: L.SIZES,
    extension: { name: 'limits', layout: L.QUEUE_LIMITS, when: { feature: WSAME } },
  },
  P_STATE: { number: 0x0e, ...onData, scope: 'either', layout: L.STATE },
  P_SYNC_UUID: { number: 0x0f, ...onData, layout: L.UUID, until: 109 },
  P_AUTH_CHALLENGE: {
    number: 0x10,
    ...connData,
    layout: L.NOTHING,
    // 64 by the book; 8.4 takes up to 128, and the handshake wants to log what is too long.
    tail: { name: 'challenge', kind: 'bytes', max: 256 },
  },
  P_AUTH_RESPONSE: {
    number: 0x11,
    ...connData,
    layout: L.NOTHING,
    tail: { name: 'response', kind: 'bytes', max: 256 },
  },
  P_STATE_CHG_REQ: { number: 0x12, ...onData, layout: L.STATE_REQUEST, until: 109 },
  P_PING: { number: 0x13, ...connControl, layout: L.NOTHING },
  P_PING_ACK: { number: 0x14, ...connControl, layout: L.NOTHING },
  P_RECV_ACK: { number: 0x15, ...ack },
  P_WRITE_ACK: { number: 0x16, ...ack },
  P_RS_WRITE_ACK: { number: 0x17, ...ack },
  P_SUPERSEDED: { number: 0x18, ...ack, until: 109 },
  P_NEG_ACK: { number: 0x19, ...ack },
  P_NEG_DREPLY: { number: 0x1a, ...ack },
  P_NEG_RS_DREPLY: { number: 0x1b, ...ack },
  P_BARRIER_ACK: { number: 0x1c, ...connControl, layout: L.BARRIER_ACK },
  P_STATE_CHG_REPLY: { number: 0x1d, ...onControl, layout: L.STATE_REPLY, until: 109 },
  P_OV_REQUEST: { number: 0x1e, ...onData, since: 88, layout: L.BLOCK_REQUEST, notFeature: RESYNC_DAGTAG },
  P_OV_REPLY: {
    number: 0x1f,
    ...onData,
    since: 88,
    layout: L.BLOCK_REQUEST,
    tail: DIGEST_TAIL,
    notFeature: RESYNC_DAGTAG,
  },
  P_OV_RESULT: { number: 0x20, ...ack, since: 88, until: 121 },
  P_CSUM_RS_REQUEST: {
    number: 0x21,
    ...onData,
    since: 89,
    layout: L.BLOCK_REQUEST,
    tail: DIGEST_TAIL,
    notFeature: RESYNC_DAGTAG,
  },
  P_RS_IS_IN_SYNC: { number: 0x22, ...ack, since: 89 },
  P_SYNC_PARAM89: {
    number: 0x23,
    ...onData,
    since: 89,
    layout: L.RS_PARAM_89,
    extension: { name: 'controller', layout: L.RS_CONTROLLER, when: { since: 95 } },
  },
  P_COMPRESSED_BITMAP: {
    number: 0x24,
    ...onData,
    since: 90,
    layout: L.COMPRESSED_BITMAP,
    tail: { name: 'code', kind: 'bytes', min: 1, max: BITMAP_BYTES - 1 },
  },
  P_DELAY_PROBE: { number: 0x27, ...connData, stream: 'both', since: 93, until: 109, layout: L.DELAY_PROBE },
  P_OUT_OF_SYNC: { number: 0x28, ...onData, since: 96, layout: L.BLOCK_DESC },
  P_RS_CANCEL: { number: 0x29, ...ack, since: 96 },
  P_CONN_ST_CHG_REQ: { number: 0x2a, ...connData, since: 100, until: 109, layout: L.STATE_REQUEST },
  P_CONN_ST_CHG_REPLY: { number: 0x2b, ...connControl, since: 100, until: 109, layout: L.STATE_REPLY },
  P_RETRY_WRITE: { number: 0x2c, ...ack, since: 100, until: 109 },
  P_PROTOCOL_UPDATE: { number: 0x2d, ...connData, since: 100, layout: L.PROTOCOL, tail: integrity },
  P_TWOPC_PREPARE: {
    number: 0x2e,
    ...twopcRequest,
    layout: L.TWOPC_PREPARE,
    older: { layout: L.TWOPC_PREPARE_V1, until: V2 },
  },
  P_TWOPC_ABORT: { number: 0x2f, ...verdict },
  P_DAGTAG: { number: 0x30, ...connData, since: 110, layout: L.DAGTAG },
  P_TRIM: { number: 0x31, ...onData, layout: L.TRIM, feature: TRIM },
  P_RS_THIN_REQ: {
    number: 0x32,
    ...onData,
    layout: L.BLOCK_REQUEST,
    feature: THIN_RESYNC,
    notFeature: RESYNC_DAGTAG,
  },
  P_RS_DEALLOCATED: { number: 0x33, ...onData, layout: L.BLOCK_DESC, feature: THIN_RESYNC, until: 121 },
  P_WSAME: { number: 0x34, ...onData, layout: L.TRIM, tail: DATA_TAIL, feature: WSAME },
  P_TWOPC_PREP_RSZ: {
    number: 0x35,
    ...twopcRequest,
    since: 112,
    layout: L.TWOPC_RESIZE,
    older: { layout: L.TWOPC_RESIZE_V1, until: V2 },
  },
  P_ZEROES: { number: 0x36, ...onData, layout: L.TRIM, feature: WZEROES },
  P_PEER_ACK: { number: 0x40, ...connControl, since: 110, layout: L.PEER_ACK },
  P_PEERS_IN_SYNC: { number: 0x41, ...onControl, since: 110, layout: L.PEER_BLOCK_DESC },
  P_UUIDS110: {
    number: 0x42,
    ...onData,
    since: 110,
    layout: L.UUIDS110,
    // 32 bitmap and 32 history UUIDs by the book; what is more is skipped, within reason.
    tail: { name: 'otherUuids', kind: 'u64s', max: 256 * 8 },
  },
  P_PEER_DAGTAG: { number: 0x43, ...onData, since: 110, layout: L.PEER_DAGTAG },
  P_CURRENT_UUID: { number: 0x44, ...onData, since: 110, layout: L.CURRENT_UUID },
  P_TWOPC_YES: { number: 0x45, ...twopcReply },
  P_TWOPC_NO: { number: 0x46, ...twopcReply },
  P_TWOPC_COMMIT: { number: 0x47, ...verdict },
  P_TWOPC_RETRY: { number: 0x48, ...twopcReply },
  P_CONFIRM_STABLE: { number: 0x49, ...connControl, since: 114, layout: L.CONFIRM_STABLE },
  P_RS_CANCEL_AHEAD: { number: 0x4a, ...ack, since: 115 },
  P_DISCONNECT: { number: 0x4b, ...connData, since: 118, layout: L.NOTHING },
  P_RS_DAGTAG_REQ: { number: 0x4c, ...dagtagRequest },
  P_RS_CSUM_DAGTAG_REQ: { number: 0x4d, ...dagtagRequest, tail: DIGEST_TAIL },
  P_RS_THIN_DAGTAG_REQ: { number: 0x4e, ...dagtagRequest },
  P_OV_DAGTAG_REQ: { number: 0x4f, ...dagtagRequest },
  P_OV_DAGTAG_REPLY: { number: 0x50, ...dagtagRequest, tail: DIGEST_TAIL },
  P_WRITE_ACK_IN_SYNC: { number: 0x51, ...ack, since: 122 },
  P_RS_NEG_ACK: { number: 0x52, ...ack, since: 122 },
  P_OV_RESULT_ID: { number: 0x53, ...onControl, since: 122, layout: L.OV_RESULT },
  P_RS_DEALLOCATED_ID: { number: 0x54, ...onData, since: 122, layout: L.BLOCK_ACK, feature: THIN_RESYNC },
  P_FLUSH_REQUESTS: { number: 0x55, ...connData, since: 123, layout: L.FLUSH_REQUESTS },
  P_FLUSH_FORWARD: { number: 0x56, ...connControl, since: 123, layout: L.FLUSH_FORWARD },
  P_FLUSH_REQUESTS_ACK: { number: 0x57, ...connData, since: 123, layout: L.FLUSH_ACK },
  P_ENABLE_REPLICATION_NEXT: {
    number: 0x58,
    ...onData,
    layout: L.ENABLE_REPLICATION,
    feature: RESYNC_WITHOUT_REPLICATION,
  },
  P_ENABLE_REPLICATION: {
    number: 0x59,
    ...onData,
    layout: L.ENABLE_REPLICATION,
    feature: RESYNC_WITHOUT_REPLICATION,
  },
  P_INITIAL_META: { number: 0xfff1, ...connControl, layout: L.NOTHING },
  P_INITIAL_DATA: { number: 0xfff2, ...connData, layout: L.NOTHING },
  P_CONNECTION_FEATURES: { number: 0xfffe, ...connData, layout: L.CONNECTION_FEATURES },
} as const satisfies Readonly<Record<string, PacketSpec>>;

export type PacketName = keyof typeof PACKETS;

/** Numbers that have a name but were never implemented: receiving one is fatal. */
export const NEVER_IMPLEMENTED: Readonly<Record<number, string>> = {
  0x05: 'P_BECOME_SYNC_TARGET',
  0x06: 'P_BECOME_SYNC_SOURCE',
};

function isPacketName(name: string): name is PacketName {
  return name in PACKETS;
}

export const PACKET_NAMES: readonly PacketName[] = Object.keys(PACKETS).filter(isPacketName);

const nameByNumber = new Map<number, PacketName>(PACKET_NAMES.map((name) => [PACKETS[name].number, name]));

/** The packet with this command number, or undefined. */
export function packetNameOf(command: number): PacketName | undefined {
  return nameByNumber.get(command);
}

/** The table row, widened: what generic code works with. */
export function packetSpec(name: PacketName): PacketSpec {
  return PACKETS[name];
}

/** The name DRBD 9 prints in its log lines; `?` for a number it does not know. */
export function logName(command: number): string {
  switch (command) {
    case 0xfff1:
      return 'InitialMeta';
    case 0xfff2:
      return 'InitialData';
    case 0xfffe:
      return 'ConnectionFeatures';
    default:
      return nameByNumber.get(command) ?? NEVER_IMPLEMENTED[command] ?? '?';
  }
}
