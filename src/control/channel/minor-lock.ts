/**
 * One drbdmeta or drbdsetup per minor at a time (metadata.md 8.2, drbdsetup.md 1.5). The reference holds an fcntl lock, which
 * Node cannot take: ours is a file with our process id beside it, and a lock of the reference's is seen in /proc/locks.
 */
import fs from 'node:fs';
import path from 'node:path';
import { errorCode } from './control-error';

const PATIENCE_MS = 1000;
const POLL_MS = 50;
/** Where root's own host is; any other run directory is another host, with minors of its own. */
export const MACHINE_RUN_DIRECTORY = '/run/udrbd';

export interface LockPlaces {
  /** Folder of the locks. */
  readonly lockFolder: string;
  /** Where releases of the reference lock the same minors. */
  readonly foreignLockFolders: readonly string[];
  /** Is given how to drop a lock that is no longer needed, instead of that being done at once. */
  dropLater?(drop: () => void): void;
}

/** The machine's places for its own host, else below the run directory. */
export function lockPlaces(directory: string): LockPlaces {
  return directory === MACHINE_RUN_DIRECTORY
    ? { lockFolder: '/var/run/drbd/lock', foreignLockFolders: ['/var/run/drbd/lock', '/var/lock'] }
    : { lockFolder: `${directory}/lock`, foreignLockFolders: [] };
}

export const lockName = ({ lockFolder }: LockPlaces, minor: number): string =>
  `${lockFolder}/drbd-147-${minor}`;

/** Another process kept the lock for a second. */
export class MinorLocked extends Error {
  constructor(name: string, holder: number) {
    super(`lock on ${name} currently held by pid:${holder}`);
    this.name = 'MinorLocked';
  }
}

/** Locks that this process holds, and for how many calls. */
const ours = new Map<string, number>();

/**
 * Takes the lock and returns how to release it. As the reference's, it keeps out other processes: calls of this one have
 * it together. Throws MinorLocked, or the system's error.
 */
export function lockMinor(places: LockPlaces, minor: number): () => void {
  const name = lockName(places, minor);
  const users = ours.get(name) ?? 0;
  if (users === 0) takeLock(places, name);
  ours.set(name, users + 1);
  const drop = (): void => {
    const left = (ours.get(name) ?? 1) - 1;
    if (left > 0) {
      ours.set(name, left);
      return;
    }
    ours.delete(name);
    release(`${name}.udrbd`);
  };
  return () => (places.dropLater === undefined ? drop() : places.dropLater(drop));
}

function takeLock(places: LockPlaces, name: string): void {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const holder = attempt(places, name);
    if (holder === undefined) return;
    if (Date.now() >= deadline) throw new MinorLocked(name, holder);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

/** Not rmSync, which looks at the file first. */
function release(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** The process id of the holder, or undefined if the lock is ours now. */
function attempt({ foreignLockFolders }: LockPlaces, name: string): number | undefined {
  const foreign = foreignHolder(foreignLockFolders.map((folder) => `${folder}/${path.basename(name)}`));
  if (foreign !== undefined) return foreign;
  const write = (): void => {
    // writeFileSync takes twice as long.
    const fd = fs.openSync(`${name}.udrbd`, 'wx', 0o600);
    try {
      fs.writeSync(fd, `${process.pid}\n`);
    } finally {
      fs.closeSync(fd);
    }
  };
  try {
    try {
      write();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      // A run directory that is not there yet is for its owner alone, too.
      fs.mkdirSync(path.dirname(name), { recursive: true, mode: 0o700 });
      write();
    }
    return undefined;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return ownHolder(`${name}.udrbd`);
    throw error;
  }
}

/** A lock file of a process that is gone is removed. */
function ownHolder(name: string): number {
  let pid = 0;
  try {
    pid = Number(fs.readFileSync(name, 'latin1'));
    if (Number.isInteger(pid) && pid > 0) {
      process.kill(pid, 0);
      return pid;
    }
  } catch (error) {
    if (errorCode(error) === 'EPERM') return pid;
  }
  fs.rmSync(name, { force: true });
  return pid;
}

/**
 * The process that has one of these files locked: `N: POSIX  ADVISORY  WRITE PID MAJ:MIN:INODE START END`. The kernel takes
 * milliseconds for its list of locks, so it is not asked where the reference has never been.
 */
function foreignHolder(names: readonly string[]): number | undefined {
  const inodes = names.flatMap((name) => fs.statSync(name, { throwIfNoEntry: false })?.ino ?? []);
  if (inodes.length === 0) return undefined;
  let locks: string;
  try {
    locks = fs.readFileSync('/proc/locks', 'latin1');
  } catch {
    return undefined;
  }
  const line = locks
    .split('\n')
    .find(
      (candidate) => candidate.includes('POSIX') && inodes.some((inode) => candidate.includes(`:${inode} `)),
    );
  const pid = line === undefined ? undefined : /WRITE\s+([0-9]+)/.exec(line)?.[1];
  return pid === undefined || Number(pid) === process.pid ? undefined : Number(pid);
}
