/** P_SIZES (engine.md 5.5). Sizes in sectors. */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type PacketOf } from '../../wire/packets';
import { determineSize, sizeText } from '../admin/device-size';
import { type Device, type PeerDevice } from '../objects';
import { peerFault } from '../peer-fault';
import { hasThirdNode } from '../state/marks';
import { logLine } from '../state/object-log';
import { type HandlerResult } from './packet-handler';

export function receiveSizes(peerDevice: PeerDevice, packet: PacketOf<'P_SIZES'>): HandlerResult {
  const { sizes, device } = peerDevice;
  const { diskSize, userSize, currentSize } = packet;
  // Of an attempt to connect that was turned down: they come again with the next one.
  if (peerDevice.connection.now.cstate < ConnectionState.Connected && !peerDevice.inHandshake) return 'ok';
  if ((diskSize > 0 && currentSize > diskSize) || (userSize > 0 && currentSize > userSize)) {
    return refuse(peerDevice, 'Peer sent bogus sizes, disconnecting');
  }
  const told = peerDevice.haveSizes ? sizes.cSize : 0;
  sizes.dSize = diskSize;
  sizes.uSize = userSize;
  sizes.cSize = currentSize;
  if (diskSize > 0) sizes.maxSize = diskSize;
  peerDevice.haveSizes = true;
  warnOfDifferences(peerDevice);
  adoptUserSize(peerDevice);
  return device.backing === undefined ? adoptDiskless(peerDevice) : adoptWithDisk(peerDevice, told);
}

/** In a connect transaction it is voted down; otherwise the connection is dropped. */
function refuse(peerDevice: PeerDevice, text: string): HandlerResult {
  if (peerDevice.inHandshake) {
    logLine(peerDevice, 'error', text);
    peerDevice.connection.link.sizesError = true;
    return 'ok';
  }
  return peerFault(peerDevice, 'sizes', text);
}

function warnOfDifferences(peerDevice: PeerDevice): void {
  const { device, sizes } = peerDevice;
  const compare = (what: string, own: number, peer: number): void => {
    if (own === 0 || peer === 0) return;
    if (Math.abs(own - peer) * 8 <= Math.max(own, peer)) return;
    logLine(peerDevice, 'warning', `Considerable difference in ${what}: ${own}s vs. ${peer}s`);
  };
  if (device.backing === undefined) return;
  compare('lower level device sizes', device.backing.maxSectors, sizes.dSize);
  if (peerDevice.inHandshake) {
    compare('user requested size', device.diskOptions?.size ?? 0, sizes.uSize);
  }
}

/** The configured size is the peer's from now on; in a handshake the smaller one, if both are configured. */
function adoptUserSize({ device, sizes, inHandshake }: PeerDevice): void {
  const { diskOptions } = device;
  if (device.backing === undefined || diskOptions === undefined) return;
  const own = diskOptions.size;
  const known = [own, sizes.uSize].filter((size) => size > 0);
  const size = inHandshake ? (known.length > 0 ? Math.min(...known) : 0) : sizes.uSize;
  // A diskless peer without a size of its own has no say.
  if (size === own || (sizes.uSize === 0 && sizes.dSize === 0)) return;
  device.diskOptions = { ...diskOptions, size };
}

