/** A new generation (engine.md 4.4): made when this node writes on without some node that has the present one. */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { copySuperblock09 } from '../../metadata/superblock-09';
import { UUID_FLAG, UUID_NOT_IN_SYNC } from '../../wire/uuids110';
import { NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type Connection, type Device, type PeerDevice, type Resource, wantsBitmap } from '../objects';
import { sameUuid } from '../state/data-trust';
import { weakNodes } from '../state/derived';
import { hex16, logLine } from '../state/object-log';
import { committedDevice } from '../state/state-change';
import { wakeStateWaiters, whenStateChanges } from '../state/waiters';
import { setExposedUuid } from '../state/exposed-uuid';
import { isDay0, markDirty, pushHistory, setCurrentUuid, superblockOf } from './generation';
import { rotateIntoBitmapSlots } from './rotate';

type Done = () => void;
const nothing: Done = () => undefined;
/** `settled`: the identifiers are on disk and announced, or none were needed. */
type Settled = (settled: boolean) => void;

/** A handshake compares identifiers that must not change under it. */
const inHandshake = (resource: Resource): boolean =>
  resource.devices.some((device) => device.peerDevices.some((peer) => peer.inHandshake));

/**
 * Starts a new generation if some node would need to know; waits for handshakes to end. `forced` is the one of a forced
 * promotion: Inconsistent peers do not follow. `done` is called when it is settled, or could not be written; possibly at
 * once.
 */
export function newCurrentUuid(device: Device, forced: boolean, done: Settled = nothing): void {
  const { resource } = device;
  if (inHandshake(resource)) {
    whenStateChanges(resource, () => {
      if (inHandshake(resource)) return false;
      newCurrentUuid(device, forced, done);
      return true;
    });
    return;
  }
  if (device.now.disk === DiskState.UpToDate && device.backing !== undefined) {
    newCurrentOnDisk(device, forced, done);
  } else {
    newCurrentWithoutDisk(device);
    done(true);
  }
}

function forcedWeakNodes(device: Device): NodeMask {
  let weak = NO_NODES;
  for (const { now, peerNodeId } of device.peerDevices) {
    if (now.repl === ReplicationState.Established && now.pdsk === DiskState.Inconsistent)
      weak |= nodeBit(peerNodeId);
  }
  return weak;
}

function newCurrentOnDisk(device: Device, forced: boolean, done: Settled): void {
  rotateOnDisk(device, forced ? forcedWeakNodes(device) : NO_NODES, (outcome) => {
    if (outcome === 'rotated') announceNewCurrent(device, forced);
    done(outcome !== 'failed');
  });
}

/** `new-current-uuid` (engine.md 4.11): whatever the disk's state is, and nobody is told. */
export function newCurrentUuidByAdmin(device: Device, done: Done): void {
  rotateOnDisk(device, NO_NODES, (outcome) => {
    if (outcome === 'rotated') logNewCurrent(device);
    done();
  });
}

/** `needless`: no node stays behind. */
type Rotation = 'rotated' | 'needless' | 'failed';

/**
 * A node that is not here has reached our generation through a peer (which says so, or has cleared all our bits for it), and
 * our slot for it still counts from an older one. It would pass for having what is written without it.
 */
function hasReachedCurrent(device: Device): boolean {
  const { currentUuid, peers } = superblockOf(device);
  const { dataActions } = device.resource.host;
  return device.peerDevices.some((peerDevice) => {
    const { now, peerNodeId, bitmapSlot } = peerDevice;
    const { bitmapUuid = 0n } = peers[peerNodeId] ?? {};
    if (now.repl !== ReplicationState.Off || bitmapUuid === 0n || bitmapSlot < 0) return false;
    if (dataActions.outOfSyncBits(peerDevice) === 0 && !sameUuid(bitmapUuid, currentUuid)) return true;
    return device.peerDevices.some(
      ({ now: other, uuids }) =>
        other.repl === ReplicationState.Established &&
        uuids?.bitmapUuids[peerNodeId] === 0n &&
        sameUuid(uuids.currentUuid, currentUuid),
    );
  });
}

