/** What is shown of a running resync or verify (engine.md 12.8). */
import { type ResyncProgress } from '../actions';
import { type PeerDevice } from '../objects';
import { isSync, isVerify } from '../state/derived';
import { type ProgressMarks } from './resync-run';

const NONE = {
  ovStartSector: 0,
  ovStopSector: -1,
  ovPosition: 0,
  ovLeft: 0,
  ovSkipped: 0,
  rsSameCsum: 0,
  resyncFailed: 0,
  rsPausedMs: 0,
};

function rates(marks: ProgressMarks, now: number, left: number) {
  const oldest = marks.at(2);
  const recent = marks.at(7);
  return {
    rsDt0Ms: Math.floor(now - oldest.time),
    rsDb0Sectors: Math.max(0, oldest.left - left) * 8,
    rsDt1Ms: Math.floor(now - recent.time),
    rsDb1Sectors: Math.max(0, recent.left - left) * 8,
  };
}

/** Counts in sectors, times in milliseconds, rate in KiB/s. */
export function resyncProgress(peerDevice: PeerDevice): ResyncProgress | undefined {
  const { io, now, device, bitmapSlot } = peerDevice;
  const time = device.resource.host.ports.scheduler.now();
  if (isSync(now.repl) && io.resync) {
    const run = io.resync;
    const bits = bitmapSlot >= 0 ? (device.backing?.bitmap.count(bitmapSlot) ?? 0) : 0;
    const pausing = run.pausedSince === undefined ? 0 : time - run.pausedSince;
    return {
      ...NONE,
      ...rates(run.marks, time, bits - run.failed),
      rsTotal: run.total * 8,
      resyncFailed: run.failed * 8,
      rsSameCsum: run.sameChecksum * 8,
      rsDtStartMs: Math.floor(time - run.startTime),
      rsPausedMs: Math.floor(run.pausedMilliseconds + pausing),
      cSyncRate: run.wantedRate,
    };
  }
  if (isVerify(now.repl) && io.verify) {
    const run = io.verify;
    return {
      ...NONE,
      ...rates(run.marks, time, run.left),
      rsTotal: run.total * 8,
      rsDtStartMs: Math.floor(time - run.startTime),
      ovStartSector: run.startSector,
      ovStopSector: Number.isFinite(io.verifyStop) ? io.verifyStop : -1,
      ovPosition: run.position,
      ovLeft: run.left * 8,
      ovSkipped: run.skipped * 8,
      cSyncRate: run.wantedRate,
    };
  }
  return undefined;
}
