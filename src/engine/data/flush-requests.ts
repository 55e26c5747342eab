/**
 * The flush before the end of a resync (engine.md 12.5, wire-protocol.md 10.7, protocol 123 and later): the target has
 * to know of every write that its Primaries began before the resync, also of those that only a third node can tell of.
 * It asks the Primaries; each answers, and lets its peers answer, when all that was written until then is settled.
 */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type Connection, type Resource } from '../objects';
import { isSyncTarget } from '../state/derived';
import { type StateChange } from '../state/state-change';
import { isConnected } from './packet-sender';
import { type ResyncRun } from './resync-run';
import { flushPeerAck, startNewEpoch } from './transfer-log';
import { bitOf } from './write-request';

const FIRST_PROTOCOL = 123;

/** A request of a peer that waits for writes of ours. */
export interface FlushRequest {
  readonly connection: Connection;
  readonly sequence: number;
  /** Writes up to here have to be settled. */
  readonly dagtag: number;
}
const takesPart = (connection: Connection): boolean =>
  isConnected(connection) && connection.agreedProtocol >= FIRST_PROTOCOL;

// --- the target of a resync

/** Answers are awaited: the pass does not end. */
export const awaitsFlush = (resource: Resource): boolean => resource.io.flushExpected.size > 0;

/** Deferred (engine.md 2.7 step 6): a resync began, or whoever owed an answer is gone. */
export function followFlushes(change: StateChange): void {
  const { resource } = change;
  cancelLost(resource);
  const begins = change.devices.some(({ peers }) =>
    peers.some(
      ({ old: before, new: after }) =>
        !isSyncTarget(before.repl) && isSyncTarget(after.repl) && after.peerReplication,
    ),
  );
  if (begins) askPrimaries(resource);
}

function askPrimaries(resource: Resource): void {
  const { io } = resource;
  const primaries = resource.connections.filter(
    (connection) => takesPart(connection) && connection.now.peerRole === Role.Primary,
  );
  io.flushExpected.clear();
  if (primaries.length === 0) return;
  io.flushSequence++;
  for (const primary of primaries) {
    io.flushExpected.set(primary.peerNodeId, bitOf(primary.peerNodeId) | upToDatePeers(resource));
    primary.link.sendData({
      type: 'P_FLUSH_REQUESTS',
      volume: NO_VOLUME,
      flushSequence: io.flushSequence,
    });
  }
}
function upToDatePeers(resource: Resource): number {
  let mask = 0;
  for (const connection of resource.connections)
    if (takesPart(connection) && isUpToDate(connection)) mask |= bitOf(connection.peerNodeId);
  return mask;
}
const isUpToDate = (connection: Connection): boolean =>
  connection.peerDevices.some(({ now }) => now.pdsk === DiskState.UpToDate);

/** Who is no Primary, or has no UpToDate disk, any more owes nothing. */
function cancelLost(resource: Resource): void {
  const { flushExpected } = resource.io;
  if (flushExpected.size === 0) return;
  const able = upToDatePeers(resource);
  for (const [node, mask] of flushExpected) {
    const primary = resource.connectionTo(node);
    const isPrimary = primary !== undefined && takesPart(primary) && primary.now.peerRole === Role.Primary;
    settle(resource, node, isPrimary ? mask & (able | bitOf(node)) : 0);
  }
}
function settle(resource: Resource, primaryNode: number, mask: number): void {
  const { flushExpected } = resource.io;
  if (mask !== 0) flushExpected.set(primaryNode, mask);
  else flushExpected.delete(primaryNode);
}

/** P_FLUSH_REQUESTS_ACK. True: that was the last one, runs may end. */
export function flushAcked(from: Connection, sequence: number, primaryNode: number): ResyncRun[] {
  const { resource } = from;
  const { io } = resource;
  const mask = io.flushExpected.get(primaryNode);
  if (sequence !== io.flushSequence || mask === undefined) return [];
  settle(resource, primaryNode, mask & ~bitOf(from.peerNodeId));
  if (awaitsFlush(resource)) return [];
  return resource.devices.flatMap(({ peerDevices }) =>
    peerDevices.flatMap(({ now, io: { resync } }) =>
      now.repl === ReplicationState.SyncTarget && resync ? [resync] : [],
    ),
  );
}

// --- the Primary

/** P_FLUSH_REQUESTS */
export function flushRequested(connection: Connection, sequence: number): void {
  const { resource } = connection;
  startNewEpoch(resource);
  resource.io.flushRequests.push({ connection, sequence, dagtag: resource.dagtag });
  answerFlushes(resource);
}
/** Writes have left the transfer log: what waited for them is answered. */
export function answerFlushes(resource: Resource): void {
  const { io } = resource;
  for (let next = io.flushRequests[0]; next !== undefined; next = io.flushRequests[0]) {
    const oldest = io.logHead;
    if (oldest !== undefined && oldest.dagtag <= next.dagtag) return;
    io.flushRequests.shift();
    flushPeerAck(resource);
    answer(next);
  }
}
function answer({ connection, sequence }: FlushRequest): void {
  const { resource, peerNodeId } = connection;
  if (!takesPart(connection)) return;
  const flushSequence = sequence;
  connection.link.sendData({
    type: 'P_FLUSH_REQUESTS_ACK',
    volume: NO_VOLUME,
    flushSequence,
    primaryNodeId: resource.nodeId,
  });
  for (const other of resource.connections) {
    if (other === connection || !takesPart(other)) continue;
    const initiatorNodeId = peerNodeId;
    other.link.sendControl({ type: 'P_FLUSH_FORWARD', volume: NO_VOLUME, flushSequence, initiatorNodeId });
  }
}

// --- the others

/** P_FLUSH_FORWARD: the peer acks before it were acted on, and what followed from them is on its way. */
export function flushForwarded(primary: Connection, flushSequence: number, initiator: number): void {
  const connection = primary.resource.connectionTo(initiator);
  if (connection === undefined || !takesPart(connection)) return;
  connection.link.sendData({
    type: 'P_FLUSH_REQUESTS_ACK',
    volume: NO_VOLUME,
    flushSequence,
    primaryNodeId: primary.peerNodeId,
  });
}
