/*
 * From the ring on disk to the set of active extents (metadata.md 6.4 step 3).
 */
import {
  AL_BLOCK,
  AL_BLOCK_BYTES,
  AL_CONTEXT_PER_TRANSACTION,
  AL_FREE,
  AL_MAX_SLOTS,
  AL_NO_SLOT,
  AL_UPDATES_PER_TRANSACTION,
  alBlocks,
  alDiskBlock,
  classifyAlBlock,
  type AlBlockKind,
} from './activity-log';
import { viewOf } from './field-table';
import { type ActivityLogGeometry } from './layout';

export type AlFinding =
  | { readonly kind: 'context-slot-out-of-range'; readonly ring: number; readonly slot: number }
  | { readonly kind: 'update-slot-out-of-range'; readonly ring: number; readonly slot: number }
  | { readonly kind: 'unknown-type'; readonly ring: number }
  | { readonly kind: 'sequence-gap'; readonly ring: number };

export interface AlReplay {
  /**
   * 'replay': `hotExtents` is the active set; 'nothing': the log was never written; 'unusable': no valid block;
   * 'no-update': only some initialized blocks are valid, so updates may be lost.
   */
  readonly outcome: 'replay' | 'nothing' | 'unusable' | 'no-update';
  readonly blocks: number;
  readonly corruptBlocks: number;
  /** Ascending, each once. */
  readonly hotExtents: Uint32Array;
  /** Number of the newest transaction found. */
  readonly newest: number | undefined;
}

interface Entry {
  readonly ring: number;
  readonly trNumber: number;
}

/**
 * Replays a ring given in on-disk order (alBlocks * 4096 bytes). Transaction numbers are compared by the sign of their
 * 32-bit difference, so they may wrap. Findings are reported as they are met; none of them stops the replay.
 */
export function replayActivityLog(
  bytes: Uint8Array,
  geometry: ActivityLogGeometry,
  report: (finding: AlFinding) => void = () => undefined,
): AlReplay {
  const blocks = alBlocks(geometry);
  const ring = Array.from({ length: blocks }, (_, r) => {
    const at = alDiskBlock(r, geometry) * AL_BLOCK_BYTES;
    return bytes.subarray(at, at + AL_BLOCK_BYTES);
  });
  const kinds = ring.map(classifyAlBlock);
  const corruptBlocks = kinds.filter((kind) => kind === 'invalid').length;
  const none = { blocks, corruptBlocks, hotExtents: new Uint32Array(0), newest: undefined };
  if (corruptBlocks === blocks) return { ...none, outcome: 'unusable' };

  const ends = findEnds(ring, kinds);
  if (ends === undefined) {
    const harmless = corruptBlocks === 0 || (corruptBlocks === 1 && kinds[0] === 'invalid');
    return { ...none, outcome: harmless ? 'nothing' : 'no-update' };
  }
  const hot = new Uint32Array(AL_MAX_SLOTS).fill(AL_FREE);
  const steps = ((ends.newest.ring - ends.oldest.ring + blocks) % blocks) + 1;
  let expected = ends.oldest.trNumber;
  for (let step = 0; step < steps; step++) {
    const r = (ends.oldest.ring + step) % blocks;
    const block = ring[r];
    const kind = kinds[r] ?? 'invalid';
    if (block === undefined || kind === 'invalid' || kind === 'initialized') continue;
    if (kind === 'unknown') report({ kind: 'unknown-type', ring: r });
    const number = viewOf(block).getUint32(AL_BLOCK.trNumber.offset);
    if (number !== expected) report({ kind: 'sequence-gap', ring: r });
    expected = (number + 1) >>> 0;
    applyContext(block, r, hot, report);
    applyUpdates(block, r, hot, report);
  }
  return {
    outcome: 'replay',
    blocks,
    corruptBlocks,
    hotExtents: activeSet(hot),
    newest: ends.newest.trNumber,
  };
}

/** The first one found wins a tie. */
function findEnds(
  ring: readonly Uint8Array[],
  kinds: readonly AlBlockKind[],
): { oldest: Entry; newest: Entry } | undefined {
  let oldest: Entry | undefined;
  let newest: Entry | undefined;
  ring.forEach((block, r) => {
    if (kinds[r] === 'invalid' || kinds[r] === 'initialized') return;
    const entry = { ring: r, trNumber: viewOf(block).getUint32(AL_BLOCK.trNumber.offset) };
    if (oldest === undefined || ((entry.trNumber - oldest.trNumber) | 0) < 0) oldest = entry;
    if (newest === undefined || ((entry.trNumber - newest.trNumber) | 0) > 0) newest = entry;
  });
  return oldest !== undefined && newest !== undefined ? { oldest, newest } : undefined;
}

function applyContext(
  block: Uint8Array,
  ring: number,
  hot: Uint32Array,
  report: (finding: AlFinding) => void,
): void {
  const view = viewOf(block);
  const size = view.getUint16(AL_BLOCK.contextSize.offset);
  const start = view.getUint16(AL_BLOCK.contextStart.offset);
  for (let i = 0; i < AL_CONTEXT_PER_TRANSACTION; i++) {
    const slot = start + i;
    const extent = view.getUint32(AL_BLOCK.context.offset + 4 * i);
    if (extent === AL_FREE && slot >= size) continue;
    if (slot >= AL_MAX_SLOTS) report({ kind: 'context-slot-out-of-range', ring, slot });
    else hot[slot] = extent;
  }
}

function applyUpdates(
  block: Uint8Array,
  ring: number,
  hot: Uint32Array,
  report: (finding: AlFinding) => void,
): void {
  const view = viewOf(block);
  const count = view.getUint16(AL_BLOCK.nUpdates.offset);
  for (let i = 0; i < AL_UPDATES_PER_TRANSACTION; i++) {
    const slot = view.getUint16(AL_BLOCK.updateSlots.offset + 2 * i);
    if (i >= count && slot === AL_NO_SLOT) continue;
    if (slot >= AL_MAX_SLOTS) report({ kind: 'update-slot-out-of-range', ring, slot });
    else hot[slot] = view.getUint32(AL_BLOCK.updateExtents.offset + 4 * i);
  }
}

/** The extents in the slots, ascending, each once, without the free ones. */
export function activeSet(slots: Uint32Array): Uint32Array {
  const active: number[] = [];
  for (let i = 0; i < slots.length; i++) {
    const extent = slots[i] ?? AL_FREE;
    if (extent !== AL_FREE) active.push(extent);
  }
  const sorted = Uint32Array.from(active).sort();
  return sorted.filter((extent, i) => i === 0 || extent !== sorted[i - 1]);
}
