/**
 * Between the options of requests and snapshots (drbdsetup's names, absent = not given) and the engine's effective ones.
 */
import {
  deviceDefaults,
  diskDefaults,
  netDefaults,
  peerDeviceDefaults,
  resourceDefaults,
  type DeviceOptions as GivenDeviceOptions,
  type DiskOptions as GivenDiskOptions,
  type NetOptions as GivenNetOptions,
  type PeerDeviceOptions as GivenPeerDeviceOptions,
  type ResourceOptions as GivenResourceOptions,
} from '../options/option-values';
import {
  QUORUM_ALL,
  QUORUM_MAJORITY,
  QUORUM_OFF,
  type DeviceOptions,
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type QuorumSetting,
  type ResourceOptions,
} from './options';

type GivenQuorum = number | 'off' | 'majority' | 'all';

function quorumSetting(given: GivenQuorum): QuorumSetting {
  if (given === 'off') return QUORUM_OFF;
  if (given === 'majority') return QUORUM_MAJORITY;
  return given === 'all' ? QUORUM_ALL : given;
}
function givenQuorum(setting: QuorumSetting): GivenQuorum {
  if (setting === QUORUM_OFF) return 'off';
  if (setting === QUORUM_MAJORITY) return 'majority';
  return setting === QUORUM_ALL ? 'all' : setting;
}

/** `given` over `base` (the present options, or none: the defaults). */
export function resourceOptions(given: GivenResourceOptions, base?: ResourceOptions): ResourceOptions {
  const all = { ...resourceDefaults, ...(base && givenResourceOptions(base)), ...given };
  return {
    cpuMask: all['cpu-mask'],
    onNoDataAccessible: all['on-no-data-accessible'],
    autoPromote: all['auto-promote'],
    peerAckWindow: all['peer-ack-window'],
    peerAckDelay: all['peer-ack-delay'],
    twopcTimeout: all['twopc-timeout'],
    twopcRetryTimeout: all['twopc-retry-timeout'],
    autoPromoteTimeout: all['auto-promote-timeout'],
    maxIoDepth: all['max-io-depth'],
    quorum: quorumSetting(all.quorum),
    onNoQuorum: all['on-no-quorum'],
    quorumMinimumRedundancy: quorumSetting(all['quorum-minimum-redundancy']),
    onSuspendedPrimaryOutdated: all['on-suspended-primary-outdated'],
    drbd8ApiCompatibility: all['drbd8-api-compatibility'],
  };
}
export function givenResourceOptions(options: ResourceOptions): GivenResourceOptions {
  return {
    'cpu-mask': options.cpuMask,
    'on-no-data-accessible': options.onNoDataAccessible,
    'auto-promote': options.autoPromote,
    'peer-ack-window': options.peerAckWindow,
    'peer-ack-delay': options.peerAckDelay,
    'twopc-timeout': options.twopcTimeout,
    'twopc-retry-timeout': options.twopcRetryTimeout,
    'auto-promote-timeout': options.autoPromoteTimeout,
    'max-io-depth': options.maxIoDepth,
    quorum: givenQuorum(options.quorum),
    'on-no-quorum': options.onNoQuorum,
    'quorum-minimum-redundancy': givenQuorum(options.quorumMinimumRedundancy),
    'on-suspended-primary-outdated': options.onSuspendedPrimaryOutdated,
    'drbd8-api-compatibility': options.drbd8ApiCompatibility,
  };
}

/** `given` over `base` (the present options, or none: the defaults). */
export function netOptions(given: GivenNetOptions, base?: NetOptions): NetOptions {
  const all = { ...netDefaults, ...(base && givenNetOptions(base)), ...given };
  return {
    transport: all.transport,
    loadBalancePaths: all['load-balance-paths'],
    protocol: all.protocol,
    timeout: all.timeout,
    maxEpochSize: all['max-epoch-size'],
    connectInt: all['connect-int'],
    pingInt: all['ping-int'],
    sndbufSize: all['sndbuf-size'],
    rcvbufSize: all['rcvbuf-size'],
    koCount: all['ko-count'],
    allowTwoPrimaries: all['allow-two-primaries'],
    cramHmacAlg: all['cram-hmac-alg'],
    sharedSecret: all['shared-secret'],
    afterSb0pri: all['after-sb-0pri'],
    afterSb1pri: all['after-sb-1pri'],
    afterSb2pri: all['after-sb-2pri'],
    alwaysAsbp: all['always-asbp'],
    rrConflict: all['rr-conflict'],
    pingTimeout: all['ping-timeout'],
    dataIntegrityAlg: all['data-integrity-alg'],
    tcpCork: all['tcp-cork'],
    onCongestion: all['on-congestion'],
    congestionFill: all['congestion-fill'],
    congestionExtents: all['congestion-extents'],
    csumsAlg: all['csums-alg'],
    csumsAfterCrashOnly: all['csums-after-crash-only'],
    verifyAlg: all['verify-alg'],
    useRle: all['use-rle'],
    socketCheckTimeout: all['socket-check-timeout'],
    fencing: all.fencing,
    maxBuffers: all['max-buffers'],
    allowRemoteRead: all['allow-remote-read'],
    tls: all.tls,
  };
}
export function givenNetOptions(options: NetOptions): GivenNetOptions {
  return {
    transport: options.transport,
    'load-balance-paths': options.loadBalancePaths,
    protocol: options.protocol,
    timeout: options.timeout,
    'max-epoch-size': options.maxEpochSize,
    'connect-int': options.connectInt,
    'ping-int': options.pingInt,
    'sndbuf-size': options.sndbufSize,
    'rcvbuf-size': options.rcvbufSize,
    'ko-count': options.koCount,
    'allow-two-primaries': options.allowTwoPrimaries,
    'cram-hmac-alg': options.cramHmacAlg,
    'shared-secret': options.sharedSecret,
    'after-sb-0pri': options.afterSb0pri,
    'after-sb-1pri': options.afterSb1pri,
    'after-sb-2pri': options.afterSb2pri,
    'always-asbp': options.alwaysAsbp,
    'rr-conflict': options.rrConflict,
    'ping-timeout': options.pingTimeout,
    'data-integrity-alg': options.dataIntegrityAlg,
    'tcp-cork': options.tcpCork,
    'on-congestion': options.onCongestion,
    'congestion-fill': options.congestionFill,
    'congestion-extents': options.congestionExtents,
    'csums-alg': options.csumsAlg,
    'csums-after-crash-only': options.csumsAfterCrashOnly,
    'verify-alg': options.verifyAlg,
    'use-rle': options.useRle,
    'socket-check-timeout': options.socketCheckTimeout,
    fencing: options.fencing,
    'max-buffers': options.maxBuffers,
    'allow-remote-read': options.allowRemoteRead,
    tls: options.tls,
  };
}

