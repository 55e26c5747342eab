/**
 * Effective options of the objects of one resource: every field has a value. Units are those of grammar/options.json
 * (time: 0.1 s unless the name says otherwise; sizes: sectors). Built from the values of a request by
 * `apply-options.ts`, where the catalogue supplies the defaults.
 */
import { type DiskOptions as GivenDiskOptions } from '../options/option-values';

/** `off` 0, `majority` 1024, `all` 1025, else a count (engine.md 3). */
export type QuorumSetting = number;
export const QUORUM_OFF = 0;
export const QUORUM_MAJORITY = 1024;
export const QUORUM_ALL = 1025;

export interface ResourceOptions {
  readonly cpuMask: string;
  readonly onNoDataAccessible: 'io-error' | 'suspend-io';
  readonly autoPromote: boolean;
  /** Sectors. */
  readonly peerAckWindow: number;
  /** Milliseconds. */
  readonly peerAckDelay: number;
  readonly twopcTimeout: number;
  readonly twopcRetryTimeout: number;
  readonly autoPromoteTimeout: number;
  readonly maxIoDepth: number;
  readonly quorum: QuorumSetting;
  readonly onNoQuorum: 'io-error' | 'suspend-io';
  readonly quorumMinimumRedundancy: QuorumSetting;
  readonly onSuspendedPrimaryOutdated: 'disconnect' | 'force-secondary';
  readonly drbd8ApiCompatibility: boolean;
}

export type AfterSplitBrain0 =
  | 'disconnect'
  | 'discard-younger-primary'
  | 'discard-older-primary'
  | 'discard-zero-changes'
  | 'discard-least-changes'
  | 'discard-local'
  | 'discard-remote';
export type AfterSplitBrain1 =
  'disconnect' | 'consensus' | 'discard-secondary' | 'call-pri-lost-after-sb' | 'violently-as0p';
export type AfterSplitBrain2 = 'disconnect' | 'call-pri-lost-after-sb' | 'violently-as0p';

export interface NetOptions {
  readonly transport: string;
  readonly loadBalancePaths: boolean;
  readonly protocol: 'A' | 'B' | 'C';
  readonly timeout: number;
  readonly maxEpochSize: number;
  /** Seconds. */
  readonly connectInt: number;
  /** Seconds. */
  readonly pingInt: number;
  readonly sndbufSize: number;
  readonly rcvbufSize: number;
  readonly koCount: number;
  readonly allowTwoPrimaries: boolean;
  readonly cramHmacAlg: string;
  readonly sharedSecret: string;
  readonly afterSb0pri: AfterSplitBrain0;
  readonly afterSb1pri: AfterSplitBrain1;
  readonly afterSb2pri: AfterSplitBrain2;
  readonly alwaysAsbp: boolean;
  readonly rrConflict: 'disconnect' | 'call-pri-lost' | 'violently' | 'retry-connect' | 'auto-discard';
  readonly pingTimeout: number;
  readonly dataIntegrityAlg: string;
  readonly tcpCork: boolean;
  readonly onCongestion: 'block' | 'pull-ahead' | 'disconnect';
  /** Sectors. */
  readonly congestionFill: number;
  readonly congestionExtents: number;
  readonly csumsAlg: string;
  readonly csumsAfterCrashOnly: boolean;
  readonly verifyAlg: string;
  readonly useRle: boolean;
  readonly socketCheckTimeout: number;
  readonly fencing: 'dont-care' | 'resource-only' | 'resource-and-stonith';
  /** Pages of 4 KiB. */
  readonly maxBuffers: number;
  readonly allowRemoteRead: boolean;
  readonly tls: boolean;
}

export interface DiskOptions {
  /** Sectors; 0 = whole device. */
  readonly size: number;
  readonly onIoError: 'pass_on' | 'call-local-io-error' | 'detach';
  readonly diskBarrier: boolean;
  readonly diskFlushes: boolean;
  readonly diskDrain: boolean;
  readonly mdFlushes: boolean;
  /** Minor, -1 = none. */
  readonly resyncAfter: number;
  readonly alExtents: number;
  readonly alUpdates: boolean;
  readonly discardZeroesIfAligned: boolean;
  readonly disableWriteSame: boolean;
  readonly diskTimeout: number;
  readonly readBalancing: NonNullable<GivenDiskOptions['read-balancing']>;
  /** Bytes. */
  readonly rsDiscardGranularity: number;
  readonly bitmap: boolean;
}

export interface DeviceOptions {
  /** Bytes. */
  readonly maxBioSize: number;
  readonly intentionalDiskless: boolean;
  /** Bytes: 512, 1024, 2048, 4096. */
  readonly blockSize: number;
  readonly discardGranularity: number;
}

export interface PeerDeviceOptions {
  /** KiB/s. */
  readonly resyncRate: number;
  readonly cPlanAhead: number;
  readonly cDelayTarget: number;
  /** Sectors. */
  readonly cFillTarget: number;
  /** KiB/s. */
  readonly cMaxRate: number;
  /** KiB/s. */
  readonly cMinRate: number;
  readonly bitmap: boolean;
  readonly resyncWithoutReplication: boolean;
  readonly peerTiebreaker: boolean;
}
