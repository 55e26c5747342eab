/**
 * What two nodes agree on before anything else: protocol version, feature flags and the limits that
 * follow from them (wire-protocol 7.1, 16).
 */

/** Lowest protocol any DRBD still speaks; the version assumed before the feature packets crossed. */
export const PROTOCOL_MIN = 86;
/** Highest protocol of the 8.4 family. */
export const PROTOCOL_84_MAX = 101;
/** Lowest protocol of the DRBD 9 family that current kernels accept. */
export const PROTOCOL_9_MIN = 118;
export const PROTOCOL_MAX = 124;

/** Feature flags of P_CONNECTION_FEATURES (wire-protocol 7.1). */
export const FEATURE = {
  TRIM: 0x001,
  THIN_RESYNC: 0x002,
  WSAME: 0x004,
  WZEROES: 0x008,
  RESYNC_DAGTAG: 0x010,
  TWOPC_V2: 0x020,
  RS_SKIP_UUID: 0x040,
  RESYNC_WITHOUT_REPLICATION: 0x080,
  BM_BLOCK_SHIFT: 0x100,
  RECONCILE_RECONNECT: 0x200,
} as const;

/** What the codecs must know about a connection. `protocol` 0 means: not agreed yet. */
export interface WireContext {
  readonly protocol: number;
  readonly features: number;
}

/** Before the feature packets crossed: 8-byte headers are sent, any header is understood. */
export const BEFORE_FEATURES: WireContext = { protocol: 0, features: 0 };

/** Volume number of packets that concern the whole connection, as DRBD 9 sends it (8.4 sends 0). */
export const NO_VOLUME = 0xffff;

/** Limits in bytes (wire-protocol 5, "Limits"). */
export const LIMIT = {
  MAX_BIO_SIZE: 1 << 20,
  MAX_BIO_SIZE_P95: 128 << 10,
  MAX_BIO_SIZE_P94: 32 << 10,
  /** P_TRIM, P_ZEROES with and without FEATURE.WSAME. */
  MAX_DISCARD: 128 << 20,
  MAX_DISCARD_NO_WSAME: 4 << 20,
  /** Header and payload of one bitmap packet. */
  BITMAP_PACKET: 4096,
  /** Secrets and algorithm names, with their NUL. */
  NAME: 64,
  /** Longest digest of any algorithm the kernel offers (sha512). */
  DIGEST: 64,
} as const;

/** Largest request in bytes that may travel in one packet at an agreed protocol (0: the largest of all). */
export function maxBioSize(protocol: number): number {
  if (protocol === 0 || protocol >= 100) return LIMIT.MAX_BIO_SIZE;
  return protocol >= 95 ? LIMIT.MAX_BIO_SIZE_P95 : LIMIT.MAX_BIO_SIZE_P94;
}

/** Largest P_TRIM or P_ZEROES in bytes with the agreed features. */
export function maxDiscardSize(features: number): number {
  return features & FEATURE.WSAME ? LIMIT.MAX_DISCARD : LIMIT.MAX_DISCARD_NO_WSAME;
}

/** One side's offer: the fields of P_CONNECTION_FEATURES that matter here. */
export interface ProtocolOffer {
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly features: number;
}

export type Agreement =
  | { readonly agreed: true; readonly protocol: number; readonly features: number }
  | { readonly agreed: false; readonly reason: string };

/**
 * Checks 4 to 8 of wire-protocol 7.1: the agreed context, or the kernel's log text (the connection then
 * goes StandAlone). Node ids and the number of connections are the caller's to check.
 */
export function agreeOnProtocol(mine: ProtocolOffer, peer: ProtocolOffer): Agreement {
  const peerMax = peer.protocolMax === 0 ? peer.protocolMin : peer.protocolMax;
  const support = `I support ${mine.protocolMin}-${mine.protocolMax}, peer supports ${peer.protocolMin}-${peerMax}`;
  if (mine.protocolMax < peer.protocolMin || mine.protocolMin > peerMax)
    return { agreed: false, reason: `incompatible DRBD dialects: ${support}` };
  if (peerMax > PROTOCOL_84_MAX && peerMax < PROTOCOL_9_MIN)
    return { agreed: false, reason: `incompatible DRBD 9 dialects: ${support}` };
  const protocol = Math.min(mine.protocolMax, peerMax);
  const features = (mine.features & peer.features) >>> 0;
  if (protocol === 121 && features & FEATURE.RESYNC_DAGTAG)
    return {
      agreed: false,
      reason:
        'incompatible DRBD 9 dialects: protocol 121 with feature RESYNC_DAGTAG; upgrade via DRBD 9.2.16',
    };
  return { agreed: true, protocol, features };
}
