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
    applyResult(peer, result);
  }
}

function negotiatedDisk(
  node: OpenDeviceChange,
  partners: readonly OpenPeerDeviceChange[],
  resultOf: (peer: OpenPeerDeviceChange) => Result,
): DiskState {
  if (partners.some((peer) => resultOf(peer) === ReplicationState.WFBitMapT)) return DiskState.Inconsistent;
  // One is enough, other than for the kernel module: that peer has what we do not, and waits for a bitmap maybe. Others, of an
  // older generation, would make this disk the one that counts.
  if (partners.some((peer) => resultOf(peer) === 'no-result')) return DiskState.Detaching;
  if (partners.some((peer) => peer.new.pdsk === DiskState.UpToDate)) return DiskState.UpToDate;
  return diskStateWithoutPartner(node);
}

/** What the meta-data says, unless this Primary has already written elsewhere what this disk does not hold (9.1). */
function diskStateWithoutPartner(node: OpenDeviceChange): DiskState {
  return holdsOlderData(node, 'new') ? DiskState.Detaching : diskStateFromMetadata(node, 'new');
}

/**
 * A future source whose own disk becomes Inconsistent exchanges bitmaps first: S13 pauses it when it enters the resync.
 * Paused at once, as the kernel module has it, it would leave the peer waiting in WFBitMapT for ever.
 */
function applyResult(peer: OpenPeerDeviceChange, result: ReplicationState | 'no-result'): void {
  peer.new.repl = result === 'no-result' ? ReplicationState.Established : result;
}
