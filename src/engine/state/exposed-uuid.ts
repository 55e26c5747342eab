/** The generation this device shows to the world after a commit (engine.md 4.9). */
import { DiskState, Role } from '../../control/contract/states';
import { type Device } from '../objects';
import { sameUuid } from './data-trust';
import { hex16, logLine } from './object-log';
import { type DeviceChange, type StateChange } from './state-change';

const JUST_CREATED = 4n;

/** Returns whether it changed. The lowest bit tells whether we are Primary. */
export function setExposedUuid(device: Device, uuid: bigint, log = false): boolean {
  if (sameUuid(device.exposedUuid, uuid) || uuid === JUST_CREATED) return false;
  const primary = device.resource.now.role === Role.Primary;
  device.exposedUuid = primary ? uuid | 1n : uuid & ~1n;
  if (log) logLine(device, 'info', `Setting exposed data uuid: ${hex16(device.exposedUuid)}`);
  return true;
}

function commonUuidOfPeers(node: DeviceChange): bigint {
  let common = 0n;
  for (const { peerDevice, new: state } of node.peers) {
    if (state.pdsk !== DiskState.UpToDate || !peerDevice.connection.options.allowRemoteRead) continue;
    const current = peerDevice.uuids?.currentUuid ?? 0n;
    if (common !== 0n && !sameUuid(common, current)) {
      logLine(node.device, 'error', 'Multiple UpToDate peers have different current UUIDs');
    }
    common = current;
  }
  return common;
}

export function updateExposedUuids(change: StateChange): void {
  for (const node of change.devices) {
    const own = node.device.backing?.superblock.currentUuid;
    const uuid = node.new.disk === DiskState.UpToDate && own !== undefined ? own : commonUuidOfPeers(node);
    if (uuid !== 0n) setExposedUuid(node.device, uuid, true);
  }
}
