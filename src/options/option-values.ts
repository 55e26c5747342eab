// Generated from grammar/options.json by scripts/generate-option-types.cjs; do not edit.
// An absent key means "not given"; numbers are in the unit of the option. For key descriptions the empty
// text means unset.

export interface ResourceOptions {
  readonly 'cpu-mask'?: string;
  readonly 'on-no-data-accessible'?: 'io-error' | 'suspend-io';
  readonly 'auto-promote'?: boolean;
  /** 2048..204800, in sectors of 512 bytes */
  readonly 'peer-ack-window'?: number;
  /** 1..10000, in milliseconds */
  readonly 'peer-ack-delay'?: number;
  /** 50..600, in 1/10 seconds */
  readonly 'twopc-timeout'?: number;
  /** 1..50, in 1/10 seconds */
  readonly 'twopc-retry-timeout'?: number;
  /** 0..600, in 1/10 seconds */
  readonly 'auto-promote-timeout'?: number;
  /** 4..4294967295 */
  readonly 'max-io-depth'?: number;
  /** 1..32 */
  readonly quorum?: number | 'off' | 'majority' | 'all';
  readonly 'on-no-quorum'?: 'io-error' | 'suspend-io';
  /** 1..32 */
  readonly 'quorum-minimum-redundancy'?: number | 'off' | 'majority' | 'all';
  readonly 'on-suspended-primary-outdated'?: 'disconnect' | 'force-secondary';
  readonly 'drbd8-api-compatibility'?: boolean;
}

export const resourceDefaults: Required<ResourceOptions> = {
  'cpu-mask': '',
  'on-no-data-accessible': 'io-error',
  'auto-promote': true,
  'peer-ack-window': 4096,
  'peer-ack-delay': 100,
  'twopc-timeout': 300,
  'twopc-retry-timeout': 1,
  'auto-promote-timeout': 20,
  'max-io-depth': 8000,
  quorum: 'off',
  'on-no-quorum': 'suspend-io',
  'quorum-minimum-redundancy': 'off',
  'on-suspended-primary-outdated': 'disconnect',
  'drbd8-api-compatibility': false,
};

export interface NetOptions {
  readonly transport?: string;
  readonly 'load-balance-paths'?: boolean;
  readonly protocol?: 'A' | 'B' | 'C';
  /** 1..600, in 1/10 seconds */
  readonly timeout?: number;
  /** 1..20000 */
  readonly 'max-epoch-size'?: number;
  /** 1..120, in seconds */
  readonly 'connect-int'?: number;
  /** 1..120, in seconds */
  readonly 'ping-int'?: number;
  /** 0..134217728, in bytes */
  readonly 'sndbuf-size'?: number;
  /** 0..134217728, in bytes */
  readonly 'rcvbuf-size'?: number;
  /** 0..200 */
  readonly 'ko-count'?: number;
  readonly 'allow-two-primaries'?: boolean;
  readonly 'cram-hmac-alg'?: string;
  readonly 'shared-secret'?: string;
  readonly 'after-sb-0pri'?:
    | 'disconnect'
    | 'discard-younger-primary'
    | 'discard-older-primary'
    | 'discard-zero-changes'
    | 'discard-least-changes'
    | 'discard-local'
    | 'discard-remote';
  readonly 'after-sb-1pri'?:
    'disconnect' | 'consensus' | 'discard-secondary' | 'call-pri-lost-after-sb' | 'violently-as0p';
  readonly 'after-sb-2pri'?: 'disconnect' | 'call-pri-lost-after-sb' | 'violently-as0p';
  readonly 'always-asbp'?: boolean;
  readonly 'rr-conflict'?: 'disconnect' | 'call-pri-lost' | 'violently' | 'retry-connect' | 'auto-discard';
  /** 1..300, in 1/10 seconds */
  readonly 'ping-timeout'?: number;
  readonly 'data-integrity-alg'?: string;
  readonly 'tcp-cork'?: boolean;
  readonly 'on-congestion'?: 'block' | 'pull-ahead' | 'disconnect';
  /** 0..20971520, in sectors of 512 bytes */
  readonly 'congestion-fill'?: number;
  /** 67..65534 */
  readonly 'congestion-extents'?: number;
  readonly 'csums-alg'?: string;
  readonly 'csums-after-crash-only'?: boolean;
  readonly 'verify-alg'?: string;
  readonly 'use-rle'?: boolean;
  /** 0..300 */
  readonly 'socket-check-timeout'?: number;
  readonly fencing?: 'dont-care' | 'resource-only' | 'resource-and-stonith';
  /** 32..131072 */
  readonly 'max-buffers'?: number;
  readonly 'allow-remote-read'?: boolean;
  readonly tls?: boolean;
  readonly 'tls-keyring'?: string;
  readonly 'tls-privkey'?: string;
  readonly 'tls-certificate'?: string;
  /** 0..10485760 */
  readonly 'rdma-ctrl-rcvbuf-size'?: number;
  /** 0..10485760 */
  readonly 'rdma-ctrl-sndbuf-size'?: number;
  readonly _name?: string;
}

