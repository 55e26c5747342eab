/**
 * A decoded packet as a plain object, one interface per packet, derived from the packet table:
 * `{ type: 'P_BARRIER_ACK', volume, barrier, setSize }`. `Packet` is the union, discriminated by `type`.
 *
 * Fields that are optional on the wire are null when absent (`P_SIZES.limits`,
 * `P_SYNC_PARAM89.controller`). Tails: `data` of P_DATA and its kin is the digest (if an integrity
 * algorithm is in use) followed by the data, a view into the received bytes, see splitDigest().
 */
import { type Field, type FieldType, type Layout } from './layouts';
import { type PACKETS, type PacketName } from './packet-table';

type ValueOf<T extends FieldType> = T extends 'u64' ? bigint : T extends 'name64' ? string : number;

type FieldsOf<L> =
  L extends Layout<infer F extends readonly Field[]>
    ? { readonly [X in F[number] as X['name']]: ValueOf<X['type']> }
    : never;

type TailValue = { bytes: Uint8Array; cstring: string; u64s: readonly bigint[] };

type TailOf<S> = S extends {
  tail: { name: infer N extends string; kind: infer K extends keyof TailValue };
}
  ? { readonly [X in N]: TailValue[K] }
  : unknown;

type ExtensionOf<S> = S extends { extension: { name: infer N extends string; layout: infer L } }
  ? { readonly [X in N]: Flat<FieldsOf<L>> | null }
  : unknown;

type Flat<T> = { [K in keyof T]: T[K] };

/** The interface of one packet. `volume` is the header's: NO_VOLUME (0xffff) for connection scope. */
export type PacketOf<N extends PacketName> = Flat<
  { readonly type: N; readonly volume: number } & FieldsOf<(typeof PACKETS)[N]['layout']> &
    TailOf<(typeof PACKETS)[N]> &
    ExtensionOf<(typeof PACKETS)[N]>
>;

export type Packet = { [N in PacketName]: PacketOf<N> }[PacketName];

/** Packets with the same structure, for code that treats them alike. */
export type BlockAckName =
  | 'P_RECV_ACK'
  | 'P_WRITE_ACK'
  | 'P_RS_WRITE_ACK'
  | 'P_SUPERSEDED'
  | 'P_NEG_ACK'
  | 'P_NEG_DREPLY'
  | 'P_NEG_RS_DREPLY'
  | 'P_OV_RESULT'
  | 'P_RS_IS_IN_SYNC'
  | 'P_RS_CANCEL'
  | 'P_RETRY_WRITE'
  | 'P_RS_CANCEL_AHEAD'
  | 'P_WRITE_ACK_IN_SYNC'
  | 'P_RS_NEG_ACK'
  | 'P_RS_DEALLOCATED_ID';

export type SizesPacket = PacketOf<'P_SIZES'>;
export type QueueLimits = NonNullable<SizesPacket['limits']>;
export type Uuids110Packet = PacketOf<'P_UUIDS110'>;
export type TwopcPreparePacket = PacketOf<'P_TWOPC_PREPARE'>;
export type TwopcResizePacket = PacketOf<'P_TWOPC_PREP_RSZ'>;
export type TwopcVerdictPacket = PacketOf<'P_TWOPC_COMMIT'> | PacketOf<'P_TWOPC_ABORT'>;
export type TwopcReplyPacket = PacketOf<'P_TWOPC_YES'> | PacketOf<'P_TWOPC_NO'> | PacketOf<'P_TWOPC_RETRY'>;

/** `data` of P_DATA, P_DATA_REPLY, P_RS_DATA_REPLY taken apart; null if it is shorter than the digest. */
export function splitDigest(
  tail: Uint8Array,
  digestSize: number,
): { readonly digest: Uint8Array; readonly data: Uint8Array } | null {
  if (tail.length < digestSize) return null;
  return { digest: tail.subarray(0, digestSize), data: tail.subarray(digestSize) };
}

/** dp_flags of P_DATA, P_TRIM, P_ZEROES (wire-protocol 8.1). */
export const DP = {
  HARDBARRIER: 0x001,
  RW_SYNC: 0x002,
  MAY_SET_IN_SYNC: 0x004,
  UNPLUG: 0x008,
  FUA: 0x010,
  FLUSH: 0x020,
  DISCARD: 0x040,
  SEND_RECEIVE_ACK: 0x080,
  SEND_WRITE_ACK: 0x100,
  WSAME: 0x200,
  ZEROES: 0x400,
} as const;

/** conn_flags of P_PROTOCOL. */
export const CF = { DISCARD_MY_DATA: 1, DRY_RUN: 2 } as const;

/** dds_flags of P_SIZES and P_TWOPC_PREP_RSZ. */
export const DDS = {
  ASSUME_UNCONNECTED_PEER_HAS_SPACE: 1,
  NO_RESYNC: 2,
  IGNORE_PEER_CONSTRAINTS: 4,
} as const;

/** Both halves of the block id ID_SYNCER; before protocol 122 the id of every resync request. */
export const ID_SYNCER_HALF = 0xffffffff;

/** P_OV_RESULT says its result in the low half of the block id (the high half is 0). */
export const OV_RESULT_ID = { SKIP: 4710, IN_SYNC: 4711, OUT_OF_SYNC: 4712 } as const;

/** `result` of P_OV_RESULT_ID. */
export const OV_RESULT = { SKIP: 0, IN_SYNC: 1, OUT_OF_SYNC: 2 } as const;
