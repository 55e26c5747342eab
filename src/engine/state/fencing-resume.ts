/** Fencing resource-and-stonith: when may I/O go on (engine.md 13.2, last paragraph)? */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type Connection } from '../objects';
import { settleOwedCurrentUuid } from '../uuid/new-current-uuid';
import { type ChangeState } from './deferred';

export function resumeAfterFencing(connection: Connection, changeState: ChangeState): void {
  const { peerDevices, resource } = connection;
  if (peerDevices.length === 0) return;
  const clear = (): void => {
    changeState(resource, { tag: 'after-fencing', hard: true }, () => {
      connection.next.suspFencing = false;
    });
  };
  if (peerDevices.every(({ now }) => now.pdsk <= DiskState.Outdated)) {
    const owing = resource.devices.filter((device) => device.newCurrentUuidOwed);
    let missing = owing.length;
    if (missing === 0) clear();
    const oneDone = (): void => {
      missing--;
      if (missing === 0) clear();
    };
    for (const device of owing) settleOwedCurrentUuid(device, oneDone);
  } else if (peerDevices.every(({ now }) => now.repl >= ReplicationState.Established)) {
    for (const { device } of peerDevices) {
      device.newCurrentUuidOwed = false;
      resource.host.dataActions.newCurrentUuidSettled(device);
    }
    clear();
  }
}
