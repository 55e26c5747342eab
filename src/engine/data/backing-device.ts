import { type Superblock09 } from '../../metadata/superblock-09';
import { type Disk } from '../ports';

/** An attached disk with its meta-data; everything in here belongs to data/ (the superblock also to uuid/). */
export interface BackingDevice {
  readonly dataDisk: Disk;
  readonly metaDisk: Disk;
  /**
   * The meta-data in memory, changed in place by uuid/ and state/ (then `dataActions.markMetadataDirty`). Slot flags
   * carry HAVE_BITMAP.
   */
  readonly superblock: Superblock09;
}
