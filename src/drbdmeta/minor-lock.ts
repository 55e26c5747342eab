/*
 * One drbdmeta per minor at a time (metadata.md 8.2 step 4). The reference holds an fcntl lock, which Node cannot take:
 * ours is a file with our process id next to it, and a lock of the reference's is seen in /proc/locks.
 */
import fs from 'node:fs';
import path from 'node:path';
import { errorCode, errorText } from './system-error';
import { refuse, type Tool } from './tool';

const PATIENCE_MS = 1000;
const POLL_MS = 50;

/** Takes the lock and returns how to release it. Refuses with status 20 if another process keeps it for a second. */
export function lockMinor(tool: Tool): () => void {
  if (tool.minor < 0) return () => undefined;
  const name = path.join(tool.host.lockFolder, `drbd-147-${tool.minor}`);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const holder = attempt(tool, name);
    if (holder === undefined) return () => fs.rmSync(`${name}.udrbd`, { force: true });
    if (Date.now() >= deadline) return refuse(20, `lock on ${name} currently held by pid:${holder}\n`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

/** The process id of the holder, or undefined if the lock is ours now. */
function attempt(tool: Tool, name: string): number | undefined {
  try {
    fs.mkdirSync(path.dirname(name), { recursive: true });
    fs.closeSync(fs.openSync(name, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600));
    const foreign = foreignHolder(
      tool.host.foreignLockFolders.map((folder) => path.join(folder, path.basename(name))),
    );
    if (foreign !== undefined) return foreign;
    fs.writeFileSync(`${name}.udrbd`, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    return undefined;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return ownHolder(`${name}.udrbd`);
    if (errorCode(error) === 'EACCES' && process.getuid?.() !== 0)
      tool.io.stderr(`open(${name}): ${errorText(error)}\nTry again with 'sudo' or as root?\n`);
    else tool.io.stderr(`open(${name}): ${errorText(error)}\n`);
    return refuse(20);
  }
}

/** A lock file of a process that is gone is removed. */
function ownHolder(name: string): number | undefined {
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
 * milliseconds for its list of locks, so it is not asked where nobody else looks.
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
