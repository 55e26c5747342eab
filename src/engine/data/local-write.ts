/** Writing to the local disk: writes, discards and zero-outs of the application and of peers (engine.md 10.11). */
import { type Device } from '../objects';
import { type DiskWaiter } from '../ports';
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
      discard(device, backing, offset, length, waiter);
      return;
    case 'zero-out':
      disk.zeroOut(offset, length, request.mayUnmap, waiter);
      return;
  }
}

/**
 * Every replica must read the same afterwards: a disk whose discards do not leave zeros discards the aligned middle
 * only if the option says that this is good enough, and zeroes the rest.
 */
function discard(
  device: Device,
  backing: BackingDevice,
  offset: number,
  length: number,
  waiter: DiskWaiter,
): void {
  const disk = backing.dataDisk;
  const aligned = device.diskOptions?.discardZeroesIfAligned ?? true;
  if (disk.canDiscard && disk.discardZeroes) disk.discard(offset, length, waiter);
  else disk.zeroOut(offset, length, disk.canDiscard && aligned, waiter);
}
