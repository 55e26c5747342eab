/** Work that waits for overlapping work of the same device (engine.md 10.13). */
import { type Device } from '../objects';
import { type Interval, IntervalKind } from './interval-set';
import { type ResyncRequest, type SectorRange } from './resync-run';

/** An interval is gone: whoever waited looks again, in a task of its own. */
export function wakeConflicts(device: Device): void {
  const { io } = device;
  if (io.conflicts.length === 0 || io.conflictTask) return;
  io.conflictTask = true;
  device.resource.host.ports.scheduler.soon({
    run: () => {
      io.conflictTask = false;
      const waiting = io.conflicts;
      io.conflicts = [];
      for (const waiter of waiting) waiter.retryAfterConflict();
    },
  });
}

const isResyncRequest = (interval: Interval): interval is ResyncRequest =>
  interval.intervalKind === IntervalKind.ResyncRequest;

const NOTED = IntervalKind.ResyncRequest | IntervalKind.Verify;
/**
 * A write is going to disk where a resync request is on its way: the reply may be older than the write and must not
 * overwrite it.
 */
export function noteOverwritten(device: Device, { sector, sectors }: SectorRange): void {
  // Nearly every write finds none.
  if (device.io.intervals.find(sector, sectors, NOTED) === undefined) return;
  device.io.intervals.forEach(sector, sectors, IntervalKind.ResyncRequest, (interval) => {
    if (isResyncRequest(interval)) interval.overwritten.push({ sector, sectors });
  });
  device.io.intervals.forEach(sector, sectors, IntervalKind.Verify, (interval) => {
    if ('skipped' in interval) interval.skipped = true;
  });
}
