/** Requests on a minor (engine.md 9.1-9.7). */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { DiskState, ReplicationState } from '../../control/contract/states';
import {
  type Attach,
  type ChangeDiskOptions,
  type DeleteMinor,
  type Detach,
  type Invalidate,
  type NewMinor,
  type Outdate,
  type ResumeIo,
  type SuspendIo,
} from '../../control/contract/requests';
import { deviceOptions, diskOptions } from '../apply-options';
import { type Host } from '../host';
import { type Device, type PeerDevice, type Resource } from '../objects';
import { afterDeferred, changeState } from '../state/transaction';
import { whenStateChanges } from '../state/waiters';
import { changeClusterWide } from '../twopc/coordinator';
import { changeWord } from '../twopc/change-words';
import { settleOwedCurrentUuid } from '../uuid/new-current-uuid';
import { type Answer, findMinor, findResource, OK, refuse } from './answer';
import { attach } from './attach';
import { detach } from './detach';
import { createDevice, destroyDevice } from './object-tree';

const MAX_MINOR = (1 << 20) - 1;
const MAX_VOLUME = 65534;
/** Milliseconds between looks whether I/O has drained. */
const DRAIN_LOOK = 5;
const BLOCK_SIZES: readonly number[] = [512, 1024, 2048, 4096];

export function newMinor(host: Host, request: NewMinor, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  const { minor, volume } = request;
  if (minor < 0 || minor > MAX_MINOR) {
    return answer(refuse(ErrorCode.InvalidRequest, 'requested minor out of range'));
  }
  if (volume < 0 || volume > MAX_VOLUME) {
    return answer(refuse(ErrorCode.InvalidRequest, 'requested volume id out of range'));
  }
  if (host.minors.has(minor) || resource.volume(volume)) {
    return answer(refuse(ErrorCode.MinorOrVolumeExists));
  }
  const options = deviceOptions(request.options);
  if (!BLOCK_SIZES.includes(options.blockSize)) {
    return answer(refuse(ErrorCode.InvalidRequest, 'block_size not 512, 1024, 2048, or 4096'));
  }
  const device = createDevice(resource, minor, volume, options);
  host.settings.exportListener?.onDeviceAppeared(host.exported(device));
  answer(OK);
}

export function deleteMinor(host: Host, request: DeleteMinor, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  if (device.now.disk !== DiskState.Diskless || device.attaching || device.openCount > 0) {
    return answer(refuse(ErrorCode.MinorConfigured));
  }
  changeState(device.resource, { tag: 'del-minor', hard: true }, () => {
    for (const peerDevice of device.peerDevices) peerDevice.next.repl = ReplicationState.Off;
  });
  afterDeferred(device.resource, () => {
    host.settings.exportListener?.onDeviceGone(host.exported(device));
    destroyDevice(device);
    answer(OK);
  });
}

export function attachMinor(host: Host, request: Attach, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  attach(lookup.found, request, answer);
}

export function detachMinor(host: Host, request: Detach, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const { force, diskless } = request;
  detach(lookup.found, { force, diskless, tag: 'detach' }, (code, infoTexts) =>
    answer(refuse(code, ...infoTexts)),
  );
}

export function changeDiskOptions(host: Host, request: ChangeDiskOptions, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  if (device.backing === undefined || device.diskOptions === undefined)
    return answer(refuse(ErrorCode.NoDisk));
  const base = request.setDefaults ? undefined : device.diskOptions;
  const { size, bitmap } = device.diskOptions;
  device.diskOptions = { ...diskOptions(request.options, base), size, bitmap };
  host.dataActions.writeOrderingChanged(device.resource);
  host.dataActions.reconsiderActivityLog(device);
  host.dataActions.reconsiderResyncAfter(device);
  answer(OK);
}

export function outdate(host: Host, request: Outdate, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  const code = changeState(device.resource, { tag: 'outdate', verbose: true }, () => {
    device.next.disk = DiskState.Outdated;
  });
  afterDeferred(device.resource, () => answer(refuse(code)));
}

export function suspendIo(host: Host, request: SuspendIo, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const { resource } = lookup.found;
  const code = changeState(resource, { tag: 'suspend-io' }, () => {
    resource.next.suspUser = true;
  });
  afterDeferred(resource, () => whenDrained(resource, () => answer(refuse(code))));
}

