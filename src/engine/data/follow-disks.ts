/** Disks of an attached device that have another size now: their meta-data follow (engine.md 9.9). */
import { alMaxExtents } from '../../metadata/activity-log';
import {
  type ActivityLogGeometry,
  computeLayout,
  INDEX_FLEX_EXTERNAL,
  INDEX_INTERNAL,
  type Layout,
  placeLayout,
  relativeLayout,
} from '../../metadata/layout';
import { type ErrnoCode } from '../ports';
import { type BackingDevice } from './backing-device';
import { DiskBatch } from './meta-data-target';
import { type MetaDataPlace, moveMetaData } from './move-meta-data';

export type DisksFollowed =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'moved' }
  /** With the meta-data there, the device would not have room. */
  | { readonly kind: 'too-small'; readonly maxSectors: number }
  /** The activity log in use does not fit into the new geometry, or none can be chosen for this place. */
  | { readonly kind: 'log-does-not-fit' }
  | { readonly kind: 'failed'; readonly error: ErrnoCode };

export interface FollowRequest {
  /** What the device must have room for. */
  readonly sectors: number;
  /** Another geometry of the activity log. */
  readonly geometry?: ActivityLogGeometry;
}

/** Asks both disks for their size, and moves the meta-data if they belong elsewhere. One after the other. */
export function followDisks(
  backing: BackingDevice,
  request: FollowRequest,
  done: (followed: DisksFollowed) => void,
): void {
  const look = (): void =>
    refresh(backing, () =>
      follow(backing, request, (followed) => {
        const waiting = backing.looks?.shift();
        if (waiting === undefined) backing.looks = undefined;
        done(followed);
        waiting?.run();
      }),
    );
  if (backing.looks !== undefined) backing.looks.push({ run: look });
  else {
    backing.looks = [];
    look();
  }
}

/** A disk that does not tell its size keeps the one it had. */
function refresh(backing: BackingDevice, done: () => void): void {
  const { dataDisk, metaDisk } = backing;
  // While this look waited for another one the disk may have been given up.
  if (backing.closed) return done();
  backing.hold();
  const batch = new DiskBatch(() => {
    backing.release();
    done();
  });
  dataDisk.refreshSize(batch.add());
  if (metaDisk !== dataDisk) metaDisk.refreshSize(batch.add());
  batch.started();
}

function follow(
  backing: BackingDevice,
  { sectors, geometry }: FollowRequest,
  done: (followed: DisksFollowed) => void,
): void {
  const { superblock, layout, metaIndex, activityLog } = backing;
  if (backing.aborted || backing.closed) return done({ kind: 'unchanged' });
  const wanted = geometry ?? { alStripes: superblock.alStripes, alStripeSize4k: superblock.alStripeSize4k };
  const next = layoutNow(backing, wanted);
  if (sameLayout(layout, next)) return done({ kind: 'unchanged' });
  if (metaIndex >= 0 || alMaxExtents(wanted) < activityLog.slotCount)
    return done({ kind: 'log-does-not-fit' });
  const maxSectors = backing.maxSectorsWith(next);
  if (next.bitmapByte < 0 || maxSectors < sectors) return done({ kind: 'too-small', maxSectors });
  const place: MetaDataPlace = { layout: next, geometry: wanted };
  moveMetaData(backing, place, (error) => done(error === 0 ? { kind: 'moved' } : { kind: 'failed', error }));
}

function layoutNow(backing: BackingDevice, geometry: ActivityLogGeometry): Layout {
  const { superblock, metaDisk, metaIndex, layout } = backing;
  const request = {
    ...geometry,
    deviceBytes: metaDisk.size,
    index: metaIndex,
    maxPeers: superblock.bmMaxPeers,
    bytesPerBit: superblock.bmBytesPerBit,
  };
  if (metaIndex === INDEX_INTERNAL || metaIndex === INDEX_FLEX_EXTERNAL) {
    const next = computeLayout(request);
    // Meta-data that were made with more room than needed stay as they are while their disk does.
    const stays = next.superblockByte === layout.superblockByte && next.alBytes === layout.alBytes;
    const same = metaIndex === INDEX_INTERNAL || next.mdSizeSect === superblock.mdSizeSect;
    return stays && same && sameGeometry(superblock, geometry) ? layout : next;
  }
  return placeLayout(request, relativeLayout(request), layout.superblockByte);
}
const sameGeometry = (one: ActivityLogGeometry, other: ActivityLogGeometry): boolean =>
  one.alStripes === other.alStripes && one.alStripeSize4k === other.alStripeSize4k;
const sameLayout = (one: Layout, other: Layout): boolean =>
  one === other ||
  (one.superblockByte === other.superblockByte &&
    one.alByte === other.alByte &&
    one.alBytes === other.alBytes &&
    one.bitmapByte === other.bitmapByte &&
    one.mdSizeSect === other.mdSizeSect);
