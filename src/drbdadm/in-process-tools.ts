/** What drbdadm runs in this process. */
import { RequestSkipped } from '../control/channel/control-error';
import { forgetMemory } from '../drbdmeta/block-store';
import { Handover } from '../drbdmeta/handover';
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

/** By entry. */
const handovers = new WeakMap<object, Handover>();

function handoverOf(order: CallOrder): Handover {
  const present = handovers.get(order.entry);
  if (present !== undefined) return present;
  const made = new Handover();
  handovers.set(order.entry, made);
  order.atEnd(() => made.drop());
  return made;
}

export function runDrbdsetup(words: readonly string[], io: DrbdsetupIo & Ordered): Promise<number> {
  const { order, env } = io;
  if (order === undefined) return drbdsetup(words, io);
  // The daemon may want the disk for itself.
  handovers.get(order.entry)?.drop();
  return unlessSkipped(drbdsetup(words, { ...io, connections: chainedConnections(env, order) }), order);
}

/** What a call leaves to the next one is worth nothing if it failed, and hides nothing if it said nothing. */
function dropUnlessQuiet(work: Promise<number>, handover: Handover, spoke: () => boolean): Promise<number> {
  return work.then(
    (code) => {
      if (code !== 0 || spoke()) handover.drop();
      return code;
    },
    (error: unknown) => {
      handover.drop();
      throw error;
    },
  );
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
  const handover = handoverOf(order);
  const host = { ...realHost(env, () => connections.connect(false)), dropLater, handover };
  let spoke = false;
  const stdout = (text: string): void => {
    spoke = true;
    io.stdout(text);
  };
  const stderr = (text: string): void => {
    spoke = true;
    io.stderr(text);
  };
  const work = drbdmeta(words, { ...io, stdout, stderr, host });
  return unlessSkipped(
    dropUnlessQuiet(work, handover, () => spoke),
    order,
  );
}

/** Nothing that belongs to this process or host stays in memory. */
export function forgetEverything(): void {
  forgetConnections();
  forgetMemory();
}
