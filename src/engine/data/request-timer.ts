/**
 * Requests that take too long: peers that do not answer (ko-count and timeout, engine.md 6.3), and local disks that do
 * not (disk-timeout, 10.12). One timer per resource, running while there are requests.
 */
import { ConnectionState, DiskState } from '../../control/contract/states';
import { type Connection, type Device, type Resource } from '../objects';
import { peerFault } from '../peer-fault';
import { Errno } from '../ports';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { handleDiskError } from './disk-errors';
import { isConnected } from './packet-sender';
import { bitOf, type WriteRequest } from './write-request';

/** Milliseconds from the first request to the first look, and at least between two. */
const FIRST_LOOK = 1000;
const SHORTEST_PAUSE = 100;

/** A request was submitted. */
export function watchRequests(resource: Resource): void {
  const { io } = resource;
  if (io.requestTimer !== undefined) return;
  io.requestTimer = resource.host.ports.scheduler.after(FIRST_LOOK, { onTimer: () => look(resource) });
}

function look(resource: Resource): void {
  const { io } = resource;
  const now = resource.host.ports.scheduler.now();
  io.requestTimer = undefined;
  let next = Infinity;
  for (const connection of resource.connections) next = Math.min(next, lookAtPeer(connection, now));
  for (const device of resource.devices) next = Math.min(next, lookAtDisk(device, now));
  if (next === Infinity) return;
  const pause = Math.max(SHORTEST_PAUSE, next - now);
  io.requestTimer = resource.host.ports.scheduler.after(pause, { onTimer: () => look(resource) });
}

// --- peers

/** Scheduler time at which to look again. */
function lookAtPeer(connection: Connection, now: number): number {
  const { options, io } = connection;
  const limit = options.koCount * options.timeout * 100;
  if (limit === 0 || !isConnected(connection)) return Infinity;
  const write = io.sentWrites.first();
  const read = oldestRead(connection);
  const since = Math.min(write?.submittedAt ?? Infinity, read);
  if (since === Infinity) return Infinity;
  const earliest = Math.max(since, connection.lastReconnectTime) + limit;
  if (now < earliest) return earliest;
  const settings = `${limit}ms > ko-count (${options.koCount}) * timeout (${options.timeout} * 0.1s)`;
  const owed = read + limit <= now || (write !== undefined && isOwed(connection, write));
  if (owed) return giveUp(connection, `Remote failed to finish a request within ${settings}`);
  // The write is acknowledged, its epoch not. A peer that was not asked owes nothing.
  if (write === undefined || io.openEpoch === write.epoch || now < io.barrierSentAt + limit)
    return now + limit;
  const times = `(sent at ${Math.floor(io.barrierSentAt)} jif; now=${Math.floor(now)} jif)`;
  return giveUp(connection, `Remote failed to answer a P_BARRIER ${times} within ${settings}`);
}
function isOwed(connection: Connection, write: WriteRequest): boolean {
  return (write.pendingMask & bitOf(connection.peerNodeId)) !== 0;
}
function oldestRead(connection: Connection): number {
  let oldest = Infinity;
  for (const read of connection.resource.io.reads.all())
    if (read.peerDevice?.connection === connection) oldest = Math.min(oldest, read.submittedAt);
  return oldest;
}
function giveUp(connection: Connection, text: string): number {
  connection.resource.host.reportPeerFault(peerFault(connection, 'no-answer', text, 'warning'));
  changeState(connection.resource, { hard: true, tag: 'timeout' }, () => {
    connection.next.cstate = ConnectionState.Timeout;
  });
  return Infinity;
}

// --- the disk

function lookAtDisk(device: Device, now: number): number {
  const { backing, diskOptions, resource } = device;
  const limit = (diskOptions?.diskTimeout ?? 0) * 100;
  if (backing === undefined || limit === 0 || backing.aborted) return Infinity;
  let since = Infinity;
  for (let request = resource.io.logHead; request; request = request.next) {
    if (request.device !== device || !request.localPending) continue;
    since = request.submittedAt;
    break;
  }
  for (const read of device.io.localReads) since = Math.min(since, read.submittedAt);
  if (since === Infinity) return Infinity;
  const earliest = Math.max(since, device.reattachTime) + limit;
  if (now < earliest) return earliest;
  logLine(device, 'warning', 'Local backing device failed to meet the disk-timeout');
  device.forceDetach = true;
  handleDiskError(device, 'request_timer_fn', 'meta-data');
  abortLocalIo(device);
  return Infinity;
}

/**
 * The application does not wait for the disk any longer. Its I/O goes on in buffers that are the disk's own
 * (`ownBuffers`), and ends unheard.
 */
export function abortLocalIo(device: Device): void {
  const { backing, resource, io } = device;
  if (backing === undefined || device.now.disk >= DiskState.Inconsistent) return;
  backing.aborted = true;
  const stuck: WriteRequest[] = [];
  for (let request = resource.io.logHead; request; request = request.next)
    if (request.device === device && request.localPending && request.ownBuffer) stuck.push(request);
  for (const request of stuck) request.flow.localAborted(request);
  for (const read of [...io.localReads]) read.abort(Errno.EIO);
}
/** Disks that may be given up on get buffers of their own, so that the application's can be answered before. */
export const ownBuffers = (device: Device): boolean => (device.diskOptions?.diskTimeout ?? 0) > 0;
