/**
 * What the engine reports about its objects: the kernel's *_info and *_statistics structures (drbdsetup.md 3.2).
 *
 * Plain JSON: sizes and counters are numbers (sectors of 512 bytes unless said otherwise), 64-bit identifiers are
 * texts of 16 upper-case hexadecimal digits (`Hex64`), so no codec is needed. An absent optional field means "the
 * engine does not know".
 */
import {
  type DeviceOptions,
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type ResourceOptions,
} from '../../options/option-values';
import {
  type ConnectionState,
  type DiskState,
  type ReplicationState,
  type Role,
  type WriteOrdering,
} from './states';

/** Exactly 16 upper-case hexadecimal digits. */
export type Hex64 = string;

/** The text form of a 64-bit identifier. */
export function toHex64(value: bigint): Hex64 {
  return BigInt.asUintN(64, value).toString(16).toUpperCase().padStart(16, '0');
}
/** The number of a `Hex64`. */
export function fromHex64(text: Hex64): bigint {
  return BigInt(`0x${text}`);
}

export type AddressFamily = 'ipv4' | 'ipv6' | 'sdp' | 'ssocks';
export interface SocketAddress {
  readonly family: AddressFamily;
  /** Numeric; IPv6 without brackets, with `%scope` where it is link-local. */
  readonly host: string;
  readonly port: number;
}

export interface ResourceInfo {
  readonly role: Role;
  readonly suspUser: boolean;
  readonly suspNoData: boolean;
  readonly suspFencing: boolean;
  readonly suspQuorum: boolean;
  readonly failIo: boolean;
}
export interface ResourceStatistics {
  readonly writeOrdering: WriteOrdering;
}
export interface DeviceInfo {
  readonly disk: DiskState;
  readonly intentionalDiskless?: boolean;
  readonly hasQuorum: boolean;
  readonly open?: boolean;
  /** Empty without a disk. */
  readonly backingDevice: string;
}
export interface DeviceStatistics {
  readonly size: number;
  readonly read: number;
  readonly written: number;
  readonly alWrites: number;
  readonly bmWrites: number;
  readonly upperPending: number;
  readonly lowerPending: number;
  readonly upperBlocked: boolean;
  readonly lowerBlocked: boolean;
  readonly alSuspended: boolean;
  readonly exposedUuid: Hex64;
  readonly currentUuid: Hex64;
  /** Flags of the superblock (`MDF_*`). */
  readonly diskFlags: number;
  /** Youngest first. */
  readonly historyUuids: readonly Hex64[];
}
export interface ConnectionInfo {
  readonly connection: ConnectionState;
  readonly role: Role;
}
export interface ConnectionStatistics {
  readonly congested: boolean;
  readonly apInFlight?: number;
  readonly rsInFlight?: number;
}
export interface PeerDeviceInfo {
  readonly replication: ReplicationState;
  readonly disk: DiskState;
  readonly resyncSuspUser: boolean;
  readonly resyncSuspPeer: boolean;
  readonly resyncSuspDependency: boolean;
  readonly resyncSuspMaxParallel: boolean;
  readonly intentionalDiskless?: boolean;
}
export interface PeerDeviceStatistics {
  readonly received: number;
  readonly sent: number;
  readonly pending: number;
  readonly unacked: number;
  readonly outOfSync: number;
  readonly resyncFailed: number;
  readonly bitmapUuid: Hex64;
  /** Flags of the peer's slot in the superblock (`MDF_PEER_*`). */
  readonly flags: number;
  /** 0: no resync and no verify; absent: the engine gives no progress at all. */
  readonly rsTotal?: number;
  readonly ovStartSector: number;
  /** -1: no end given. */
  readonly ovStopSector: number;
  readonly ovPosition: number;
  readonly ovLeft: number;
  readonly ovSkipped: number;
  readonly rsSameCsum: number;
  readonly rsDtStartMs: number;
  readonly rsPausedMs: number;
  readonly rsDt0Ms: number;
  readonly rsDb0Sectors: number;
  readonly rsDt1Ms: number;
  readonly rsDb1Sectors: number;
  /** KiB/s. */
  readonly cSyncRate: number;
  /** Last flags the peer sent with its UUIDs; bit 0x20 is STABLE. */
  readonly uuidFlags: number;
}

/** Options the engine reports; an absent one is printed as `_unknown` (drbdsetup.md 5.1). */
export interface ResourceSnapshot {
  readonly name: string;
  /** -1 while an 8.4 compatible resource has not learnt its id. */
  readonly nodeId: number;
  /** Created without a node id. */
  readonly drbd8Compat: boolean;
  readonly options: ResourceOptions;
  readonly info: ResourceInfo;
  readonly statistics?: ResourceStatistics;
  /** Ascending volume numbers. */
  readonly devices: readonly DeviceSnapshot[];
  /** Order of creation. */
  readonly connections: readonly ConnectionSnapshot[];
}
export interface DeviceSnapshot {
  readonly minor: number;
  readonly volume: number;
  /** Present while a disk is attached. */
  readonly disk?: DiskSnapshot;
  readonly options: DeviceOptions;
  readonly info: DeviceInfo;
  readonly statistics?: DeviceStatistics;
}
export interface DiskSnapshot {
  readonly backingDevice: string;
  readonly metaDevice: string;
  readonly metaIndex: number;
  readonly options: DiskOptions;
}
export interface ConnectionSnapshot {
  readonly peerNodeId: number;
  /** `_name`; may be empty. */
  readonly name: string;
  /** `transport` exactly as configured: empty if it was not given (drbdsetup.md 5.3). */
  readonly options: NetOptions;
  readonly info: ConnectionInfo;
  readonly statistics?: ConnectionStatistics;
  readonly paths: readonly PathSnapshot[];
  /** One per device of the resource, in the order of the devices. */
  readonly peerDevices: readonly PeerDeviceSnapshot[];
}
export interface PathSnapshot {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly established: boolean;
}
export interface PeerDeviceSnapshot {
  readonly volume: number;
  readonly options: PeerDeviceOptions;
  readonly info: PeerDeviceInfo;
  readonly statistics?: PeerDeviceStatistics;
}
