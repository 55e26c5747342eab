/** Errors of Node's operating-system calls as the engine knows them. */
import os from 'node:os';
import { Errno, type ErrnoCode } from '../engine/ports';

/** The positive errno of a system error; EIO for anything else. */
export function errnoOf(error: unknown): ErrnoCode {
  if (typeof error !== 'object' || error === null) return Errno.EIO;
  if ('errno' in error && typeof error.errno === 'number' && error.errno < 0) return -error.errno;
  const code = 'code' in error ? String(error.code) : '';
  const known = Object.entries(os.constants.errno).find(([name]) => name === code);
  return known?.[1] ?? Errno.EIO;
}
