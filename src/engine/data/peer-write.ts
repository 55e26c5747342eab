/**
 * The receiving side of writes (engine.md 10.7): a write of a peer takes its extents, waits for overlapping work and
 * for the end of the previous epoch, goes to disk, is acknowledged, and is kept until the peer ack.
 */
import { DiskState } from '../../control/contract/states';
import { type Connection, type PeerDevice } from '../objects';
import { type DiskWaiter, Errno, type ErrnoCode, type Retained } from '../ports';
import { type ExtentWaiter } from './activity-log';
import { type BackingDevice } from './backing-device';
import { giveBack, pooledCopy } from './buffer-pool';
import { noteOverwritten, wakeConflicts } from './conflicts';
import { handleDiskError } from './disk-errors';
import { APP_WRITES, type Interval, IntervalKind } from './interval-set';
import { type LocalWrite, writeLocally } from './local-write';
import { sendBlockAck, sendOutOfSync } from './packet-sender';
import { isOrBecomesSyncSource } from '../state/derived';
import { DP } from '../../wire/packets';
import { finishEpochs } from './receive-epochs';
import { type WriteOperation } from './write-request';

/** Writes between two barriers of one connection. */
export interface ReceiveEpoch {
  /** Set by the P_BARRIER that closes the epoch. */
  barrier: number | undefined;
  /** Write packets received. */
  size: number;
  /** Of these, not finished. */
  active: number;
  /** Disks that it wrote to and that are to be flushed. */
  flushing: boolean;
  /** Held back until the epoch before is over. */
  readonly held: PeerWrite[];
}
export const newEpoch = (): ReceiveEpoch => ({
  barrier: undefined,
  size: 0,
  active: 0,
  flushing: false,
  held: [],
});

export interface ReceivedWrite {
  readonly operation: WriteOperation;
  readonly sector: number;
  readonly sectors: number;
  /** May be a view of received bytes. */
  readonly data: Uint8Array;
  readonly idHigh: number;
  readonly idLow: number;
  /** DP. */
  readonly flags: number;
}

/** Data of so many bytes are not copied, if the network lets them stay. */
const LARGE = 64 * 1024;

const MINDS = APP_WRITES | IntervalKind.PeerWrite | IntervalKind.ResyncWrite | IntervalKind.ResyncRead;

export class PeerWrite implements Interval, LocalWrite, DiskWaiter, ExtentWaiter {
  readonly intervalKind = IntervalKind.PeerWrite;
  serial = 0;
  readonly operation: WriteOperation;
  readonly sector: number;
  readonly sectors: number;
  data: Uint8Array;
  readonly fua: boolean;
  readonly mayUnmap: boolean;
  /** Position in the stream of the connection's node. */
  dagtag = 0;
  holdsExtents = false;
  /** Written here, or given up. */
  finished = false;
  failed = false;
  private readonly flags: number;
  private readonly idHigh: number;
  private readonly idLow: number;
  private readonly life: number;
  /** Holds the data where they were received. */
  private retained: Retained | undefined;

  constructor(
    readonly peerDevice: PeerDevice,
    private readonly backing: BackingDevice,
    received: ReceivedWrite,
    readonly epoch: ReceiveEpoch,
  ) {
    this.operation = received.operation;
    this.sector = received.sector;
    this.sectors = received.sectors;
    const { data } = received;
    if (data.length >= LARGE) this.retained = peerDevice.device.resource.host.ports.network.retain?.(data);
    this.data = data.length === 0 ? NO_DATA : this.retained === undefined ? pooledCopy(data) : data;
    this.flags = received.flags;
    this.idHigh = received.idHigh;
    this.idLow = received.idLow;
    this.fua = (received.flags & DP.FUA) !== 0;
    this.mayUnmap = (received.flags & DP.DISCARD) !== 0;
    this.life = peerDevice.connection.io.life;
  }

  start(): void {
    const { io } = this.peerDevice.connection;
    io.activeDiskIo++;
    this.peerDevice.io.unacked++;
    this.peerDevice.device.io.intervals.insert(this);
    // A disk that is detached stays until this write is done, whatever it waits for.
    this.backing.hold();
    this.holdsExtents = true;
    if (this.backing.activityLog.begin(this.sector, this.sectors, this)) this.afterExtents();
  }
  onExtentsActive(error: ErrnoCode): void {
    if (error === 0) this.afterExtents();
    else {
      this.holdsExtents = false;
      this.finish(error);
    }
  }
  private afterExtents(): void {
    // Epochs do not mix: with a write order to keep, this one waits for the end of the one before.
    if (this.mustHold()) this.epoch.held.push(this);
    else this.retryAfterConflict();
  }
  private mustHold(): boolean {
    const { connection } = this.peerDevice;
    return (
      connection.io.epochs[0] !== this.epoch && connection.resource.io.writeOrdering !== 'none' && this.alive
    );
  }
  /**
   * The connection is gone before the write's turn came. It was not acknowledged as written, and when those that remain
   * compare how far they have come in the lost Primary's stream (engine.md 5.13) it does not count.
   */
  cancel(): void {
    const { connection } = this.peerDevice;
    connection.lastDagtag = Math.min(connection.lastDagtag, this.dagtag - this.sectors);
    this.finish(Errno.EIO);
  }
  /** Called again when the epoch before is over. */
  release(): void {
    this.retryAfterConflict();
  }
  retryAfterConflict(): boolean {
    const { device } = this.peerDevice;
    if (!this.alive) {
      this.cancel();
      return true;
    }
    if (device.io.intervals.mustWait(this, MINDS)) {
      device.io.conflicts.push(this);
      return false;
    }
    noteOverwritten(device, this);
    this.rememberForDisklessSender();
    device.io.writtenSectors += this.sectors;
    writeLocally(device, this.backing, this, this);
    return true;
  }

