import { type RandomStream } from './random-stream';
import { SparseBytes } from './sparse-bytes';

/** A write that is not known to be on stable storage. */
interface CachedWrite {
  readonly offset: number;
  readonly length: number;
  /** Undefined: zeros. */
  readonly bytes: Uint8Array | undefined;
  /** Written through: it is stable, but kept in order behind older writes that are not. */
  readonly stable: boolean;
}

const sector = 512;

/**
 * The disk itself, which outlives crashes: what is stable, what the drive's volatile cache holds, and what readers
 * see (both together). After a crash each cached write survived, was lost, or was torn at a sector boundary.
 */
export class DiskMedium {
  /** What reads return while the power is on. */
  readonly visible: SparseBytes;
  private readonly stable: SparseBytes;
  private readonly cache: CachedWrite[] = [];
  /** Number of writes that ever entered the cache, so that a flush knows how far it reaches. */
  private entered = 0;
  /** Grows whenever what readers see may have changed. */
  version = 0;

  constructor(
    readonly path: string,
    /** Bytes. */
    public size: number,
    readonly blockSize: number,
    garbage: number,
  ) {
    this.visible = new SparseBytes(garbage);
    this.stable = new SparseBytes(garbage);
  }

  /** The disk is larger from now on: an extended volume. */
  grow(bytes: number): void {
    this.version++;
    this.size += bytes;
  }
  /** `bytes` undefined writes zeros. */
  write(offset: number, length: number, bytes: Uint8Array | undefined, stable: boolean): void {
    this.version++;
    const kept = bytes?.slice();
    put(this.visible, offset, length, kept);
    if (stable && this.cache.length === 0) put(this.stable, offset, length, kept);
    else {
      this.cache.push({ offset, length, bytes: kept, stable });
      this.entered++;
    }
  }
  /** A position for `flushUpTo`: everything written until now. */
  get flushMark(): number {
    return this.entered;
  }
  flushUpTo(mark: number): void {
    const count = mark - (this.entered - this.cache.length);
    if (count <= 0) return;
    for (const write of this.cache.splice(0, count)) {
      put(this.stable, write.offset, write.length, write.bytes);
    }
  }
  /**
   * The power fails. `inFlight` writes may have been anywhere between not begun and done. Afterwards the medium is
   * what is found at the next start.
   */
  losePower(random: RandomStream, inFlight: readonly CachedWrite[]): void {
    this.version++;
    const keepMost = random.fraction();
    for (const write of [...this.cache, ...inFlight]) {
      if (write.stable) put(this.stable, write.offset, write.length, write.bytes);
      else if (random.chance(0.25)) this.tear(write, random);
      else if (random.chance(keepMost)) put(this.stable, write.offset, write.length, write.bytes);
    }
    for (const write of this.cache) this.visible.copyRange(this.stable, write.offset, write.length);
    for (const write of inFlight) this.visible.copyRange(this.stable, write.offset, write.length);
    this.cache.length = 0;
    this.entered = 0;
  }
  /** A write of which only some sectors were done: each sector is old or new as a whole. */
  tear(write: CachedWrite, random: RandomStream): void {
    for (let done = 0; done < write.length; done += sector) {
      if (random.chance(0.5)) continue;
      const length = Math.min(sector, write.length - done);
      put(this.stable, write.offset + done, length, write.bytes?.subarray(done, done + length));
    }
  }
  /** Reads what a tool would read while no host uses the disk. */
  readNow(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.visible.read(offset, bytes);
    return bytes;
  }
  /** Writes as a tool does that flushes before it ends. */
  writeNow(offset: number, bytes: Uint8Array): void {
    this.flushUpTo(this.entered);
    this.write(offset, bytes.length, bytes, true);
  }
}

function put(target: SparseBytes, offset: number, length: number, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) target.zero(offset, length);
  else target.write(offset, bytes);
}
