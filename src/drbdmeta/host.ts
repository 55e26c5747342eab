/*
 * What drbdmeta asks about the host it runs on: is a minor configured in the daemon, where do locks and last-known
 * sizes live. The only file of this room that knows about the daemon.
 */
import path from 'node:path';
import { controlSocketExists, runDirectoryPath } from '../control/channel/run-directory';

export interface Host {
  /** Folder of the per-minor locks. */
  readonly lockFolder: string;
  /** Folder of the last-known-size files (drbd-minor-N.lkbd). */
  readonly stateFolder: string;
  /** The disk state of a configured minor as `drbdsetup dstate` prints it; undefined if it is not configured. */
  diskState(minor: number): Promise<string | undefined>;
}

/** Where root's own host is; any other run directory is another host, with minors of its own. */
const MACHINE_RUN_DIRECTORY = '/run/udrbd';

/** The host of the real program: the machine's places for root, else below the run directory. */
export function realHost(env: NodeJS.ProcessEnv): Host {
  const directory = runDirectoryPath(env);
  const machine = directory === MACHINE_RUN_DIRECTORY;
  return {
    lockFolder: machine ? '/var/run/drbd/lock' : path.join(directory, 'lock'),
    stateFolder: machine ? '/var/lib/drbd' : path.join(directory, 'lib'),
    diskState: (minor) => diskStateInDaemon(minor, directory, env),
  };
}

/** Without a daemon nothing is configured, and nothing heavy is loaded. A daemon that does not answer is an error. */
async function diskStateInDaemon(
  minor: number,
  directory: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (!controlSocketExists(directory)) return undefined;
  const { connectToDaemon } = await import('../control/channel/client');
  const { ControlError } = await import('../control/channel/control-error');
  let client;
  try {
    client = await connectToDaemon({ env, start: false });
  } catch (error) {
    if (error instanceof ControlError && error.kind === 'no-daemon') return undefined;
    throw error;
  }
  try {
    const resources = await client.dump({ minor });
    const device = resources.flatMap((resource) => resource.devices).find((found) => found.minor === minor);
    const { diskStateName } = await import('../control/contract/states');
    return device === undefined ? undefined : diskStateName(device.info.disk);
  } finally {
    client.close();
  }
}
