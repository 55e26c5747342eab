import { type Disk } from '../ports';

/** An attached disk with its meta-data; everything in here belongs to data/ (the superblock also to uuid/). */
export interface BackingDevice {
  readonly dataDisk: Disk;
  readonly metaDisk: Disk;
}
