/** The effective size in the meta-data (engine.md 9.9). Sizes in sectors. */
import { sizeText } from '../admin/device-size';
import { type Device } from '../objects';
import { logLine } from '../state/object-log';
import { WhenDone } from './meta-data-target';

/**
 * A bitmap is only looked at as far as the effective size reaches: the bits of new storage have to be on disk before it.
 * Otherwise a power cut in between would declare that storage in sync.
 */
export function persistSize(device: Device): void {
  const { backing, size } = device;
  if (backing === undefined || size === 0 || backing.superblock.effectiveSize === size) return;
  if (backing.sizeToPersist === size) return;
  backing.sizeToPersist = size;
  logLine(device, 'info', `persisting effective size = ${sizeText(size)}`);
  backing.bitmapWriter.writeDirty(
    new WhenDone((error) => {
      if (backing.sizeToPersist !== size) return;
      backing.sizeToPersist = undefined;
      if (error !== 0 || device.backing !== backing) return;
      backing.superblock.effectiveSize = size;
      backing.markDirty();
      backing.syncSuperblock();
    }),
  );
}
