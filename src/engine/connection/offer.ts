import { FEATURE } from '../../wire/features';

/** What this engine speaks: every flag named here works (engine.md 17). */
export const OFFER = {
  protocolMin: 118,
  protocolMax: 124,
  features:
    FEATURE.TRIM |
    FEATURE.THIN_RESYNC |
    FEATURE.WSAME |
    FEATURE.WZEROES |
    FEATURE.RESYNC_DAGTAG |
    FEATURE.TWOPC_V2,
} as const;
