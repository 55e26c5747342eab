/** What drbdadm runs in this process. */
import { RequestSkipped } from '../control/channel/control-error';
import { forgetMemory } from '../drbdmeta/block-store';
import { realHost } from '../drbdmeta/host';
import { runDrbdmeta as drbdmeta, type DrbdmetaIo } from '../drbdmeta/run';
import { chainedConnections, forgetConnections, sharedConnections } from '../drbdsetup/connections';
import { type DrbdsetupIo, runDrbdsetup as drbdsetup } from '../drbdsetup/run';
import { type CallOrder } from './back-ends';

interface Ordered {
  readonly order?: CallOrder;
}

/** The exit status of a call that did nothing means nothing. */
const NOTHING_DONE = 20;

function unlessSkipped(work: Promise<number>, order: CallOrder): Promise<number> {
  return work.catch((error: unknown) => {
    if (!(error instanceof RequestSkipped)) throw error;
    order.onSkipped();
    return NOTHING_DONE;
  });
}

export function runDrbdsetup(words: readonly string[], io: DrbdsetupIo & Ordered): Promise<number> {
  const { order, env } = io;
  if (order === undefined) return drbdsetup(words, io);
  return unlessSkipped(drbdsetup(words, { ...io, connections: chainedConnections(env, order) }), order);
}

/** drbdmeta, which asks the daemon over the connection that drbdsetup's calls use. */
export function runDrbdmeta(words: readonly string[], io: DrbdmetaIo & Ordered): Promise<number> {
  const { order, env } = io;
  if (order === undefined) {
    const host = realHost(env, () => sharedConnections(env).connect(false));
    return drbdmeta(words, { ...io, host });
  }
  const connections = chainedConnections(env, order);
  // The calls that bring up a disk follow each other: they keep the lock of its minor.
  const dropLater = (drop: () => void): void => order.atEnd(drop);
  const host = { ...realHost(env, () => connections.connect(false)), dropLater };
  return unlessSkipped(drbdmeta(words, { ...io, host }), order);
}

/** Nothing that belongs to this process or host stays in memory. */
export function forgetEverything(): void {
  forgetConnections();
  forgetMemory();
}
