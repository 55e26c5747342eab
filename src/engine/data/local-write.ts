/** Writing to the local disk: writes, discards and zero-outs of the application and of peers (engine.md 10.11). */
import { type Device } from '../objects';
import { type Disk, type DiskWaiter, type ErrnoCode } from '../ports';
import { type BackingDevice } from './backing-device';
import { type WriteOperation } from './write-request';

export interface LocalWrite {
  readonly operation: WriteOperation;
  readonly sector: number;
  readonly sectors: number;
  readonly data: Uint8Array;
  readonly fua: boolean;
  readonly mayUnmap: boolean;
}

/** The caller holds a reference on `backing` until the waiter is called. */
export function writeLocally(
  device: Device,
  backing: BackingDevice,
  request: LocalWrite,
  waiter: DiskWaiter,
): void {
  const disk = backing.dataDisk;
  const offset = request.sector * 512;
  const length = request.sectors * 512;
  switch (request.operation) {
    case 'write':
      disk.write(offset, request.data, request.fua, waiter);
      return;
    case 'discard':
      discardLocally(device, backing, offset, length, waiter);
      return;
    case 'zero-out':
      disk.zeroOut(offset, length, request.mayUnmap, waiter);
      return;
  }
}

/**
 * Every replica must read the same afterwards: a disk whose discards are not known to leave zeros discards the aligned
 * middle only if the option says that this is good enough, and zeroes the rest.
 */
export function discardLocally(
  device: Device,
  backing: BackingDevice,
  offset: number,
  length: number,
  waiter: DiskWaiter,
): void {
  const disk = backing.dataDisk;
  const trusted = device.diskOptions?.discardZeroesIfAligned ?? true;
  if (disk.canDiscard && disk.discardZeroes) disk.discard(offset, length, waiter);
  else if (disk.canDiscard && trusted) discardAligned(disk, offset, offset + length, waiter);
  else disk.zeroOut(offset, length, false, waiter);
}

/** From byte `offset` to byte `end`. */
function discardAligned(disk: Disk, offset: number, end: number, waiter: DiskWaiter): void {
  const { discardGranularity } = disk;
  const first = Math.ceil(offset / discardGranularity) * discardGranularity;
  const last = Math.floor(end / discardGranularity) * discardGranularity;
  if (last <= first) {
    disk.zeroOut(offset, end - offset, false, waiter);
    return;
  }
  const parts = new AllDone(waiter);
  disk.discard(first, last - first, parts.expect());
  if (offset < first) disk.zeroOut(offset, first - offset, false, parts.expect());
  if (last < end) disk.zeroOut(last, end - last, false, parts.expect());
}

/** Done when all parts are, with the first error. */
class AllDone implements DiskWaiter {
  private missing = 0;
  private error: ErrnoCode = 0;
  constructor(private readonly waiter: DiskWaiter) {}
  /** Disks complete later, never within the call that starts an operation. */
  expect(): this {
    this.missing++;
    return this;
  }
  onDiskDone(error: ErrnoCode): void {
    if (this.error === 0) this.error = error;
    if (--this.missing === 0) this.waiter.onDiskDone(this.error);
  }
}
