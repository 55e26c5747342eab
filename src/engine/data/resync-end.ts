/** The end of a resync (engine.md 12.6). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { UUID_FLAG, UUID_NOT_IN_SYNC } from '../../wire/uuids110';
import { hasNode, NO_NODES } from '../node-mask';
import { type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { isSync, isSyncTarget } from '../state/derived';
import { logLine } from '../state/object-log';
import { hasStableSource } from '../state/stable-source';
import { committedDevice } from '../state/state-change';
import { afterDeferred, changeState } from '../state/transaction';
import { handleFlushError } from './disk-errors';
import { flushBefore, WhenDone } from './meta-data-target';
import { announceInSync, announceUnmarked } from './peers-in-sync';
import { type ResyncRun } from './resync-run';
import { finishResyncAsTarget } from '../uuid/resync-uuids';

/** Nothing is left to ask for: make what was written durable, be sure that the source is there, then finish. */
export function passEnded(run: ResyncRun): void {
  const { peerDevice } = run;
  const { device, connection } = peerDevice;
  const { backing } = device;
  const { life } = connection.io;
  if (run.finishing || backing === undefined) return;
  run.finishing = true;
  const goOn = (): void => {
    if (run.stopped || life !== connection.io.life) return;
    connection.resource.host.peerActions.pingPeer(connection, () => {
      if (!run.stopped && life === connection.io.life) finishAsTarget(run);
    });
  };
  // The bitmap first: what we now owe to other nodes must be there when the superblock calls us UpToDate.
  backing.hold();
  backing.bitmapWriter.writeDirty(
    new WhenDone(() =>
      flushBefore(backing, (error) => {
        handleFlushError(device, error);
        goOn();
        backing.release();
      }),
    ),
  );
}

/** A source that follows a Primary which we do not see may be overtaken while we sync (engine.md 5.11). */
export function noteUnstableSource(peerDevice: PeerDevice): void {
  const { uuids } = peerDevice;
  if (uuids === undefined || (uuids.flags & UUID_FLAG.STABLE) !== 0n) return;
  const node = committedDevice(peerDevice.device);
  const peer = node.peers.find((candidate) => candidate.peerDevice === peerDevice);
  if (peer && !hasStableSource(node, peer, 'new')) peerDevice.unstableResync = true;
}

/**
 * What was said of the source when the resync was decided may be long ago, if it had to wait for its turn: it may have
 * been synced itself since.
 */
export function judgeSource(run: ResyncRun): void {
  if (run.judged) return;
  run.judged = true;
  run.peerDevice.unstableResync = false;
  noteUnstableSource(run.peerDevice);
}

/** A stable source has given us all that this one had (engine.md 5.11). */
function hasItFromStableSource({ device, uuids }: PeerDevice): boolean {
  const current = device.backing?.superblock.currentUuid;
  return (
    device.stableResync &&
    uuids !== undefined &&
    current !== undefined &&
    sameUuid(uuids.currentUuid, current)
  );
}

function finishAsTarget(run: ResyncRun): void {
  const { peerDevice } = run;
  const { device, bitmapSlot } = peerDevice;
  if (peerDevice.io.resync !== run || peerDevice.now.repl !== ReplicationState.SyncTarget) {
    run.finishing = false;
    return;
  }
  // A write that failed here, or a paused and continued scan, may have left bits behind.
  const left = device.backing?.bitmap.count(bitmapSlot) ?? 0;
  if (left > 0 && run.failed === 0) logLine(peerDevice, 'warning', `expected n_oos:${left} to be 0`);
  noteUnstableSource(peerDevice);
  const stable = !peerDevice.unstableResync || hasItFromStableSource(peerDevice);
  const newDisk = peerDevice.now.pdsk;
  const clean = run.failed === 0;
  if (stable && clean) device.stableResync = true;
  logDone(run);
  const elsewhere = waitingWithOtherData(peerDevice);
  const older = clean && stable ? finishResyncAsTarget(peerDevice) : NO_NODES;
  if (!stable) logLine(peerDevice, 'info', 'Peer was unstable during resync');
  const sameData =
    clean && stable && newDisk === DiskState.UpToDate ? waitingWithSameData(peerDevice, elsewhere) : [];
  const waiting = device.peerDevices.filter((other) => other.now.repl === ReplicationState.PausedSyncT);
  changeState(device.resource, { hard: true, verbose: true, tag: 'resync-finished' }, () => {
    peerDevice.next.repl = ReplicationState.Established;
    peerDevice.next.resyncActive = false;
    if (!clean) {
      device.next.disk = DiskState.Inconsistent;
      peerDevice.next.pdsk = DiskState.UpToDate;
      return;
    }
    if (!stable) return;
    device.next.disk = newDisk;
    for (const other of device.peerDevices) {
      if (
        newDisk === DiskState.UpToDate &&
        other.next.repl === ReplicationState.PausedSyncT &&
        !hasLeftBehind(other) &&
        !differsInNewStorage(other) &&
        !elsewhere.includes(other) &&
        (!hasCrashedAsPrimary(other) || hasGoneOnFrom(peerDevice, other.uuids?.currentUuid))
      )
        other.next.repl = ReplicationState.Established;
      if (hasNode(older, other.peerNodeId) && !hasLeftBehind(other) && other.next.pdsk > DiskState.Outdated)
        other.next.pdsk = DiskState.Outdated;
    }
  });
  for (const other of sameData) device.resource.host.dataActions.clearSlot(device, other.bitmapSlot);
  afterEnd(run, clean);
  // Their sources see the end of these as well.
  for (const other of waiting)
    if (other.now.repl === ReplicationState.Established) syncAgain(other, ReplicationState.WFBitMapT);
}

