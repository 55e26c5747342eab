/** Waiting until every write of a device is durable on every peer that gets it. */
import { type Device } from '../objects';
import { startNewEpoch } from './transfer-log';
import { retryWaiting } from './waiting-requests';

const LOOK_AGAIN_MILLISECONDS = 5;

function hasWritesUnderWay(device: Device): boolean {
  for (let request = device.resource.io.logHead; request; request = request.next)
    if (request.device === device) return true;
  return false;
}

/**
 * New writes wait from now on. `done` is called when the others are done, barriers included, or while the resource is
 * suspended: then they end when somebody decides so. Returns what lets new writes go on.
 */
export function drainWrites(device: Device, done: () => void): () => void {
  const { resource, io } = device;
  const { scheduler } = resource.host.ports;
  io.suspendCount++;
  const look = (): void => {
    startNewEpoch(resource);
    if (!hasWritesUnderWay(device) || resource.cachedSuspended) done();
    else scheduler.after(LOOK_AGAIN_MILLISECONDS, { onTimer: look });
  };
  scheduler.soon({ run: look });
  return () => {
    io.suspendCount--;
    scheduler.soon({ run: () => retryWaiting(device) });
  };
}
