/**
 * Who has a loop device open. A loop device does not tell its server about open and close, so /proc is looked at:
 * descriptors of processes, mounts in every mount namespace, swap space, and devices stacked on top.
 */
import fs from 'node:fs';
import { minorOf, majorOf } from './device-node';
import { LOOP_MAJOR } from './loop-device';

export interface Holder {
  readonly command: string;
  readonly pid: number;
  readonly write: boolean;
  /** Opened with O_NDELAY. */
  readonly nonBlocking: boolean;
  /** Whether it is still there, at a fraction of the cost of finding it. */
  stillThere(): boolean;
}
/** A block device that is looked for: the loop device's number, and the node's base name. */
export interface Wanted {
  readonly loop: number;
  readonly name: string;
}

const O_ACCMODE = 3;
const O_NONBLOCK = 0o4000;
const PROC = '/proc';

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
function readLink(file: string): string {
  try {
    return fs.readlinkSync(file);
  } catch {
    return '';
  }
}
function list(directory: string): readonly string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

/** Holders of each wanted device, in one pass over /proc. */
export function findHolders(wanted: readonly Wanted[]): ReadonlyMap<number, readonly Holder[]> {
  const found = new Map<number, Holder[]>(wanted.map(({ loop }) => [loop, []]));
  const names = new Map(
    wanted.flatMap(({ loop, name }) => [[name, loop] as const, [`loop${loop}`, loop] as const]),
  );
  const namespaces = new Set<string>();
  for (const pid of list(PROC)) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of list(`${PROC}/${pid}/fd`)) {
      const link = readLink(`${PROC}/${pid}/fd/${fd}`);
      // Only names of ours are looked at closer: stat of a file on our own FUSE mount would wait for ourselves.
      const loop = names.get(link.slice(link.lastIndexOf('/') + 1));
      if (loop !== undefined && isLoop(`${PROC}/${pid}/fd/${fd}`, loop))
        found.get(loop)?.push(new Descriptor(pid, fd, link));
    }
    const namespace = readLink(`${PROC}/${pid}/ns/mnt`);
    if (namespace === '' || namespaces.has(namespace)) continue;
    namespaces.add(namespace);
    for (const { loop, write } of mountedLoops(pid)) found.get(loop)?.push(new Mount(pid, loop, write));
  }
  for (const { loop, name } of wanted) {
    const other = kernelUser(loop, name);
    if (other !== undefined) found.get(loop)?.push(other);
  }
  return found;
}
function isLoop(file: string, loop: number): boolean {
  try {
    const stat = fs.statSync(file);
    return stat.isBlockDevice() && majorOf(stat.rdev) === LOOP_MAJOR && minorOf(stat.rdev) === loop;
  } catch {
    return false;
  }
}
/** Loop devices with a file system mounted in that process's mount namespace; `write` unless mounted read-only. */
function mountedLoops(pid: string): readonly { readonly loop: number; readonly write: boolean }[] {
  const text = readText(`${PROC}/${pid}/mountinfo`);
  return [...text.matchAll(/^\d+ \d+ 7:(\d+) .* - \S+ \S+ (\S+)$/gm)].map(([, loop, options = '']) => ({
    loop: Number(loop),
    write: options.split(',')[0] !== 'ro',
  }));
}

class Descriptor implements Holder {
  readonly pid: number;
  readonly command: string;
  readonly write: boolean;
  readonly nonBlocking: boolean;
  constructor(
    private readonly process: string,
    private readonly fd: string,
    private readonly link: string,
  ) {
    this.pid = Number(process);
    this.command = readText(`${PROC}/${process}/comm`).trimEnd() || '?';
    const bits = openFlags(process, fd);
    this.write = (bits & O_ACCMODE) !== 0;
    this.nonBlocking = (bits & O_NONBLOCK) !== 0;
  }
  stillThere(): boolean {
    const { process, fd, link } = this;
    if (readLink(`${PROC}/${process}/fd/${fd}`) !== link) return false;
    // The number may have been used again.
    return ((openFlags(process, fd) & O_ACCMODE) !== 0) === this.write;
  }
}
function openFlags(process: string, fd: string): number {
  const text = readText(`${PROC}/${process}/fdinfo/${fd}`);
  return Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(text)?.[1] ?? '0', 8);
}
class Mount implements Holder {
  readonly command = 'mount';
  readonly pid: number;
  readonly nonBlocking = false;
  constructor(
    private readonly process: string,
    private readonly loop: number,
    readonly write: boolean,
  ) {
    this.pid = Number(process);
  }
  stillThere(): boolean {
    return mountedLoops(this.process).some(({ loop }) => loop === this.loop);
  }
}
/** Swap space, or a device mapper or RAID device on top. */
function kernelUser(loop: number, name: string): Holder | undefined {
  const present = (): boolean =>
    list(`/sys/block/loop${loop}/holders`).length > 0 ||
    readText(`${PROC}/swaps`)
      .split('\n')
      .some((line) => line.startsWith(`/dev/${name} `) || line.startsWith(`/dev/loop${loop} `));
  return present()
    ? { command: 'kernel', pid: 0, write: true, nonBlocking: false, stillThere: present }
    : undefined;
}
