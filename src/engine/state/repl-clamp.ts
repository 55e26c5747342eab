/** Sanitize, rule S16: which disk states go with a replication state (engine.md 2.3). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type OpenDeviceChange, type OpenPeerDeviceChange } from './state-change';

/** Disk from..to, peer disk from..to. */
type Clamp = readonly [DiskState, DiskState, DiskState, DiskState];
const { Diskless, Inconsistent, Outdated, DUnknown, Consistent, UpToDate } = DiskState;
const bitmapTarget: Clamp = [Inconsistent, Outdated, Inconsistent, UpToDate];
const bitmapSource: Clamp = [Inconsistent, UpToDate, Inconsistent, Consistent];
const syncTarget: Clamp = [Inconsistent, Inconsistent, Inconsistent, UpToDate];
const verify: Clamp = [Inconsistent, UpToDate, Inconsistent, UpToDate];

function clampOf(repl: ReplicationState): Clamp {
  switch (repl) {
    case ReplicationState.Off:
      return [Diskless, UpToDate, Inconsistent, DUnknown];
    case ReplicationState.Established:
      return [Diskless, UpToDate, Diskless, UpToDate];
    case ReplicationState.WFBitMapT:
    case ReplicationState.StartingSyncT:
    case ReplicationState.WFSyncUUID:
    case ReplicationState.Behind:
      return bitmapTarget;
    case ReplicationState.WFBitMapS:
    case ReplicationState.PausedSyncS:
    case ReplicationState.StartingSyncS:
    case ReplicationState.Ahead:
      return bitmapSource;
    case ReplicationState.SyncSource:
      return [Inconsistent, UpToDate, Inconsistent, Inconsistent];
    case ReplicationState.SyncTarget:
    case ReplicationState.PausedSyncT:
      return syncTarget;
    case ReplicationState.VerifyS:
    case ReplicationState.VerifyT:
      return verify;
  }
}

const lesser = (a: DiskState, b: DiskState): DiskState => (a < b ? a : b);
const greater = (a: DiskState, b: DiskState): DiskState => (a > b ? a : b);

export function clampByReplication(node: OpenDeviceChange, peer: OpenPeerDeviceChange): void {
  const [diskMin, diskMax, pdskMin, pdskMax] = clampOf(peer.new.repl);
  node.new.disk = greater(lesser(node.new.disk, diskMax), diskMin);
  peer.new.pdsk = greater(lesser(peer.new.pdsk, pdskMax), pdskMin);
}
