/** What a size agreed by two-phase commit means for one node (engine.md 7.5, 9.9). Sizes in sectors. */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { DDS } from '../../wire/packets';
import { hasNode, type NodeMask } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { sizeText } from './device-size';

/** What a node without a disk says: 1 PiB. */
const NO_LIMIT = 2 ** 41;

export interface AgreedSize {
  readonly size: number;
  /** Wanted by the operator; 0 = as large as possible. */
  readonly userSize: number;
  readonly ddsFlags: number;
  readonly diskfulPrimaries: NodeMask;
  /** Is this peer on the way to the one who asked for it? Undecided cases go by that (wire-protocol.md 13.5). */
  isTowardsInitiator(peerDevice: PeerDevice): boolean;
}

/** The largest size this node can have. */
export const maximumSize = (device: Device): number => device.backing?.maxSectors ?? NO_LIMIT;
export const isDiskfulPrimary = (device: Device): boolean =>
  device.resource.now.role === Role.Primary && device.now.disk > DiskState.Diskless;

export function applyAgreedSize(device: Device, agreed: AgreedSize): void {
  const { backing, resource } = device;
  const { host } = resource;
  const grown = agreed.size > device.size;
  const resync = (agreed.ddsFlags & DDS.NO_RESYNC) === 0;
  if (device.diskOptions !== undefined) device.diskOptions = { ...device.diskOptions, size: agreed.userSize };
  if (agreed.size === device.size) return;
  if (backing !== undefined) host.dataActions.resizeBitmap(device, agreed.size, grown && resync);
  device.size = agreed.size;
  logLine(device, 'info', `size = ${sizeText(agreed.size)}`);
  if (backing !== undefined) {
    logLine(device, 'info', 'Writing the whole bitmap, size changed');
    host.dataActions.persistSize(device);
  }
  for (const { sizes } of device.peerDevices)
    if (sizes.maxSize > 0) sizes.maxSize = Math.max(sizes.maxSize, agreed.size);
  host.deviceResized(device);
  host.notices.deviceChanged(device);
  if (!grown) return;
  if (!resync) {
    logLine(device, 'info', 'Resync of new storage suppressed with --assume-clean');
    return;
  }
  for (const peerDevice of device.peerDevices) resyncNewStorage(peerDevice, agreed);
}

function resyncNewStorage(peerDevice: PeerDevice, agreed: AgreedSize): void {
  const { device, now, resource } = peerDevice;
  const bothHaveDisks = device.now.disk >= DiskState.Inconsistent && now.pdsk >= DiskState.Inconsistent;
  if (now.repl !== ReplicationState.Established || !bothHaveDisks || peerDevice.bitmapSlot < 0) return;
  const source = isSource(peerDevice, agreed);
  logLine(peerDevice, 'info', 'Resync of new storage after online grow');
  changeState(resource, { tag: 'resize', hard: true, verbose: true }, () => {
    peerDevice.next.repl = source ? ReplicationState.SyncSource : ReplicationState.SyncTarget;
  });
}
function isSource(peerDevice: PeerDevice, agreed: AgreedSize): boolean {
  const { resource, peerNodeId } = peerDevice;
  const self = hasNode(agreed.diskfulPrimaries, resource.nodeId);
  const peer = hasNode(agreed.diskfulPrimaries, peerNodeId);
  if (self && peer) return resource.nodeId < peerNodeId;
  if (self || peer) return self;
  return !agreed.isTowardsInitiator(peerDevice);
}
