/*
 * Writes pieces one after the other; on a plain file long stretches of zeros become holes, so that restoring the bitmap
 * of a large sparse file takes neither its size nor the time.
 */
import { type MetaDevice } from './meta-device';
import { type Tool } from './tool';

/** Shorter stretches are written: a hole needs a process of its own. */
const HOLE_FROM = 2 ** 24;
const ZEROS = 2 ** 20;

export class SparseWriter {
  private start = 0;
  private until = 0;

  constructor(
    private readonly tool: Tool,
    private readonly device: MetaDevice,
    private readonly label: string,
  ) {}

  /** Pieces must be adjacent. */
  write(piece: Uint8Array, offset: number): void {
    const sparse = this.device.store.isPlainFile && !this.tool.options.dryRun;
    if (!sparse || !isZero(piece)) {
      this.end();
      this.device.write(this.label, piece, offset);
      return;
    }
    this.device.checkArea(this.label, piece.length, offset);
    if (this.until !== offset) {
      this.end();
      this.start = offset;
    }
    this.until = offset + piece.length;
  }

  /** Brings the zeros that are still due to the device. */
  end(): void {
    const length = this.until - this.start;
    const { start } = this;
    this.start = this.until = 0;
    if (length === 0) return;
    if (length >= HOLE_FROM && this.device.store.punchHole(start, length)) {
      this.device.announce(this.label, length, start);
      this.device.markDirty();
      return;
    }
    const zeros = new Uint8Array(Math.min(length, ZEROS));
    for (let done = 0; done < length; done += zeros.length)
      this.device.write(this.label, zeros.subarray(0, Math.min(zeros.length, length - done)), start + done);
  }
}

function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0) return false;
  return Buffer.compare(bytes.subarray(0, bytes.length - 1), bytes.subarray(1)) === 0;
}
