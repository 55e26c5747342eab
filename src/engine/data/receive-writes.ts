/** Writes, barriers and peer acks as they arrive from a peer, and the end of its connection (engine.md 10.7, 6.1). */
import { type HandlerResult } from '../connection/packet-handler';
import { type Connection, type PeerDevice } from '../objects';
import { peerFault, type PeerFault } from '../peer-fault';
import { DP } from '../../wire/packets';
import { maxDiscardSize, NO_VOLUME } from '../../wire/features';
import { wakeConflicts } from './conflicts';
import { APP_WRITES } from './interval-set';
import { sendBlockAck } from './packet-sender';
import { dagtagReached, forgetReadsFor } from './peer-read';
import { abandonPeerWrite, newEpoch, PeerWrite, type ReceiveEpoch, type ReceivedWrite } from './peer-write';
import { loseReads } from './read-request';
import { finishEpochs } from './receive-epochs';
import { dropRequests } from './resync-target';
import { connectionLost, writableBacking } from './write-path';

function openEpoch(connection: Connection): ReceiveEpoch {
  const { epochs } = connection.io;
  const last = epochs[epochs.length - 1];
  if (last) return last;
  const epoch = newEpoch();
  epochs.push(epoch);
  return epoch;
}

/** P_DATA, P_TRIM, P_ZEROES; `data` may be a view of received bytes. */
export function receiveWrite(peerDevice: PeerDevice, packet: ReceivedWrite): HandlerResult {
  const { device, connection, io } = peerDevice;
  const { sector, sectors, operation } = packet;
  const limit = operation === 'write' ? 1 << 20 : maxDiscardSize(connection.agreedFeatures);
  if (!Number.isInteger(sectors) || sectors <= 0 || sectors * 512 > limit)
    return peerFault(peerDevice, 'bad-range', `peer request: sector: ${sector}s, size: ${sectors * 512}`);
  if (sector + sectors > device.size) {
    const range = `sector: ${sector}s + size: ${sectors * 512}`;
    const text = `request from peer beyond end of local disk: capacity: ${device.size}s < ${range}`;
    return peerFault(device, 'bad-range', text);
  }
  connection.lastDagtag += sectors;
  const epoch = openEpoch(connection);
  epoch.size++;
  const backing = writableBacking(device);
  if (backing === undefined) {
    connection.io.droppedWrites = true;
    sendBlockAck(peerDevice, 'P_NEG_ACK', sector, packet.idHigh, packet.idLow, sectors * 512);
    return 'ok';
  }
  const rival = connection.options.allowTwoPrimaries
    ? overlapsOwnWrite(peerDevice, sector, sectors)
    : undefined;
  if (rival !== undefined) return rival;
  if (packet.flags & DP.SEND_RECEIVE_ACK)
    sendBlockAck(peerDevice, 'P_RECV_ACK', sector, packet.idHigh, packet.idLow, sectors * 512);
  epoch.active++;
  io.receivedSectors += sectors;
  const write = new PeerWrite(peerDevice, backing, packet, epoch);
  write.dagtag = connection.lastDagtag;
  connection.io.unacked.push(write);
  write.start();
  dagtagReached(connection.io.dagtagWaiters, connection.lastDagtag);
  return 'ok';
}
function overlapsOwnWrite(peerDevice: PeerDevice, sector: number, sectors: number): PeerFault | undefined {
  const own = peerDevice.device.io.intervals.find(sector, sectors, APP_WRITES);
  if (own === undefined) return undefined;
  const local = `local=${own.sector}s +${own.sectors * 512}`;
  const remote = `remote=${sector}s +${sectors * 512}`;
  const text = `Concurrent writes detected: ${local}, ${remote}`;
  return peerFault(peerDevice, 'concurrent-writes', text, 'alert');
}

/** P_BARRIER closes the epoch that is open. */
export function receiveBarrier(connection: Connection, barrier: number): void {
  const { epochs } = connection.io;
  const epoch = openEpoch(connection);
  if (epoch.size === 0) return;
  epoch.barrier = barrier;
  epochs.push(newEpoch());
  finishEpochs(connection);
}

/** P_PEER_ACK: what becomes of all writes up to `dagtag`. False: there is no such write. */
export function peerAckArrived(connection: Connection, mask: number, dagtag: number): boolean {
  const { io } = connection;
  if (!io.unacked.hasUpTo((write) => write.dagtag - dagtag)) return io.droppedWrites;
  for (let write = io.unacked.first(); write && write.dagtag <= dagtag; write = io.unacked.first()) {
    io.unacked.shift();
    write.applyPeerAck(mask);
  }
  return true;
}

/** A resync starts while this Primary's writes are under way: others may not have them (engine.md 2.6 step 10). */
export function markPeerWritesOutOfSync(connection: Connection): void {
  for (const write of connection.io.unacked.all()) {
    const { device } = write.peerDevice;
    const primary = write.peerDevice.bitmapSlot;
    device.backing?.setInAllSlots(write.sector, write.sectors, primary);
  }
}

/** Steps 5 and 7-9 of engine.md 6.1: the streams are gone. */
export function drainConnection(connection: Connection, done: () => void): void {
  const { io, resource } = connection;
  io.life++;
  for (const peerDevice of connection.peerDevices) {
    dropRequests(peerDevice);
    peerDevice.io.verify?.forget();
    peerDevice.io.bitmapReceiver = undefined;
    peerDevice.io.bitmapReceived = false;
  }
  // Writes held back for the order of epochs were never acknowledged: they are not done any more.
  for (const epoch of io.epochs.splice(0)) for (const write of epoch.held.splice(0)) write.cancel();
  for (const read of io.dagtagWaiters.splice(0)) read.begin();
  for (const other of resource.connections) forgetReadsFor(connection, other.io.dagtagWaiters);
  // What waits for overlapping work is given up: that work may be a write which waits for this connection to end.
  for (const { device } of connection.peerDevices) wakeConflicts(device);
  const finish = (): void => {
    io.idleWaiter = undefined;
    windUp(connection);
    done();
  };
  if (io.activeDiskIo > 0)
    io.idleWaiter = () => resource.host.ports.scheduler.soon({ run: () => whenIdle() });
  else resource.host.ports.scheduler.soon({ run: finish });
  const whenIdle = (): void => {
    if (io.activeDiskIo === 0 && io.idleWaiter !== undefined) finish();
  };
}

function windUp(connection: Connection): void {
  const { io } = connection;
  connectionLost(connection);
  loseReads(connection);
  const unacked = io.unacked.all();
  io.unacked.clear();
  for (const write of unacked) abandonPeerWrite(write);
  io.droppedWrites = false;
  io.sentDagtag = -1;
  io.resyncInFlight = 0;
  connection.receivedDagtag = false;
  for (const peerDevice of connection.peerDevices) {
    peerDevice.io.pending -= peerDevice.io.repliesOut.size;
    for (const read of peerDevice.io.repliesOut.values()) read.release();
    peerDevice.io.repliesOut.clear();
    peerDevice.io.sequence = 0;
  }
}

/** Replication towards this peer begins: it learns where the stream of writes stands. */
export function announceDagtag(connection: Connection): void {
  const { io, resource, link } = connection;
  if (io.sentDagtag === resource.dagtag || !link.up) return;
  io.sentDagtag = resource.dagtag;
  link.sendData({ type: 'P_DAGTAG', volume: NO_VOLUME, dagtag: resource.dagtag });
}
