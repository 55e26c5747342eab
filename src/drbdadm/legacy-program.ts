/** A driver of the 8.x series has a drbdadm of its own (drbdadm.md section 1). */
import { spawnSync } from 'node:child_process';
import { type DrbdadmIo } from './run';

/** Hands the whole command line to `drbdadm-84`; 20 if there is none. */
export function executeLegacyProgram(driver: string, argv: readonly string[], io: DrbdadmIo): number {
  const program = driver.startsWith('8.4') ? 'drbdadm-84' : 'drbdadm-83';
  io.flush?.();
  const result = spawnSync(program, [...argv], {
    stdio: 'inherit',
    argv0: io.programName,
    env: {
      ...io.env,
      PATH: `${io.env.PATH ?? ''}:/lib/drbd`,
      DRBD_DONT_WARN_ON_VERSION_MISMATCH: io.env.DRBD_DONT_WARN_ON_VERSION_MISMATCH ?? '1',
    },
  });
  if (result.error === undefined) return result.status ?? 20;
  const reason =
    'code' in result.error && result.error.code === 'ENOENT'
      ? 'No such file or directory'
      : result.error.message;
  io.stderr(`execvp() failed to exec ${program}: ${reason}\n`);
  return 20;
}
