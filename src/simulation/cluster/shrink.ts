import { type EngineFactory } from './engine-door';
import { type RunOptions, runSeed } from './run-seed';

/** A failing run of as few steps as could be found. */
export interface Shrunk {
  readonly steps: readonly number[];
  readonly failure: string;
  readonly runs: number;
}

/** What kind of failure it is: the text without its numbers. */
const kindOf = (failure: string): string =>
  (failure.split('\n')[0] ?? '').replace(/[0-9]+/g, 'N').slice(0, 200);

/**
 * Leaves out steps, in ever smaller groups, as long as the run still fails in the same way (delta debugging).
 * Undefined if the seed does not fail.
 */
export function shrink(options: RunOptions, makeEngine: EngineFactory, mostRuns = 400): Shrunk | undefined {
  let runs = 0;
  const failureOf = (steps: readonly number[]): string | undefined => {
    runs++;
    return runSeed({ ...options, only: new Set(steps) }, makeEngine).failure;
  };
  let steps = Array.from({ length: options.steps }, (_, index) => index);
  let failure = failureOf(steps);
  if (failure === undefined) return undefined;
  const wanted = kindOf(failure);
  for (let size = steps.length >> 1; size > 0 && runs < mostRuns;) {
    let removed = false;
    for (let at = 0; at < steps.length && runs < mostRuns;) {
      const rest = [...steps.slice(0, at), ...steps.slice(at + size)];
      const result = failureOf(rest);
      if (result !== undefined && kindOf(result) === wanted) {
        steps = rest;
        failure = result;
        removed = true;
      } else at += size;
    }
    if (!removed || size > steps.length) size >>= 1;
  }
  return { steps, failure, runs };
}
