/*
 * Fills the bitmap area for create-md and for moved meta data (metadata.md 9.1 step 3): with the device's own zeroing
 * where there is one. A plain file gets a hole or keeps its zeros, so sparse files stay sparse.
 */
import { alignedBuffer } from './aligned-buffer';
import { type BitmapMode } from './command-line';
import { type MetaDevice } from './meta-device';
import { sizeText } from './number-text';
import { refuse, type Tool } from './tool';

const ZEROOUT_STEP = 2 ** 30;
const WRITE_STEP = 2 ** 25;
/** Below this a process for fallocate costs more than writing. */
const HOLE_FROM = 2 ** 22;
const LABEL = 'md_initialize_common:BM';

/** Announces and does it. Refuses with status 10 in mode zeroout if the device cannot. */
export function initializeBitmap(tool: Tool, device: MetaDevice, offset: number, length: number): void {
  const mode = tool.options.initializeBitmap;
  if (mode === 'skip') {
    tool.io.stderr('SKIPPED initializing bitmap area\n');
    return;
  }
  const what = `initializing bitmap (${sizeText(Math.floor(length / 1024))}) to all`;
  if (mode === 'automatic' || mode === 'zeroout') {
    tool.io.stderr(`${what} zero\n`);
    if (zeroOut(tool, device, offset, length)) return;
    const first = Math.min(length, ZEROOUT_STEP);
    const reason = device.store.isBlockDevice ? 'Operation not supported' : 'Inappropriate ioctl for device';
    if (!device.store.isPlainFile || tool.options.force) {
      tool.io.stderr(`ioctl(${tool.deviceName}, BLKZEROOUT, [${offset}, ${first}]) failed: ${reason}\n`);
    }
    if (mode === 'zeroout') refuse(10, 'fast zero-out failed, fallback disabled\n');
  }
  tool.io.stderr(`${what} ${mode === 'set-all' ? 'set' : 'zero'} using pwrite\n`);
  fill(tool, device, offset, length, mode);
}

function zeroOut(tool: Tool, device: MetaDevice, offset: number, length: number): boolean {
  if (!device.store.isBlockDevice) return false;
  device.checkArea(LABEL, length, offset);
  // The reference zeroes here even with --dry-run.
  if (tool.options.dryRun) return device.announce(LABEL, length, offset) || true;
  const progress = new Progress(tool, length, ZEROOUT_STEP);
  for (let done = 0; done < length; done += ZEROOUT_STEP) {
    const step = Math.min(ZEROOUT_STEP, length - done);
    if (!device.store.zeroOut(offset + done, step)) return false;
    device.markDirty();
    progress.report(done + step);
  }
  return true;
}

function fill(tool: Tool, device: MetaDevice, offset: number, length: number, mode: BitmapMode): void {
  const zero = mode !== 'set-all';
  const hole = zero && !tool.options.dryRun && length >= HOLE_FROM && device.store.punchHole(offset, length);
  if (hole) device.markDirty();
  const piece = alignedBuffer(Math.min(length, WRITE_STEP));
  if (!zero) piece.fill(0xff);
  const probe = zero && !hole && !device.store.isBlockDevice ? alignedBuffer(piece.length) : undefined;
  const progress = new Progress(tool, length, WRITE_STEP);
  for (let done = 0; done < length; done += WRITE_STEP) {
    const part = piece.subarray(0, Math.min(WRITE_STEP, length - done));
    const at = offset + done;
    if (hole || (probe !== undefined && isZero(device, probe.subarray(0, part.length), part, at)))
      device.announce(LABEL, part.length, at);
    else device.write(LABEL, part, at);
    progress.report(done + part.length);
  }
}

/** True if the range reads as zeros already. */
function isZero(device: MetaDevice, probe: Uint8Array, zeros: Uint8Array, offset: number): boolean {
  if (offset + zeros.length > device.size) return false;
  device.checkArea(LABEL, zeros.length, offset);
  return device.store.read(probe, offset) === probe.length && Buffer.compare(probe, zeros) === 0;
}

/** `CR N%` at each change, if there is more than one step. */
class Progress {
  private shown = 0;

  constructor(
    private readonly tool: Tool,
    private readonly total: number,
    private readonly step: number,
  ) {}

  report(done: number): void {
    if (this.total <= this.step) return;
    const percent = Math.floor((done * 100) / this.total);
    if (percent === this.shown) return;
    this.shown = percent;
    this.tool.io.stderr(`\r${percent}%${percent === 100 ? '\n' : ''}`);
  }
}
