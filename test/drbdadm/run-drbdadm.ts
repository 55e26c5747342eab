/** Runs drbdadm in this process and collects what it says. */
import { type DrbdadmIo, runDrbdadm } from '../../src/drbdadm/run';

export interface Answer {
  readonly exit: number;
  readonly stdout: string;
  /** Without the block that says which host we pretend to be. */
  readonly stderr: string;
}

const pretending = /^\n {3}found __DRBD_NODE__ in environment\n {3}PRETENDING that I am >>.*<<\n\n?/;

/** Removes the announcement of `__DRBD_NODE__` that starts the real tool's standard error, too. */
export function withoutAnnouncement(stderr: string): string {
  return stderr.replace(pretending, '');
}

/** Runs `drbdadm ARGS` as `node`; the environment is empty but for what is given. */
export async function drbdadm(
  node: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  io: Partial<DrbdadmIo> = {},
): Promise<Answer> {
  let stdout = '';
  let stderr = '';
  const exit = await runDrbdadm(args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    env: { __DRBD_NODE__: node, DRBD_DRIVER_VERSION_OVERRIDE: '9.0.0', ...environment },
    programName: 'drbdadm',
    terminal: false,
    ownDirectory: '',
    ...io,
  });
  return { exit, stdout, stderr: withoutAnnouncement(stderr) };
}
