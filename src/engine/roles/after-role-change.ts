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

/** `done` when a forced promotion has written its new generation and the peers were told. */
export function afterPromotion(resource: Resource, forced: boolean, done: () => void): void {
  for (const connection of resource.connections) {
    connection.discardMyData = false;
    for (const peerDevice of connection.peerDevices) peerDevice.discardMyData = false;
  }
  const tell = (): void => {
    tellPeers(resource, forced);
    done();
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
function tellPeers(resource: Resource, forced: boolean): void {
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
