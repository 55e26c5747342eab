// Starts drbdd for the first request that needs it, as `modprobe drbd` is started by the real tools.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ControlError, errorMessage } from './control-error';
import { ensureRunDirectory, logFilePath, type Environment } from './run-directory';

/** How to run drbdd: `UDRBD_DRBDD`, else `bin/drbdd` of the installation this program belongs to. */
export function daemonCommand(env: Environment): readonly [program: string, ...args: string[]] {
  if (env.UDRBD_DRBDD) return [env.UDRBD_DRBDD];
  // In a bundle __dirname is dist/; in the tests it is src/control/channel.
  for (const up of ['..', '../../..']) {
    const candidate = path.resolve(__dirname, up, 'bin/drbdd');
    if (fs.existsSync(candidate)) return [process.execPath, candidate];
  }
  throw new ControlError('start-failed', 'Cannot find the daemon drbdd; set UDRBD_DRBDD to its path.');
}

/** Highest descriptor this process has inherited or opened. */
function highestDescriptor(): number {
  try {
    return Math.max(2, ...fs.readdirSync('/proc/self/fd').map(Number));
  } catch {
    return 2;
  }
}

/**
 * What the daemon is to inherit of the environment: not what changes Node itself or belongs to one command.
 */
function daemonEnvironment(env: Environment, directory: string): NodeJS.ProcessEnv {
  const unwanted = ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'DRBD_RESOURCE'];
  const kept = Object.entries(env).filter(([name]) => !unwanted.includes(name));
  return { ...Object.fromEntries(kept), UDRBD_RUN_DIR: directory };
}

export interface StartedDaemon {
  /** Set when the process has ended before it listened. */
  ended(): string | undefined;
}

/**
 * Starts the daemon in a session of its own with no descriptor of ours: neither a pipe that somebody waits on nor
 * a lock that a script holds lives on in it. Its words go to the log in the run directory.
 */
export function startDaemon(directory: string, env: Environment): StartedDaemon {
  ensureRunDirectory(directory);
  const [program, ...args] = daemonCommand(env);
  const log = fs.openSync(logFilePath(directory), 'a', 0o600);
  const others = Array<'ignore'>(Math.max(0, highestDescriptor() - 2)).fill('ignore');
  let end: string | undefined;
  try {
    const child = spawn(program, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log, ...others],
      env: daemonEnvironment(env, directory),
    });
    child.on('error', (error) => (end = errorMessage(error)));
    child.on('exit', (code, signal) => {
      // 0: another daemon was faster; it will answer.
      if (code !== 0) end = signal === null ? `exit code ${code}` : `signal ${signal}`;
    });
    child.unref();
  } finally {
    fs.closeSync(log);
  }
  return { ended: () => end };
}

/** The last lines of the daemon's log, for a message about a failed start. */
export function logTail(directory: string): string {
  try {
    return fs.readFileSync(logFilePath(directory), 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  } catch {
    return '';
  }
}