/** Every write that was let in is answered, but for what lost peers owe (10.6), or the suspension is over. */
function whenDrained(resource: Resource, done: () => void): void {
  const drained = (): boolean =>
    !resource.now.suspUser || !resource.host.dataActions.hasUnansweredWrites(resource);
  if (drained()) return done();
  resource.host.ports.scheduler.after(DRAIN_LOOK, { onTimer: () => whenDrained(resource, done) });
}

export function resumeIo(host: Host, request: ResumeIo, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const { resource } = lookup.found;
  const owing = resource.devices.filter(({ newCurrentUuidOwed }) => newCurrentUuidOwed);
  let open = owing.length + 1;
  const settled = (): void => {
    if (--open > 0) return;
    const code = changeState(resource, { tag: 'resume-io' }, () => {
      resource.next.suspUser = false;
      resource.next.suspNoData = false;
      resource.next.suspQuorum = false;
      for (const connection of resource.connections) connection.next.suspFencing = false;
    });
    afterDeferred(resource, () => answer(refuse(code)));
  };
  for (const device of owing) settleOwedCurrentUuid(device, settled);
  settled();
}

/** Full sync of the own disk from a peer; without any connected peer the disk just becomes Inconsistent (9.4). */
export function invalidate(host: Host, request: Invalidate, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  if (device.backing === undefined) return answer(refuse(ErrorCode.NoDisk));
  const wanted = request.syncFromPeerNodeId ?? -1;
  const candidates = device.resource.connections
    .filter((connection) => wanted < 0 || connection.peerNodeId === wanted)
    .map((connection) => connection.peerDevice(device.vnr))
    .filter((peerDevice) => peerDevice !== undefined);
  tryInvalidate(device, candidates, 0, request.resetBitmap !== false, answer);
}
function tryInvalidate(
  device: Device,
  candidates: readonly PeerDevice[],
  index: number,
  resetBitmap: boolean,
  answer: Answer,
): void {
  const peerDevice = candidates[index];
  if (peerDevice === undefined) return invalidateAlone(device, answer);
  const repl = resetBitmap ? ReplicationState.StartingSyncT : ReplicationState.WFBitMapT;
  startResync(peerDevice, repl, 'invalidate', (code, infoTexts) => {
    if (code === StateCode.NeedConnection)
      return tryInvalidate(device, candidates, index + 1, resetBitmap, answer);
    answer(refuse(code, ...infoTexts));
  });
}
function invalidateAlone(device: Device, answer: Answer): void {
  const { resource } = device;
  const code = changeState(resource, { tag: 'invalidate', verbose: true }, () => {
    device.next.disk = DiskState.Inconsistent;
  });
  if (isSuccess(code)) resource.host.dataActions.setAllSlots(device);
  afterDeferred(resource, () => answer(refuse(code)));
}

/**
 * Agrees on the start of a resync with the peer; done when the starting state was left again. `stillWanted` is asked each time
 * before the peers are: other changes may have come first.
 */
export function startResync(
  peerDevice: PeerDevice,
  repl: ReplicationState,
  tag: string,
  done: (code: number, infoTexts: readonly string[]) => void,
  stillWanted?: () => boolean,
): void {
  const { resource, device, connection } = peerDevice;
  changeClusterWide(
    resource,
    {
      kind: 'change',
      options: { tag, verbose: true },
      volume: device.vnr,
      target: connection,
      bitmapClusterWide: true,
      edit: (phase) => {
        if (stillWanted !== undefined && peerDevice.next.repl !== ReplicationState.Established) return;
        if (phase !== 'prepare' || stillWanted?.() !== false) peerDevice.next.repl = repl;
      },
      word: () => changeWord({ conn: repl }),
    },
    (code, infoTexts) => {
      if (!isSuccess(code)) return done(code, infoTexts);
      const left = (): boolean => {
        if (peerDevice.now.repl === repl && repl <= ReplicationState.StartingSyncT) return false;
        done(code, infoTexts);
        return true;
      };
      if (!left()) whenStateChanges(resource, left);
    },
  );
}
