import { type BackingDevice, type BackingOwner } from '../../../src/engine/data/backing-device';
import { type AttachFailure, openBacking } from '../../../src/engine/data/open-backing';
import { type DiskOptions } from '../../../src/engine/options';
import { type Disk, type Disks } from '../../../src/engine/ports';
import { initializedActivityLog } from '../../../src/metadata/activity-log';
import { computeLayout, INDEX_INTERNAL } from '../../../src/metadata/layout';
import {
  encodeSuperblock09,
  freshSuperblock09,
  type Superblock09,
} from '../../../src/metadata/superblock-09';
import { type FakeClock, type FakeDisk } from './fake-machine';

export const DISK_OPTIONS: DiskOptions = {
  size: 0,
  onIoError: 'detach',
  diskBarrier: false,
  diskFlushes: true,
  diskDrain: true,
  mdFlushes: true,
  resyncAfter: -1,
  alExtents: 67,
  alUpdates: true,
  discardZeroesIfAligned: true,
  disableWriteSame: false,
  diskTimeout: 0,
  readBalancing: 'prefer-local',
  rsDiscardGranularity: 0,
  bitmap: true,
};

/** What create-md leaves on a disk with internal meta-data. */
export function createMetaData(disk: FakeDisk, maxPeers: number, edit?: (sb: Superblock09) => void): void {
  const geometry = { alStripes: 1, alStripeSize4k: 8 };
  const layout = computeLayout({
    ...geometry,
    deviceBytes: disk.size,
    index: INDEX_INTERNAL,
    maxPeers,
    bytesPerBit: 4096,
  });
  const superblock = freshSuperblock09(maxPeers);
  superblock.mdSizeSect = layout.mdSizeSect;
  superblock.alOffset = layout.alOffset;
  superblock.bmOffset = layout.bmOffset;
  edit?.(superblock);
  for (const image of [disk.bytes, disk.stable]) {
    image.set(encodeSuperblock09(superblock), layout.superblockByte);
    image.set(initializedActivityLog(geometry), layout.alByte);
  }
}

export class OneDisk implements Disks {
  constructor(private readonly disk: Disk) {}
  open(_path: string, _claim: string, waiter: Parameters<Disks['open']>[2]): void {
    waiter.onDiskOpened(this.disk);
  }
}

export interface Opened {
  readonly backing: BackingDevice | undefined;
  readonly failure: AttachFailure | undefined;
  readonly errors: string[];
}
export function open(
  clock: FakeClock,
  disk: FakeDisk,
  options: Partial<DiskOptions> = {},
  sizes: { diskSize?: number; currentSize?: number; nodeId?: number } = {},
): Opened {
  const errors: string[] = [];
  const owner: BackingOwner = {
    scheduler: clock,
    diskOptions: () => ({ ...DISK_OPTIONS, ...options }),
    onMetaDataError: (where) => errors.push(where),
    onDirtyTimer: () => undefined,
  };
  let backing: BackingDevice | undefined;
  let failure: AttachFailure | undefined;
  const request = {
    dataPath: '/disk',
    metaPath: '/disk',
    metaIndex: INDEX_INTERNAL,
    minor: 0,
    nodeId: sizes.nodeId ?? 0,
    diskSize: sizes.diskSize ?? 0,
    currentSize: sizes.currentSize ?? 0,
    firstTransaction: 0,
  };
  openBacking(new OneDisk(disk), owner, request, {
    onBackingOpened: (opened) => void (backing = opened),
    onAttachFailed: (failed) => void (failure = failed),
  });
  clock.settle();
  return { backing, failure, errors };
}
/** An attached backing device with a loaded bitmap, all bits clear. */
export function attach(clock: FakeClock, disk: FakeDisk, options: Partial<DiskOptions> = {}): BackingDevice {
  const { backing, failure } = open(clock, disk, options);
  if (backing === undefined) throw new Error(`attach failed: ${failure?.code} ${failure?.info}`);
  backing.loadBitmap(backing.maxSectors, { onDiskDone: () => undefined });
  clock.settle();
  return backing;
}
