/** Between a device and its disk: opening for an attach, and the way to Diskless (engine.md 9.1, 9.2). */
import { type Attach } from '../../control/contract/requests';
import { DiskState } from '../../control/contract/states';
import { DeviceFlag } from '../../metadata/superblock-flags';
import { type Device } from '../objects';
import { Errno } from '../ports';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { wakeStateWaiters } from '../state/waiters';
import { type BackingDevice, type BackingOwner } from './backing-device';
import { handleDiskError } from './disk-errors';
import { WhenDone } from './meta-data-target';
import { type AttachWaiter, openBacking } from './open-backing';
import { releaseWrittenExtents } from './peer-write';
import { announceDue } from './peers-in-sync';
import { recomputeWriteOrdering } from './receive-epochs';
import { flushPeerAck, startNewEpoch } from './transfer-log';

export type { AttachFailure, AttachWaiter } from './open-backing';

/** `device.diskOptions` must be set. */
export function openBackingFor(device: Device, request: Attach, waiter: AttachWaiter): void {
  const { resource, minor } = device;
  const options = device.diskOptions;
  if (options === undefined) throw new Error(`drbd${minor} has no disk options`);
  const owner: BackingOwner = {
    scheduler: resource.host.ports.scheduler,
    diskOptions: () => device.diskOptions ?? options,
    onMetaDataError: (where) => handleDiskError(device, where, 'meta-data'),
    onDirtyTimer: () => logLine(device, 'warning', 'md_sync_timer expired! Worker calls drbd_md_sync().'),
  };
  const where = {
    dataPath: request.backingDevice,
    metaPath: request.metaDevice,
    metaIndex: request.metaIndex,
    minor,
    nodeId: resource.nodeId,
    diskSize: options.size,
    currentSize: device.size,
    firstTransaction: device.io.nextTransaction,
  };
  openBacking(resource.host.ports.disks, owner, where, {
    onBackingOpened: (backing) => {
      backing.activityLog.updatesDisabled = !options.alUpdates;
      backing.activityLog.onStarving = () => relieveActivityLog(device);
      backing.activityLog.onExtentIdle = (extent) => announceDue(device, extent);
      waiter.onBackingOpened(backing);
    },
    onAttachFailed: (failure) => waiter.onAttachFailed(failure),
  });
}

/** Writes wait for extents that finished writes still hold: hurry what would let go of them. */
function relieveActivityLog(device: Device): void {
  const { resource } = device;
  startNewEpoch(resource);
  flushPeerAck(resource);
  for (const connection of resource.connections) releaseWrittenExtents(connection);
}

/** Failed or Detaching was committed: when nobody uses the disk any more it is let go. */
export function goDiskless(device: Device): void {
  const { backing } = device;
  if (backing === undefined || device.goingDiskless) return;
  device.goingDiskless = true;
  if (device.forceDetach || device.now.disk === DiskState.Failed) {
    backing.aborted = true;
    backing.activityLog.abort(Errno.EIO);
  }
  backing.whenIdle(new WhenDone(() => writeLastState(device, backing)));
}
function writeLastState(device: Device, backing: BackingDevice): void {
  const { bitmap } = backing;
  backing.bitmapWriter.writeDirty(
    new WhenDone((error) => {
      // A bitmap that could not be written is replaced by the demand for a full sync.
      if (error !== 0 && device.crashedPrimary)
        for (const peer of backing.superblock.peers) if (peer.bitmapIndex >= 0) peer.flags |= 0x8;
      if (bitmap !== backing.bitmap || error !== 0 || backing.aborted) backing.markDirty();
      backing.syncSuperblock(new WhenDone(() => letGo(device, backing)));
    }),
  );
}
function letGo(device: Device, backing: BackingDevice): void {
  const { resource } = device;
  if (!backing.isQuiet) {
    // A flush for a barrier, or another late comer, began while the last state was written.
    backing.whenIdle(new WhenDone(() => letGo(device, backing)));
    return;
  }
  device.io.nextTransaction = backing.activityLog.transactionNumber;
  device.io.lazyBitmapTimer?.cancel();
  device.io.lazyBitmapTimer = undefined;
  device.lastDiskUuid = backing.superblock.currentUuid;
  changeState(resource, { hard: true, tag: 'go-diskless' }, () => {
    device.next.disk = DiskState.Diskless;
  });
  backing.close(() => {
    device.backing = undefined;
    device.goingDiskless = false;
    device.forceDetach = false;
    device.alSuspended = false;
    device.io.readSectors = 0;
    device.io.writtenSectors = 0;
    device.io.resyncWrittenSectors = 0;
    for (const peerDevice of device.peerDevices) peerDevice.bitmapSlot = -1;
    recomputeWriteOrdering(resource);
    wakeStateWaiters(resource);
  });
}

// --- activity log updates, engine.md 11.5

/** All bits of all slots are set and nobody listens: the log says nothing that the bitmap does not. */
export function trySuspendActivityLog(device: Device): void {
  const { backing } = device;
  if (backing === undefined || device.alSuspended || backing.bitmap.bits === 0) return;
  if (!backing.bitmap.allSet()) return;
  if (device.peerDevices.some(({ now }) => now.repl > 9)) return;
  device.alSuspended = true;
  logLine(device, 'info', 'Suspended AL updates');
}
export function resumeActivityLog(device: Device): void {
  if (!device.alSuspended) return;
  device.alSuspended = false;
  logLine(device, 'info', 'Resumed AL updates');
}
/** The disk option al-updates. The log itself goes on being written while it is on, whatever AL_SUSPENDED says. */
export function reconsiderActivityLog(device: Device): void {
  const { backing, diskOptions } = device;
  if (backing === undefined || diskOptions === undefined) return;
  const disabled = !diskOptions.alUpdates;
  const { superblock } = backing;
  const was = (superblock.flags & DeviceFlag.AL_DISABLED) !== 0;
  backing.activityLog.updatesDisabled = disabled;
  if (was === disabled) return;
  superblock.flags ^= DeviceFlag.AL_DISABLED;
  backing.markDirty();
  logLine(device, 'info', disabled ? 'Disabling local AL-updates (config)' : 'Enabling local AL-updates');
}
