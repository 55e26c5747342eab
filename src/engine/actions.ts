/**
 * What the parts of the engine ask of each other. The parts do not import one another's machines: they reach them
 * through `host.peerActions` and `host.dataActions`, so that each can be tested with a recorder in the others' place; the
 * state pipeline itself (state/transaction.ts) is imported. All calls return at once; `done` callbacks come as later
 * inputs or tasks, never from within.
 */
import { type Attach } from '../control/contract/requests';
import { type DisksFollowed, type FollowRequest } from './data/follow-disks';
import { type AttachWaiter } from './data/open-backing';
import { type ConnectionState, type DiskState } from '../control/contract/states';
import { type PeerDeviceStatistics } from '../control/contract/snapshot';
import { type ExportedDevice } from './application-io';
import { type NodeMask } from './node-mask';
import { type Connection, type Device, type Path, type PeerDevice, type Resource } from './objects';
import { type ErrnoCode } from './ports';
import { type StateChange } from './state/state-change';

/** Implemented by connection/ and twopc/: asked by state/ and data/. */
export interface PeerActions {
  /** StandAlone -> Unconnected was committed: begin to establish streams. */
  startReceiver(connection: Connection): void;
  /** -> Disconnecting or StandAlone was committed: close, clean up (engine.md 6.1), go StandAlone. */
  stopReceiver(connection: Connection): void;
  /** Connecting or better -> Timeout..TearDown was committed: clean up, go Unconnected, start again. */
  restartReceiver(connection: Connection): void;
  /** Connected -> less was committed (engine.md 7.4). */
  connectionDown(connection: Connection): void;

  /** P_UUIDS110, or P_CURRENT_UUID when diskless. `flags` are added to those that hold anyway (engine.md 4.10). */
  sendUuids(peerDevice: PeerDevice, flags: bigint, weakNodes?: NodeMask): void;
  /** P_CURRENT_UUID. */
  sendCurrentUuid(peerDevice: PeerDevice, uuid: bigint, weakNodes: NodeMask): void;
  sendSyncParameters(peerDevice: PeerDevice): void;
  /** `ddsFlags` of P_SIZES. */
  sendSizes(peerDevice: PeerDevice, ddsFlags: number): void;
  sendState(peerDevice: PeerDevice): void;
  /** P_STATE without a volume: only the role counts (after a demotion). */
  sendRole(connection: Connection): void;
  sendDagtag(connection: Connection, dagtag: number): void;

  /** Pings every Connected peer; `done` when each has answered or was declared dead (engine.md 6.3). */
  checkPeers(resource: Resource, done: () => void): void;
  /** Has every unreachable peer fenced whose policy demands it; `done(true)` if all are at most Outdated afterwards. */
  fencePeers(resource: Resource, tag: string, done: (all: boolean) => void): void;
  pingPeer(connection: Connection, done: () => void): void;
  /** Drops the connection for an error on a stream: ProtocolError, NetworkFailure, ... (a ConnectionState). */
  failConnection(connection: Connection, reason: ConnectionState): void;
  /** StandAlone: trying again would end the same way. */
  giveUpConnection(connection: Connection): void;
  /** Counterpart of `connection.link.pauseData()`: goes on with the packets of the data stream. */
  resumeReading(connection: Connection): void;

  /** Sends sizes, UUIDs and state of every volume: the exchange inside a connect transaction (engine.md 5.4). */
  beginHandshake(connection: Connection): void;
  /** The connect transaction was aborted: staged values and locks of the handshake are given up. */
  endHandshake(connection: Connection | undefined): void;
  /** The connect transaction was committed. */
  handshakeCommitted(connection: Connection): void;

  /** A diskless Primary works on another generation than ours: is there a peer that has it (engine.md 5.12)? */
  tryToGetResync(device: Device): void;

  /** Schedules the empty two-phase commit of engine.md 6.4. */
  scheduleEmptyTransaction(resource: Resource, kind: 'lost-peer' | 'primary-resume'): void;
  /** `local-io-error`, `pri-lost`, ...; nothing is awaited unless `done` is given. */
  runHelper(command: string, on: Connection | Device | PeerDevice, done?: (exitCode: number) => void): void;
}