  /** A Primary without its disk writes only here: when the disk comes back, it lacks this. */
  private rememberForDisklessSender(): void {
    const { now, bitmapSlot } = this.peerDevice;
    if (now.pdsk >= DiskState.Inconsistent || bitmapSlot < 0) return;
    this.backing.bitmap.setRange(bitmapSlot, this.sector, this.sectors);
  }

  onDiskDone(error: ErrnoCode): void {
    const failed = error !== 0 || this.backing.aborted;
    if (failed) handleDiskError(this.peerDevice.device, 'drbd_endio_write_sec_final', 'data');
    this.finish(failed ? error || Errno.EIO : 0);
  }
  private get alive(): boolean {
    return this.life === this.peerDevice.connection.io.life;
  }

  private finish(error: ErrnoCode): void {
    const { peerDevice, sector, sectors } = this;
    const { connection, device } = peerDevice;
    this.finished = true;
    this.failed = error !== 0;
    if (this.retained === undefined) giveBack(this.data);
    else this.retained.release();
    this.retained = undefined;
    this.data = NO_DATA;
    device.io.intervals.remove(this);
    if (this.failed) {
      device.io.lostWrites++;
      this.backing.setInAllSlots(sector, sectors);
    }
    if (this.alive) {
      this.acknowledge();
      this.epoch.active--;
      finishEpochs(connection);
    }
    peerDevice.io.unacked--;
    connection.io.activeDiskIo--;
    if (!this.alive || this.backing.activityLog.starving) abandonPeerWrite(this);
    wakeConflicts(device);
    if (connection.io.activeDiskIo === 0) connection.io.idleWaiter?.();
    this.backing.release();
  }
  private acknowledge(): void {
    const { peerDevice, sector, sectors, flags, idHigh, idLow } = this;
    const ack = (name: 'P_WRITE_ACK' | 'P_NEG_ACK' | 'P_RS_WRITE_ACK' | 'P_WRITE_ACK_IN_SYNC'): void =>
      sendBlockAck(peerDevice, name, sector, idHigh, idLow, sectors * 512);
    if ((flags & DP.SEND_WRITE_ACK) === 0) return;
    if (this.failed) ack('P_NEG_ACK');
    else if (this.clearsBits()) {
      this.backing.bitmap.clearRange(peerDevice.bitmapSlot, sector, sectors);
      ack(peerDevice.connection.agreedProtocol >= 122 ? 'P_WRITE_ACK_IN_SYNC' : 'P_RS_WRITE_ACK');
    } else ack('P_WRITE_ACK');
  }
  private clearsBits(): boolean {
    const { now, bitmapSlot } = this.peerDevice;
    return (this.flags & DP.MAY_SET_IN_SYNC) !== 0 && bitmapSlot >= 0 && now.pdsk >= DiskState.Inconsistent;
  }

  releaseExtents(): void {
    if (this.holdsExtents) this.backing.activityLog.end(this.sector, this.sectors);
    this.holdsExtents = false;
  }
  /**
   * The nodes of `mask` have this write, others may not (engine.md 10.5). Where we have a mark for the Primary itself something else has
   * become of the blocks here since then.
   */
  applyPeerAck(mask: number): void {
    const { peerDevice, sector, sectors, backing } = this;
    const { connection, device } = peerDevice;
    const self = device.resource.nodeId;
    const { bitmap, superblock } = backing;
    let taken = 0;
    // Each slot belongs to one node at most.
    let left = bitmap.slots;
    for (let nodeId = 0; left > 0 && nodeId < superblock.peers.length; nodeId++) {
      const slot = superblock.peers[nodeId]?.bitmapIndex ?? -1;
      if (slot < 0) continue;
      left--;
      taken |= 1 << slot;
      if (nodeId === connection.peerNodeId || nodeId === self) continue;
      if ((mask & (1 << nodeId)) === 0) {
        bitmap.setRange(slot, sector, sectors);
        tellSyncTarget(this, nodeId);
      } else if (!this.failed) bitmap.clearRangeWhereClear(slot, peerDevice.bitmapSlot, sector, sectors);
    }
    for (let slot = 0; slot < bitmap.slots; slot++)
      if ((taken & (1 << slot)) === 0) bitmap.setRange(slot, sector, sectors);
    this.releaseExtents();
  }
}
const NO_DATA = new Uint8Array(0);

function tellSyncTarget(write: PeerWrite, nodeId: number): void {
  const other = write.peerDevice.device.peerDeviceOf(nodeId);
  if (other && isOrBecomesSyncSource(other.now.repl)) sendOutOfSync(other, write.sector, write.sectors);
}

/** Who else has the write will never be known: every slot but the lost Primary's is set (engine.md 6.1 step 8). */
export function abandonPeerWrite(write: PeerWrite): void {
  if (!write.holdsExtents) return;
  write.applyPeerAck(0);
}

/** The activity log is full of writes that wait for their peer ack: let go of what is written, with bits set. */
export function releaseWrittenExtents(connection: Connection): void {
  for (const write of connection.io.unacked.all()) {
    if (!write.finished || !write.holdsExtents) continue;
    write.applyPeerAck(0);
  }
}
