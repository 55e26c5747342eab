/** Names of a block device: `/dev/drbdN`, `/dev/drbd/by-res/RESOURCE/VOLUME`, `/dev/drbd/by-disk/BACKING`. */
import fs from 'node:fs';
import path from 'node:path';
import { LOOP_MAJOR, loopFile } from './loop-device';
import { runProgram } from './run-program';

/** As stat(2) packs device numbers. */
export const majorOf = (rdev: number): number => (rdev >>> 8) & 0xfff;
export const minorOf = (rdev: number): number => (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);

/** Whether a name in a path below the device directory. */
const isPlain = (name: string): boolean => name !== '' && !name.split('/').includes('..');

export class DeviceNode {
  readonly path: string;
  private readonly links: string[] = [];

  /** `ownFiles`: loop devices over files in this directory are ours. */
  constructor(
    private readonly directory: string,
    minor: number,
    private readonly ownFiles: string,
  ) {
    this.path = path.join(directory, `drbd${minor}`);
  }

  /** Why there may be no node of ours; undefined if there may. */
  objection(): string | undefined {
    const stat = fs.lstatSync(this.path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (!stat.isBlockDevice()) return `${this.path} exists and is no block device`;
    if (majorOf(stat.rdev) !== LOOP_MAJOR)
      return `${this.path} belongs to another driver (major number ${majorOf(stat.rdev)})`;
    const file = loopFile(minorOf(stat.rdev));
    if (file === undefined || file.startsWith(`${this.ownFiles}/`)) return undefined;
    return `${this.path} belongs to another daemon (it shows ${file}); set UDRBD_DEVICE_DIR to a directory of its own`;
  }
  /** A node with the numbers of the loop device. Throws if there may be none. */
  async create(loop: number): Promise<void> {
    const objection = this.objection();
    if (objection !== undefined) throw new Error(objection);
    makeDirectory(this.directory);
    fs.rmSync(this.path, { force: true });
    await runProgram('mknod', ['-m', '0660', this.path, 'b', String(LOOP_MAJOR), String(loop)]);
  }
  linkResource(resource: string, volume: number): void {
    this.link('by-res', `${resource}/${volume}`);
  }
  /** `backing`: path of the device or file below. */
  linkDisk(backing: string): void {
    const name = backing.replace(/^\/dev\//, '').replace(/^\/+/, '');
    this.link('by-disk', name);
  }
  private link(kind: string, name: string): void {
    if (!isPlain(name)) return;
    const link = path.join(this.directory, 'drbd', kind, name);
    const full = path.dirname(link);
    if (this.links.includes(link)) return;
    makeDirectory(full);
    fs.rmSync(link, { force: true });
    fs.symlinkSync(path.relative(full, this.path), link);
    this.links.push(link);
  }
  /** Removes the links, and the node unless it has become another's. */
  remove(): void {
    for (const link of this.links.splice(0)) this.removeLink(link);
    if (this.objection() === undefined) fs.rmSync(this.path, { force: true });
  }
  private removeLink(link: string): void {
    if (linkTarget(link) === this.path) fs.rmSync(link, { force: true });
    removeEmptyUpTo(path.dirname(link), this.directory);
  }
  /** Removes links to this node that a killed daemon has left. */
  removeStaleLinks(): void {
    const top = path.join(this.directory, 'drbd');
    for (const kind of ['by-res', 'by-disk']) {
      for (const link of linksBelow(path.join(top, kind))) {
        if (linkTarget(link) === this.path) this.removeLink(link);
      }
    }
  }
}

/** The daemon's umask keeps its own files private; names of devices are for everybody. */
function makeDirectory(directory: string): void {
  if (fs.existsSync(directory)) return;
  makeDirectory(path.dirname(directory));
  fs.mkdirSync(directory);
  fs.chmodSync(directory, 0o755);
}
function removeEmptyUpTo(folder: string, top: string): void {
  try {
    for (let at = folder; at.startsWith(`${top}/`); at = path.dirname(at)) fs.rmdirSync(at);
  } catch {
    // Others are still in there.
  }
}
function linkTarget(link: string): string | undefined {
  try {
    return path.resolve(path.dirname(link), fs.readlinkSync(link));
  } catch {
    return undefined;
  }
}
function linksBelow(folder: string): readonly string[] {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return linksBelow(full);
    return entry.isSymbolicLink() ? [full] : [];
  });
}
