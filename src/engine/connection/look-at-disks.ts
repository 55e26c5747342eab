import { DiskState, ReplicationState } from '../../control/contract/states';
import { type Connection } from '../objects';

/**
 * Disks may have grown while both were apart: the sizes that are exchanged are those of now (engine.md 5.5, 9.9). Where a
 * resync runs nothing is looked at, as `resize` is refused then.
 */
export function lookAtDisks({ resource }: Connection, done: () => void): void {
  const devices = resource.devices.filter(
    ({ backing, now, peerDevices }) =>
      backing !== undefined &&
      now.disk >= DiskState.Inconsistent &&
      peerDevices.every((peer) => peer.now.repl <= ReplicationState.Established),
  );
  let left = devices.length;
  if (left === 0) done();
  for (const device of devices)
    resource.host.dataActions.followDisks(device, { sectors: device.size }, () => {
      left--;
      if (left === 0) done();
    });
}
