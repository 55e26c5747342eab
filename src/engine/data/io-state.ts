/** What the data path keeps per object; everything in here belongs to data/. */
import { type IoWaiter } from '../application-io';
import { type PeerDevice } from '../objects';
import { type TimerHandle } from '../ports';
import { type FlushRequest } from './flush-requests';
import { IntervalSet } from './interval-set';
import { type BitmapReceiver } from '../../wire/bitmap-transfer';
import { type OpenFile } from './open-file';
import { type PeerRead } from './peer-read';
import { type PeerWrite, type ReceiveEpoch } from './peer-write';
import { type LocalRead, type ReadRequest } from './read-request';
import { Fifo, RequestTable, type WriteRequest } from './write-request';
import { type ResyncRun } from './resync-run';
import { type VerifyRun } from './verify-run';

export class ResourceIo {
  // --- transfer log: writes that are not done on every peer, oldest first
  logHead: WriteRequest | undefined;
  logTail: WriteRequest | undefined;
  logLength = 0;
  /** Number of the current epoch: what P_BARRIER will carry. */
  epoch = 0;
  epochWrites = 0;
  barrierTimer: TimerHandle | undefined;
  /** Scheduler time at which owed barriers are to be sent. */
  barrierDue = 0;
  readonly writes = new RequestTable<WriteRequest>();
  readonly reads = new RequestTable<ReadRequest>();

  // --- peer acks (engine.md 10.5): the newest done write whose ack is not sent
  ackDagtag = 0;
  ackMask = 0;
  ackSentTo = 0;
  ackPending = false;
  ackSectors = 0;
  ackTimer: TimerHandle | undefined;
  /** Scheduler time at which it is to be sent. */
  ackDue = 0;
  // --- flushes before the end of a resync (flush-requests.ts)
  flushSequence = 0;
  /** By Primary that was asked: nodes whose answers are not in. */
  readonly flushExpected = new Map<number, number>();
  /** Peers' requests to us as Primary, oldest first. */
  readonly flushRequests: FlushRequest[] = [];
  /** Looks for requests that take too long (request-timer.ts). */
  requestTimer: TimerHandle | undefined;
  /** Write ordering method on the receiving side, as last logged. */
  writeOrdering: 'none' | 'drain' | 'flush' | 'barrier' = 'flush';
}

export class ConnectionIo {
  // --- sending
  /** Writes sent whose barrier ack is not in, in order of sending. */
  readonly sentWrites = new Fifo<WriteRequest>();
  /** Epoch of the writes sent since the last barrier, and their number. */
  openEpoch = -1;
  openEpochWrites = 0;
  /** Scheduler time of the last P_BARRIER. */
  barrierSentAt = 0;
  /** What the peer believes the dagtag to be; -1 = nothing was said yet. */
  sentDagtag = -1;
  /** Sectors of writes, and of resync data, sent and not acknowledged. */
  appInFlight = 0;
  resyncInFlight = 0;

  // --- receiving
  /** Oldest first; the last one is open. */
  readonly epochs: ReceiveEpoch[] = [];
  /** Writes received and not peer-acked, oldest first. */
  readonly unacked = new Fifo<PeerWrite>();
  /** Submitted peer writes and reads whose disk I/O is in flight. */
  activeDiskIo = 0;
  /** The cleanup of a lost connection waits for `activeDiskIo` to become 0. */
  idleWaiter: (() => void) | undefined;
  /** Bumped at each cleanup: work of an earlier life answers nobody. */
  life = 0;
  /** Reads for the peer that wait for a dagtag of some Primary. */
  readonly dagtagWaiters: PeerRead[] = [];
  /** Writes were dropped for want of a disk: their peer acks find nothing. */
  droppedWrites = false;
  resendDue = false;
  cancelDue = false;
}

/** A continuation that waits for intervals to go away. */
export interface ConflictWaiter {
  /** True if it went on. */
  retryAfterConflict(): boolean;
}

export class DeviceIo {
  readonly intervals = new IntervalSet();
  /** Requests that may not start now (engine.md 10.1 step 3), oldest first. */
  waiting = new Fifo<WriteRequest | ReadRequest>();
  conflicts: ConflictWaiter[] = [];
  conflictTask = false;
  /** Writes, own and of peers, that were let in and did not reach the disk. */
  lostWrites = 0;
  /** Internal suspensions (attach, detach, resize): new requests wait while it is above 0. */
  suspendCount = 0;
  /** Application requests in the engine: the statistics counter upper-pending. */
  upperPending = 0;
  /** Sectors since attach. */
  readSectors = 0;
  writtenSectors = 0;
  /** Of these, those of resyncs. */
  resyncWrittenSectors = 0;
  /** Number of the next activity log transaction of this minor. */
  nextTransaction = 0;
  /** First epoch of a generation that no peer has confirmed (confirm-generation.ts). */
  generationEpoch = 0;
  /** The new current UUID was asked for. */
  uuidRotationAsked = false;
  /** Round robin over peers for reads. */
  lastReadPeer = -1;
  readLocallyNext = false;
  /** Reads of a disk that has a disk-timeout. */
  readonly localReads = new Set<LocalRead>();
  readonly openFiles: OpenFile[] = [];
  /** Called when no application write is in flight any more. */
  quietWaiters: IoWaiter[] = [];
  lazyBitmapTimer: TimerHandle | undefined;
  /** By activity log extent: peers to speak of when no write holds the extent (wire-protocol.md 10.6). */
  readonly announcementsDue = new Map<number, Set<PeerDevice>>();
}

export class PeerDeviceIo {
  /** Number of the last packet sent that counts (wire-protocol.md 8.3). */
  sequence = 0;
  /** Sectors of data, resync included. */
  sentSectors = 0;
  receivedSectors = 0;
  /** Application requests waiting for an ack, resync and verify requests outstanding. */
  pending = 0;
  /** Requests of the peer that are not answered. */
  unacked = 0;
  /** Resync data sent whose ack is not in, by first sector. */
  readonly repliesOut = new Map<number, PeerRead>();
  bitmapReceiver: BitmapReceiver | undefined;
  /** The bitmap was received while entering the resync: a second one is ignored. */
  bitmapReceived = false;
  resync: ResyncRun | undefined;
  /** Our current UUID when WFBitMapT was entered. */
  handshakeUuid = 0n;
  verify: VerifyRun | undefined;
  /** Sector where the next verify without --start begins. */
  verifyPosition = 0;
  verifyStop = Infinity;
}
