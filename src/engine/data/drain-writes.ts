/** Waiting until every write of a device is durable on every peer that gets it. */
import { type Device, type Resource } from '../objects';
import { isConnected } from './packet-sender';
import { startNewEpoch } from './transfer-log';
import { retryWaiting } from './waiting-requests';
import { bitOf } from './write-request';

const LOOK_AGAIN_MILLISECONDS = 5;

/**
 * Some write goes on by itself: its disk, or a peer that is there, has yet to answer or to make it durable. What a suspended
 * resource keeps for a lost peer waits until somebody decides.
 */
export function writesGoOn(resource: Resource): boolean {
  let connected = 0;
  for (const peer of resource.connections) if (isConnected(peer)) connected |= bitOf(peer.peerNodeId);
  for (let request = resource.io.logHead; request; request = request.next)
    if (request.localPending || ((request.pendingMask | request.barrierMask) & connected) !== 0) return true;
  return false;
}

function hasWritesUnderWay(device: Device): boolean {
  if (device.resource.cachedSuspended) return writesGoOn(device.resource);
  for (let request = device.resource.io.logHead; request; request = request.next)
    if (request.device === device) return true;
  return false;
}

/**
 * New writes wait from now on. `done` is called when the others are done, barriers included, but for those that a suspended
 * resource keeps: they end when somebody decides so. Returns what lets new writes go on.
 */
export function drainWrites(device: Device, done: () => void): () => void {
  const { resource, io } = device;
  const { scheduler } = resource.host.ports;
  io.suspendCount++;
  const look = (): void => {
    startNewEpoch(resource);
    if (!hasWritesUnderWay(device)) done();
    else scheduler.after(LOOK_AGAIN_MILLISECONDS, { onTimer: look });
  };
  scheduler.soon({ run: look });
  return () => {
    io.suspendCount--;
    scheduler.soon({ run: () => retryWaiting(device) });
  };
}
