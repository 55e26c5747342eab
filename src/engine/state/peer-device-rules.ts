/** The soft rules of a peer device (engine.md 2.5, V17-V29). */
import { StateCode } from '../../control/contract/codes';
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { wantsBitmap } from '../objects';
import { isSyncSource, isSyncTarget, isVerify } from './derived';
import { type DeviceChange, type PeerDeviceChange, type Side, type StateChange } from './state-change';

const OK = StateCode.Success;
const { Established, Off, WFBitMapT } = ReplicationState;

export function checkPeerDeviceRules(
  change: StateChange,
  node: DeviceChange,
  peer: PeerDeviceChange,
): StateCode {
  const code = diskRules(change, node, peer);
  if (code < OK) return code;
  const replCode = replicationRules(peer);
  if (replCode < OK) return replCode;
  if (
    peer.old.pdsk === DiskState.Diskless &&
    peer.new.pdsk > DiskState.Diskless &&
    peer.new.pdsk !== DiskState.DUnknown &&
    !wantsBitmap(peer.peerDevice)
  ) {
    return StateCode.AttachNoBitmap;
  }
  return OK;
}

/** V17-V20. */
function diskRules(change: StateChange, node: DeviceChange, peer: PeerDeviceChange): StateCode {
  const unfenced = (side: Side): boolean =>
    peer.peerDevice.connection.options.fencing !== 'dont-care' &&
    change[side].role === Role.Primary &&
    peer[side].repl < Established &&
    peer[side].pdsk > DiskState.Outdated;
  if (unfenced('new') && !unfenced('old')) return StateCode.PrimaryNop;
  const noDisk = (side: Side): boolean =>
    peer[side].repl > Established && node[side].disk < DiskState.Inconsistent;
  if (noDisk('new') && !noDisk('old')) return StateCode.NoLocalDisk;
  const noRemote = (side: Side): boolean =>
    peer[side].repl > Established && peer[side].pdsk < DiskState.Inconsistent;
  if (noRemote('new') && !noRemote('old')) return StateCode.NoRemoteDisk;
  const outdates = node.old.disk > DiskState.Outdated && node.new.disk === DiskState.Outdated;
  return outdates && !mayBeOutdated(change, node) ? StateCode.ConnectedOutdates : OK;
}

function becomesTargetOfSome(node: DeviceChange): boolean {
  return node.peers.some(({ new: { repl } }) => {
    switch (repl) {
      case ReplicationState.WFSyncUUID:
      case ReplicationState.WFBitMapT:
      case ReplicationState.StartingSyncT:
      case ReplicationState.SyncTarget:
      case ReplicationState.PausedSyncT:
      case ReplicationState.Behind:
        return true;
      default:
        return false;
    }
  });
}

/** Engine.md 2.5, last paragraph. */
function mayBeOutdated(change: StateChange, node: DeviceChange): boolean {
  if (change.new.role === Role.Primary) {
    return node.peers.some((peer) => peer.new.pdsk === DiskState.UpToDate && peer.new.repl === WFBitMapT);
  }
  const primary = node.peers.find((peer) => peer.link.new.peerRole === Role.Primary && peer.new.repl > Off);
  if (primary === undefined) return true;
  if (
    primary.new.pdsk === DiskState.Diskless &&
    primary.old.repl === Off &&
    primary.new.repl === Established
  ) {
    return true;
  }
  return becomesTargetOfSome(node);
}

/** V21-V28. */
function replicationRules(peer: PeerDeviceChange): StateCode {
  const from = peer.old.repl;
  const to = peer.new.repl;
  const { connection } = peer.peerDevice;
  if (isVerify(to) && !isVerify(from)) {
    if (connection.options.verifyAlg === '') return StateCode.NoVerifyAlgorithm;
    if (connection.agreedProtocol < 88) return StateCode.NotSupported;
  }
  if (isSyncSource(from) && to === ReplicationState.WFBitMapS) return StateCode.ResyncRunning;
  if (isSyncTarget(from) && to === WFBitMapT) return StateCode.ResyncRunning;
  const starts = to === ReplicationState.StartingSyncS || to === ReplicationState.StartingSyncT;
  if (starts && to !== from && from > Established) return StateCode.ResyncRunning;
  if (isVerify(to) && from < Established) return StateCode.NeedConnection;
  if (isVerify(to) && to !== from && from > Established) return StateCode.ResyncRunning;
  if (starts && from < Established) return StateCode.NeedConnection;
  const runs = to === ReplicationState.SyncTarget || to === ReplicationState.SyncSource;
  return runs && from < Off ? StateCode.NeedConnection : OK;
}