/** The source is not in sync with this peer because the peer has gone on from the generation that we have reached. */
const hasLeftBehind = (peerDevice: PeerDevice): boolean =>
  hasGoneOnFrom(peerDevice, peerDevice.device.backing?.superblock.currentUuid);

/** The peer had this generation once, and has a later one now. */
function hasGoneOnFrom({ uuids }: PeerDevice, generation: bigint | undefined): boolean {
  if (uuids === undefined || generation === undefined) return false;
  const former = [...uuids.bitmapUuids, ...uuids.historyUuids];
  return (
    !sameUuid(uuids.currentUuid, generation) &&
    former.some((uuid) => uuid !== 0n && sameUuid(uuid, generation))
  );
}

/** What was in storage before the device grew into it is everybody's own: it is everywhere what one of them has (engine.md 9.9). */
const differsInNewStorage = ({ device, bitmapSlot }: PeerDevice): boolean =>
  bitmapSlot >= 0 && device.backing?.bitmap.anyInNewStorage(bitmapSlot) === true;

/** Its last writes may be its own, although its generation is everybody's. */
const hasCrashedAsPrimary = ({ uuids }: PeerDevice): boolean =>
  uuids !== undefined && (uuids.flags & UUID_FLAG.CRASHED_PRIMARY) !== 0n;

const hasGenerationOf = (source: PeerDevice, { uuids }: PeerDevice): boolean =>
  uuids !== undefined && source.uuids !== undefined && sameUuid(uuids.currentUuid, source.uuids.currentUuid);

/** The generation is the same, but the source has blocks marked for it. To be asked before the source's identifiers become ours. */
const waitingWithOtherData = (source: PeerDevice): PeerDevice[] =>
  source.device.peerDevices.filter(
    (other) =>
      other.now.repl === ReplicationState.PausedSyncT &&
      hasGenerationOf(source, other) &&
      source.uuids?.bitmapUuids[other.peerNodeId] === UUID_NOT_IN_SYNC,
  );

/** Sources whose turn need not come: they are on the generation that we have reached. */
function waitingWithSameData(peerDevice: PeerDevice, elsewhere: readonly PeerDevice[]): PeerDevice[] {
  // It has something of its own: the others are compared with it when they meet.
  if (hasCrashedAsPrimary(peerDevice)) return [];
  return peerDevice.device.peerDevices.filter(
    (other) =>
      other.now.repl === ReplicationState.PausedSyncT &&
      !hasCrashedAsPrimary(other) &&
      !differsInNewStorage(other) &&
      other.now.pdsk === DiskState.UpToDate &&
      other.bitmapSlot >= 0 &&
      hasGenerationOf(peerDevice, other) &&
      !elsewhere.includes(other),
  );
}
function afterEnd(run: ResyncRun, clean: boolean): void {
  const { peerDevice } = run;
  const { device, resource } = peerDevice;
  run.stop();
  peerDevice.unstableResync = false;
  if (clean && device.backing) announceInSync(peerDevice, 0, device.backing.bitmap.sectors);
  device.backing?.markDirty();
  device.backing?.syncSuperblock();
  resource.host.peerActions.runHelper('after-resync-target', peerDevice);
  syncAgain(peerDevice, ReplicationState.WFBitMapT);
}

/** A comparison during the resync asked for one that could not begin meanwhile; the peer came to the same result. */
function syncAgain(peerDevice: PeerDevice, repl: ReplicationState): void {
  if (peerDevice.resyncAgain === 0) return;
  peerDevice.resyncAgain--;
  // The peer learns of the end of this resync first.
  afterDeferred(peerDevice.resource, () => {
    if (peerDevice.now.repl !== ReplicationState.Established) return;
    changeState(peerDevice.resource, { tag: 'resync-again', verbose: true }, () => {
      peerDevice.next.repl = repl;
    });
  });
}

/** As source: the target has said by its state that it is done. `peerDisk` is what it says of its disk. */
export function finishResyncAsSource(peerDevice: PeerDevice, peerDisk: DiskState): void {
  const { device, io, now } = peerDevice;
  if (!isSync(now.repl) || isSyncTarget(now.repl)) return;
  const run = io.resync;
  if (run) logDone(run);
  changeState(device.resource, { hard: true, verbose: true, tag: 'resync-finished' }, () => {
    peerDevice.next.repl = ReplicationState.Established;
    peerDevice.next.resyncActive = false;
    peerDevice.next.pdsk = peerDisk;
  });
  run?.stop();
  announceUnmarked(device);
  if (device.backing) announceInSync(peerDevice, 0, device.backing.bitmap.sectors);
  syncAgain(peerDevice, ReplicationState.WFBitMapS);
}

function logDone(run: ResyncRun): void {
  const { peerDevice } = run;
  const now = peerDevice.resource.host.ports.scheduler.now();
  const total = Math.max(1, Math.floor((now - run.startTime) / 1000));
  const paused = Math.floor(run.pausedMilliseconds / 1000);
  const active = Math.max(1, total - paused);
  const rate = Math.floor(((run.total - run.failed) * 4) / active);
  logLine(
    peerDevice,
    'info',
    `Resync done (total ${total} sec; paused ${paused} sec; ${run.total === 0 ? 0 : rate} K/sec)`,
  );
  if (run.failed > 0) logLine(peerDevice, 'error', `            ${run.failed} failed blocks`);
  if (run.useChecksums && run.total > 0) {
    const ratio = Math.floor((100 * run.sameChecksum) / run.total);
    logLine(
      peerDevice,
      'info',
      `${ratio} % had equal checksums, eliminated: ${run.sameChecksum * 4}K; ` +
        `transferred ${(run.total - run.sameChecksum) * 4}K total ${run.total * 4}K`,
    );
  }
}
