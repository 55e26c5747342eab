/** Work of one stage for many resources at the same time, which looks as if it had been done in order. */
import { HeldOutput } from './held-output';
import { type TextOutput } from './text-output';

/** More would not be faster, and each keeps its requests and its output. */
const MOST_AT_ONCE = 64;

interface Work {
  readonly resource: string;
}

/**
 * Starts pieces of work in order; those of one resource run one after the other. What they say comes out in order, and
 * the first that throws ends it all with what it threw, once everything before it has been said.
 */
export async function runTogether<T extends Work>(
  pieces: readonly T[],
  output: TextOutput,
  start: (piece: T, output: TextOutput) => void | Promise<void>,
): Promise<void> {
  const lastOf = new Map<string, Promise<void>>();
  const running: Promise<void>[] = [];
  const said: HeldOutput[] = [];
  let told = 0;
  const tellNext = async (): Promise<void> => {
    try {
      await running[told];
    } finally {
      said[told]?.release(output);
      told += 1;
    }
  };
  for (const piece of pieces) {
    const held = new HeldOutput();
    const before = lastOf.get(piece.resource);
    const work = before === undefined ? begin(piece, held, start) : before.then(() => start(piece, held));
    // Whoever waits for it sees that it failed.
    work.catch(() => undefined);
    lastOf.set(piece.resource, work);
    running.push(work);
    said.push(held);
    if (running.length - told >= MOST_AT_ONCE) await tellNext();
  }
  while (told < running.length) await tellNext();
}

async function begin<T>(
  piece: T,
  output: TextOutput,
  start: (piece: T, output: TextOutput) => void | Promise<void>,
): Promise<void> {
  await start(piece, output);
}
