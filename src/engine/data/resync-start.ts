/** From the bitmap exchange into SyncSource or SyncTarget, and what entering does (engine.md 12.1, 12.2). */
import {
  ConnectionState,
  DiskState,
  ReplicationState,
  replicationStateName,
} from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { type PeerDevice } from '../objects';
import { isSyncTarget } from '../state/derived';
import { logLine } from '../state/object-log';
import { afterDeferred, changeState } from '../state/transaction';
import { scheduleTick } from './resync-target';
import { finishResyncAsSource, noteUnstableSource } from './resync-end';
import { ResyncRun } from './resync-run';
import { adoptInitialUuid } from '../uuid/resync-uuids';

const BUSY_MILLISECONDS = 100;

/** Runs the before-resync helper, then enters the resync unless the connection has gone on without us. */
export function startResync(peerDevice: PeerDevice, side: 'source' | 'target'): void {
  const { connection } = peerDevice;
  const { life } = connection.io;
  if (peerDevice.beforeResyncHandlerDone) {
    enter(peerDevice, side);
    return;
  }
  const helper = side === 'target' ? 'before-resync-target' : 'before-resync-source';
  connection.resource.host.peerActions.runHelper(helper, peerDevice, (exitCode) => {
    if (life !== connection.io.life) return;
    if (exitCode > 0 && side === 'source' && exitCode === 3)
      logLine(peerDevice, 'info', `${helper} handler returned ${exitCode}, ignoring. Old userland tools?`);
    else if (exitCode > 0) {
      logLine(peerDevice, 'info', `${helper} handler returned ${exitCode}, dropping connection.`);
      changeState(connection.resource, { hard: true, tag: 'start-sync' }, () => {
        connection.next.cstate = ConnectionState.Disconnecting;
      });
      return;
    }
    peerDevice.beforeResyncHandlerDone = true;
    enter(peerDevice, side);
  });
}

function enter(peerDevice: PeerDevice, side: 'source' | 'target'): void {
  const { device, resource, connection, now } = peerDevice;
  const { WFBitMapS, WFBitMapT, StartingSyncS, StartingSyncT } = ReplicationState;
  const [waiting, starting] = side === 'target' ? [WFBitMapT, StartingSyncT] : [WFBitMapS, StartingSyncS];
  if (now.repl !== waiting && now.repl !== starting) return;
  const tag = now.repl === starting ? 'start-sync' : 'receive-bitmap';
  if (hasOldWork(peerDevice)) {
    logLine(peerDevice, 'info', 'postponing start_resync ...');
    const { life } = connection.io;
    resource.host.ports.scheduler.after(BUSY_MILLISECONDS, {
      onTimer: () => {
        if (life === connection.io.life) enter(peerDevice, side);
      },
    });
    return;
  }
  if (now.repl === WFBitMapT && wasOvertaken(peerDevice)) {
    // A new handshake finds the right direction.
    logLine(peerDevice, 'info', 'Another resync brought newer data, connecting again.');
    resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
    return;
  }
  if (side === 'target' && device.backing) adoptInitialUuid(peerDevice);
  changeState(resource, { hard: true, verbose: true, tag }, () => {
    peerDevice.next.repl = side === 'target' ? ReplicationState.SyncTarget : ReplicationState.SyncSource;
  });
  peerDevice.io.bitmapReceived = false;
  if (side === 'target') device.backing?.markDirty();
  const done = peerDevice.resyncFinishedPdsk;
  if (side === 'source' && done !== DiskState.DUnknown) {
    // The target was through before our helper was (engine.md 5.6 step 3).
    peerDevice.resyncFinishedPdsk = DiskState.DUnknown;
    afterDeferred(resource, () => {
      if (peerDevice.now.repl === ReplicationState.SyncSource) finishResyncAsSource(peerDevice, done);
    });
  }
}

/**
 * Since the handshake a resync from somebody else has given us another generation, to which the peer's is an ancestor:
 * what was decided then would take us back.
 */
function wasOvertaken({ device, uuids, io }: PeerDevice): boolean {
  const superblock = device.backing?.superblock;
  if (superblock === undefined || uuids === undefined) return false;
  const same = (a: bigint, b: bigint): boolean => (a | 1n) === (b | 1n);
  const { currentUuid, historyUuids, peers } = superblock;
  const theirs = uuids.currentUuid;
  if (same(currentUuid, io.handshakeUuid) || same(currentUuid, theirs)) return false;
  return (
    historyUuids.some((uuid) => same(uuid, theirs)) ||
    peers.some(({ bitmapUuid }) => same(bitmapUuid, theirs))
  );
}

const hasOldWork = ({ io }: PeerDevice): boolean =>
  io.repliesOut.size > 0 || (io.resync !== undefined && io.resync.working > 0);

/** *In commit.* Fresh counters; the bits are counted now. */
export function initialiseResync(peerDevice: PeerDevice): void {
  const { device, bitmapSlot, io } = peerDevice;
  io.resync?.stop();
  const bits = bitmapSlot >= 0 ? (device.backing?.bitmap.count(bitmapSlot) ?? 0) : 0;
  const run = new ResyncRun(peerDevice, bits, device.resource.host.ports.scheduler.now());
  run.useChecksums = wantsChecksums(peerDevice);
  io.resync = run;
}
function wantsChecksums(peerDevice: PeerDevice): boolean {
  const { csumsAlg, csumsAfterCrashOnly } = peerDevice.connection.options;
  if (csumsAlg === '') return false;
  const crashed = ((peerDevice.uuids?.flags ?? 0n) & UUID_FLAG.CRASHED_PRIMARY) !== 0n;
  return !csumsAfterCrashOnly || crashed || peerDevice.reconciliationResync;
}

/** A resync was entered: said, and on the target begun. */
export function beginResync(peerDevice: PeerDevice): void {
  const { io, now } = peerDevice;
  if (io.resync === undefined) return;
  const bits = io.resync.total;
  logLine(
    peerDevice,
    'info',
    `Began resync as ${replicationStateName(now.repl)} (will sync ${bits * 4} KB [${bits} bits set]).`,
  );
  if (isSyncTarget(now.repl)) {
    const { device } = peerDevice;
    const first = !device.peerDevices.some((other) => other !== peerDevice && isSyncTarget(other.now.repl));
    if (first) device.stableResync = false;
    noteUnstableSource(peerDevice);
  }
  if (now.repl === ReplicationState.SyncTarget) scheduleTick(io.resync, 0);
}
