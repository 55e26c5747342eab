/**
 * The structures of wire-protocol section 5: the one description of each byte layout. Offsets are in
 * bytes from the start of the payload; everything is big endian and packed; bytes no field names are
 * padding, sent as zero and never looked at. A block id is 8 opaque bytes, kept as two u32 (`idHigh`,
 * `idLow`): they live in registers where a bigint would be an allocation per acknowledgement.
 */

/**
 * `count`: u64 that must be at most 2^53-1, as number (sectors, dagtags, sizes). `u64`: bigint (UUIDs,
 * node masks). `name64`: 64 bytes, latin1, NUL terminated, zero filled.
 */
export type FieldType = 'u8' | 'i8' | 'u16' | 'u32' | 'i32' | 'u64' | 'count' | 'name64';

export interface Field<N extends string = string, T extends FieldType = FieldType> {
  readonly name: N;
  readonly at: number;
  readonly type: T;
}

export interface Layout<F extends readonly Field[] = readonly Field[]> {
  readonly size: number;
  readonly fields: F;
}

/** Bytes a field of each type takes. */
export const FIELD_SIZE: Readonly<Record<FieldType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  count: 8,
  name64: 64,
};

function f<const N extends string, const T extends FieldType>(at: number, type: T, name: N): Field<N, T> {
  return { name, at, type };
}

function layout<const F extends readonly Field[]>(size: number, ...fields: F): Layout<F> {
  return { size, fields };
}

const blockFields = [f(0, 'count', 'sector'), f(8, 'u32', 'idHigh'), f(12, 'u32', 'idLow')] as const;
const dataFields = [...blockFields, f(16, 'u32', 'sequence'), f(20, 'u32', 'flags')] as const;
const requestFields = [...blockFields, f(16, 'u32', 'size')] as const;

export const NOTHING = layout(0);
export const DATA = layout(24, ...dataFields);
export const TRIM = layout(28, ...dataFields, f(24, 'u32', 'size'));
export const BLOCK_ACK = layout(24, ...requestFields, f(20, 'u32', 'sequence'));
export const OV_RESULT = layout(32, ...requestFields, f(20, 'u32', 'sequence'), f(24, 'u32', 'result'));
export const BLOCK_REQUEST = layout(24, ...requestFields);
export const RS_REQUEST = layout(
  32,
  ...requestFields,
  f(20, 'i32', 'dagtagNodeId'),
  f(24, 'count', 'dagtag'),
);
export const BLOCK_DESC = layout(16, f(0, 'count', 'sector'), f(8, 'u32', 'size'));

/** The barrier number is opaque: whatever came is echoed bit by bit. */
export const BARRIER = layout(8, f(0, 'u32', 'barrier'));
export const BARRIER_ACK = layout(8, f(0, 'u32', 'barrier'), f(4, 'u32', 'setSize'));
export const CONFIRM_STABLE = layout(
  24,
  f(0, 'u32', 'oldestHigh'),
  f(4, 'u32', 'oldestLow'),
  f(8, 'u32', 'youngestHigh'),
  f(12, 'u32', 'youngestLow'),
  f(16, 'u32', 'setSize'),
);

export const CONNECTION_FEATURES = layout(
  72,
  f(0, 'u32', 'protocolMin'),
  f(4, 'u32', 'features'),
  f(8, 'u32', 'protocolMax'),
  f(12, 'i32', 'senderNodeId'),
  f(16, 'i32', 'receiverNodeId'),
);
export const PROTOCOL = layout(
  24,
  f(0, 'u32', 'protocol'),
  f(4, 'u32', 'afterSb0p'),
  f(8, 'u32', 'afterSb1p'),
  f(12, 'u32', 'afterSb2p'),
  f(16, 'u32', 'connFlags'),
  f(20, 'u32', 'twoPrimaries'),
);

export const RS_PARAM = layout(4, f(0, 'u32', 'resyncRate'));
export const RS_PARAM_89 = layout(
  132,
  f(0, 'u32', 'resyncRate'),
  f(4, 'name64', 'verifyAlg'),
  f(68, 'name64', 'csumsAlg'),
);
/** From protocol 95 on appended to RS_PARAM_89. Units: 0.1 s, 0.1 s, sectors, KiB/s. */
export const RS_CONTROLLER = layout(
  16,
  f(0, 'u32', 'planAhead'),
  f(4, 'u32', 'delayTarget'),
  f(8, 'u32', 'fillTarget'),
  f(12, 'u32', 'maxRate'),
);

export const UUIDS = layout(
  48,
  f(0, 'u64', 'current'),
  f(8, 'u64', 'bitmap'),
  f(16, 'u64', 'history0'),
  f(24, 'u64', 'history1'),
  f(32, 'count', 'dirtyBits'),
  f(40, 'u64', 'flags'),
);
/** `flags` is the whole 64-bit word: uuids110.ts knows its bits and the node id in the top byte. */
export const UUIDS110 = layout(
  40,
  f(0, 'u64', 'current'),
  f(8, 'count', 'dirtyBits'),
  f(16, 'u64', 'flags'),
  f(24, 'u64', 'nodeMask'),
  f(32, 'u64', 'bitmapUuidsMask'),
);
export const UUID = layout(8, f(0, 'u64', 'uuid'));
export const CURRENT_UUID = layout(16, f(0, 'u64', 'uuid'), f(8, 'u64', 'weakNodes'));

