/**
 * Reads on behalf of a peer: for its application (P_DATA_REQUEST), its resync, its verify (wire-protocol.md 9, 10, 14).
 * No read may miss a write that came before it in the peer's stream: it waits for overlapping writes (under protocol A
 * the peer's application takes them for done), and for the dagtag that the request names.
 */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type Connection, type PeerDevice } from '../objects';
import { type DiskWaiter } from '../ports';
import { logLine } from '../state/object-log';
import { type BackingDevice } from './backing-device';
import { wakeConflicts } from './conflicts';
import { handleDiskError } from './disk-errors';
import { APP_WRITES, type Interval, IntervalKind } from './interval-set';
import { isConnected, sendBlockAck, sendDataPacket } from './packet-sender';
import { verifiedPosition } from './dagtag-dependency';
import { noteResynced } from './resynced-blocks';

export type ReadPurpose = 'application' | 'resync' | 'verify';

export interface RequestedBlock {
  readonly purpose: ReadPurpose;
  readonly sector: number;
  readonly sectors: number;
  readonly idHigh: number;
  readonly idLow: number;
  /** The newest write of a Primary that the requester has seen; 0 = no dependency. */
  readonly dagtag: number;
  readonly dagtagNodeId: number;
  /** Of the requester's data (checksum-based resync). */
  readonly digest: Uint8Array | undefined;
  /** The requester can do with the word that a block holds nothing but zeros. */
  readonly thin: boolean;
}

const MINDS = APP_WRITES | IntervalKind.PeerWrite;

export class PeerRead implements Interval, DiskWaiter {
  readonly intervalKind = IntervalKind.ResyncRead;
  serial = 0;
  readonly sector: number;
  readonly sectors: number;
  private data = new Uint8Array(0);
  private backing: BackingDevice | undefined;
  private readonly life: number;
  private finished = false;

  constructor(
    readonly peerDevice: PeerDevice,
    private readonly block: RequestedBlock,
  ) {
    this.sector = block.sector;
    this.sectors = block.sectors;
    this.life = peerDevice.connection.io.life;
  }

  start(): void {
    this.peerDevice.io.unacked++;
    if (this.waitsForDagtag()) return;
    this.begin();
  }
  private waitsForDagtag(): boolean {
    const { dagtag, dagtagNodeId } = this.block;
    const { resource } = this.peerDevice;
    if (dagtag === 0 || dagtagNodeId === resource.nodeId) return false;
    const primary = resource.connectionTo(dagtagNodeId);
    if (primary === undefined || !isConnected(primary) || primary.lastDagtag >= dagtag) return false;
    primary.io.dagtagWaiters.push(this);
    return true;
  }
  get awaitedDagtag(): number {
    return this.block.dagtag;
  }
  /** The dagtag has been reached, or nobody will ever reach it. */
  begin(): void {
    const { device, connection } = this.peerDevice;
    if (this.life !== connection.io.life) {
      this.end();
      return;
    }
    const { backing } = device;
    const enough = this.block.purpose === 'application' ? DiskState.UpToDate : DiskState.Outdated;
    if (backing === undefined || device.now.disk < enough) {
      this.refuse();
      return;
    }
    this.backing = backing;
    connection.io.activeDiskIo++;
    device.io.intervals.insert(this);
    this.retryAfterConflict();
  }
  retryAfterConflict(): boolean {
    const { device, connection } = this.peerDevice;
    const { backing } = this;
    // Nobody waits for the answer any more; the write ahead may itself wait until this connection is wound up.
    if (this.life !== connection.io.life) {
      this.conclude(true);
      return true;
    }
    if (this.serial !== 0 && device.io.intervals.mustWait(this, MINDS)) {
      device.io.conflicts.push(this);
      return false;
    }
    if (backing === undefined) return true;
    // The disk went while this waited for a write.
    if (device.backing !== backing) {
      this.conclude(true);
      return true;
    }
    this.data = new Uint8Array(this.sectors * 512);
    device.io.readSectors += this.sectors;
    backing.hold();
    backing.dataDisk.read(this.sector * 512, this.data, this);
    return true;
  }

  onDiskDone(error: number): void {
    const { device } = this.peerDevice;
    const failed = error !== 0 || this.backing?.aborted === true;
    if (failed) {
      this.backing?.setInAllSlots(this.sector, this.sectors);
      handleDiskError(device, 'drbd_endio_read_sec_final', 'data');
    }
    this.conclude(failed);
    this.backing?.release();
  }
  private conclude(failed: boolean): void {
    const { connection } = this.peerDevice;
    if (this.life === connection.io.life && isConnected(connection)) {
      if (failed) this.refuse();
      else this.reply();
    }
    this.end();
    if (this.peerDevice.io.repliesOut.get(this.sector) !== this) this.release();
    connection.io.activeDiskIo--;
    if (connection.io.activeDiskIo === 0) connection.io.idleWaiter?.();
  }
  /**
   * The range may be written again: at once, or, if its data was sent, when the target has said that it is there. What
   * is written, and told as out of sync, before that would count as in sync when the answer comes.
   */
  release(): void {
    const { device } = this.peerDevice;
    device.io.intervals.remove(this);
    wakeConflicts(device);
  }
  private end(): void {
    if (this.finished) return;
    this.finished = true;
    this.peerDevice.io.unacked--;
  }

