/*
 * The device or file that holds meta data: opening, sizes, positioned I/O, fast zeroing. What drbdmeta needs from the
 * operating system is behind BlockStore, so that tests can cut the power between two writes.
 */
import fs from 'node:fs';
import { alignedBuffer, isPageAligned } from './aligned-buffer';
import { errorCode } from './system-error';

export interface BlockStore {
  readonly size: number;
  readonly isBlockDevice: boolean;
  readonly isPlainFile: boolean;
  /** Undefined where the system does not say (plain files). */
  readonly sectorSize: number | undefined;
  /** Reads up to target.length bytes; fewer at the end. */
  read(target: Uint8Array, offset: number): number;
  /** The same while the caller goes on. */
  readAhead?(target: Uint8Array, offset: number): Promise<number>;
  write(bytes: Uint8Array, offset: number): number;
  /** Zeroes a range without transferring it; false if the device has no such operation. */
  zeroOut(offset: number, length: number): boolean;
  /** Makes a range of a plain file a hole; false where that is not possible. */
  punchHole(offset: number, length: number): boolean;
  flush(): void;
  close(): void;
}

export interface OpenFlags {
  readonly exclusive: boolean;
  readonly direct: boolean;
}

const BOUNCE_BYTES = 1 << 22;

let bounceMemory: Uint8Array | undefined;

/**
 * Aligned memory to copy through: callers' own need not be. All stores share it, since a transfer is over when it returns;
 * V8 collects garbage for every such memory that is made.
 */
function bounceBuffer(): Uint8Array {
  return (bounceMemory ??= alignedBuffer(BOUNCE_BYTES));
}

export function forgetMemory(): void {
  bounceMemory = undefined;
}

/** Opens for reading and writing. Throws the system's error. */
export function openBlockStore(path: string, flags: OpenFlags): BlockStore {
  const { O_RDWR, O_DIRECT = 0, O_EXCL } = fs.constants;
  const fd = fs.openSync(path, O_RDWR | (flags.direct ? O_DIRECT : 0) | (flags.exclusive ? O_EXCL : 0));
  try {
    return new FileStore(fd, path, flags.direct);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

class FileStore implements BlockStore {
  readonly size: number;
  readonly isBlockDevice: boolean;
  readonly isPlainFile: boolean;
  readonly sectorSize: number | undefined;
  constructor(
    private readonly fd: number,
    private readonly path: string,
    private direct: boolean,
  ) {
    const stat = fs.fstatSync(fd);
    this.isBlockDevice = stat.isBlockDevice();
    this.isPlainFile = stat.isFile();
    this.size = this.isBlockDevice ? blockDeviceSize(stat.rdev) : stat.size;
    this.sectorSize = this.isBlockDevice ? logicalSectorSize(stat.rdev) : undefined;
  }

  read(target: Uint8Array, offset: number): number {
    if (!this.direct || isPageAligned(target)) return this.transfer(target, offset, false);
    const bounce = bounceBuffer();
    let done = 0;
    while (done < target.length) {
      const part = bounce.subarray(0, Math.min(BOUNCE_BYTES, target.length - done));
      const count = this.transfer(part, offset + done, false);
      target.set(part.subarray(0, count), done);
      done += count;
      if (count < part.length) break;
    }
    return done;
  }

  /** Several may be under way. What the system does not take this way, or not at once, is read by read(). */
  readAhead(target: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.fd, target, 0, target.length, offset, (error, count) => {
        try {
          if (error === null && count === target.length) resolve(count);
          else resolve(this.read(target, offset));
        } catch (problem) {
          reject(problem instanceof Error ? problem : new Error(String(problem)));
        }
      });
    });
  }

  write(bytes: Uint8Array, offset: number): number {
    if (!this.direct || isPageAligned(bytes)) return this.transfer(bytes, offset, true);
    const bounce = bounceBuffer();
    let done = 0;
    while (done < bytes.length) {
      const part = bounce.subarray(0, Math.min(BOUNCE_BYTES, bytes.length - done));
      part.set(bytes.subarray(done, done + part.length));
      const count = this.transfer(part, offset + done, true);
      done += count;
      if (count < part.length) break;
    }
    return done;
  }

  private transfer(bytes: Uint8Array, offset: number, write: boolean): number {
    let done = 0;
    while (done < bytes.length) {
      const count = this.attempt(bytes, done, offset + done, write);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  private attempt(bytes: Uint8Array, from: number, offset: number, write: boolean): number {
    const run = (fd: number) =>
      write
        ? fs.writeSync(fd, bytes, from, bytes.length - from, offset)
        : fs.readSync(fd, bytes, from, bytes.length - from, offset);
    try {
      return run(this.fd);
    } catch (error) {
      // A piece that direct I/O does not like (an odd tail, strange memory): through the page cache once.
      if (!this.direct || errorCode(error) !== 'EINVAL') throw error;
      const buffered = fs.openSync(this.path, fs.constants.O_RDWR);
      try {
        const count = run(buffered);
        if (write) fs.fdatasyncSync(buffered);
        return count;
      } finally {
        fs.closeSync(buffered);
      }
    }
  }

  zeroOut(offset: number, length: number): boolean {
    if (!this.isBlockDevice || process.platform !== 'linux') return false;
    // Node has no ioctl; blkdiscard -z is BLKZEROOUT. -f: the device is open already, here.
    return runQuietly('blkdiscard', ['-f', '-z', '-o', String(offset), '-l', String(length), this.path]);
  }

  punchHole(offset: number, length: number): boolean {
    if (this.isBlockDevice || offset + length > this.size) return false;
    return runQuietly('fallocate', ['-p', '-o', String(offset), '-l', String(length), this.path]);
  }

  flush(): void {
    fs.fdatasyncSync(this.fd);
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

function runQuietly(command: string, args: readonly string[]): boolean {
  // Loaded only where it is needed: it costs milliseconds.
  const { spawnSync }: typeof import('node:child_process') = require('node:child_process');
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Linux device numbers: 12 + 8 bits, and the high bits of both. */
export function majorOf(rdev: number): number {
  return Math.floor(rdev / 256) % 4096;
}
export function minorOf(rdev: number): number {
  return (rdev % 256) + (Math.floor(rdev / 2 ** 20) % 4096) * 256;
}

function sysBlock(rdev: number, ...names: readonly string[]): number | undefined {
  for (const name of names) {
    try {
      const text = fs.readFileSync(`/sys/dev/block/${majorOf(rdev)}:${minorOf(rdev)}/${name}`, 'latin1');
      if (/^[0-9]+\s*$/.test(text)) return Number(text);
    } catch {
      // Partitions have their queue one folder up.
    }
  }
  return undefined;
}

function blockDeviceSize(rdev: number): number {
  const sectors = sysBlock(rdev, 'size');
  if (sectors === undefined) throw new Error('cannot determine the size of the block device');
  return sectors * 512;
}

function logicalSectorSize(rdev: number): number | undefined {
  return sysBlock(rdev, 'queue/logical_block_size', '../queue/logical_block_size');
}
