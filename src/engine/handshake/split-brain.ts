/** Who gives up its changes after a split brain (engine.md 5.9 step 5 and the after-sb tables). Pure. */
import { type AfterSplitBrain0, type AfterSplitBrain1, type AfterSplitBrain2 } from '../options';

/** `undecided`: the connection is dropped. */
export type Side = 'source' | 'target' | 'undecided';

export interface SplitBrainView {
  readonly afterSb0: AfterSplitBrain0;
  readonly afterSb1: AfterSplitBrain1;
  readonly afterSb2: AfterSplitBrain2;
  readonly selfPrimary: boolean;
  readonly peerPrimary: boolean;
  /** Lowest bit of each side's bitmap UUID for the other: was Primary when it split. */
  readonly selfWasPrimary: boolean;
  readonly peerWasPrimary: boolean;
  /** Bits out of sync as each side counts them. */
  readonly selfChanges: number;
  readonly peerChanges: number;
  readonly resolveConflicts: boolean;
}
export interface SplitBrainDecision {
  readonly side: Side;
  /** We are to be target although Primary: the policy wants us to give up that role first. */
  readonly demoteFirst?: boolean;
}

const tie = (view: SplitBrainView): Side => (view.resolveConflicts ? 'target' : 'source');

function leastChanges(view: SplitBrainView): Side {
  if (view.selfChanges === view.peerChanges) return tie(view);
  return view.selfChanges < view.peerChanges ? 'target' : 'source';
}
function zeroChanges(view: SplitBrainView): Side | undefined {
  if (view.selfChanges === 0 && view.peerChanges === 0) return tie(view);
  if (view.peerChanges === 0) return 'source';
  return view.selfChanges === 0 ? 'target' : undefined;
}

/** After-sb-0pri: nobody is Primary now. */
export function zeroPrimaries(view: SplitBrainView): Side {
  const { selfWasPrimary, peerWasPrimary } = view;
  switch (view.afterSb0) {
    case 'disconnect':
      return 'undecided';
    case 'discard-younger-primary':
      if (!selfWasPrimary && peerWasPrimary) return 'target';
      if (selfWasPrimary && !peerWasPrimary) return 'source';
      return leastChanges(view);
    case 'discard-older-primary':
      if (!selfWasPrimary && peerWasPrimary) return 'source';
      if (selfWasPrimary && !peerWasPrimary) return 'target';
      return leastChanges(view);
    case 'discard-zero-changes':
      return zeroChanges(view) ?? 'undecided';
    case 'discard-least-changes':
      return leastChanges(view);
    case 'discard-local':
      return 'target';
    case 'discard-remote':
      return 'source';
  }
}

function onePrimary(view: SplitBrainView): SplitBrainDecision {
  const byRole: Side = view.selfPrimary ? 'source' : 'target';
  switch (view.afterSb1) {
    case 'disconnect':
      return { side: 'undecided' };
    case 'consensus': {
      const side = zeroPrimaries(view);
      return { side: side === byRole ? side : 'undecided' };
    }
    case 'violently-as0p':
      return { side: zeroPrimaries(view) };
    case 'discard-secondary':
      return { side: byRole };
    case 'call-pri-lost-after-sb':
      return demoting(view, zeroPrimaries(view));
  }
}
function twoPrimaries(view: SplitBrainView): SplitBrainDecision {
  switch (view.afterSb2) {
    case 'disconnect':
      return { side: 'undecided' };
    case 'violently-as0p':
      return { side: zeroPrimaries(view) };
    case 'call-pri-lost-after-sb':
      return demoting(view, zeroPrimaries(view));
  }
}
const demoting = (view: SplitBrainView, side: Side): SplitBrainDecision =>
  side === 'target' && view.selfPrimary ? { side, demoteFirst: true } : { side };

export function resolveSplitBrain(view: SplitBrainView): SplitBrainDecision {
  const primaries = Number(view.selfPrimary) + Number(view.peerPrimary);
  if (primaries === 0) return { side: zeroPrimaries(view) };
  return primaries === 1 ? onePrimary(view) : twoPrimaries(view);
}