  private ack(name: 'P_NEG_DREPLY' | 'P_NEG_RS_DREPLY' | 'P_RS_CANCEL' | 'P_RS_IS_IN_SYNC'): void {
    const { sector, sectors, idHigh, idLow } = this.block;
    sendBlockAck(this.peerDevice, name, sector, idHigh, idLow, sectors * 512);
  }
  private refuse(): void {
    const { peerDevice } = this;
    const { purpose } = this.block;
    const paused = peerDevice.now.repl === ReplicationState.PausedSyncS;
    if (purpose === 'application') {
      logLine(peerDevice, 'error', "Can not satisfy peer's read request, no local data.");
      this.ack('P_NEG_DREPLY');
    } else if (purpose === 'verify' || paused) this.ack('P_RS_CANCEL');
    else this.ack('P_NEG_RS_DREPLY');
    this.end();
  }
  private reply(): void {
    const { peerDevice, block, data } = this;
    const { sector, sectors, idHigh, idLow } = block;
    switch (block.purpose) {
      case 'application':
        sendDataPacket(peerDevice, 'P_DATA_REPLY', sector, idHigh, idLow, 0, 0, data);
        return;
      case 'verify':
        this.sendDigest();
        return;
      case 'resync':
        if (this.isInSync()) {
          peerDevice.device.backing?.bitmap.clearRange(peerDevice.bitmapSlot, sector, sectors);
          noteResynced(peerDevice.device, peerDevice.bitmapSlot, block);
          if (peerDevice.io.resync) peerDevice.io.resync.sameChecksum += sectors / 8;
          this.ack('P_RS_IS_IN_SYNC');
          return;
        }
        peerDevice.io.repliesOut.set(sector, this);
        peerDevice.io.pending++;
        peerDevice.connection.io.resyncInFlight += sectors;
        if (block.thin && isZero(data)) sendDeallocated(peerDevice, block);
        else sendDataPacket(peerDevice, 'P_RS_DATA_REPLY', sector, idHigh, idLow, 0, 0, data);
    }
  }
  private isInSync(): boolean {
    const { digest } = this.block;
    const { connection, resource } = this.peerDevice;
    if (digest === undefined) return false;
    const own = resource.host.ports.digests.hash(connection.options.csumsAlg)?.digest(this.data);
    return own !== undefined && own.length === digest.length && own.every((byte, i) => byte === digest[i]);
  }
  private sendDigest(): void {
    const { peerDevice, block } = this;
    const { connection, device } = peerDevice;
    const { sector, sectors, idHigh, idLow } = block;
    const hash = device.resource.host.ports.digests.hash(connection.options.verifyAlg);
    if (hash === undefined) {
      this.refuse();
      return;
    }
    const digest = hash.digest(this.data);
    peerDevice.io.verify?.peerAsked();
    const common = { volume: device.vnr, sector, idHigh, idLow, size: sectors * 512, digest };
    const { nodeId, dagtag } = verifiedPosition(peerDevice);
    if (usesDagtags(peerDevice))
      connection.link.sendData({ type: 'P_OV_DAGTAG_REPLY', ...common, dagtagNodeId: nodeId, dagtag });
    else connection.link.sendData({ type: 'P_OV_REPLY', ...common });
  }
}

/** `data` is whole sectors in a buffer of its own. */
function isZero({ buffer }: Uint8Array): boolean {
  const words = new Uint32Array(buffer);
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}
function sendDeallocated(peerDevice: PeerDevice, block: RequestedBlock): void {
  const { connection, device } = peerDevice;
  const { sector, sectors, idHigh, idLow } = block;
  const common = { volume: device.vnr, sector, size: sectors * 512 };
  if (connection.agreedProtocol >= 122)
    connection.link.sendData({ type: 'P_RS_DEALLOCATED_ID', ...common, idHigh, idLow, sequence: 0 });
  else connection.link.sendData({ type: 'P_RS_DEALLOCATED', ...common });
}

/** Feature RESYNC_DAGTAG is agreed. */
export const usesDagtags = ({ connection }: PeerDevice): boolean => (connection.agreedFeatures & 0x10) !== 0;

/** The connection's stream of writes has advanced: reads that waited for that go on. */
export function dagtagReached(waiters: PeerRead[], dagtag: number): void {
  if (waiters.length === 0) return;
  for (const read of waiters.splice(0)) {
    if (read.awaitedDagtag <= dagtag) read.begin();
    else waiters.push(read);
  }
}

/** Nobody waits for the answers any more. */
export function forgetReadsFor(lost: Connection, waiters: PeerRead[]): void {
  for (const read of waiters.splice(0)) {
    if (read.peerDevice.connection === lost) read.begin();
    else waiters.push(read);
  }
}

/** A request of the peer for data: checks its state before anything is read. */
export function serveRead(peerDevice: PeerDevice, block: RequestedBlock): void {
  const { repl } = peerDevice.now;
  const { sector, sectors, idHigh, idLow, purpose } = block;
  if (
    purpose === 'resync' &&
    (repl === ReplicationState.WFBitMapS || repl === ReplicationState.StartingSyncS)
  )
    sendBlockAck(peerDevice, 'P_RS_CANCEL', sector, idHigh, idLow, sectors * 512);
  else new PeerRead(peerDevice, block).start();
}
