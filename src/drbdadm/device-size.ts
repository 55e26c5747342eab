/** Sizes of block devices as drbdadm wants to know them. */
import fs from 'node:fs';

/** Size of a block device in sectors of 512 bytes. By number: a node may have another name than the kernel's. */
function sectorsOf(rdev: number): number {
  const [major, minor] = [(rdev >>> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
  return Number.parseInt(fs.readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'latin1'), 10);
}

/** Size of /dev/drbdMINOR in sectors of 512 bytes; undefined: there is no such block device. */
export function deviceSectors(minor: number): number | undefined {
  try {
    const stat = fs.statSync(`/dev/drbd${minor}`);
    const sectors = stat.isBlockDevice() ? sectorsOf(stat.rdev) : Number.NaN;
    return Number.isNaN(sectors) ? undefined : sectors;
  } catch {
    return undefined;
  }
}

export type DeviceSize =
  { readonly kind: 'bytes'; readonly bytes: number } | { readonly kind: 'error'; readonly message: string };

/**
 * Size in bytes of a disk. Unlike the real tool, which insists on block devices here, files count too: our daemon
 * uses them as disks.
 */
export function blockDeviceSize(disk: string): DeviceSize {
  const file = Buffer.from(disk, 'latin1').toString('utf8');
  try {
    const stat = fs.statSync(file);
    if (stat.isFile()) return { kind: 'bytes', bytes: stat.size };
    if (!stat.isBlockDevice()) {
      const message = 'ioctl(,BLKGETSIZE64,) failed: Inappropriate ioctl for device';
      return { kind: 'error', message };
    }
    return { kind: 'bytes', bytes: sectorsOf(stat.rdev) * 512 };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'error', message: `Can not open '${disk}': ${reason}` };
  }
}
