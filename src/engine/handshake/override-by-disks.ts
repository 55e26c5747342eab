/** Where the disk states know better than the generation identifiers (engine.md 5.8). Pure. */
import { DiskState } from '../../control/contract/states';
import { UUID_FLAG } from '../../wire/uuids110';
import { type ComparedNode } from './compare-uuids';
import { type Decision, type Strategy } from './strategy';

export interface DiskView {
  readonly own: DiskState;
  readonly peer: DiskState;
}

/** The strategy that the disks demand, or undefined if the decision stands. */
export function overrideByDisks(
  decision: Decision,
  disks: DiskView,
  self: ComparedNode,
  peer: ComparedNode,
  protocol: number,
): Strategy | undefined {
  if (!applies(decision, disks, protocol)) return undefined;
  const beSource = protocol >= 119 ? disks.own > disks.peer : disks.own > DiskState.Inconsistent;
  return beSource ? asSource(self, peer) : asTarget(self, peer);
}

function applies(decision: Decision, { own, peer }: DiskView, protocol: number): boolean {
  const { strategy, rule } = decision;
  const oneInconsistent = (own === DiskState.Inconsistent) !== (peer === DiskState.Inconsistent);
  if (protocol < 119) {
    return (rule === 'both-off' || strategy.kind === 'no-sync') && oneInconsistent;
  }
  if (own === peer || own < DiskState.Inconsistent || peer < DiskState.Inconsistent) return false;
  if (peer === DiskState.DUnknown) return false;
  const ifBothFailed =
    (strategy.kind === 'source' || strategy.kind === 'target') && strategy.how === 'if-both-failed';
  const weakRule = rule === 'reconnected' || rule === 'lost-quorum' || rule === 'both-off';
  if (weakRule && ifBothFailed) return true;
  return strategy.kind === 'no-sync' && oneInconsistent;
}

const same = (a: bigint, b: bigint): boolean => (a & ~1n) === (b & ~1n);

function asSource(self: ComparedNode, peer: ComparedNode): Strategy {
  const useBitmap: Strategy = { kind: 'source', how: 'use-bitmap' };
  if ((peer.flags & UUID_FLAG.SYNC_TARGET) === 0n) return useBitmap;
  const wanted = peer.bitmap[self.nodeId] ?? 0n;
  if (same(wanted, self.current) && same(wanted, peer.current)) return useBitmap;
  const node = self.bitmap.findIndex((uuid, id) => id !== self.nodeId && uuid !== 0n && same(uuid, wanted));
  if (node < 0) return { kind: 'source', how: 'set-bitmap' };
  return node === peer.nodeId ? useBitmap : { kind: 'source', how: 'copy-other-bitmap', node };
}
function asTarget(self: ComparedNode, peer: ComparedNode): Strategy {
  const useBitmap: Strategy = { kind: 'target', how: 'use-bitmap' };
  if ((self.flags & UUID_FLAG.SYNC_TARGET) === 0n) return useBitmap;
  const wanted = self.bitmap[peer.nodeId] ?? 0n;
  if (same(wanted, self.current) && same(wanted, peer.current)) return useBitmap;
  const node = peer.bitmap.findIndex((uuid, id) => id !== peer.nodeId && uuid !== 0n && same(uuid, wanted));
  if (node < 0) return { kind: 'target', how: 'set-bitmap' };
  return node === self.nodeId ? useBitmap : { kind: 'target', how: 'clear-bitmap', node };
}
