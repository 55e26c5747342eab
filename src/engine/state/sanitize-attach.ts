/** Sanitize, rule S4: the outcome of the attach negotiation with the connected peers (engine.md 2.3). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { diskStateFromMetadata, holdsOlderData } from './data-trust';
import { type OpenDeviceChange, type OpenPeerDeviceChange } from './state-change';
import { type TransactionNotes } from './transaction-notes';

type Result = ReplicationState | 'no-result' | undefined;

export function settleAttachNegotiation(node: OpenDeviceChange, notes: TransactionNotes): void {
  if (node.new.disk !== DiskState.Negotiating) return;
  const entering = node.old.disk !== DiskState.Negotiating;
  if (entering) {
    notes.atCommit(() => {
      for (const { peerDevice } of node.peers) peerDevice.negotiationResult = undefined;
    });
  }
  const resultOf = (peer: OpenPeerDeviceChange): Result =>
    entering ? undefined : peer.peerDevice.negotiationResult;
  const partners = node.peers.filter(
    (peer) => peer.new.pdsk >= DiskState.Negotiating && peer.new.repl !== ReplicationState.Off,
  );
  if (partners.some((peer) => resultOf(peer) === undefined)) return;
  node.new.disk = negotiatedDisk(node, partners, resultOf);
  for (const peer of node.peers) {
    const result = resultOf(peer);
    if (result === undefined || peer.new.repl === ReplicationState.Off) continue;
    applyResult(peer, result, node.new.disk);
  }
}

function negotiatedDisk(
  node: OpenDeviceChange,
  partners: readonly OpenPeerDeviceChange[],
  resultOf: (peer: OpenPeerDeviceChange) => Result,
): DiskState {
  if (partners.length > 0 && partners.every((peer) => resultOf(peer) === 'no-result'))
    return DiskState.Detaching;
  if (partners.some((peer) => resultOf(peer) === ReplicationState.WFBitMapT)) return DiskState.Inconsistent;
  if (partners.some((peer) => peer.new.pdsk === DiskState.UpToDate)) return DiskState.UpToDate;
  return diskStateWithoutPartner(node);
}

/** What the meta-data says, unless this Primary has already written elsewhere what this disk does not hold (9.1). */
export function diskStateWithoutPartner(node: OpenDeviceChange): DiskState {
  return holdsOlderData(node, 'new') ? DiskState.Detaching : diskStateFromMetadata(node, 'new');
}

function applyResult(
  peer: OpenPeerDeviceChange,
  result: ReplicationState | 'no-result',
  disk: DiskState,
): void {
  if (result === 'no-result') {
    peer.new.repl = ReplicationState.Established;
  } else if (result === ReplicationState.WFBitMapS && disk === DiskState.Inconsistent) {
    peer.new.repl = ReplicationState.PausedSyncS;
    peer.new.resyncSuspOtherConnection = true;
  } else {
    peer.new.repl = result;
  }
}