/**
 * Implemented by data/: asked by state/, uuid/, connection/ and twopc/. Calls marked *in commit* come from the finish
 * actions of a transaction (engine.md 2.6), before `next` is copied to `now`: they must not change state. The others
 * come from deferred actions (2.7) or from packet handlers.
 */
export interface DataActions {
  // --- transfer log, epochs, dagtags

  /** *In commit.* Writes from now on belong to another epoch (10.3). */
  startNewEpoch(resource: Resource): void;
  /** *In commit.* Replication to this peer begins: it learns the current dagtag before the next write. */
  announceDagtag(connection: Connection): void;
  /** *In commit.* Sends the pending peer ack (10.5). */
  flushPeerAck(resource: Resource): void;
  hasWritesInTransferLog(resource: Resource): boolean;
  /** Writes of the application are on their way. */
  hasUnansweredWrites(resource: Resource): boolean;
  /** A peer that was restarted may not have all that it acknowledged of the writes kept for a resend. */
  mayLackAcknowledged(peerDevice: PeerDevice): boolean;
  /** Sets this peer's bits for every write it has not acknowledged (2.7 step 4e), before its bitmap is sent. */
  markUnackedOutOfSync(peerDevice: PeerDevice): void;
  /** *In commit.* Writes of this Primary that are not yet peer-acked become out of sync in the other slots (2.6 step 10). */
  markPeerWritesOutOfSync(connection: Connection): void;
  /** *In commit.* Requests kept while suspended are queued for this peer again (10.6). */
  resendRequests(connection: Connection): void;
  /** *In commit.* Requests kept while suspended are given up for this peer (10.6). */
  cancelRequests(connection: Connection): void;
  /** *In commit.* No longer suspended: postponed requests start again, withheld completions are released. */
  restartSuspendedRequests(resource: Resource): void;
  /** *In commit.* Withheld completions are released although still suspended (2.6 step 12). */
  releaseSuspendedCompletions(resource: Resource): void;
  /** A Primary without a disk names its writes after another generation from now on (4.5). */
  generationBegan(device: Device): void;
  /** The flag `newCurrentUuidOwed` fell: writes that waited for it may go on. */
  newCurrentUuidSettled(device: Device): void;
  /**
   * After the commit, with `now` and the cached values current: look at waiting requests again (blocked, err_io,
   * quorum).
   */
  stateCommitted(change: StateChange): void;
  /** Asks the Primaries for a flush if a resync began; forgets what lost peers owe (12.5). */
  followFlushes(change: StateChange): void;

  /**
   * The streams of the connection are gone (engine.md 6.1 steps 5 and 7-9): drop queued resync requests and peer
   * requests that wait, wait until submitted peer writes have finished, walk the transfer log with "connection lost",
   * set the ranges of writes without peer ack out of sync, reset the receive epoch. Then `done`.
   */
  drainConnection(connection: Connection, done: () => void): void;
  /** The data stream took what was queued: senders that waited for room may go on. */
  dataStreamDrained(connection: Connection): void;

  /**
   * New writes wait from now on; `done` comes when those under way are durable on every peer that gets them. Returns
   * what lets new writes go on.
   */
  drainWrites(device: Device, done: () => void): () => void;

  // --- attach (admin/attach.ts)

  /** Opens data and meta-data disk with the checks of engine.md 9.1 that need no state change. */
  openBacking(device: Device, request: Attach, waiter: AttachWaiter): void;
  /** Reads the bitmap of a device of `sectors`. */
  loadBitmap(device: Device, sectors: number, done: (error: ErrnoCode) => void): void;
  /** The device has another size, in sectors; bits of new blocks are set in every slot if `setNewBits`. */
  resizeBitmap(device: Device, sectors: number, setNewBits: boolean): void;
  /** Looks at the sizes of the disks again; meta-data move with the end of their disk, or for another log geometry. */
  followDisks(device: Device, request: FollowRequest, done: (followed: DisksFollowed) => void): void;
  /** The size of the device becomes the effective size in the meta-data, once the bitmap for it is on disk. */
  persistSize(device: Device): void;
  /** Disks or their options changed: `Method to ensure write ordering: ...` (10.7). */
  writeOrderingChanged(resource: Resource): void;

