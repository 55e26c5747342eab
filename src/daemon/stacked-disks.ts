/**
 * Disks that are devices of this same host: stacked resources. They are reached within the daemon, without the block
 * device: reading that one here would wait for an answer that only we can give.
 */
import fs from 'node:fs';
import { type ExportedDevice, type IoWaiter, type Opener, type OpenWaiter } from '../engine/application-io';
import {
  Errno,
  type Disk,
  type DiskOpenWaiter,
  type Disks,
  type DiskWaiter,
  type ErrnoCode,
} from '../engine/ports';
import { majorOf } from './block-device/device-node';
import { type InputQueue } from './input-queue';

/** Major number of the kernel module's devices: what has it is none of ours. */
const KERNEL_MAJOR = 147;

/** Finds the device that a path names. */
export interface OwnDevices {
  device(minor: number): ExportedDevice | undefined;
  devices(): Iterable<ExportedDevice>;
  /** Where the block devices' nodes are. */
  readonly nodeDirectory: string;
}
interface Held {
  readonly claim: string;
  users: number;
}

const deviceNumber = (file: string): number | undefined => {
  try {
    const stat = fs.statSync(file);
    return stat.isBlockDevice() ? stat.rdev : undefined;
  } catch {
    return undefined;
  }
};

const BY_RESOURCE = '/dev/drbd/by-res/';

/** The device of this host that `file` is, by its usual names or as the same node. */
export function ownDeviceAt(file: string, own: OwnDevices): ExportedDevice | undefined {
  const rdev = deviceNumber(file);
  if (rdev !== undefined && majorOf(rdev) === KERNEL_MAJOR) return undefined;
  const minor = /^\/dev\/drbd(\d{1,7})$/.exec(file)?.[1];
  if (minor !== undefined) return own.device(Number(minor));
  const byName = file.startsWith(BY_RESOURCE);
  // Nothing else can be one of ours: no look at all of them for each disk that is opened.
  if (rdev === undefined && !byName) return undefined;
  for (const device of own.devices()) {
    if (byName && file === `${BY_RESOURCE}${device.resourceName}/${device.volume}`) return device;
    if (rdev !== undefined && deviceNumber(`${own.nodeDirectory}/drbd${device.minor}`) === rdev)
      return device;
  }
  return undefined;
}

class StackedDisk implements Disk {
  readonly discardZeroes = false;
  readonly canDiscard = true;
  readonly discardGranularity = 512;

  constructor(
    readonly path: string,
    private readonly device: ExportedDevice,
    private readonly opener: Opener,
    private readonly queue: InputQueue,
    private readonly release: () => void,
  ) {}

  get blockSize(): number {
    return this.device.blockSize;
  }
  get size(): number {
    return this.device.size;
  }
  /** The upper device goes on in an input of its own, not within the lower one's. */
  private then(waiter: DiskWaiter): IoWaiter {
    return { onIoDone: (error: ErrnoCode) => this.queue.later(() => waiter.onDiskDone(error)) };
  }
  read(offset: number, into: Uint8Array, waiter: DiskWaiter): void {
    this.opener.read(offset, into, this.then(waiter));
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: DiskWaiter): void {
    this.opener.write(offset, from, fua, this.then(waiter));
  }
  flush(waiter: DiskWaiter): void {
    this.opener.flush(this.then(waiter));
  }
  discard(offset: number, length: number, waiter: DiskWaiter): void {
    this.opener.discard(offset, length, this.then(waiter));
  }
  zeroOut(offset: number, length: number, mayUnmap: boolean, waiter: DiskWaiter): void {
    this.opener.zeroOut(offset, length, mayUnmap, this.then(waiter));
  }
  refreshSize(waiter: DiskWaiter): void {
    this.queue.later(() => waiter.onDiskDone(0));
  }
  close(waiter: DiskWaiter): void {
    this.opener.close();
    this.release();
    this.queue.later(() => waiter.onDiskDone(0));
  }
}

export class StackedDisks implements Disks {
  private readonly held = new Map<number, Held>();

  constructor(
    private readonly below: Disks,
    private readonly own: OwnDevices,
    private readonly queue: InputQueue,
  ) {}

  open(file: string, claim: string, waiter: DiskOpenWaiter): void {
    const device = ownDeviceAt(file, this.own);
    if (device === undefined) {
      this.below.open(file, claim, waiter);
      return;
    }
    const held = this.held.get(device.minor) ?? { claim, users: 0 };
    if (held.claim !== claim) {
      this.queue.later(() => waiter.onDiskOpenFailed({ kind: 'claimed' }));
      return;
    }
    held.users++;
    this.held.set(device.minor, held);
    const release = (): void => {
      if (--held.users === 0) this.held.delete(device.minor);
    };
    const opened: OpenWaiter = {
      onOpened: (opener) => {
        const disk = new StackedDisk(file, device, opener, this.queue, release);
        this.queue.later(() => waiter.onDiskOpened(disk));
      },
      onOpenFailed: (errno) => {
        release();
        const failure =
          errno === Errno.EBUSY ? ({ kind: 'claimed' } as const) : { kind: 'cannot-open' as const, errno };
        this.queue.later(() => waiter.onDiskOpenFailed(failure));
      },
    };
    device.open({ command: 'drbdd', pid: process.pid }, true, false, opened);
  }
}
