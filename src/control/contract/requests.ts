/**
 * Requests of drbdsetup to the engine, one type per low-level command: DRBD's netlink requests in typed form
 * (drbdsetup.md 2.1). Defaults are not filled in: an absent option was not given. Numbers are in the unit of the
 * option. The engine checks ranges and existence (drbdsetup.md 12).
 */
import {
  type DeviceOptions,
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type ResourceOptions,
} from '../../options/option-values';
import { type SocketAddress } from './snapshot';

interface OnResource {
  readonly resource: string;
}
interface OnConnection extends OnResource {
  readonly peerNodeId: number;
}
interface OnPeerDevice extends OnConnection {
  readonly volume: number;
}
interface OnMinor {
  readonly minor: number;
}
interface Changes {
  /** Options that are not given go back to their defaults. */
  readonly setDefaults: boolean;
}

export interface NewResource extends OnResource {
  readonly command: 'new-resource';
  /** null: DRBD 8.4 compatible, the id follows from the first connection (drbdsetup.md 10.4). */
  readonly nodeId: number | null;
  readonly options: ResourceOptions;
}
export interface ChangeResourceOptions extends OnResource, Changes {
  readonly command: 'resource-options';
  readonly options: ResourceOptions;
}
export interface RenameResource extends OnResource {
  readonly command: 'rename-resource';
  readonly newName: string;
}
export interface DeleteResource extends OnResource {
  readonly command: 'del-resource';
}
export interface Down extends OnResource {
  readonly command: 'down';
}
export interface SetRole extends OnResource {
  readonly command: 'primary' | 'secondary';
  readonly force: boolean;
}
export interface NewMinor extends OnResource, OnMinor {
  readonly command: 'new-minor';
  readonly volume: number;
  readonly options: DeviceOptions;
}
export interface DeleteMinor extends OnMinor {
  readonly command: 'del-minor';
}
export interface Attach extends OnMinor {
  readonly command: 'attach';
  /** Absolute paths. */
  readonly backingDevice: string;
  readonly metaDevice: string;
  /** See `MetaIndex`. */
  readonly metaIndex: number;
  readonly options: DiskOptions;
}
export interface ChangeDiskOptions extends OnMinor, Changes {
  readonly command: 'disk-options';
  readonly options: DiskOptions;
}
export interface Detach extends OnMinor {
  readonly command: 'detach';
  readonly force: boolean;
  /** Become an intentional client. */
  readonly diskless: boolean;
}
export interface Resize extends OnMinor {
  readonly command: 'resize';
  /** Sectors. */
  readonly size?: number;
  readonly assumePeerHasSpace: boolean;
  readonly assumeClean: boolean;
  readonly alStripes?: number;
  /** KiB. */
  readonly alStripeSize?: number;
}
export interface NewCurrentUuid extends OnMinor {
  readonly command: 'new-current-uuid';
  readonly clearBitmap: boolean;
  readonly forceResync: boolean;
}
export interface Invalidate extends OnMinor {
  readonly command: 'invalidate';
  readonly syncFromPeerNodeId?: number;
  readonly resetBitmap?: boolean;
}
export interface SuspendIo extends OnMinor {
  readonly command: 'suspend-io';
  readonly bdevFreeze?: boolean;
}
export interface ResumeIo extends OnMinor {
  readonly command: 'resume-io';
}
export interface Outdate extends OnMinor {
  readonly command: 'outdate';
}
export interface NewPeer extends OnConnection {
  readonly command: 'new-peer';
  readonly options: NetOptions;
}
export interface ChangeNetOptions extends OnConnection, Changes {
  readonly command: 'net-options';
  readonly options: NetOptions;
}
export interface RemovePeer extends OnConnection {
  readonly command: 'del-peer' | 'disconnect';
  readonly force: boolean;
}
export interface ChangePath extends OnConnection {
  readonly command: 'new-path' | 'del-path';
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}
export interface Connect extends OnConnection {
  readonly command: 'connect';
  readonly tentative: boolean;
  readonly discardMyData: boolean;
}
export interface ForgetPeer extends OnConnection {
  readonly command: 'forget-peer';
}
export interface ChangePeerDeviceOptions extends OnPeerDevice, Changes {
  readonly command: 'peer-device-options';
  readonly options: PeerDeviceOptions;
}
export interface InvalidateRemote extends OnPeerDevice {
  readonly command: 'invalidate-remote';
  readonly resetBitmap?: boolean;
}
export interface PauseOrResumeSync extends OnPeerDevice {
  readonly command: 'pause-sync' | 'resume-sync';
}
export interface Verify extends OnPeerDevice {
  readonly command: 'verify';
  /** Sectors. */
  readonly start?: number;
  readonly stop?: number;
}
/** Answered with `timeoutType` in the reply. */
export interface GetTimeoutType extends OnPeerDevice {
  readonly command: 'get-timeout-type';
}
/** Requests the engine executes; dumps and event subscriptions are answered by the control server. */
export type ControlRequest =
  | NewResource
  | ChangeResourceOptions
  | RenameResource
  | DeleteResource
  | Down
  | SetRole
  | NewMinor
  | DeleteMinor
  | Attach
  | ChangeDiskOptions
  | Detach
  | Resize
  | NewCurrentUuid
  | Invalidate
  | SuspendIo
  | ResumeIo
  | Outdate
  | NewPeer
  | ChangeNetOptions
  | RemovePeer
  | ChangePath
  | Connect
  | ForgetPeer
  | ChangePeerDeviceOptions
  | InvalidateRemote
  | PauseOrResumeSync
  | Verify
  | GetTimeoutType;
export type ControlCommand = ControlRequest['command'];

/** The engine's answer to a request. */
export interface ControlReply {
  /** 101 or a state code from 1 to 4: done; see codes.ts for the rest. */
  readonly code: number;
  /** One entry per information container of the kernel; may hold line breaks. */
  readonly infoTexts: readonly string[];
  /** Only for `get-timeout-type`. */
  readonly timeoutType?: number;
}
