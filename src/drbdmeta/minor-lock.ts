/*
 * The lock of the minor that a command works on, with drbdmeta's messages (metadata.md 8.2 step 4).
 */
import { lockMinor as takeLock, lockName, MinorLocked } from '../control/channel/minor-lock';
import { errorCode, errorText } from './system-error';
import { refuse, type Tool } from './tool';

/** Takes the lock and returns how to release it. Refuses with status 20 if another process keeps it for a second. */
export function lockMinor(tool: Tool): () => void {
  const { host, minor, io } = tool;
  if (minor < 0) return () => undefined;
  try {
    return takeLock(host, minor);
  } catch (error) {
    if (error instanceof MinorLocked) return refuse(20, `${error.message}\n`);
    io.stderr(`open(${lockName(host, minor)}): ${errorText(error)}\n`);
    if (errorCode(error) === 'EACCES' && process.getuid?.() !== 0)
      io.stderr("Try again with 'sudo' or as root?\n");
    return refuse(20);
  }
}
