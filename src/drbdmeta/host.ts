/*
 * What drbdmeta asks about the host it runs on: is a minor configured in the daemon, where do locks and last-known
 * sizes live. The only file of this room that knows about the daemon.
 */
import fs from 'node:fs';
import path from 'node:path';

export interface Host {
  /** Folder of the per-minor locks. */
  readonly lockFolder: string;
  /** Folder of the last-known-size files (drbd-minor-N.lkbd). */
  readonly stateFolder: string;
  /** The disk state of a configured minor as `drbdsetup dstate` prints it; undefined if it is not configured. */
  diskState(minor: number): string | undefined;
}

/**
 * The host of the real program. A run directory of its own (UDRBD_RUN_DIR) is a host of its own: its minors are not
 * those of the machine, so locks and state live below it.
 */
export function realHost(env: NodeJS.ProcessEnv): Host {
  const own = env.UDRBD_RUN_DIR ?? (process.getuid?.() === 0 ? undefined : userRunFolder(env));
  return {
    lockFolder: own === undefined ? '/var/run/drbd/lock' : path.join(own, 'lock'),
    stateFolder: own === undefined ? '/var/lib/drbd' : path.join(own, 'lib'),
    diskState: (minor) => diskStateFromSetup(minor, env),
  };
}

function userRunFolder(env: NodeJS.ProcessEnv): string {
  if (env.XDG_RUNTIME_DIR) return path.join(env.XDG_RUNTIME_DIR, 'udrbd');
  return `/tmp/udrbd-${process.getuid?.() ?? 0}`;
}

/** `drbdsetup dstate MINOR` from PATH, as the reference does; without any drbdsetup nothing is configured. */
function diskStateFromSetup(minor: number, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? '').split(':');
  if (!folders.some((folder) => fs.existsSync(path.join(folder, 'drbdsetup')))) return undefined;
  const { spawnSync }: typeof import('node:child_process') = require('node:child_process');
  const result = spawnSync('drbdsetup', ['dstate', String(minor)], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'latin1',
  });
  if (result.status === 20 || result.status === 10 || result.status === null) return undefined;
  return result.stdout;
}