function rotateOnDisk(device: Device, weak: NodeMask, done: (outcome: Rotation) => void): void {
  const { dataActions, ports } = device.resource.host;
  const superblock = superblockOf(device);
  const before = copySuperblock09(superblock);
  const wasDay0 = isDay0(superblock);
  const got = rotateIntoBitmapSlots(device, weak);
  const unsure = device.mayBeOnCurrent !== NO_NODES || hasReachedCurrent(device);
  if (got === NO_NODES && !wasDay0 && !unsure) {
    done('needless');
    return;
  }
  device.mayBeOnCurrent = NO_NODES;
  setCurrentUuid(device, ports.random.u64());
  if (wasDay0 || unsure) pushHistory(device, before.currentUuid);
  dataActions.syncMetadata(device, (error) => {
    // A disk that is being let go may have it, and no peer is told of what such a disk holds.
    const leaves = error === 0 && device.now.disk < DiskState.Negotiating;
    if (leaves || (error !== 0 && device.backing !== undefined))
      device.unwrittenGeneration = { uuid: superblock.currentUuid, predecessor: before.currentUuid };
    if (leaves) {
      done('failed');
      return;
    }
    if (error !== 0 && device.backing !== undefined) {
      Object.assign(superblock, before);
      setExposedUuid(device, before.currentUuid);
      markDirty(device);
    }
    // Who was not compared with since a crash of ours is now known to be behind.
    else if (error === 0) device.crashedPrimary = false;
    done(error === 0 ? 'rotated' : 'failed');
  });
}

function logNewCurrent(device: Device): NodeMask {
  const weak = weakNodes(committedDevice(device), 'new');
  const current = device.backing?.superblock.currentUuid ?? device.exposedUuid;
  logLine(device, 'info', `new current UUID: ${hex16(current)} weak: ${hex16(weak)}`);
  return weak;
}

function announceNewCurrent(device: Device, forced: boolean): void {
  const { resource } = device;
  const { dataActions, peerActions } = resource.host;
  dataActions.startNewEpoch(resource);
  const weak = logNewCurrent(device);
  for (const peerDevice of device.peerDevices) {
    if (peerDevice.now.repl < ReplicationState.Established) continue;
    peerActions.sendUuids(peerDevice, forced ? 0n : UUID_FLAG.NEW_DATAGEN, weak);
  }
}

/** Engine.md 4.4, needs a bump: this UpToDate peer would not notice that a node is left behind. */
function needsBump(device: Device, peerDevice: PeerDevice): boolean {
  const { uuids } = peerDevice;
  if (uuids === undefined) return false;
  const { resource } = device;
  const clientSelf = device.options.intentionalDiskless;
  const bitmapOf = (node: number): bigint => uuids.bitmapUuids[node] ?? 0n;
  const reports = (node: number): boolean => bitmapOf(node) !== 0n && bitmapOf(node) !== UUID_NOT_IN_SYNC;
  const others = device.peerDevices.filter((other) => other !== peerDevice);
  const left = others.filter(wantsBitmap).map((other) => other.peerNodeId);
  if (!clientSelf) left.push(resource.nodeId);
  if (left.some((node) => bitmapOf(node) === 0n)) return true;
  // The end of a resync did not get to the peer: its slot counts from before what our disk holds.
  const { exposedUuid, lastDiskUuid } = device;
  const isCurrent = lastDiskUuid !== 0n && sameUuid(lastDiskUuid, exposedUuid);
  if (!clientSelf && isCurrent && !sameUuid(bitmapOf(resource.nodeId), exposedUuid)) return true;
  return clientSelf && !others.some((other) => reports(other.peerNodeId));
}

function lostPeerMayShareGeneration(device: Device): boolean {
  return device.peerDevices.some(({ now, uuids }) => {
    if (now.repl >= ReplicationState.Established) return false;
    if (now.pdsk < DiskState.Inconsistent || now.pdsk > DiskState.DUnknown) return false;
    if (uuids === undefined || uuids.currentUuid === 0n) return true;
    if ((uuids.flags & UUID_FLAG.SYNC_TARGET) !== 0n) return false;
    return sameUuid(uuids.currentUuid, device.exposedUuid);
  });
}

