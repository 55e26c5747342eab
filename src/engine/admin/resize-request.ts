/** resize (engine.md 9.9): agreed by everybody who is there. Sizes in sectors. */
import { ErrorCode, isSuccess } from '../../control/contract/codes';
import { ReplicationState } from '../../control/contract/states';
import { type ControlReply, type Resize } from '../../control/contract/requests';
import { type ActivityLogGeometry } from '../../metadata/layout';
import { DDS } from '../../wire/packets';
import { NO_NODES, nodeBit } from '../node-mask';
import { type BackingDevice } from '../data/backing-device';
import { type DisksFollowed } from '../data/follow-disks';
import { type Host } from '../host';
import { type Device } from '../objects';
import { logLine } from '../state/object-log';
import { afterDeferred } from '../state/transaction';
import { changeClusterWide } from '../twopc/coordinator';
import { EMPTY_CHANGE } from '../twopc/change-words';
import { type Answer, findMinor, OK, refuse } from './answer';
import { applyAgreedSize, isDiskfulPrimary, maximumSize } from './cluster-resize';
import { determineSize } from './device-size';

/** Of the area of an activity log, in KiB. */
const LARGEST_LOG = 16 * 1024 * 1024;
const SMALLEST_LOG = 32;

export function resize(host: Host, request: Resize, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  const { backing, resource } = device;
  if (backing === undefined) return answer(refuse(ErrorCode.NoDisk));
  if (isResyncing(device)) return answer(refuse(ErrorCode.ResizeResync));
  const geometry = wantedGeometry(backing, request);
  if (typeof geometry === 'number') return answer(refuse(geometry));
  const look = { sectors: device.size, ...(geometry !== undefined && { geometry }) };
  resource.host.dataActions.followDisks(device, look, (followed) => {
    const defect = backing === device.backing ? refusal(followed) : refuse(ErrorCode.NoDisk);
    if (defect !== undefined) return answer(defect);
    if (geometry !== undefined && followed.kind === 'moved') logGeometry(device, geometry);
    if (isResyncing(device)) return answer(refuse(ErrorCode.ResizeResync));
    agree(device, request, answer);
  });
}
const isResyncing = (device: Device): boolean =>
  device.peerDevices.some((peer) => peer.now.repl > ReplicationState.Established);

/** The other geometry of the activity log that is asked for, if any, or the code that refuses it. */
function wantedGeometry(
  { superblock }: BackingDevice,
  { alStripes, alStripeSize }: Resize,
): ActivityLogGeometry | number | undefined {
  if (alStripes === undefined && alStripeSize === undefined) return undefined;
  const stripes = alStripes ?? superblock.alStripes;
  const stripeKib = alStripeSize ?? superblock.alStripeSize4k * 4;
  if (stripes * stripeKib > LARGEST_LOG) return ErrorCode.MetaLayoutTooBig;
  if (stripes * stripeKib < SMALLEST_LOG || stripeKib < 4) return ErrorCode.MetaLayoutTooSmall;
  return { alStripes: stripes, alStripeSize4k: Math.floor(stripeKib / 4) };
}
function logGeometry(device: Device, { alStripes, alStripeSize4k }: ActivityLogGeometry): void {
  const text = `Changed AL layout to al-stripes = ${alStripes}, al-stripe-size-kB = ${alStripeSize4k * 4}`;
  logLine(device, 'info', text);
}

function refusal(followed: DisksFollowed): ControlReply | undefined {
  switch (followed.kind) {
    case 'unchanged':
    case 'moved':
      return undefined;
    case 'too-small':
      return refuse(ErrorCode.ImplicitShrink);
    case 'log-does-not-fit':
      return refuse(ErrorCode.MetaLayoutNoFit);
    case 'failed':
      return refuse(ErrorCode.MetaIo);
  }
}

/** The disks are as they are now: what size is it to be? */
function agree(device: Device, request: Resize, answer: Answer): void {
  const { resource } = device;
  const userSize = request.size ?? 0;
  const own = maximumSize(device);
  if (userSize > own) return answer(refuse(ErrorCode.DiskTooSmall));
  const ddsFlags =
    (request.assumePeerHasSpace ? DDS.ASSUME_UNCONNECTED_PEER_HAS_SPACE : 0) |
    (request.assumeClean ? DDS.NO_RESYNC : 0);
  let shrinks = false;
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
        alone: () => {
          shrinks = !resizeAlone(device, userSize, ddsFlags);
        },
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
      afterDeferred(resource, () => {
        if (shrinks) answer(refuse(ErrorCode.ImplicitShrink));
        else answer(isSuccess(code) ? OK : refuse(code, ...infoTexts));
      }),
  );
}

/** Nobody is connected: as far as known peers, or the operator's word, allow. False: it would shrink, unasked. */
function resizeAlone(device: Device, userSize: number, ddsFlags: number): boolean {
  const { diskOptions, resource } = device;
  if (diskOptions === undefined) return true;
  const assumeSpace = (ddsFlags & DDS.ASSUME_UNCONNECTED_PEER_HAS_SPACE) !== 0;
  const before = diskOptions;
  device.diskOptions = { ...diskOptions, size: userSize };
  const size = determineSize(device, assumeSpace);
  if (size < device.size && userSize === 0) {
    device.diskOptions = before;
    logLine(device, 'warning', `Implicit shrink not allowed. Use --size=${size}s for explicit shrink.`);
    return false;
  }
  if (assumeSpace && size > device.size)
    logLine(device, 'warning', 'Resize forced while not fully connected!');
  applyAgreedSize(device, {
    size,
    userSize,
    ddsFlags,
    diskfulPrimaries: isDiskfulPrimary(device) ? nodeBit(resource.nodeId) : NO_NODES,
    isTowardsInitiator: () => false,
  });
  return true;
}