  // --- meta-data and bitmap

  /** The superblock record was changed; it reaches the disk at the next `syncMetadata`, at the latest after 5 s. */
  markMetadataDirty(device: Device): void;
  /** Writes the superblock if dirty. `done` with 0 or an errno when it is on stable storage (or nothing was dirty). */
  syncMetadata(device: Device, done?: (error: ErrnoCode) => void): void;
  /** Set bits of the peer's slot; 0 without disk or slot. */
  outOfSyncBits(peerDevice: PeerDevice): number;
  /** Set bits of a slot of the meta-data. */
  slotBits(device: Device, slot: number): number;
  /** From now on the slot tells everything that changes since the present generation. */
  beginSlotGeneration(device: Device, slot: number): void;
  /** The slot may lack blocks that changed since its generation: a resync has cleared bits. */
  isPartialSlot(device: Device, slot: number): boolean;
  /** What is marked was so when the disk was attached. */
  isOldSlot(device: Device, slot: number): boolean;
  setSlot(device: Device, slot: number): void;
  clearSlot(device: Device, slot: number): void;
  /** What is marked in slot `guard` as well stays. */
  clearSlotWhereClear(device: Device, slot: number, guard: number): void;
  copySlot(device: Device, from: number, to: number): void;
  /** The bits of `to` stay. */
  mergeSlot(device: Device, from: number, to: number): void;
  setAllSlots(device: Device): void;
  clearAllSlots(device: Device): void;
  /** Writes all dirty bitmap pages. */
  writeBitmap(device: Device, done?: (error: ErrnoCode) => void): void;
  /** Writes them at leisure (2.7 step 4k). */
  writeBitmapLazily(device: Device): void;
  /** *In commit.* A connection was established: AL updates go on (11.5). */
  resumeActivityLog(device: Device): void;
  /** All bits are set and nobody is connected: AL updates may be suspended (11.5). */
  trySuspendActivityLog(device: Device): void;
  /** Roles or disks changed: is the AL needed (AL_DISABLED, 11.5)? */
  reconsiderActivityLog(device: Device): void;
  /**
   * The disk became Failed or Detaching: end its use; with `forceDetach` complete local I/O with errors. When the last
   * reference is gone and bitmap and meta-data are written, data/ commits Diskless (tag `go-diskless`).
   */
  goDiskless(device: Device): void;

  /** Options of the peer device changed: rates of a running resync follow. */
  resyncOptionsChanged(peerDevice: PeerDevice): void;
  /** Start and stop sector of the next verify; without a start it goes on where the last one stopped (12.9). */
  prepareVerify(peerDevice: PeerDevice, start: number | undefined, stop: number | undefined): void;

  // --- statistics

  /** Sectors read and written, meta-data writes, I/O in flight on the backing disk. */
  deviceCounters(device: Device): DeviceCounters;
  /** The progress set of 12.8; undefined while neither resync nor verify runs. */
  resyncProgress(peerDevice: PeerDevice): ResyncProgress | undefined;
  /** I/O must not pass: suspended inside the engine, for whatever short reason (1.5 blocked:upper). */
  isSuspendedInternally(device: Device): boolean;
  /** The device as programs open it. */
  exportedDevice(device: Device): ExportedDevice;

  // --- resync and verify