/** `told`: the size that the peer had when it told of it last, 0 = never. */
function adoptWithDisk(peerDevice: PeerDevice, told: number): HandlerResult {
  const { device, sizes, now } = peerDevice;
  const size = determineSize(device, false, sizes.dSize > 0 ? sizes.cSize : 0);
  const consistent = device.now.disk >= DiskState.Outdated;
  const joining = now.repl < ReplicationState.Established || now.pdsk === DiskState.Diskless;
  if (device.size > 0 && size < device.size && consistent && joining) {
    const text = `The peer's disk size is too small! (${size} < ${device.size} sectors)`;
    sizes.maxSize = 0;
    return refuse(peerDevice, text);
  }
  const own = device.backing?.maxSectors ?? 0;
  if (!peerDevice.inHandshake && sizes.cSize > own) {
    const text = `Peer's size larger than my maximum capacity (${own} < ${sizes.cSize} sectors)`;
    return refuse(peerDevice, text);
  }
  const known = device.size;
  if (size !== device.size) resize(device, size);
  if (peerDevice.inHandshake) {
    if (sizes.dSize > 0) expectNewStorage(peerDevice, Math.min(known, sizes.cSize));
  } else if (known > 0 && size > known) {
    device.resource.host.dataActions.persistSize(device);
    // It may attach a disk and know the size from before: what follows, a bitmap above all, is of the new one.
    if (sizes.cSize !== size) device.resource.host.peerActions.sendSizes(peerDevice, 0);
    syncGrown(peerDevice);
  } else if (told > 0 && told < size && sizes.cSize === size) syncGrown(peerDevice);
  if (known === 0 || size <= known) return 'ok';
  // It may not know all the others as we do, and has been told the size from before: bitmaps must be of one length.
  if (peerDevice.inHandshake && hasThirdNode(peerDevice))
    device.resource.host.peerActions.sendSizes(peerDevice, 0);
  tellOthers(peerDevice, known);
  return exchangesBitmaps(peerDevice) ? connectAgain(peerDevice) : 'ok';
}
/** While a disk is being attached nothing can be synced: then when it is there. */
function syncGrown(peerDevice: PeerDevice): void {
  const { device, now } = peerDevice;
  const { Negotiating } = DiskState;
  if (device.now.disk === Negotiating || now.pdsk === Negotiating) peerDevice.resyncAfterNegotiation = true;
  else device.resource.host.dataActions.syncNewStorage(peerDevice);
}

/** Peers that were here before learn of the new storage before anything is written there, and get what it holds. */
function tellOthers(peerDevice: PeerDevice, known: number): void {
  const { device } = peerDevice;
  const { peerActions, dataActions } = device.resource.host;
  for (const other of device.peerDevices) {
    if (other === peerDevice || (other.now.repl < ReplicationState.Established && !other.inHandshake))
      continue;
    if (exchangesBitmaps(other)) {
      connectAgain(other);
      continue;
    }
    peerActions.sendSizes(other, 0);
    if (other.inHandshake) expectNewStorage(other, known);
    else if (other.now.repl === ReplicationState.Established) dataActions.syncNewStorage(other);
  }
}

/** The bitmap of one of both is on its way, and as long as the device was. */
const exchangesBitmaps = ({ now }: PeerDevice): boolean =>
  now.repl === ReplicationState.WFBitMapS || now.repl === ReplicationState.WFBitMapT;
function connectAgain({ connection }: PeerDevice): HandlerResult {
  logLine(connection, 'info', 'The size changed during a bitmap exchange, connecting again.');
  connection.resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
  return 'handled-drop';
}

/** Both had agreed on the first `known` sectors. What is beyond counts as different, on both sides. */
function expectNewStorage(peerDevice: PeerDevice, known: number): void {
  const { device, bitmapSlot } = peerDevice;
  if (known === 0 || known >= device.size || bitmapSlot < 0) return;
  peerDevice.newStorageAtConnect = true;
  device.backing?.bitmap.setRange(bitmapSlot, known, device.size - known);
}

/** Another disk is there that could not hold this much: the peer will have to do with less when those two meet. */
function hasSmallerPeer(peerDevice: PeerDevice, size: number): boolean {
  return peerDevice.device.peerDevices.some(
    ({ now, sizes }) => now.pdsk > DiskState.Diskless && sizes.maxSize > 0 && sizes.maxSize < size,
  );
}

function adoptDiskless(peerDevice: PeerDevice): HandlerResult {
  const { device, sizes, resource } = peerDevice;
  const known = [sizes.cSize, sizes.uSize, sizes.dSize].filter((size) => size > 0);
  if (known.length === 0) return 'ok';
  const size = sizes.cSize > 0 ? sizes.cSize : Math.min(...known);
  if (size === device.size) return 'ok';
  const fromDiskless = sizes.dSize === 0;
  if (device.size > 0 && (fromDiskless || hasSmallerPeer(peerDevice, size))) return 'ok';
  if (device.size > size && resource.now.role === Role.Primary) {
    const text = `The peer's device size is too small! (${size} < ${device.size} sectors); demote me first!`;
    return refuse(peerDevice, text);
  }
  resize(device, size);
  return 'ok';
}

/** The device has another size from now on; new blocks of a disk count as out of sync. */
export function resize(device: Device, size: number): void {
  const grown = size > device.size && device.size > 0;
  const { host } = device.resource;
  if (device.backing !== undefined) host.dataActions.resizeBitmap(device, size, grown || device.size === 0);
  device.size = size;
  logLine(device, 'info', `size = ${sizeText(size)}`);
  host.deviceResized(device);
  host.notices.deviceChanged(device);
}
