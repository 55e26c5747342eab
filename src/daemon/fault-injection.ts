/**
 * Fault injection as the kernel module has it (scenarios.md, kernel surfaces): files in a directory say which kinds of
 * disk operations of which minors fail how often. For tests of what stands above; without the directory there is
 * nothing of this in the way.
 *
 * A resync cannot be told from other data here, so the kinds for resync reads and writes do nothing.
 */
import fs from 'node:fs';
import path from 'node:path';
import {
  Errno,
  type Disk,
  type DiskOpenWaiter,
  type Disks,
  type DiskWaiter,
  type Log,
} from '../engine/ports';
import { type InputQueue } from './input-queue';

/** Bits of `enable_faults`. */
export const FaultKind = { metaWrite: 1, metaRead: 2, dataWrite: 16, dataRead: 32 } as const;
const NAMES: ReadonlyMap<number, string> = new Map([
  [FaultKind.metaWrite, 'Meta-data write'],
  [FaultKind.metaRead, 'Meta-data read'],
  [FaultKind.dataWrite, 'Data write'],
  [FaultKind.dataRead, 'Data read'],
]);

const FILES = ['enable_faults', 'fault_rate', 'fault_devs'] as const;
type FaultFile = (typeof FILES)[number];

/** The three files, as they are now. */
export class FaultParameters {
  private values: Readonly<Record<FaultFile, number>> = { enable_faults: 0, fault_rate: 0, fault_devs: 0 };
  private readonly watcher: fs.FSWatcher;

  constructor(private readonly directory: string) {
    fs.mkdirSync(directory, { recursive: true });
    for (const file of FILES) fs.writeFileSync(path.join(directory, file), '0\n');
    this.watcher = fs.watch(directory, { persistent: false }, () => this.read());
  }

  /** Whether this operation is to fail. `fault_devs` has a bit for each minor; 0 stands for all. */
  strikes(minor: number, kind: number): boolean {
    const { enable_faults: kinds, fault_rate: percent, fault_devs: minors } = this.values;
    if (percent === 0 || (kinds & kind) === 0) return false;
    if (minors !== 0 && (minor > 30 || (minors & (1 << minor)) === 0)) return false;
    return Math.random() * 100 < percent;
  }
  close(): void {
    this.watcher.close();
  }

  private read(): void {
    const number = (file: FaultFile): number => {
      try {
        return Number.parseInt(fs.readFileSync(path.join(this.directory, file), 'latin1'), 10) || 0;
      } catch {
        return 0;
      }
    };
    this.values = {
      enable_faults: number('enable_faults'),
      fault_rate: number('fault_rate'),
      fault_devs: number('fault_devs'),
    };
  }
}

/** True if this part of the disk of that minor is meta-data. */
export type IsMetaData = (minor: number, disk: Disk, offset: number) => boolean;

/** Disks that fail when the parameters say so. */
export class FaultyDisks implements Disks {
  constructor(
    private readonly inner: Disks,
    private readonly parameters: FaultParameters,
    private readonly queue: InputQueue,
    private readonly log: Log,
    private readonly isMetaData: IsMetaData,
  ) {}

  open(path: string, claim: string, waiter: DiskOpenWaiter): void {
    const minor = Number(/^minor (\d+)$/.exec(claim)?.[1] ?? -1);
    this.inner.open(path, claim, {
      onDiskOpened: (disk) => waiter.onDiskOpened(minor < 0 ? disk : new FaultyDisk(disk, this, minor)),
      onDiskOpenFailed: (failure) => waiter.onDiskOpenFailed(failure),
    });
  }

  /** True if the operation fails; its waiter is told then. */
  fail(minor: number, disk: Disk, offset: number, write: boolean, waiter: DiskWaiter): boolean {
    const meta = this.isMetaData(minor, disk, offset);
    const [metaKind, dataKind] = write
      ? [FaultKind.metaWrite, FaultKind.dataWrite]
      : [FaultKind.metaRead, FaultKind.dataRead];
    const kind = meta ? metaKind : dataKind;
    if (!this.parameters.strikes(minor, kind)) return false;
    this.log.write('warning', `drbd: minor ${minor}: ***Simulating ${NAMES.get(kind) ?? ''} failure`);
    this.queue.later(() => waiter.onDiskDone(Errno.EIO));
    return true;
  }
}

class FaultyDisk implements Disk {
  constructor(
    private readonly disk: Disk,
    private readonly faults: FaultyDisks,
    private readonly minor: number,
  ) {}
  get path(): string {
    return this.disk.path;
  }
  get blockSize(): number {
    return this.disk.blockSize;
  }
  get size(): number {
    return this.disk.size;
  }
  get discardZeroes(): boolean {
    return this.disk.discardZeroes;
  }
  get canDiscard(): boolean {
    return this.disk.canDiscard;
  }
  get discardGranularity(): number {
    return this.disk.discardGranularity;
  }
  read(offset: number, into: Uint8Array, waiter: DiskWaiter): void {
    if (!this.faults.fail(this.minor, this, offset, false, waiter)) this.disk.read(offset, into, waiter);
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: DiskWaiter): void {
    if (!this.faults.fail(this.minor, this, offset, true, waiter)) this.disk.write(offset, from, fua, waiter);
  }
  flush(waiter: DiskWaiter): void {
    this.disk.flush(waiter);
  }
  discard(offset: number, length: number, waiter: DiskWaiter): void {
    if (!this.faults.fail(this.minor, this, offset, true, waiter)) this.disk.discard(offset, length, waiter);
  }
  zeroOut(offset: number, length: number, mayUnmap: boolean, waiter: DiskWaiter): void {
    if (!this.faults.fail(this.minor, this, offset, true, waiter))
      this.disk.zeroOut(offset, length, mayUnmap, waiter);
  }
  refreshSize(waiter: DiskWaiter): void {
    this.disk.refreshSize(waiter);
  }
  close(waiter: DiskWaiter): void {
    this.disk.close(waiter);
  }
}
