/**
 * The transfer log of a resource: its writes in order, epochs and their barriers, and the peer acks that follow when
 * writes are done everywhere (engine.md 10.3-10.6).
 */
import { type Connection, type Resource } from '../objects';
import { type TimerWaiter } from '../ports';
import { type ResourceIo } from './io-state';
import { isConnected, sendBarrier, sendPeerAck } from './packet-sender';
import { bitOf, type WriteRequest } from './write-request';

/** Milliseconds that a barrier waits for a write to go with. */
const BARRIER_DELAY = 2;

export function appendToLog(resource: Resource, request: WriteRequest): void {
  const { io } = resource;
  resource.dagtag += request.sectors;
  request.dagtag = resource.dagtag;
  request.epoch = io.epoch;
  request.inLog = true;
  io.writes.add(request);
  if (io.logTail) io.logTail.next = request;
  else io.logHead = request;
  io.logTail = request;
  io.logLength++;
  io.epochWrites++;
}

/** Writes from now on belong to another epoch; peers that got writes of the old one get its barrier. */
export function startNewEpoch(resource: Resource): void {
  advanceEpoch(resource.io);
  sendOwedBarriers(resource);
}
/**
 * The same, but the barrier may leave together with the next write: one packet and one wake-up less for whoever writes
 * one block after the other. Without a next write it follows by itself.
 */
export function startNewEpochSoon(resource: Resource): void {
  const { io } = resource;
  if (io.epochWrites === 0) return;
  advanceEpoch(io);
  if (resource.connections.every((connection) => connection.io.openEpochWrites === 0)) return;
  const { scheduler } = resource.host.ports;
  io.barrierDue = scheduler.now() + BARRIER_DELAY;
  io.barrierTimer ??= scheduler.after(BARRIER_DELAY, new BarrierTimer(resource));
}
function advanceEpoch(io: ResourceIo): void {
  if (io.epochWrites === 0) return;
  io.epoch = (io.epoch + 1) >>> 0;
  io.epochWrites = 0;
}
/** Barriers of epochs that are over. */
export function sendOwedBarriers(resource: Resource): void {
  for (const connection of resource.connections)
    if (connection.io.openEpoch !== resource.io.epoch) closeSentEpoch(connection);
}
class BarrierTimer implements TimerWaiter {
  constructor(private readonly resource: Resource) {}
  onTimer(): void {
    const { io, host } = this.resource;
    const left = io.barrierDue - host.ports.scheduler.now();
    io.barrierTimer = left > 0 ? host.ports.scheduler.after(left, this) : undefined;
    if (left <= 0) sendOwedBarriers(this.resource);
  }
}

/** Sends the barrier of the writes sent since the last one, if there are any. */
export function closeSentEpoch(connection: Connection): void {
  const { io } = connection;
  if (io.openEpochWrites === 0) return;
  io.openEpochWrites = 0;
  if (!isConnected(connection)) return;
  io.barrierSentAt = connection.resource.host.ports.scheduler.now();
  sendBarrier(connection, io.openEpoch);
}

/** Notes that a write was sent: epochs of one connection never mix between barriers. */
export function noteSent(connection: Connection, request: WriteRequest): void {
  const { io } = connection;
  io.openEpoch = request.epoch;
  io.openEpochWrites++;
  io.sentWrites.push(request);
}

// --- the end of requests, in order of the log

/** What becomes of the bits and the extents of a write that is done: write-path.ts. */
export type FinishWrite = (request: WriteRequest) => void;

/** Takes finished requests off the head of the log. */
export function retireRequests(resource: Resource, finish: FinishWrite): void {
  const { io } = resource;
  for (let request = io.logHead; request?.completed && request.barrierMask === 0; request = io.logHead) {
    io.logHead = request.next;
    if (io.logHead === undefined) io.logTail = undefined;
    request.next = undefined;
    request.inLog = false;
    io.logLength--;
    io.writes.remove(request);
    finish(request);
  }
}

// --- peer acks

/** A write is done: the nodes of `mask` have it. Acks of writes with the same outcome are joined. */
export function notePeerAck(request: WriteRequest): void {
  const { resource } = request.device;
  const { io } = resource;
  if (request.sentMask === 0) return;
  const mask = request.okMask | (request.localOk ? bitOf(resource.nodeId) : 0);
  if (io.ackPending && (io.ackMask !== mask || io.ackSentTo !== request.sentMask)) flushPeerAck(resource);
  io.ackPending = true;
  io.ackMask = mask;
  io.ackSentTo = request.sentMask;
  io.ackDagtag = request.dagtag;
  io.ackSectors += request.sectors;
  if (io.ackSectors >= resource.options.peerAckWindow) {
    flushPeerAck(resource);
    return;
  }
  const { scheduler } = resource.host.ports;
  io.ackDue = scheduler.now() + resource.options.peerAckDelay;
  // A timer that runs is not begun afresh for every write: it looks at `ackDue` when it expires.
  io.ackTimer ??= scheduler.after(resource.options.peerAckDelay, new PeerAckTimer(resource));
}

class PeerAckTimer implements TimerWaiter {
  constructor(private readonly resource: Resource) {}
  onTimer(): void {
    const { io, host } = this.resource;
    const left = io.ackDue - host.ports.scheduler.now();
    io.ackTimer = left > 0 ? host.ports.scheduler.after(left, this) : undefined;
    if (left <= 0) flushPeerAck(this.resource);
  }
}

/** Sends the peer ack that has been put off. */
export function flushPeerAck(resource: Resource): void {
  const { io } = resource;
  io.ackTimer?.cancel();
  io.ackTimer = undefined;
  if (!io.ackPending) return;
  io.ackPending = false;
  io.ackSectors = 0;
  for (const connection of resource.connections) {
    if ((io.ackSentTo & bitOf(connection.peerNodeId)) === 0) continue;
    // A peer that lost the connection since then has forgotten the write.
    if (!isConnected(connection) || (io.ackMask & bitOf(connection.peerNodeId)) === 0) continue;
    sendPeerAck(connection, io.ackMask, io.ackDagtag);
  }
}
