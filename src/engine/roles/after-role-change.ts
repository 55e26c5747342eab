/** What follows a committed change of the own role, before the command is answered (engine.md 8.1). */
import { ConnectionState } from '../../control/contract/states';
import { type Resource } from '../objects';
import { newCurrentUuid } from '../uuid/new-current-uuid';

export function afterDemotion(resource: Resource): void {
  const { dataActions } = resource.host;
  for (const device of resource.devices) {
    if (device.backing === undefined) continue;
    device.backing.superblock.currentUuid &= ~1n;
    dataActions.markMetadataDirty(device);
    dataActions.syncMetadata(device);
  }
}

/**
 * `done` when PRIMARY_IND (and with force the new generation) is on stable storage and the peers were told: a crash
 * after the first write must find the activity log in force.
 */
export function afterPromotion(resource: Resource, forced: boolean, done: () => void): void {
  for (const connection of resource.connections) {
    connection.discardMyData = false;
    for (const peerDevice of connection.peerDevices) peerDevice.discardMyData = false;
  }
  const tell = (): void => {
    tellPeers(resource, forced);
    syncAll(resource, done);
  };
  if (!forced) return tell();
  let open = 1;
  const oneDone = (): void => {
    if (--open === 0) tell();
  };
  for (const device of resource.devices) {
    if (device.backing === undefined) continue;
    open++;
    newCurrentUuid(device, true, () => {
      device.newCurrentUuidOwed = false;
      resource.host.dataActions.newCurrentUuidSettled(device);
      oneDone();
    });
  }
  oneDone();
}
function syncAll(resource: Resource, done: () => void): void {
  const attached = resource.devices.filter((device) => device.backing !== undefined);
  let open = attached.length + 1;
  const oneDone = (): void => {
    if (--open === 0) done();
  };
  for (const device of attached) resource.host.dataActions.syncMetadata(device, oneDone);
  oneDone();
}
/** Each connected peer gets our state of each volume; after a forced promotion the generation first. */
export function tellPeers(resource: Resource, forced: boolean): void {
  const { peerActions } = resource.host;
  for (const connection of resource.connections) {
    if (connection.now.cstate !== ConnectionState.Connected) continue;
    for (const peerDevice of connection.peerDevices) {
      if (forced) {
        peerActions.sendUuids(peerDevice, 0n);
        peerDevice.considerResync = true;
      }
      peerActions.sendState(peerDevice);
    }
  }
}
