/**
 * The object tree of a DRBD host and its state (engine.md section 1). Each object holds `now`, the committed state,
 * and `next`, the candidate of the one open transaction; outside a transaction both are equal. Only
 * `state/transaction.ts` copies `next` to `now`.
 */
import { ConnectionState, DiskState, ReplicationState, Role } from '../control/contract/states';
import { type NodeMask, NO_NODES, nodeBit } from './node-mask';
import {
  type DeviceOptions,
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type ResourceOptions,
} from './options';
import { type Endpoint } from './ports';
import { type Host } from './host';
import { type PeerLink } from './connection/peer-link';
import { type ConnectionIo, type DeviceIo, type PeerDeviceIo, type ResourceIo } from './data/io-state';
import { type BackingDevice } from './data/backing-device';
import { type PeerUuids } from './uuid/peer-uuids';
import { type ResourceTwopc } from './twopc/twopc-state';
import { type TransactionState } from './state/transaction-state';

export interface ResourceState {
  role: Role;
  suspUser: boolean;
  suspNoData: boolean;
  suspQuorum: boolean;
  suspUuid: boolean;
  failIo: boolean;
}
export interface LinkState {
  cstate: ConnectionState;
  peerRole: Role;
  suspFencing: boolean;
}
export interface DeviceState {
  disk: DiskState;
  haveQuorum: boolean;
  quorum: boolean;
}
export interface PeerDeviceState {
  repl: ReplicationState;
  pdsk: DiskState;
  resyncSuspUser: boolean;
  resyncSuspPeer: boolean;
  resyncSuspDependency: boolean;
  resyncSuspOtherConnection: boolean;
  resyncSuspMaxParallel: boolean;
  resyncActive: boolean;
  /** We replicate writes to this Inconsistent peer. */
  replication: boolean;
  /** The peer replicates its writes to us. */
  peerReplication: boolean;
}

export class Resource {
  readonly now: ResourceState;
  readonly next: ResourceState;
  /** In creation order: the order of output and of tie decisions (engine.md 1.1). */
  readonly connections: Connection[] = [];
  /** Ascending volume numbers. */
  readonly devices: Device[] = [];
  /** The partition this node was last part of (engine.md 7.6). */
  members: NodeMask;
  /** Sectors written through this node, ever (wire-protocol.md 12). */
  dagtag = 0;

  // hidden flags, engine.md 1.4
  explicitPrimary = false;
  downInProgress = false;
  tryBecomeUpToDatePending = false;
  resumeHeldForOutdate = false;
  checkingPeers = false;
  unregistered = false;

  // derived, recomputed at each commit (engine.md 1.5, 2.2 step 9)
  cachedSuspended = false;
  cachedAllDevicesHaveQuorum = true;

  constructor(
    readonly host: Host,
    public name: string,
    readonly nodeId: number,
    public options: ResourceOptions,
    /** Owned by state/. */
    readonly transaction: TransactionState,
    /** Owned by twopc/. */
    readonly twopc: ResourceTwopc,
    /** Owned by data/. */
    readonly io: ResourceIo,
  ) {
    const state: ResourceState = {
      role: Role.Secondary,
      suspUser: false,
      suspNoData: false,
      suspQuorum: false,
      suspUuid: false,
      failIo: false,
    };
    this.now = state;
    this.next = { ...state };
    this.members = nodeBit(nodeId);
  }

  connectionTo(peerNodeId: number): Connection | undefined {
    return this.connections.find((connection) => connection.peerNodeId === peerNodeId);
  }
  volume(vnr: number): Device | undefined {
    return this.devices.find((device) => device.vnr === vnr);
  }
}

export interface Path {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  established: boolean;
}

export class Connection {
  readonly now: LinkState = {
    cstate: ConnectionState.StandAlone,
    peerRole: Role.Unknown,
    suspFencing: false,
  };
  readonly next: LinkState = { ...this.now };
  readonly paths: Path[] = [];
  /** Ascending volume numbers. */
  readonly peerDevices: PeerDevice[] = [];

  /** Agreed with the peer at the last handshake; 0 before the first. */
  agreedProtocol = 0;
  agreedFeatures = 0;

