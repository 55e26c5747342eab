/**
 * The run directory of a host: control socket, exports, pid file, log (design.md section 1). Several hosts on one
 * machine are several run directories.
 */
import fs from 'node:fs';
import path from 'node:path';
import { ControlError, errorCode, errorMessage } from './control-error';

/** Longest path of a unix socket in bytes; Node cuts longer ones silently. */
const MAX_SOCKET_PATH = 107;

export type Environment = Readonly<Record<string, string | undefined>>;

/** Each call of a tool asks for it, and taking a path apart is slow. */
let given = '/';
let resolved = '/';

/** Where this host's run directory is; looks at the environment and the effective user only. */
export function runDirectoryPath(env: Environment): string {
  if (env.UDRBD_RUN_DIR) {
    if (env.UDRBD_RUN_DIR !== given) {
      given = env.UDRBD_RUN_DIR;
      resolved = path.resolve('/', given);
    }
    return resolved;
  }
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return '/run/udrbd';
  return env.XDG_RUNTIME_DIR ? path.join(env.XDG_RUNTIME_DIR, 'udrbd') : `/tmp/udrbd-${uid}`;
}

/** Name of this host: `__DRBD_NODE__`, else what uname(2) says. */
export function hostName(env: Environment, uname: () => string): string {
  return env.__DRBD_NODE__ ? env.__DRBD_NODE__ : uname();
}

/** A path of a socket in the run directory; throws ControlError if the kernel could not hold it. */
export function socketPath(directory: string, name: string): string {
  const full = path.join(directory, name);
  const length = Buffer.byteLength(full);
  if (length > MAX_SOCKET_PATH) {
    throw new ControlError(
      'run-directory',
      `The path of the socket ${full} has ${length} bytes, at most ${MAX_SOCKET_PATH} are possible. ` +
        'Set UDRBD_RUN_DIR to a shorter directory.',
    );
  }
  return full;
}

export const controlSocketPath = (directory: string): string => socketPath(directory, 'control.sock');
export const pidFilePath = (directory: string): string => path.join(directory, 'drbdd.pid');
export const logFilePath = (directory: string): string => path.join(directory, 'drbdd.log');

function refuse(directory: string, why: string): never {
  throw new ControlError('not-permitted', `Run directory ${directory} ${why}`);
}

/** Refuses a run directory that is not a directory of ours alone; root may use another user's. */
function checkOwner(directory: string, stat: fs.Stats): void {
  const uid = process.geteuid?.() ?? 0;
  if (stat.isSymbolicLink()) refuse(directory, 'is a symbolic link.');
  if (!stat.isDirectory()) refuse(directory, 'is not a directory.');
  if (uid !== 0 && stat.uid !== uid) refuse(directory, `belongs to user ${stat.uid}, not to user ${uid}.`);
  if ((stat.mode & 0o022) !== 0) refuse(directory, 'may be written to by others.');
}

/**
 * Makes sure that the run directory exists with mode 0700 and belongs to us. Throws ControlError.
 */
export function ensureRunDirectory(directory: string): void {
  try {
    fs.mkdirSync(path.dirname(directory), { recursive: true });
    fs.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') {
      throw new ControlError('run-directory', `Cannot make the run directory: ${errorMessage(error)}`);
    }
  }
  const stat = fs.lstatSync(directory);
  checkOwner(directory, stat);
  if ((stat.mode & 0o777) !== 0o700) fs.chmodSync(directory, 0o700);
}

/** Whether somebody may listen there. Throws ControlError if directory or socket are not to be trusted. */
export function controlSocketExists(directory: string): boolean {
  const socket = controlSocketPath(directory);
  try {
    const folder = fs.lstatSync(directory);
    checkOwner(directory, folder);
    const stat = fs.lstatSync(socket);
    if (!stat.isSocket()) refuse(directory, 'holds a control.sock that is no socket.');
    if (stat.uid !== folder.uid) refuse(directory, 'holds a control.sock of another user.');
    return true;
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        return false;
      case 'EACCES':
      case 'EPERM':
        return refuse(directory, 'belongs to another user: permission denied.');
      default:
        throw error;
    }
  }
}

/**
 * The pid in the pid file if that process still runs. A file left behind by a killed daemon gives undefined; the
 * lock of the daemon, not this file, decides who may start.
 */
export function runningPid(directory: string): number | undefined {
  try {
    const pid = Number.parseInt(fs.readFileSync(pidFilePath(directory), 'latin1'), 10);
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errorCode(error))) return undefined;
    throw error;
  }
}