export const netDefaults: Required<NetOptions> = {
  transport: '',
  'load-balance-paths': false,
  protocol: 'C',
  timeout: 60,
  'max-epoch-size': 2048,
  'connect-int': 10,
  'ping-int': 10,
  'sndbuf-size': 0,
  'rcvbuf-size': 0,
  'ko-count': 7,
  'allow-two-primaries': false,
  'cram-hmac-alg': '',
  'shared-secret': '',
  'after-sb-0pri': 'disconnect',
  'after-sb-1pri': 'disconnect',
  'after-sb-2pri': 'disconnect',
  'always-asbp': false,
  'rr-conflict': 'disconnect',
  'ping-timeout': 5,
  'data-integrity-alg': '',
  'tcp-cork': true,
  'on-congestion': 'block',
  'congestion-fill': 0,
  'congestion-extents': 1237,
  'csums-alg': '',
  'csums-after-crash-only': false,
  'verify-alg': '',
  'use-rle': true,
  'socket-check-timeout': 0,
  fencing: 'dont-care',
  'max-buffers': 2048,
  'allow-remote-read': true,
  tls: false,
  'tls-keyring': '',
  'tls-privkey': '',
  'tls-certificate': '',
  'rdma-ctrl-rcvbuf-size': 0,
  'rdma-ctrl-sndbuf-size': 0,
  _name: '',
};

export interface DiskOptions {
  /** 0..2199023255552, in sectors of 512 bytes */
  readonly size?: number;
  readonly 'on-io-error'?: 'pass_on' | 'call-local-io-error' | 'detach';
  readonly 'disk-barrier'?: boolean;
  readonly 'disk-flushes'?: boolean;
  readonly 'disk-drain'?: boolean;
  readonly 'md-flushes'?: boolean;
  /** -1..1048575 */
  readonly 'resync-after'?: number;
  /** 67..65534 */
  readonly 'al-extents'?: number;
  readonly 'al-updates'?: boolean;
  readonly 'discard-zeroes-if-aligned'?: boolean;
  readonly 'disable-write-same'?: boolean;
  /** 0..6000, in 1/10 seconds */
  readonly 'disk-timeout'?: number;
  readonly 'read-balancing'?:
    | 'prefer-local'
    | 'prefer-remote'
    | 'round-robin'
    | 'least-pending'
    | 'when-congested-remote'
    | '32K-striping'
    | '64K-striping'
    | '128K-striping'
    | '256K-striping'
    | '512K-striping'
    | '1M-striping';
  /** 0..1048576, in bytes */
  readonly 'rs-discard-granularity'?: number;
  readonly bitmap?: boolean;
}

export const diskDefaults: Required<DiskOptions> = {
  size: 0,
  'on-io-error': 'detach',
  'disk-barrier': false,
  'disk-flushes': true,
  'disk-drain': true,
  'md-flushes': true,
  'resync-after': -1,
  'al-extents': 1237,
  'al-updates': true,
  'discard-zeroes-if-aligned': true,
  'disable-write-same': false,
  'disk-timeout': 0,
  'read-balancing': 'prefer-local',
  'rs-discard-granularity': 0,
  bitmap: true,
};

export interface DeviceOptions {
  /** 512..1048576 */
  readonly 'max-bio-size'?: number;
  readonly diskless?: boolean;
  /** 512..4096 */
  readonly 'block-size'?: number;
  /** 0..134217728 */
  readonly 'discard-granularity'?: number;
}

export const deviceDefaults: Required<DeviceOptions> = {
  'max-bio-size': 1048576,
  diskless: false,
  'block-size': 512,
  'discard-granularity': 4294967295,
};

export interface PeerDeviceOptions {
  /** 1..8388608, in KiB */
  readonly 'resync-rate'?: number;
  /** 0..300, in 1/10 seconds */
  readonly 'c-plan-ahead'?: number;
  /** 1..100, in 1/10 seconds */
  readonly 'c-delay-target'?: number;
  /** 0..1048576, in sectors of 512 bytes */
  readonly 'c-fill-target'?: number;
  /** 0..4194304, in KiB */
  readonly 'c-max-rate'?: number;
  /** 0..4194304, in KiB */
  readonly 'c-min-rate'?: number;
  readonly bitmap?: boolean;
  readonly 'resync-without-replication'?: boolean;
  readonly 'peer-tiebreaker'?: boolean;
}

export const peerDeviceDefaults: Required<PeerDeviceOptions> = {
  'resync-rate': 250,
  'c-plan-ahead': 20,
  'c-delay-target': 10,
  'c-fill-target': 100,
  'c-max-rate': 102400,
  'c-min-rate': 250,
  bitmap: true,
  'resync-without-replication': true,
  'peer-tiebreaker': true,
};