/** `given` over `base` (the present options, or none: the defaults). */
export function diskOptions(given: GivenDiskOptions, base?: DiskOptions): DiskOptions {
  const all = { ...diskDefaults, ...(base && givenDiskOptions(base)), ...given };
  return {
    size: all.size,
    onIoError: all['on-io-error'],
    diskBarrier: all['disk-barrier'],
    diskFlushes: all['disk-flushes'],
    diskDrain: all['disk-drain'],
    mdFlushes: all['md-flushes'],
    resyncAfter: all['resync-after'],
    alExtents: all['al-extents'],
    alUpdates: all['al-updates'],
    discardZeroesIfAligned: all['discard-zeroes-if-aligned'],
    disableWriteSame: all['disable-write-same'],
    diskTimeout: all['disk-timeout'],
    readBalancing: all['read-balancing'],
    rsDiscardGranularity: all['rs-discard-granularity'],
    bitmap: all.bitmap,
  };
}
export function givenDiskOptions(options: DiskOptions): GivenDiskOptions {
  return {
    size: options.size,
    'on-io-error': options.onIoError,
    'disk-barrier': options.diskBarrier,
    'disk-flushes': options.diskFlushes,
    'disk-drain': options.diskDrain,
    'md-flushes': options.mdFlushes,
    'resync-after': options.resyncAfter,
    'al-extents': options.alExtents,
    'al-updates': options.alUpdates,
    'discard-zeroes-if-aligned': options.discardZeroesIfAligned,
    'disable-write-same': options.disableWriteSame,
    'disk-timeout': options.diskTimeout,
    'read-balancing': options.readBalancing,
    'rs-discard-granularity': options.rsDiscardGranularity,
    bitmap: options.bitmap,
  };
}

/** `given` over `base` (the present options, or none: the defaults). */
export function deviceOptions(given: GivenDeviceOptions, base?: DeviceOptions): DeviceOptions {
  const all = { ...deviceDefaults, ...(base && givenDeviceOptions(base)), ...given };
  return {
    maxBioSize: all['max-bio-size'],
    intentionalDiskless: all.diskless,
    blockSize: all['block-size'],
    discardGranularity: all['discard-granularity'],
  };
}
export function givenDeviceOptions(options: DeviceOptions): GivenDeviceOptions {
  return {
    'max-bio-size': options.maxBioSize,
    diskless: options.intentionalDiskless,
    'block-size': options.blockSize,
    'discard-granularity': options.discardGranularity,
  };
}

/** `given` over `base` (the present options, or none: the defaults). */
export function peerDeviceOptions(
  given: GivenPeerDeviceOptions,
  base?: PeerDeviceOptions,
): PeerDeviceOptions {
  const all = { ...peerDeviceDefaults, ...(base && givenPeerDeviceOptions(base)), ...given };
  return {
    resyncRate: all['resync-rate'],
    cPlanAhead: all['c-plan-ahead'],
    cDelayTarget: all['c-delay-target'],
    cFillTarget: all['c-fill-target'],
    cMaxRate: all['c-max-rate'],
    cMinRate: all['c-min-rate'],
    bitmap: all.bitmap,
    resyncWithoutReplication: all['resync-without-replication'],
    peerTiebreaker: all['peer-tiebreaker'],
  };
}
export function givenPeerDeviceOptions(options: PeerDeviceOptions): GivenPeerDeviceOptions {
  return {
    'resync-rate': options.resyncRate,
    'c-plan-ahead': options.cPlanAhead,
    'c-delay-target': options.cDelayTarget,
    'c-fill-target': options.cFillTarget,
    'c-max-rate': options.cMaxRate,
    'c-min-rate': options.cMinRate,
    bitmap: options.bitmap,
    'resync-without-replication': options.resyncWithoutReplication,
    'peer-tiebreaker': options.peerTiebreaker,
  };
}
