/** Opening and claiming backing disks. */
import fs from 'node:fs';
import { Errno, type Disk, type DiskOpenFailure, type DiskOpenWaiter, type Disks } from '../engine/ports';
import { claimFile, type DiskClaim } from './disk-claim';
import { geometryOf, type Geometry } from './disk-geometry';
import { FileDisk, type OpenedFile } from './file-disk';
import { type InputQueue } from './input-queue';
import { errnoOf } from './os-error';

interface Held {
  readonly claim: string;
  readonly fd: number;
  /** How many disks use the descriptor. */
  users: number;
  lock: DiskClaim | undefined;
  /** Those who opened it while the lock was being taken. */
  waiting: ((free: boolean) => void)[] | undefined;
}
type Opened = { readonly fd: number; readonly geometry: Geometry } | DiskOpenFailure;

export class FileDisks implements Disks {
  private readonly held = new Map<string, Held>();

  constructor(private readonly queue: InputQueue) {}

  open(path: string, claim: string, waiter: DiskOpenWaiter): void {
    const fail = (failure: DiskOpenFailure): void => this.queue.later(() => waiter.onDiskOpenFailed(failure));
    const opened = this.tryOpen(path);
    if ('kind' in opened) {
      fail(opened);
      return;
    }
    const { fd, geometry } = opened;
    this.take(geometry, claim, fd, (file) => {
      if (file === undefined) {
        fail({ kind: 'claimed' });
        return;
      }
      const disk: Disk = new FileDisk(path, file, geometry, this.queue);
      this.queue.later(() => waiter.onDiskOpened(disk));
    });
  }

  private tryOpen(path: string): Opened {
    let fd: number | undefined;
    try {
      const stat = fs.statSync(path);
      if (!stat.isFile() && !stat.isBlockDevice()) return { kind: 'not-a-disk' };
      fd = this.openDescriptor(path, stat);
      const geometry = geometryOf(fd);
      if (geometry !== undefined) return { fd, geometry };
      fs.closeSync(fd);
      return { kind: 'not-a-disk' };
    } catch (error) {
      if (fd !== undefined) fs.closeSync(fd);
      const errno = errnoOf(error);
      return errno === Errno.EBUSY ? { kind: 'claimed' } : { kind: 'cannot-open', errno };
    }
  }
  private openDescriptor(path: string, stat: fs.Stats): number {
    const { O_RDWR, O_EXCL } = fs.constants;
    if (!stat.isBlockDevice()) return fs.openSync(path, O_RDWR);
    // O_EXCL claims a block device against mounts, other daemons and our own first descriptor.
    const ours = [...this.held.values()].some(({ fd }) => fs.fstatSync(fd).rdev === stat.rdev);
    return fs.openSync(path, ours ? O_RDWR : O_RDWR | O_EXCL);
  }

  private take(
    geometry: Geometry,
    claim: string,
    fd: number,
    done: (file: OpenedFile | undefined) => void,
  ): void {
    const { identity } = geometry;
    const present = this.held.get(identity);
    if (present !== undefined) {
      fs.closeSync(fd);
      if (present.claim !== claim) done(undefined);
      else if (present.waiting === undefined) done(this.use(identity, present));
      else present.waiting.push((free) => done(free ? this.use(identity, present) : undefined));
      return;
    }
    const held: Held = { claim, fd, users: 0, lock: undefined, waiting: [] };
    this.held.set(identity, held);
    if (geometry.isBlockDevice) {
      held.waiting = undefined;
      done(this.use(identity, held));
      return;
    }
    held.waiting?.push((free) => done(free ? this.use(identity, held) : undefined));
    void claimFile(identity).then((lock) => this.locked(identity, held, lock));
  }
  private locked(identity: string, held: Held, lock: DiskClaim | undefined): void {
    const waiting = held.waiting ?? [];
    held.waiting = undefined;
    held.lock = lock;
    if (lock === undefined) {
      this.held.delete(identity);
      fs.closeSync(held.fd);
    }
    for (const tell of waiting) tell(lock !== undefined);
  }
  private use(identity: string, held: Held): OpenedFile {
    held.users++;
    return {
      fd: held.fd,
      claimFd: held.lock?.descriptor,
      release: () => {
        if (--held.users > 0) return;
        this.held.delete(identity);
        held.lock?.release();
        fs.closeSync(held.fd);
      },
    };
  }
}
