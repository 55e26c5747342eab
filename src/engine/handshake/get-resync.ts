/** A disk that is behind a diskless Primary looks for a peer with the Primary's generation (engine.md 5.12). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { type Device, type PeerDevice } from '../objects';
import { mayReturnToUpToDate } from '../state/data-trust';
import { committedDevice } from '../state/state-change';
import { changeState } from '../state/transaction';
import { isSyncTarget } from '../state/derived';
import { resyncAfterUnstable } from './resync-after-unstable';
import { type Strategy } from './strategy';
import { strategyWhileConnected } from './sync-handshake';

/** How good it would be; 0: no help. */
function preference(strategy: Strategy): number {
  if (strategy.kind === 'no-sync') return 5;
  if (strategy.kind !== 'target') return 0;
  switch (strategy.how) {
    case 'if-both-failed':
      return 4;
    case 'use-bitmap':
      return 3;
    case 'set-bitmap':
      return 2;
    case 'clear-bitmap':
      return 1;
  }
}

export function tryToGetResync(device: Device): void {
  const { resource } = device;
  let best: { readonly peer: PeerDevice; readonly strategy: Strategy; readonly rank: number } | undefined;
  const behind = !mayReturnToUpToDate(committedDevice(device), 'new');
  for (const peer of device.peerDevices) {
    if (peer.now.pdsk !== DiskState.UpToDate || peer.now.repl < ReplicationState.Established) continue;
    const strategy = strategyWhileConnected(peer);
    if (strategy === undefined) continue;
    // A peer that is behind the Primary as we are is no help.
    if (strategy.kind === 'no-sync' && behind) continue;
    const rank = preference(strategy);
    if (rank > (best?.rank ?? 0)) best = { peer, strategy, rank };
  }
  if (best === undefined) return;
  const { peer, strategy } = best;
  if (strategy.kind === 'no-sync') {
    changeState(resource, { tag: 'get-resync', verbose: true }, () => {
      device.next.disk = DiskState.UpToDate;
    });
  } else if (!isSyncTarget(peer.now.repl) || peer.unstableResync) {
    resyncAfterUnstable(peer, true);
    resource.host.peerActions.sendUuids(peer, UUID_FLAG.RESYNC | UUID_FLAG.DISKLESS_PRIMARY);
  }
}
