/** Requests on peer devices (engine.md 9.4, 9.5, 9.7). */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import {
  type ChangePeerDeviceOptions,
  type GetTimeoutType,
  type InvalidateRemote,
  type PauseOrResumeSync,
  type Verify,
} from '../../control/contract/requests';
import { PeerFlag } from '../../metadata/superblock-flags';
import { peerDeviceOptions } from '../apply-options';
import { type Host } from '../host';
import { type PeerDevice } from '../objects';
import { type PeerDeviceOptions } from '../options';
import { logLine } from '../state/object-log';
import { afterDeferred, changeState } from '../state/transaction';
import { changeClusterWide } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';
import { type Answer, findPeerDevice, OK, refuse } from './answer';
import { freeSlot } from '../uuid/day-zero';
import { allocateBitmapSlots } from './bitmap-slots';
import { startResync } from './minor-requests';

export function changePeerDeviceOptions(host: Host, request: ChangePeerDeviceOptions, answer: Answer): void {
  const lookup = findPeerDevice(host, request.resource, request.peerNodeId, request.volume);
  if ('reply' in lookup) return answer(lookup.reply);
  const peerDevice = lookup.found;
  const base = request.setDefaults ? undefined : peerDevice.options;
  const options = peerDeviceOptions(request.options, base);
  const refusal = changeBitmap(peerDevice, options);
  if (refusal !== undefined) return answer(refuse(refusal.code, refusal.info));
  peerDevice.options = options;
  host.dataActions.resyncOptionsChanged(peerDevice);
  answer(OK);
}

/** A peer becomes, or no longer is, one that is meant to have no disk: it gives up or gets a slot (engine.md 9.7). */
function changeBitmap(peerDevice: PeerDevice, options: PeerDeviceOptions): Refusal | undefined {
  const { device, now } = peerDevice;
  const { backing } = device;
  if (options.bitmap === peerDevice.options.bitmap || backing === undefined) return undefined;
  const slot = backing.superblock.peers[peerDevice.peerNodeId];
  if (!options.bitmap) {
    if (now.pdsk !== DiskState.Diskless && now.pdsk !== DiskState.DUnknown) return invalid(BOTH_HAVE_DISKS);
    peerDevice.bitmapSlot = -1;
    if (slot === undefined || slot.bitmapIndex < 0) return undefined;
    freeSlot(device, slot);
    slot.flags = (slot.flags & ~PeerFlag.HAVE_BITMAP) >>> 0;
  } else {
    const before = peerDevice.options;
    peerDevice.options = options;
    if (allocateBitmapSlots(device, peerDevice) !== undefined) {
      peerDevice.options = before;
      return invalid('No bitmap slot available in meta-data');
    }
    const text = `Former intentional diskless peer got bitmap slot ${peerDevice.bitmapSlot}`;
    logLine(peerDevice, 'info', text);
  }
  backing.markDirty();
  return undefined;
}
const BOTH_HAVE_DISKS = 'Can not drop the bitmap when both sides have a disk';
interface Refusal {
  readonly code: number;
  readonly info: string;
}
const invalid = (info: string): Refusal => ({ code: ErrorCode.InvalidRequest, info });

export function invalidateRemote(host: Host, request: InvalidateRemote, answer: Answer): void {
  const lookup = findPeerDevice(host, request.resource, request.peerNodeId, request.volume);
  if ('reply' in lookup) return answer(lookup.reply);
  const peerDevice = lookup.found;
  const { resource, device } = peerDevice;
  if (device.backing === undefined) return answer(refuse(ErrorCode.NoDisk));
  const repl = request.resetBitmap === false ? ReplicationState.WFBitMapS : ReplicationState.StartingSyncS;
  startResync(peerDevice, repl, 'invalidate-remote', (code, infoTexts) => {
    if (code !== StateCode.NeedConnection || resource.now.role !== Role.Primary) {
      return answer(refuse(code, ...infoTexts));
    }
    const alone = changeState(resource, { tag: 'invalidate-remote', verbose: true }, () => {
      peerDevice.next.pdsk = DiskState.Inconsistent;
    });
    if (isSuccess(alone)) {
      if (peerDevice.bitmapSlot >= 0) host.dataActions.setSlot(device, peerDevice.bitmapSlot);
      host.dataActions.trySuspendActivityLog(device);
    }
    afterDeferred(resource, () => answer(refuse(alone)));
  });
}

export function pauseOrResumeSync(host: Host, request: PauseOrResumeSync, answer: Answer): void {
  const lookup = findPeerDevice(host, request.resource, request.peerNodeId, request.volume);
  if ('reply' in lookup) return answer(lookup.reply);
  const peerDevice = lookup.found;
  const { now, resource } = peerDevice;
  const pause = request.command === 'pause-sync';
  if (pause && now.resyncSuspUser) return answer(refuse(ErrorCode.PauseIsSet));
  if (!pause && !now.resyncSuspUser) {
    const paused = now.repl === ReplicationState.PausedSyncS || now.repl === ReplicationState.PausedSyncT;
    if (paused && now.resyncSuspDependency) return answer(refuse(ErrorCode.PausedByDependency));
    if (paused && now.resyncSuspPeer) return answer(refuse(ErrorCode.PausedByPeer));
    return answer(refuse(ErrorCode.PauseIsClear));
  }
  const code = changeState(resource, { tag: request.command, verbose: true }, () => {
    peerDevice.next.resyncSuspUser = pause;
  });
  afterDeferred(resource, () => answer(isSuccess(code) ? OK : refuse(code)));
}

export function verify(host: Host, request: Verify, answer: Answer): void {
  const lookup = findPeerDevice(host, request.resource, request.peerNodeId, request.volume);
  if ('reply' in lookup) return answer(lookup.reply);
  const peerDevice = lookup.found;
  const { resource, device, connection } = peerDevice;
  const own = connection.options.verifyAlg;
  if (own !== connection.link.peerVerifyAlg && connection.link.up) {
    const text =
      `Online verify refused: local verify-alg "${own}" differs from peer verify-alg ` +
      `"${connection.link.peerVerifyAlg}"`;
    return answer(refuse(ErrorCode.VerifyAlgorithm, text));
  }
  host.dataActions.prepareVerify(peerDevice, request.start, request.stop);
  changeClusterWide(
    resource,
    {
      kind: 'change',
      options: { tag: 'verify', verbose: true },
      volume: device.vnr,
      target: connection,
      edit: () => {
        peerDevice.next.repl = ReplicationState.VerifyS;
      },
      word: () => changeWord({ conn: ReplicationState.VerifyS }),
    },
    (code, infoTexts) => answer(refuse(code, ...infoTexts)),
  );
}

const TIMEOUT_DEFAULT = 0;
const TIMEOUT_DEGRADED = 1;
const TIMEOUT_OUTDATED = 2;

export function getTimeoutType(host: Host, request: GetTimeoutType, answer: Answer): void {
  const lookup = findPeerDevice(host, request.resource, request.peerNodeId, request.volume);
  if ('reply' in lookup) return answer(lookup.reply);
  const peerDevice = lookup.found;
  let timeoutType = TIMEOUT_DEFAULT;
  if (peerDevice.now.pdsk === DiskState.Outdated) timeoutType = TIMEOUT_OUTDATED;
  else if (peerDevice.useDegradedWfcTimeout) timeoutType = TIMEOUT_DEGRADED;
  answer({ ...OK, timeoutType });
}
