/**
 * The stored generation identifiers of a device with a disk (engine.md 4.1, 4.2). Everything here changes the
 * superblock in memory and marks it dirty; when it is written is the caller's business.
 */
import { UUID_JUST_CREATED } from '../../metadata/superblock-flags';
import { type PeerSlot09, type Superblock09 } from '../../metadata/superblock-09';
import { Role } from '../../control/contract/states';
import { type Device } from '../objects';
import { setExposedUuid } from '../state/exposed-uuid';

const PRIMARY_BIT = 1n;
/** Without the bit that says "was Primary when set". */
export const withoutPrimaryBit = (uuid: bigint): bigint => uuid & ~PRIMARY_BIT;

export { UUID_JUST_CREATED };

export function superblockOf(device: Device): Superblock09 {
  const superblock = device.backing?.superblock;
  if (superblock === undefined) throw new Error(`drbd${device.minor} has no meta-data`);
  return superblock;
}

export function slotOf(superblock: Superblock09, nodeId: number): PeerSlot09 {
  const slot = superblock.peers[nodeId];
  if (slot === undefined) throw new Error(`no node ${nodeId} in the meta-data`);
  return slot;
}

export function markDirty(device: Device): void {
  device.resource.host.dataActions.markMetadataDirty(device);
}

/** Only real generation, nothing else ever: no history, no bitmap UUID. */
export function isDay0(superblock: Superblock09): boolean {
  return (
    superblock.currentUuid !== UUID_JUST_CREATED &&
    superblock.currentUuid !== 0n &&
    superblock.historyUuids.every((uuid) => uuid === 0n) &&
    superblock.peers.every((slot) => slot.bitmapUuid === 0n)
  );
}

/** The primary bit follows the committed role; the exposed UUID follows silently. */
export function setCurrentUuid(device: Device, uuid: bigint): void {
  const superblock = superblockOf(device);
  const primary = device.resource.now.role === Role.Primary;
  superblock.currentUuid = primary ? uuid | PRIMARY_BIT : withoutPrimaryBit(uuid);
  setExposedUuid(device, superblock.currentUuid);
  markDirty(device);
}

/** `dagtag` is the position of the write stream at which the bitmap starts to count; the resource's own if not given. */
export function setBitmapUuid(
  device: Device,
  nodeId: number,
  uuid: bigint,
  dagtag: number | bigint = device.resource.dagtag,
): void {
  const slot = slotOf(superblockOf(device), nodeId);
  slot.bitmapUuid = uuid;
  slot.bitmapDagtag = uuid === 0n ? 0n : BigInt(dagtag);
  markDirty(device);
}

/** As `setBitmapUuid`; the previous value goes into history. */
export function setBitmapUuidWithHistory(device: Device, nodeId: number, uuid: bigint): void {
  const previous = slotOf(superblockOf(device), nodeId).bitmapUuid;
  setBitmapUuid(device, nodeId, uuid);
  if (previous !== 0n) pushHistory(device, previous);
}

export function pushHistory(device: Device, uuid: bigint): void {
  const superblock = superblockOf(device);
  const value = withoutPrimaryBit(uuid);
  if (value === 0n || value === UUID_JUST_CREATED) return;
  if (value === withoutPrimaryBit(superblock.currentUuid)) return;
  const { historyUuids } = superblock;
  markDirty(device);
  if (historyUuids[0] === 0n) {
    historyUuids[0] = value;
    return;
  }
  const known = (other: bigint): boolean => withoutPrimaryBit(other) === value;
  if (superblock.peers.some((slot) => known(slot.bitmapUuid)) || historyUuids.some(known)) return;
  historyUuids.pop();
  historyUuids.unshift(value);
}

/** Takes the newest entry out of history. */
export function pullHistory(device: Device): bigint {
  const { historyUuids } = superblockOf(device);
  const newest = historyUuids.shift() ?? 0n;
  historyUuids.push(0n);
  markDirty(device);
  return newest;
}
