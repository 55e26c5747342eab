/** resync-after: a device waits until another one has finished its resyncs (engine.md 12.7). */
import { ReplicationState } from '../../control/contract/states';
import { type Device, type Resource } from '../objects';
import { changeState } from '../state/transaction';

const isBusy = ({ peerDevices }: Device): boolean =>
  peerDevices.some(
    ({ now }) =>
      (now.repl >= ReplicationState.SyncSource && now.repl <= ReplicationState.PausedSyncT) ||
      now.resyncSuspUser ||
      now.resyncSuspPeer ||
      now.resyncSuspDependency,
  );

/** Some device up the chain is busy. A cycle cannot be configured; a broken chain ends. */
function mustWait(device: Device): boolean {
  const { minors } = device.resource.host;
  const seen = new Set<Device>([device]);
  let next = minors.get(device.diskOptions?.resyncAfter ?? -1);
  while (next !== undefined && !seen.has(next)) {
    if (isBusy(next)) return true;
    seen.add(next);
    next = minors.get(next.diskOptions?.resyncAfter ?? -1);
  }
  return false;
}

/** Looks at every device of the host that depends on another one. */
export function reconsiderResyncAfter({ resource: { host } }: Device): void {
  for (const device of host.minors.values()) {
    if (device.diskOptions === undefined) continue;
    const waits = mustWait(device);
    if (device.peerDevices.every(({ now }) => now.resyncSuspDependency === waits)) continue;
    host.ports.scheduler.soon({ run: () => setDependency(device.resource, device) });
  }
}
function setDependency(resource: Resource, device: Device): void {
  const waits = mustWait(device);
  changeState(resource, { hard: true, tag: 'resync-after' }, () => {
    for (const peerDevice of device.peerDevices) peerDevice.next.resyncSuspDependency = waits;
  });
}
