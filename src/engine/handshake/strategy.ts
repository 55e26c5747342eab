/** What a handshake can decide for one volume (engine.md 5.7). */
export type Strategy =
  | { readonly kind: 'no-sync' }
  | { readonly kind: 'source' | 'target'; readonly how: 'if-both-failed' | 'use-bitmap' | 'set-bitmap' }
  /** Take over the bitmap towards node `node` (source), or let the source's bitmap stand alone (target). */
  | { readonly kind: 'source'; readonly how: 'copy-other-bitmap'; readonly node: number }
  | { readonly kind: 'target'; readonly how: 'clear-bitmap'; readonly node: number }
  | { readonly kind: 'split-brain-auto-recover' }
  | { readonly kind: 'split-brain-disconnect' }
  | { readonly kind: 'unrelated-data' }
  | { readonly kind: 'retry-connect' }
  | { readonly kind: 'requires-proto'; readonly protocol: 91 | 96 | 124 }
  | { readonly kind: 'sync-target-primary-disconnect' }
  | { readonly kind: 'sync-target-primary-reconnect' };

export type Rule =
  | 'initial-handshake-changed'
  | 'just-created-both'
  | 'just-created-self'
  | 'just-created-peer'
  | 'sync-source-missed-finish'
  | 'sync-target-peer-missed-finish'
  | 'reconnected'
  | 'crashed-primary'
  | 'lost-quorum'
  | 'both-off'
  | 'bitmap-peer'
  | 'bitmap-peer-other'
  | 'bitmap-self'
  | 'bitmap-self-other'
  | 'history-peer'
  | 'history-self'
  | 'bitmap-both'
  | 'history-both'
  | 'reconcile-bitmap'
  | 'reconcile-dagtag';

export interface Decision {
  readonly strategy: Strategy;
  readonly rule: Rule;
}

export const NO_SYNC: Strategy = { kind: 'no-sync' };

/** `source-use-bitmap`, `no-sync`, ...: as in log lines. */
export function strategyName(strategy: Strategy): string {
  switch (strategy.kind) {
    case 'source':
    case 'target':
      return `${strategy.kind}-${strategy.how}`;
    case 'requires-proto':
      return `requires-proto-${strategy.protocol}`;
    default:
      return strategy.kind;
  }
}

export const isSource = (strategy: Strategy): boolean => strategy.kind === 'source';
export const isTarget = (strategy: Strategy): boolean => strategy.kind === 'target';
export const isSplitBrain = (strategy: Strategy): boolean =>
  strategy.kind === 'split-brain-auto-recover' || strategy.kind === 'split-brain-disconnect';

/** The same sync in the other direction; undefined where there is none. */
export function reversed(strategy: Strategy): Strategy | undefined {
  if (strategy.kind !== 'source' && strategy.kind !== 'target') return undefined;
  const kind = strategy.kind === 'source' ? 'target' : 'source';
  switch (strategy.how) {
    case 'if-both-failed':
    case 'use-bitmap':
    case 'set-bitmap':
      return { kind, how: strategy.how };
    default:
      return undefined;
  }
}
/** As a full sync, the direction kept. */
export function fullSync(strategy: Strategy): Strategy {
  if ((strategy.kind === 'source' || strategy.kind === 'target') && strategy.how === 'use-bitmap') {
    return { kind: strategy.kind, how: 'set-bitmap' };
  }
  return strategy;
}