/** Sizes in sectors, `maxBioSize` in bytes. */
export const SIZES = layout(
  32,
  f(0, 'count', 'diskSize'),
  f(8, 'count', 'userSize'),
  f(16, 'count', 'currentSize'),
  f(24, 'u32', 'maxBioSize'),
  f(28, 'u16', 'queueOrderType'),
  f(30, 'u16', 'ddsFlags'),
);
/** Appended to SIZES if FEATURE.WSAME is agreed; all in bytes but `bitmapBlockShift` (minus 12). */
export const QUEUE_LIMITS = layout(
  24,
  f(0, 'u32', 'physicalBlockSize'),
  f(4, 'u32', 'logicalBlockSize'),
  f(8, 'u32', 'alignmentOffset'),
  f(12, 'u32', 'ioMin'),
  f(16, 'u32', 'ioOpt'),
  f(20, 'u8', 'discardEnabled'),
  f(21, 'u8', 'discardZeroesData'),
  f(22, 'u8', 'writeSameCapable'),
  f(23, 'u8', 'bitmapBlockShift'),
);

/** State words as on the wire: see state-word.ts. */
export const STATE = layout(4, f(0, 'u32', 'state'));
export const STATE_REQUEST = layout(8, f(0, 'u32', 'mask'), f(4, 'u32', 'value'));
export const STATE_REPLY = layout(4, f(0, 'i32', 'code'));

const twopcV2 = [
  f(0, 'u32', 'tid'),
  f(4, 'u32', 'flags'),
  f(10, 'i8', 'initiatorNodeId'),
  f(11, 'i8', 'targetNodeId'),
  f(12, 'u64', 'nodesToReach'),
] as const;
/** Without FEATURE.TWOPC_V2: no flags (they decode as 0), wider node ids. */
const twopcV1 = [
  f(0, 'u32', 'tid'),
  f(4, 'i32', 'initiatorNodeId'),
  f(8, 'i32', 'targetNodeId'),
  f(12, 'u64', 'nodesToReach'),
] as const;
const stateChange = [f(28, 'u32', 'mask'), f(32, 'u32', 'value')] as const;
const resize = [f(20, 'count', 'userSize'), f(28, 'u16', 'ddsFlags')] as const;
/** What the two words of COMMIT and ABORT mean depends on the transaction: see twopc.ts. */
const verdict = [f(20, 'u64', 'primaryNodes'), f(28, 'u64', 'reachableNodes')] as const;

export const TWOPC_PREPARE = layout(36, ...twopcV2, ...stateChange);
export const TWOPC_PREPARE_V1 = layout(36, ...twopcV1, ...stateChange);
export const TWOPC_RESIZE = layout(36, ...twopcV2, ...resize);
export const TWOPC_RESIZE_V1 = layout(36, ...twopcV1, ...resize);
export const TWOPC_VERDICT = layout(36, ...twopcV2, ...verdict);
export const TWOPC_VERDICT_V1 = layout(36, ...twopcV1, ...verdict);
/** In replies to a resize `primaryNodes` are the diskful primaries, `weakNodes` is a size in sectors. */
export const TWOPC_REPLY = layout(
  32,
  f(0, 'u32', 'tid'),
  f(4, 'i32', 'initiatorNodeId'),
  f(8, 'u64', 'reachableNodes'),
  f(16, 'u64', 'primaryNodes'),
  f(24, 'u64', 'weakNodes'),
);

export const COMPRESSED_BITMAP = layout(1, f(0, 'u8', 'encoding'));
export const DELAY_PROBE = layout(8, f(0, 'u32', 'sequence'), f(4, 'u32', 'offset'));
export const DAGTAG = layout(8, f(0, 'count', 'dagtag'));
export const PEER_ACK = layout(16, f(0, 'u64', 'mask'), f(8, 'count', 'dagtag'));
export const PEER_BLOCK_DESC = layout(24, f(0, 'count', 'sector'), f(8, 'u64', 'mask'), f(16, 'u32', 'size'));
export const PEER_DAGTAG = layout(12, f(0, 'count', 'dagtag'), f(8, 'i32', 'nodeId'));
export const FLUSH_REQUESTS = layout(8, f(0, 'count', 'flushSequence'));
export const FLUSH_FORWARD = layout(12, f(0, 'count', 'flushSequence'), f(8, 'i32', 'initiatorNodeId'));
export const FLUSH_ACK = layout(12, f(0, 'count', 'flushSequence'), f(8, 'i32', 'primaryNodeId'));
export const ENABLE_REPLICATION = layout(4, f(0, 'u8', 'enable'));