  // hidden flags, engine.md 1.4
  discardMyData = false;
  dryRun = false;
  disconnectExpected = false;
  /** Was Connected before since the object exists. */
  reconnect = false;
  notifyPeersLostPrimary = false;
  /** It was lost as a Primary, and others were told, since it was last connected. */
  lostAsPrimary = false;
  congested = false;
  /** True on exactly one side: the one that accepted the control socket. */
  resolveConflicts = false;
  receivedDagtag = false;
  /** Position in the peer's stream of writes, sectors. */
  lastDagtag = 0;
  lastReconnectTime = 0;
  unregistered = false;

  constructor(
    readonly resource: Resource,
    readonly peerNodeId: number,
    public name: string,
    public options: NetOptions,
    /** Sockets, receiver, pings; owned by connection/. */
    readonly link: PeerLink,
    /** Owned by data/. */
    readonly io: ConnectionIo,
  ) {}

  peerDevice(vnr: number): PeerDevice | undefined {
    return this.peerDevices.find((peerDevice) => peerDevice.device.vnr === vnr);
  }
}

export class Device {
  readonly now: DeviceState;
  readonly next: DeviceState;
  /** Newest first (engine.md 1.1): the order of log lines and notifications. */
  readonly peerDevices: PeerDevice[] = [];
  /** Present from Attaching until Diskless: disks, meta-data, bitmap, activity log. */
  backing: BackingDevice | undefined;
  diskOptions: DiskOptions | undefined;
  /** Exported size in sectors; 0 = unknown. */
  size = 0;
  exposedUuid = 0n;
  exposedUuidPredecessor = 0n;
  /** Of the disk that this device had last; 0 = none. */
  lastDiskUuid = 0n;
  /** A generation that nothing was written in, because its superblock could not be written: it may be there all the same. */
  unwrittenGeneration: { readonly uuid: bigint; readonly predecessor: bigint } | undefined;

  // hidden flags, engine.md 1.4
  crashedPrimary = false;
  primaryLostQuorum = false;
  /**
   * Nodes that may have reached our generation although their slot still counts from an older one: connected when
   * this host stopped, so that the end of a resync may not have got to the meta-data.
   */
  mayBeOnCurrent: NodeMask = NO_NODES;
  /** Nodes for which blocks are marked, as these or others were told. */
  announcedAsMarked: NodeMask = NO_NODES;
  newCurrentUuidOwed = false;
  newCurrentUuidArmed = false;
  writingNewCurrentUuid = false;
  alSuspended = false;
  forceDetach = false;
  tiebreakerQuorum = false;
  restoreQuorum = false;
  restoringQuorum = false;
  tryToGetResync = false;
  /** A peer that is connecting has gone on from our generation without us. */
  outdateOnTwopcCommit = false;
  /** Several peers are our sources: one has ended that was stable, and no data came from another one that is not. */
  stableResync = false;
  goingDiskless = false;
  exposedGenerationUnconfirmed = false;
  unregistered = false;

  // derived, recomputed at each commit (engine.md 1.5, 2.2 step 9)
  /** New application requests fail at once. */
  cachedErrIo = false;
  /** New application requests wait for the state to settle. */
  cachedUnstable = false;
  cachedDataAccessible = false;

  /** Scheduler time when the last attach ended. */
  reattachTime = 0;
  /** An attach command is under way. */
  attaching = false;

  openCount = 0;
  /** A write opener is or was among the current openers. */
  writable = false;

  constructor(
    readonly resource: Resource,
    readonly minor: number,
    readonly vnr: number,
    public options: DeviceOptions,
    haveQuorum: boolean,
    /** Owned by data/. */
    readonly io: DeviceIo,
  ) {
    this.now = { disk: DiskState.Diskless, haveQuorum, quorum: false };
    this.next = { ...this.now };
  }

  peerDeviceOf(peerNodeId: number): PeerDevice | undefined {
    return this.peerDevices.find((peerDevice) => peerDevice.connection.peerNodeId === peerNodeId);
  }
}

/** What the peer last said of its sizes, in sectors (engine.md 5.5). */
export interface PeerSizes {
  dSize: number;
  uSize: number;
  cSize: number;
  maxSize: number;
}

/** The outcome of the per-volume handshake, applied when the connect commits (engine.md 5.4). */
export interface StagedPeerState {
  repl: ReplicationState;
  pdsk: DiskState;
  disk: DiskState | undefined;
  resyncSuspPeer: boolean;
  peerRole: Role;
}