  /** *In commit.* repl enters SyncSource..PausedSyncT: counters and marks of 12.2. */
  initialiseResync(peerDevice: PeerDevice): void;
  /** *In commit.* Established -> VerifyS/T: position, marks, controller. */
  initialiseVerify(peerDevice: PeerDevice): void;
  /** *In commit.* Verify ended: keep the position reached, log it if something is left. */
  verifyEnded(peerDevice: PeerDevice): void;
  /** *In commit.* Paused -> running: account the pause, reset marks, scan again from bit 0. */
  resyncContinues(peerDevice: PeerDevice): void;
  /** *In commit.* Running -> paused. */
  resyncPaused(peerDevice: PeerDevice): void;
  /** Newly WFBitMapS (still so): send the slot; the answer comes as bitmap packets (12.1). */
  sendBitmap(peerDevice: PeerDevice): void;
  /** StartingSyncS/T was entered: set this slot (S) or all slots (T), write, then become SyncSource or SyncTarget. */
  startFullSync(peerDevice: PeerDevice): void;
  /** Sync was entered: `Began resync as ...`; on a target requests are scheduled (2.7 step 4o). */
  beginResync(peerDevice: PeerDevice): void;
  /** The target announced the end of the resync we are source of, with its disk state from now on (5.6 step 3, 12.6). */
  peerFinishedResync(peerDevice: PeerDevice, peerDisk: DiskState): void;
  /** The VerifyS side announced the end of a verify (5.6 step 4). */
  peerFinishedVerify(peerDevice: PeerDevice): void;
  /** VerifyS was entered: `Starting Online Verify from sector ...`, requests are scheduled. */
  startVerify(peerDevice: PeerDevice): void;
  /** Sync or verify ended, was aborted or a pause was lifted: stop timers, drop queued requests. */
  resyncStopped(peerDevice: PeerDevice): void;
  /** Resync of an area that the device grew by while it was not connected (2.7 step 4i, 9.9). */
  resyncGrownArea(peerDevice: PeerDevice): void;
  /** Connected without a resync, but one side has storage that the other did not know: asks the peer for one. */
  syncNewStorage(peerDevice: PeerDevice): void;
  /**
   * The peer is in sync with us: it and third nodes that are in sync with us are told of each other, because each of
   * them may take the other for different (wire-protocol.md 10.6).
   */
  announceInSync(peerDevice: PeerDevice): void;
  /** One side is Outdated, and blocks are marked that no handshake asks for: syncs them. */
  passOnMarks(peerDevice: PeerDevice): void;
  /** Something that resync-after looks at changed (12.7): evaluate the pauses of all devices of this host again. */
  reconsiderResyncAfter(device: Device): void;
  /** `peerReplication` was turned on: P_ENABLE_REPLICATION. */
  announcePeerReplication(peerDevice: PeerDevice): void;
}

export interface DeviceCounters {
  readonly read: number;
  readonly written: number;
  readonly alWrites: number;
  readonly bmWrites: number;
  readonly upperPending: number;
  readonly lowerPending: number;
}
/** Counts in sectors, times in milliseconds, rate in KiB/s. */
export type ResyncProgress = Required<
  Pick<
    PeerDeviceStatistics,
    | 'resyncFailed'
    | 'rsTotal'
    | 'ovStartSector'
    | 'ovStopSector'
    | 'ovPosition'
    | 'ovLeft'
    | 'ovSkipped'
    | 'rsSameCsum'
    | 'rsDtStartMs'
    | 'rsPausedMs'
    | 'rsDt0Ms'
    | 'rsDb0Sectors'
    | 'rsDt1Ms'
    | 'rsDb1Sectors'
    | 'cSyncRate'
  >
>;

/** Implemented by notify/: tells the subscribers what happened to objects outside of state changes (engine.md 1.6). */
export interface Notices {
  resourceCreated(resource: Resource): void;
  resourceDestroyed(resource: Resource): void;
  resourceRenamed(resource: Resource, newName: string): void;
  /** With its peer devices. */
  deviceCreated(device: Device): void;
  deviceDestroyed(device: Device): void;
  /** First open, last close, size. */
  deviceChanged(device: Device): void;
  /** With its peer devices. */
  connectionCreated(connection: Connection): void;
  connectionDestroyed(connection: Connection): void;
  pathCreated(connection: Connection, path: Path): void;
  pathChanged(connection: Connection, path: Path): void;
  pathDestroyed(connection: Connection, path: Path): void;
  /** UUIDs were received, resync made progress. */
  peerDeviceChanged(peerDevice: PeerDevice): void;
  helperCalled(command: string, on: Connection | Device | PeerDevice): void;
  /** `rawStatus` as of wait(2): exit code times 256. */
  helperReturned(command: string, on: Connection | Device | PeerDevice, rawStatus: number): void;
  /** Deferred step 1: all objects whose listed variables changed, in the order of engine.md 1.6. */
  stateChanged(change: StateChange): void;
}
