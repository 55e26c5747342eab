/** What kind of thing a backing path is, how large it is and in which blocks it is written. */
import fs from 'node:fs';

export interface Geometry {
  /** Bytes. */
  readonly size: number;
  /** 512 or 4096. */
  readonly blockSize: number;
  readonly isBlockDevice: boolean;
  /** Names the file or device whatever its path: for claims. */
  readonly identity: string;
}

/** Major and minor number as Linux packs them into `st_rdev`. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const packed = BigInt(rdev);
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

function readNumber(file: string): number | undefined {
  try {
    const value = Number(fs.readFileSync(file, 'latin1').trim());
    return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  } catch {
    return undefined;
  }
}

/** First offset at which nothing can be read: for machines without sysfs. */
function probeSize(fd: number): number {
  const byte = new Uint8Array(1);
  const readable = (at: number): boolean => {
    try {
      return fs.readSync(fd, byte, 0, 1, at) === 1;
    } catch {
      return false;
    }
  };
  if (!readable(0)) return 0;
  let low = 0;
  let high = 512;
  while (readable(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (readable(middle)) low = middle;
    else high = middle;
  }
  return high;
}

/** Undefined for what is neither a regular file nor a block device. `sysfs` is `/sys` but in tests. */
export function geometryOf(fd: number, sysfs = '/sys'): Geometry | undefined {
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) {
    const size = stat.size - (stat.size % 512);
    return { size, blockSize: 512, isBlockDevice: false, identity: `file ${stat.dev}:${stat.ino}` };
  }
  if (!stat.isBlockDevice()) return undefined;
  const { major, minor } = deviceNumbers(stat.rdev);
  const folder = `${sysfs}/dev/block/${major}:${minor}`;
  const sectors = readNumber(`${folder}/size`);
  // A partition has no queue of its own.
  const logical =
    readNumber(`${folder}/queue/logical_block_size`) ?? readNumber(`${folder}/../queue/logical_block_size`);
  return {
    size: sectors === undefined ? probeSize(fd) : sectors * 512,
    blockSize: logical === 4096 ? 4096 : 512,
    isBlockDevice: true,
    identity: `block ${major}:${minor}`,
  };
}