export class PeerDevice {
  readonly now: PeerDeviceState = {
    repl: ReplicationState.Off,
    pdsk: DiskState.DUnknown,
    resyncSuspUser: false,
    resyncSuspPeer: false,
    resyncSuspDependency: false,
    resyncSuspOtherConnection: false,
    resyncSuspMaxParallel: false,
    resyncActive: false,
    replication: true,
    peerReplication: true,
  };
  readonly next: PeerDeviceState = { ...this.now };

  /** Slot in the device's bitmap, -1 = none. */
  bitmapSlot = -1;
  /** The peer's generation identifiers as last received. */
  uuids: PeerUuids | undefined;
  readonly sizes: PeerSizes = { dSize: 0, uSize: 0, cSize: 0, maxSize: 0 };
  staged: StagedPeerState | undefined;
  /** The peer's last announced combined connection state. */
  lastReplState: number = ReplicationState.Off;
  resyncAgain = 0;
  /** Our current UUID when the running resync (we being target) began. */
  rsStartUuid = 0n;
  resyncFinishedPdsk: DiskState = DiskState.DUnknown;

  // what was last told to the peer (engine.md 1.4)
  announcedCurrentUuid = 0n;
  announcedBitmapUuid = 0n;
  announcedUuidFlags = 0n;
  announcedDirtyBits = 0;
  announcedDisk: DiskState = DiskState.Diskless;

  // hidden flags, engine.md 1.4
  initialStateSent = false;
  initialStateReceived = false;
  uuidsReceived = false;
  currentUuidReceived = false;
  /** What the peer, Primary without UpToDate data of its own, works on; 0 when that is not known. */
  primaryWorksOn = 0n;
  haveSizes = false;
  /** Attach handshake (engine.md 2.3 S4): undefined = no result yet, `no-result` = NEG_NO_RESULT. */
  negotiationResult: ReplicationState | 'no-result' | undefined;
  /** The peer attaches its disk and has not said what became of it. */
  peerAttaching = false;
  /** "In handshake": HOLDING_UUID_READ_LOCK. */
  inHandshake = false;
  considerResync = false;
  resyncAfterNegotiation = false;
  /** One side has storage, since before the handshake, that the other side does not know: it has to be synced. */
  newStorageAtConnect = false;
  resizePending = false;
  discardMyData = false;
  useDegradedWfcTimeout = false;
  reconciliationResync = false;
  reconcilePending = false;
  unstableResync = false;
  syncSourceCrashedPrimary = false;
  /** Connected, it took data from somebody else: our bits do not tell how it differs from us, only its own do. */
  tookOtherData = false;
  /** No handshake shows that the marked blocks may differ: they are to be synced, and this side's count. */
  marksCount: 'not' | 'ours' | 'theirs' = 'not';
  gotNegAck = false;
  aheadToSyncSource = false;
  syncTargetToBehind = false;
  beforeResyncHandlerDone = false;
  rsSourceMissedEnd = false;
  rsPeerMissedEnd = false;
  /** The peer announced quorum in its last state word. */
  peerQuorate = false;
  replicationNext = true;
  peerReplicationNext = true;
  currentUuidUnconfirmed = false;
  reconcileInjectCurrentUuid = false;

  constructor(
    readonly device: Device,
    readonly connection: Connection,
    public options: PeerDeviceOptions,
    /** Resync, verify and ack bookkeeping; owned by data/. */
    readonly io: PeerDeviceIo,
  ) {}

  get resource(): Resource {
    return this.device.resource;
  }
  get peerNodeId(): number {
    return this.connection.peerNodeId;
  }
}

export const wantsBitmap = (peerDevice: PeerDevice): boolean => peerDevice.options.bitmap;
export const ownNode = (resource: Resource): NodeMask => nodeBit(resource.nodeId);
/** Self and every directly connected peer. */
export function directlyConnected(resource: Resource): NodeMask {
  let mask: NodeMask = NO_NODES | ownNode(resource);
  for (const connection of resource.connections) {
    if (connection.now.cstate === ConnectionState.Connected) mask |= nodeBit(connection.peerNodeId);
  }
  return mask;
}
