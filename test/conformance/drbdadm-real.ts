/** The real drbdadm of Debian's drbd-utils, for comparison. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

export const realDrbdadm = '/usr/sbin/drbdadm';

/** True if the real tool is there; says loudly that cases are skipped if not. */
export function realToolPresent(what: string): boolean {
  if (fs.existsSync(realDrbdadm)) return true;
  process.stderr.write(`SKIPPED: ${what}: there is no ${realDrbdadm} (package drbd-utils)\n`);
  return false;
}

export interface RealAnswer {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  /** It crashed. */
  readonly crashed: boolean;
}

/** Runs the real tool in `directory`. Its back ends are called by bare name, as ours are. */
export function runReal(directory: string, node: string, args: readonly string[]): RealAnswer {
  const result = spawnSync('drbdadm', [...args], {
    cwd: directory,
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      __DRBD_NODE__: node,
      DRBD_DRIVER_VERSION_OVERRIDE: '9.0.0',
    },
  });
  return {
    exit: result.status ?? -1,
    stdout: result.stdout,
    stderr: result.stderr,
    crashed: result.signal !== null,
  };
}

/** What 9.22 does not print although 9.34 does (drbdadm.md section 17). */
export function withoutNewCommands(stdout: string): string {
  return stdout
    .split('\n')
    .filter((line) => !/^drbdmeta .* repair-md( |$)/.test(line))
    .join('\n');
}
