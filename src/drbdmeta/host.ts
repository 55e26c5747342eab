/*
 * What drbdmeta asks about the host it runs on: is a minor configured in the daemon, where do locks and last-known
 * sizes live. The only file of this room that knows about the daemon.
 */
import { type ControlClient } from '../control/channel/client';
import { type Handover } from './handover';
import { lockPlaces, MACHINE_RUN_DIRECTORY, type LockPlaces } from '../control/channel/minor-lock';
import { controlSocketExists, runDirectoryPath } from '../control/channel/run-directory';

export interface Host extends LockPlaces {
  /** Folder of the last-known-size files (drbd-minor-N.lkbd). */
  readonly stateFolder: string;
  /** The disk state of a configured minor as `drbdsetup dstate` prints it; undefined if it is not configured. */
  diskState(minor: number): Promise<string | undefined>;
  /** Where calls that follow each other leave what they know to the next one. */
  readonly handover?: Handover;
}

/** The part of a control connection that is used here. */
type Connection = Pick<ControlClient, 'diskState' | 'close'>;
/** Gives a connection to the daemon, undefined if none runs. */
type Connect = () => Promise<Connection | undefined>;

/**
 * The host of the real program: the machine's places for root, else below the run directory. `connect` is for callers
 * who have a connection already.
 */
export function realHost(env: NodeJS.ProcessEnv, connect: Connect = () => ownConnection(env)): Host {
  const directory = runDirectoryPath(env);
  const machine = directory === MACHINE_RUN_DIRECTORY;
  return {
    ...lockPlaces(directory),
    stateFolder: machine ? '/var/lib/drbd' : `${directory}/lib`,
    diskState: (minor) => diskStateInDaemon(minor, connect),
  };
}

/** A daemon that does not answer is an error. Without one nothing heavy is loaded. */
async function ownConnection(env: NodeJS.ProcessEnv): Promise<Connection | undefined> {
  if (!controlSocketExists(runDirectoryPath(env))) return undefined;
  const { connectToDaemon } = await import('../control/channel/client');
  const { ControlError } = await import('../control/channel/control-error');
  try {
    return await connectToDaemon({ env, start: false });
  } catch (error) {
    if (error instanceof ControlError && error.kind === 'no-daemon') return undefined;
    throw error;
  }
}

/** Without a daemon nothing is configured. */
async function diskStateInDaemon(minor: number, connect: Connect): Promise<string | undefined> {
  const client = await connect();
  if (client === undefined) return undefined;
  try {
    const state = await client.diskState(minor);
    if (state === undefined) return undefined;
    const { diskStateName } = await import('../control/contract/states');
    return diskStateName(state);
  } finally {
    client.close();
  }
}
