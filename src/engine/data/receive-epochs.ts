/** Epochs on the receiving side: when a barrier may be acknowledged (engine.md 10.7). */
import { ConnectionState, DiskState } from '../../control/contract/states';
import { type Connection, type Device, type Resource } from '../objects';
import { logLine } from '../state/object-log';
import { type BackingDevice } from './backing-device';
import { flushUnsupported, handleFlushError } from './disk-errors';
import { DiskBatch } from './meta-data-target';
import { sendBarrierAck } from './packet-sender';
import { type ReceiveEpoch } from './peer-write';

export type WriteOrdering = 'none' | 'drain' | 'flush' | 'barrier';
const ORDER: readonly WriteOrdering[] = ['none', 'drain', 'flush', 'barrier'];

interface AttachedDisk {
  readonly device: Device;
  readonly backing: BackingDevice;
}
function attached(resource: Resource): AttachedDisk[] {
  const disks: AttachedDisk[] = [];
  for (const device of resource.devices) {
    const { backing, now } = device;
    if (backing && now.disk >= DiskState.Attaching) disks.push({ device, backing });
  }
  return disks;
}

/** The strongest method that all attached disks allow. */
function allowedOrdering(resource: Resource): WriteOrdering {
  let best = ORDER.indexOf('barrier');
  for (const { diskOptions, backing } of resource.devices) {
    if (backing === undefined || diskOptions === undefined) continue;
    const { diskBarrier, diskFlushes, diskDrain } = diskOptions;
    const own = diskBarrier ? 'barrier' : diskFlushes ? 'flush' : diskDrain ? 'drain' : 'none';
    best = Math.min(best, ORDER.indexOf(own));
  }
  // Barriers within the stream of writes are no more; flushes do the same.
  return ORDER[Math.min(best, ORDER.indexOf('flush'))] ?? 'flush';
}

/** Disks or their options changed. */
export function recomputeWriteOrdering(resource: Resource): void {
  const ordering = allowedOrdering(resource);
  if (ordering === resource.io.writeOrdering) return;
  resource.io.writeOrdering = ordering;
  logLine(resource, 'info', `Method to ensure write ordering: ${ordering}`);
}

/** Acknowledges the epochs that are over, oldest first. */
export function finishEpochs(connection: Connection): void {
  const { io, resource } = connection;
  for (let epoch = io.epochs[0]; epoch; epoch = io.epochs[0]) {
    if (epoch.barrier === undefined || epoch.active > 0 || epoch.flushing) return;
    if (epoch.size > 0 && resource.io.writeOrdering === 'flush') {
      flushDisks(connection, epoch);
      return;
    }
    retire(connection, epoch, epoch.barrier);
  }
}

function flushDisks(connection: Connection, epoch: ReceiveEpoch): void {
  const { io, resource } = connection;
  const { life } = io;
  epoch.flushing = true;
  io.activeDiskIo++;
  const batch = new DiskBatch((error) => {
    io.activeDiskIo--;
    if (error !== 0) logLine(resource, 'info', `local disk FLUSH FAILED with status ${error}`);
    if (flushUnsupported(error)) resource.io.writeOrdering = 'drain';
    if (life === io.life) {
      epoch.flushing = false;
      if (error !== 0 && !flushUnsupported(error)) loseEpoch(connection);
      else {
        if (epoch.barrier !== undefined) retire(connection, epoch, epoch.barrier);
        finishEpochs(connection);
      }
    }
    if (io.activeDiskIo === 0) io.idleWaiter?.();
  });
  const disks = attached(resource);
  for (const { device, backing } of disks) {
    backing.hold();
    const waiter = batch.add();
    backing.dataDisk.flush({
      onDiskDone: (error) => {
        handleFlushError(device, error);
        waiter.onDiskDone(error);
        backing.release();
      },
    });
  }
  if (disks.length > 0) batch.started();
  else resource.host.ports.scheduler.soon({ run: () => batch.started() });
}

/**
 * The writes of the epoch were acknowledged and may be gone: by losing the connection with its barrier unanswered the
 * Primary knows which they are.
 */
function loseEpoch(connection: Connection): void {
  connection.resource.host.peerActions.failConnection(connection, ConnectionState.ProtocolError);
}

function retire(connection: Connection, epoch: ReceiveEpoch, barrier: number): void {
  const { io } = connection;
  io.epochs.shift();
  if (epoch.size > 0) sendBarrierAck(connection, barrier, epoch.size);
  const held = io.epochs[0]?.held;
  if (held === undefined || held.length === 0) return;
  for (const write of held.splice(0)) write.release();
}
