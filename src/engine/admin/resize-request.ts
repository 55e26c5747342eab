/** resize (engine.md 9.9): agreed by everybody who is there. Sizes in sectors. */
import { ErrorCode, isSuccess } from '../../control/contract/codes';
import { ReplicationState } from '../../control/contract/states';
import { type Resize } from '../../control/contract/requests';
import { DDS } from '../../wire/packets';
import { NO_NODES, nodeBit } from '../node-mask';
import { type Host } from '../host';
import { type Device } from '../objects';
import { afterDeferred } from '../state/transaction';
import { changeClusterWide } from '../twopc/coordinator';
import { EMPTY_CHANGE } from '../twopc/change-words';
import { type Answer, findMinor, OK, refuse } from './answer';
import { applyAgreedSize, isDiskfulPrimary, maximumSize } from './cluster-resize';
import { determineSize } from './device-size';

export function resize(host: Host, request: Resize, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  const { backing, resource } = device;
  if (backing === undefined) return answer(refuse(ErrorCode.NoDisk));
  if (device.peerDevices.some((peer) => peer.now.repl > ReplicationState.Established)) {
    return answer(refuse(ErrorCode.ResizeResync));
  }
  if (request.alStripes !== undefined || request.alStripeSize !== undefined) {
    const text = 'changing the activity log of an attached disk is not supported by this engine yet';
    return answer(refuse(ErrorCode.InvalidRequest, text));
  }
  const userSize = request.size ?? 0;
  const own = maximumSize(device);
  if (userSize > own) return answer(refuse(ErrorCode.DiskTooSmall));
  const ddsFlags =
    (request.assumePeerHasSpace ? DDS.ASSUME_UNCONNECTED_PEER_HAS_SPACE : 0) |
    (request.assumeClean ? DDS.NO_RESYNC : 0);
  changeClusterWide(
    resource,
    {
      kind: 'resize',
      options: { tag: 'resize' },
      volume: device.vnr,
      target: undefined,
      resize: {
        device,
        userSize,
        ddsFlags,
        alone: () => resizeAlone(device, userSize, ddsFlags),
        agreed: (size, diskfulPrimaries) =>
          applyAgreedSize(device, {
            size,
            userSize,
            ddsFlags,
            diskfulPrimaries,
            isTowardsInitiator: () => false,
          }),
      },
      edit: () => undefined,
      word: () => EMPTY_CHANGE,
    },
    (code, infoTexts) =>
      afterDeferred(resource, () => answer(isSuccess(code) ? OK : refuse(code, ...infoTexts))),
  );
}

/** Nobody is connected: as far as known peers, or the operator's word, allow. */
function resizeAlone(device: Device, userSize: number, ddsFlags: number): void {
  const { diskOptions, resource } = device;
  if (diskOptions === undefined) return;
  device.diskOptions = { ...diskOptions, size: userSize };
  const size = determineSize(device, (ddsFlags & DDS.ASSUME_UNCONNECTED_PEER_HAS_SPACE) !== 0);
  applyAgreedSize(device, {
    size,
    userSize,
    ddsFlags,
    diskfulPrimaries: isDiskfulPrimary(device) ? nodeBit(resource.nodeId) : NO_NODES,
    isTowardsInitiator: () => false,
  });
}