function newCurrentWithoutDisk(device: Device): void {
  const { resource } = device;
  const { dataActions, ports } = resource.host;
  // A peer that got the unconfirmed one and went would pass for having what is written without it.
  const lost = lostPeerMayShareGeneration(device);
  if (device.exposedGenerationUnconfirmed && resource.options.onNoQuorum === 'suspend-io' && !lost) return;
  const followers = device.peerDevices.filter(
    ({ now, connection }) =>
      now.repl >= ReplicationState.Established &&
      now.pdsk === DiskState.UpToDate &&
      connection.agreedProtocol >= 110,
  );
  if (followers.length === 0) return;
  if (!lost && !followers.some((peer) => needsBump(device, peer))) return;
  dataActions.startNewEpoch(resource);
  nameUnwritten(device);
  device.exposedUuidPredecessor = device.exposedUuid;
  setExposedUuid(device, ports.random.u64());
  logLine(device, 'info', `sending new current UUID: ${hex16(device.exposedUuid)}`);
  dataActions.generationBegan(device);
  tellOfCurrent(device, device.exposedUuid);
}

/**
 * The failed disk may hold the name that could not be written to it, or may not. Once others have been through that generation as well it
 * is an ancestor, and not a split brain, when it comes back.
 */
function nameUnwritten(device: Device): void {
  const { unwrittenGeneration, exposedUuid } = device;
  if (unwrittenGeneration === undefined || !sameUuid(unwrittenGeneration.predecessor, exposedUuid)) return;
  device.unwrittenGeneration = undefined;
  tellOfCurrent(device, unwrittenGeneration.uuid);
}

function tellOfCurrent(device: Device, uuid: bigint): void {
  const weak = weakNodes(committedDevice(device), 'new');
  for (const peerDevice of device.peerDevices) {
    if (peerDevice.now.repl < ReplicationState.Established) continue;
    if (peerDevice.uuids) peerDevice.uuids.currentUuid = uuid;
    device.resource.host.peerActions.sendCurrentUuid(peerDevice, uuid, weak);
  }
}

/** Who waits for the owed generation of a device that is being written. */
const waitingForOwed = new WeakMap<Device, Done[]>();

/**
 * The first write after a loss finds `newCurrentUuidOwed` and asks for this: ping all peers, make the generation, let
 * the waiting writes go. Whoever asks while it is under way is told when it is done.
 */
export function writeOwedCurrentUuid(device: Device, done: Done = nothing): void {
  const { resource } = device;
  if (device.writingNewCurrentUuid) {
    waitingForOwed.set(device, [...(waitingForOwed.get(device) ?? []), done]);
    return;
  }
  device.writingNewCurrentUuid = true;
  resource.host.peerActions.checkPeers(resource, () => {
    settleOwedCurrentUuid(device, done);
  });
}

/**
 * A connection is being wound up: before requests in the transfer log may complete without that peer, the generation
 * that it does not know is on disk (engine.md 6.1 step 6). The peer takes part in no handshake any more.
 */
export function writeOwedForLostPeer(connection: Connection, done: Done): void {
  const { resource } = connection;
  for (const peerDevice of connection.peerDevices) peerDevice.inHandshake = false;
  wakeStateWaiters(resource);
  const owing = resource.devices.filter(
    ({ newCurrentUuidOwed, cachedDataAccessible, now }) =>
      newCurrentUuidOwed && cachedDataAccessible && now.haveQuorum,
  );
  const { dataActions } = resource.host;
  // Under protocol A nothing is kept for a resend: what is in the log may have been answered, suspended or not.
  const isKept = resource.cachedSuspended && connection.options.protocol !== 'A';
  if (owing.length === 0 || isKept || !dataActions.hasWritesInTransferLog(resource)) {
    done();
    return;
  }
  let open = owing.length;
  const oneDone = (): void => {
    if (--open === 0) done();
  };
  for (const device of owing) writeOwedCurrentUuid(device, oneDone);
}

/** As above, without asking the peers first: their absence is known. */
export function settleOwedCurrentUuid(device: Device, done: Done = nothing): void {
  // Without a disk and peers to tell, or with a disk that fails, it stays owed: the next write asks again.
  const ended = (settled: boolean): void => {
    if (settled) device.newCurrentUuidOwed = false;
    device.writingNewCurrentUuid = false;
    device.resource.host.dataActions.newCurrentUuidSettled(device);
    const waiting = waitingForOwed.get(device) ?? [];
    waitingForOwed.delete(device);
    done();
    for (const next of waiting) next();
  };
  device.writingNewCurrentUuid = true;
  // A peer that attaches stays behind or not: that is seen when it has told.
  const decided = !device.peerDevices.some(
    (peer) => peer.peerAttaching || peer.now.pdsk === DiskState.Negotiating,
  );
  if (decided && device.now.haveQuorum && device.cachedDataAccessible) newCurrentUuid(device, false, ended);
  else ended(false);
}
