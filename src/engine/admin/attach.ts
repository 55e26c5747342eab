/** Attach a disk (engine.md 9.1): open and check, take over its meta-data, agree with the connected peers. */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, diskStateName, Role } from '../../control/contract/states';
import { type Attach } from '../../control/contract/requests';
import { type Superblock09 } from '../../metadata/superblock-09';
import { DeviceFlag, PeerFlag, UUID_JUST_CREATED } from '../../metadata/superblock-flags';
import { diskOptions } from '../apply-options';
import { type BackingDevice } from '../data/backing-device';
import { WhenDone } from '../data/meta-data-target';
import { type AttachFailure } from '../data/open-backing';
import { type Device, type Resource } from '../objects';
import { QUORUM_OFF } from '../options';
import { logLine } from '../state/object-log';
import { holdsOlderData, sameUuid } from '../state/data-trust';
import { committedDevice } from '../state/state-change';
import { afterDeferred, changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { withoutPrimaryBit } from '../uuid/generation';
import { changeClusterWide } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';
import { hasNode, NO_NODES, nodeBit } from '../node-mask';
import { type Answer, OK, refuse } from './answer';
import { allocateBitmapSlots } from './bitmap-slots';
import { determineSize, sizeOfPeers, sizeText } from './device-size';

export function attach(device: Device, request: Attach, answer: Answer): void {
  if (device.now.disk > DiskState.Diskless || device.backing !== undefined || device.attaching) {
    return answer(refuse(ErrorCode.DiskConfigured));
  }
  device.attaching = true;
  device.diskOptions = diskOptions(request.options);
  const fail = (failure: AttachFailure): void => {
    device.attaching = false;
    device.diskOptions = undefined;
    answer(refuse(failure.code, ...(failure.info === undefined ? [] : [failure.info])));
  };
  device.resource.host.dataActions.openBacking(device, request, {
    onAttachFailed: fail,
    onBackingOpened: (backing) => {
      // What is under way without this disk is to be known to the peers when they compare.
      const goOn = device.resource.host.dataActions.drainWrites(device, () =>
        takeOver(device, backing, (reply) => {
          goOn();
          answer(reply);
        }),
      );
    },
  });
}

function abandon(
  device: Device,
  backing: BackingDevice,
  code: number,
  info: string | undefined,
  answer: Answer,
): void {
  const done = (): void => {
    device.attaching = false;
    device.diskOptions = undefined;
    answer(refuse(code, ...(info === undefined ? [] : [info])));
  };
  if (device.goingDiskless) return afterDisk(device, done);
  changeState(device.resource, { hard: true }, () => {
    device.next.disk = DiskState.Diskless;
  });
  for (const peerDevice of device.peerDevices) peerDevice.bitmapSlot = -1;
  // The loss of a peer may be on its way to the meta-data.
  backing.whenIdle(
    new WhenDone(() =>
      backing.close(() => {
        device.backing = undefined;
        done();
      }),
    ),
  );
}

/** The meta-data could not be written either: the disk is let go already. */
function afterDisk(device: Device, done: () => void): void {
  const isGone = (): boolean => {
    if (device.backing !== undefined) return false;
    done();
    return true;
  };
  if (!isGone()) whenStateChanges(device.resource, isGone);
}

function takeOver(device: Device, backing: BackingDevice, answer: Answer): void {
  const { resource } = device;
  const code = changeState(resource, { tag: 'attach', verbose: true }, () => {
    device.next.disk = DiskState.Attaching;
  });
  if (!isSuccess(code)) return abandon(device, backing, code, undefined, answer);
  device.backing = backing;
  const refusal = adoptMetadata(device, backing);
  if (refusal !== undefined) return abandon(device, backing, refusal.code, refusal.info, answer);
  logLine(device, 'info', `Maximum number of peer devices = ${backing.superblock.bmMaxPeers}`);
  resource.host.dataActions.writeOrderingChanged(resource);
  const size = determineSize(device, false, sizeOfPeers(device));
  const stored = backing.superblock.effectiveSize;
  if (stored > 0 && size < stored && backing.superblock.flags & DeviceFlag.CONSISTENT) {
    const info =
      `To-be-attached device has last effective > current size, and is consistent\n` +
      `(${stored} > ${size} sectors). Refusing to attach.`;
    return abandon(device, backing, ErrorCode.ImplicitShrink, info, answer);
  }
  if (holdsOlderData(committedDevice(device), 'new')) {
    const uuid = device.exposedUuid.toString(16).toUpperCase().padStart(16, '0');
    logLine(device, 'error', `Can only attach to data with current UUID=${uuid}`);
    return abandon(device, backing, ErrorCode.DataNotCurrent, undefined, answer);
  }
  const { dataActions } = resource.host;
  // Meta-data that were made for a device of this size, with a generation of it, have no bits for what is the same.
  const known = stored > 0 ? stored : device.size;
  dataActions.loadBitmap(device, known > 0 ? Math.min(known, size) : size, (error) => {
    if (error !== 0 || device.goingDiskless)
      return abandon(device, backing, ErrorCode.MetaIo, undefined, answer);
    growBitmap(device, backing, known, size);
    setSize(device, size);
    afterRecovery(device, backing, (failed) => {
      if (failed || device.goingDiskless)
        return abandon(device, backing, ErrorCode.MetaIo, undefined, answer);
      doubtUnsyncedBlocks(device, backing);
      negotiate(device, answer);
    });
  });
}

/** Blocks that are new since the size was last agreed count as different, unless they are known to be zeros (9.1). */
function growBitmap(device: Device, backing: BackingDevice, known: number, size: number): void {
  const { dataActions } = device.resource.host;
  if (size <= known) return;
  const { superblock } = backing;
  const thin =
    (device.diskOptions?.rsDiscardGranularity ?? 0) > 0 &&
    superblock.peers.every((slot) => slot.bitmapUuid === 0n) &&
    superblock.historyUuids.every((uuid) => uuid === 0n);
  const zeroed =
    device.diskOptions?.discardZeroesIfAligned === true &&
    superblock.currentUuid !== UUID_JUST_CREATED &&
    ((superblock.flags & DeviceFlag.WAS_UP_TO_DATE) !== 0 || thin);
  if (zeroed) logLine(device, 'info', 'was UpToDate, new region assumed zeroed');
  if (known > 0) dataActions.resizeBitmap(device, size, !zeroed);
  else if (!zeroed) dataActions.setAllSlots(device);
  if (known === 0) return;
  for (const peerDevice of device.peerDevices) peerDevice.resyncAfterNegotiation = !zeroed;
}

function setSize(device: Device, size: number): void {
  if (device.size === size) return;
  device.size = size;
  logLine(device, 'info', `size = ${sizeText(size)}`);
  device.resource.host.deviceResized(device);
}

/** The lowest bit of the generation says whether it is a Primary's, with this disk as with the last. */
function followRole(superblock: Superblock09, primary: boolean): void {
  if (superblock.currentUuid === UUID_JUST_CREATED) return;
  const bare = withoutPrimaryBit(superblock.currentUuid);
  superblock.currentUuid = primary ? bare | 1n : bare;
}

/** Flags, member set, dagtag and bitmap slots from the superblock. */
function adoptMetadata(device: Device, backing: BackingDevice): AttachFailure | undefined {
  const { resource } = device;
  const { superblock } = backing;
  if (superblock.nodeId === -1) {
    superblock.nodeId = resource.nodeId;
    backing.markDirty();
  } else if (superblock.nodeId !== resource.nodeId) {
    return {
      code: ErrorCode.MetaInvalid,
      info: `ambiguous node id: meta-data: ${superblock.nodeId}, config: ${resource.nodeId}`,
    };
  }
  const dagtag = superblock.peers.reduce(
    (newest, slot) => (slot.bitmapDagtag > newest ? slot.bitmapDagtag : newest),
    0n,
  );
  resource.dagtag = Math.max(resource.dagtag, Number(dagtag));
  const slots = allocateBitmapSlots(device);
  if (slots !== undefined) return slots;
  followRole(superblock, resource.now.role === Role.Primary);
  const { flags } = superblock;
  if (resource.members !== nodeBit(resource.nodeId)) {
    // Who came while the disk was away is not in its meta-data.
    superblock.members = resource.members;
    superblock.peers.forEach((slot, node) => {
      if (hasNode(resource.members, node)) slot.flags &= ~PeerFlag.OUTDATED;
    });
    if (resource.options.quorum !== QUORUM_OFF) backing.markDirty();
  }
  const onlyMember = superblock.members === nodeBit(resource.nodeId);
  device.restoreQuorum =
    onlyMember && (flags & DeviceFlag.HAVE_QUORUM) !== 0 && (flags & DeviceFlag.WAS_UP_TO_DATE) !== 0;
  device.crashedPrimary = (flags & DeviceFlag.CRASHED_PRIMARY) !== 0 && !continuesItsRun(device, backing);
  forgetFormerConnections(resource);
  device.primaryLostQuorum = (flags & DeviceFlag.PRIMARY_LOST_QUORUM) !== 0;
  device.mayBeOnCurrent = superblock.peers.reduce(
    (nodes, slot, node) =>
      (slot.flags & PeerFlag.CONNECTED) !== 0 && slot.bitmapUuid !== 0n ? nodes | nodeBit(node) : nodes,
    NO_NODES,
  );
  return undefined;
}

/** Two that reconnect with one generation are taken for in sync: this disk had no part in connections that ended without it. */
function forgetFormerConnections({ connections }: Resource): void {
  for (const connection of connections)
    if (connection.now.cstate !== ConnectionState.Connected) connection.reconnect = false;
}

/**
 * Whether the Primary that the meta-data tells of still runs and its peers followed it all along (9.1). An exposed
 * generation without a peer that holds it is left over: nobody but this disk may have the last writes. A generation that
 * is owed but not begun tells nothing of a disk that is at the exposed one.
 */
function continuesItsRun(device: Device, backing: BackingDevice): boolean {
  const { now } = device.resource;
  if (now.role === Role.Primary && now.suspNoData) return true;
  if (device.newCurrentUuidOwed && !sameUuid(device.exposedUuid, backing.superblock.currentUuid)) return true;
  if (device.exposedUuid === 0n) return false;
  if (device.peerDevices.some((peer) => peer.now.pdsk === DiskState.UpToDate)) return true;
  // Demoted, it works on no generation: whatever it had begun without its disk may have reached nobody.
  return now.role === Role.Primary && !sameUuid(device.exposedUuid, backing.superblock.currentUuid);
}

/**
 * A connected peer has the data of this generation and was the one that everybody read and wrote while this disk was
 * away. Blocks in doubt, those of the activity log above all, are taken from there: by the identifiers alone there
 * would be nothing to sync, and the bits would stay.
 */
function doubtUnsyncedBlocks(device: Device, backing: BackingDevice): void {
  const { superblock } = backing;
  const inDoubt = device.peerDevices.some(
    (peer) =>
      peer.now.pdsk === DiskState.UpToDate &&
      peer.uuids !== undefined &&
      sameUuid(peer.uuids.currentUuid, superblock.currentUuid) &&
      device.resource.host.dataActions.outOfSyncBits(peer) > 0,
  );
  if (!inDoubt) return;
  superblock.flags &= ~DeviceFlag.CONSISTENT;
  backing.markDirty();
}

/**
 * What a crash or a set flag demands before the disk may be used (engine.md 9.1). The demand for a full sync leaves the
 * meta-data only when the bits that it stands for are there.
 */
function afterRecovery(device: Device, backing: BackingDevice, next: (failed: boolean) => void): void {
  const { superblock } = backing;
  const { dataActions } = device.resource.host;
  if (
    device.crashedPrimary &&
    (superblock.flags & DeviceFlag.PRIMARY_IND) !== 0 &&
    (superblock.flags & DeviceFlag.AL_DISABLED) !== 0
  ) {
    logLine(device, 'info', 'AL disabled at crash: all blocks out of sync (aka FullSync)');
    dataActions.setAllSlots(device);
  }
  // Moving the meta-data was interrupted (move-meta-data.ts): no bit of the bitmap means anything.
  if (superblock.peers.every(demandsFullSync)) dataActions.setAllSlots(device);
  const demanded = device.peerDevices.filter(({ peerNodeId }) => {
    const slot = superblock.peers[peerNodeId];
    return slot !== undefined && demandsFullSync(slot);
  });
  for (const peerDevice of demanded) {
    logLine(peerDevice, 'info', 'Assuming that all blocks are out of sync (aka FullSync)');
    if (peerDevice.bitmapSlot >= 0) dataActions.setSlot(device, peerDevice.bitmapSlot);
  }
  dataActions.trySuspendActivityLog(device);
  if (demanded.length === 0) return next(false);
  backing.bitmapWriter.writeDirty(
    new WhenDone((error) => {
      if (error !== 0) return next(true);
      for (const { peerNodeId } of demanded) {
        const slot = superblock.peers[peerNodeId];
        if (slot !== undefined) slot.flags &= ~PeerFlag.FULL_SYNC;
      }
      backing.markDirty();
      next(false);
    }),
  );
}
const demandsFullSync = ({ flags }: Superblock09['peers'][number]): boolean =>
  (flags & PeerFlag.FULL_SYNC) !== 0;

function negotiate(device: Device, answer: Answer): void {
  const { resource } = device;
  const wasPrimary = ((device.backing?.superblock.flags ?? 0) & DeviceFlag.CRASHED_PRIMARY) !== 0;
  changeClusterWide(
    resource,
    {
      kind: 'change',
      options: { tag: 'attach', verbose: true },
      volume: device.vnr,
      target: undefined,
      edit: () => {
        device.next.disk = DiskState.Negotiating;
      },
      word: () => changeWord({ disk: DiskState.Negotiating }),
    },
    (code, infoTexts) => {
      device.attaching = false;
      const { backing } = device;
      if (!isSuccess(code) && backing !== undefined) {
        const info =
          code === StateCode.RefusedByPeer
            ? 'Probably this node is marked as intentional diskless on a peer'
            : infoTexts[0];
        return abandon(device, backing, code, info, answer);
      }
      // The peers that held the data may have gone while the cluster was asked.
      if (wasPrimary && backing !== undefined && !continuesItsRun(device, backing))
        device.crashedPrimary = true;
      whenNegotiated(device, resource, answer);
    },
  );
}
const isUndecided = (disk: DiskState): boolean =>
  disk === DiskState.Attaching || disk === DiskState.Negotiating || disk === DiskState.Detaching;

function whenNegotiated(device: Device, resource: Resource, answer: Answer): void {
  const decide = (): boolean => {
    const { disk } = device.now;
    if (isUndecided(disk)) return false;
    afterDeferred(resource, () => {
      if (disk > DiskState.Negotiating) {
        device.options = { ...device.options, intentionalDiskless: false };
        return answer(OK);
      }
      const info = `attach negotiation ended in unexpected state ${diskStateName(disk)}`;
      answer(refuse(ErrorCode.DataNotCurrent, info));
    });
    return true;
  };
  if (!decide()) whenStateChanges(resource, decide);
}
