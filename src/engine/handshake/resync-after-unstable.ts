/** A second look at the generation identifiers while connected (engine.md 5.11 "resync after unstable"). */
import { StateCode } from '../../control/contract/codes';
import {
  DiskState,
  diskStateName,
  ReplicationState,
  replicationStateName,
} from '../../control/contract/states';
import { settledByUpToDatePeer } from '../connection/reconcile';
import { type PeerDevice } from '../objects';
import { mayReturnToUpToDate } from '../state/data-trust';
import { logLine } from '../state/object-log';
import { committedDevice } from '../state/state-change';
import { changeState } from '../state/transaction';
import { compareWhileConnected } from './sync-handshake';

export function resyncAfterUnstable(peerDevice: PeerDevice, disklessPrimary: boolean): void {
  const { device, now, resource } = peerDevice;
  if (device.now.disk < DiskState.Inconsistent || now.pdsk < DiskState.Inconsistent) return;
  const repl = compareWhileConnected(peerDevice, disklessPrimary);
  if (repl === undefined) return;
  if (repl === ReplicationState.Established) return upgradeWithoutResync(peerDevice);
  const tag = disklessPrimary ? 'diskless-primary' : 'after-unstable';
  const why = disklessPrimary ? 'because primary is diskless' : 'after unstable';
  logLine(peerDevice, 'info', `Becoming ${replicationStateName(repl)} ${why}`);
  const code = changeState(resource, { tag, verbose: true }, () => {
    peerDevice.next.repl = repl;
  });
  if (code === StateCode.ResyncRunning || code === StateCode.NothingToDo) {
    peerDevice.resyncAgain++;
    logLine(peerDevice, 'info', '...postponing this until current resync finished');
  }
}

function upgradeWithoutResync(peerDevice: PeerDevice): void {
  const { device, now, resource } = peerDevice;
  if (!mayReturnToUpToDate(committedDevice(device), 'new')) return;
  if (device.now.disk === DiskState.Consistent && now.pdsk === DiskState.UpToDate)
    settledByUpToDatePeer(device);
  if (device.now.disk !== DiskState.Outdated || now.pdsk < DiskState.Consistent) return;
  // It comes with what is marked.
  if (peerDevice.marksCount === 'theirs' && resource.host.dataActions.outOfSyncBits(peerDevice) > 0) return;
  const name = diskStateName(now.pdsk);
  logLine(peerDevice, 'info', `Upgrading local disk to ${name} after unstable/weak (and no resync).`);
  changeState(resource, { tag: 'after-unstable', verbose: true }, () => {
    device.next.disk = now.pdsk;
  });
}
