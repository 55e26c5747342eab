/*
 * The opened meta data device (metadata.md 8.3): sizes, the area that may be written, --dry-run, --verbose.
 */
import { type BlockStore } from './block-store';
import { refuse, type Tool } from './tool';
import { errorText } from './system-error';

/** Byte range that writes must stay in, with the inclusive end that the reference prints. */
export interface WritableArea {
  readonly start: number;
  readonly end: number;
}

/** Small enough for several to be under way at once, large enough not to be woken all the time. */
const READ_PART = 1 << 23;

export class MetaDevice {
  area: WritableArea | undefined;
  /** Set by every write; close() flushes only then. */
  private dirty = false;
  private written = false;

  constructor(
    private readonly tool: Tool,
    readonly store: BlockStore,
    /** The number the reference would have for the descriptor; only --verbose shows it. */
    readonly shownFd: number,
  ) {}

  get size(): number {
    return this.store.size;
  }

  /** Whether anything was ever written. */
  get changed(): boolean {
    return this.written;
  }

  get sectorSize(): number {
    return this.store.sectorSize ?? 512;
  }

  /** Fills `target` from byte `offset`; `label` names the purpose in --verbose output and errors. */
  read(label: string, target: Uint8Array, offset: number): void {
    if (this.tool.options.verbose >= 2)
      this.tool.io.stderr(`${this.ioLine(label, 'pread', target.length, offset)}\n`);
    let count: number;
    try {
      count = this.store.read(target, offset);
    } catch (error) {
      return refuse(
        10,
        `pread(${this.shownFd},...,${target.length},${offset}) in ${label} failed: ${errorText(error)}\n`,
      );
    }
    if (count !== target.length)
      refuse(10, `confused in ${label}: expected to read ${target.length} bytes, actually read ${count}\n`);
  }

  /** As read(), in parts that are under way at the same time. */
  async readAhead(label: string, target: Uint8Array, offset: number): Promise<void> {
    const { store, tool } = this;
    if (store.readAhead === undefined) return this.read(label, target, offset);
    if (tool.options.verbose >= 2) tool.io.stderr(`${this.ioLine(label, 'pread', target.length, offset)}\n`);
    const parts: Promise<number>[] = [];
    for (let at = 0; at < target.length; at += READ_PART)
      parts.push(store.readAhead(target.subarray(at, at + READ_PART), offset + at));
    let count = 0;
    for (const result of await Promise.allSettled(parts)) {
      if (result.status === 'rejected')
        return refuse(
          10,
          `pread(${this.shownFd},...,${target.length},${offset}) in ${label} failed: ${errorText(result.reason)}\n`,
        );
      count += result.value;
    }
    if (count !== target.length)
      refuse(10, `confused in ${label}: expected to read ${target.length} bytes, actually read ${count}\n`);
  }

  /** Writes within the area; only reports under --dry-run. An empty label is not reported at all. */
  write(label: string, bytes: Uint8Array, offset: number): void {
    this.checkArea(label, bytes.length, offset);
    if (!this.announce(label, bytes.length, offset)) return;
    this.markDirty();
    let count: number;
    try {
      count = this.store.write(bytes, offset);
    } catch (error) {
      return refuse(
        10,
        `pwrite(${this.shownFd},...,${bytes.length},${offset}) in ${label} failed: ${errorText(error)}\n`,
      );
    }
    if (count !== bytes.length)
      refuse(10, `confused in ${label}: expected to write ${bytes.length} bytes, actually wrote ${count}\n`);
  }

  /** Reports a write; false if it must not happen. */
  announce(label: string, length: number, offset: number): boolean {
    const { dryRun, verbose } = this.tool.options;
    if (label !== '' && (dryRun || verbose >= 2))
      this.tool.io.stderr(
        `${this.ioLine(label, 'pwrite', length, offset)}${dryRun ? ' SKIPPED DUE TO DRY-RUN' : ''}\n`,
      );
    return !dryRun;
  }

  checkArea(label: string, length: number, offset: number): void {
    if (this.tool.options.ignoreSanityChecks) return;
    const area = this.area ?? { start: 0, end: 0 };
    if (offset >= area.start && offset + length <= area.end) return;
    refuse(
      10,
      `${label}: offset+count (${offset}+${length}) not in meta data area range [${area.start}; ${area.end}], aborted\n` +
        'If you want to force this, tell me to --ignore-sanity-checks\n',
    );
  }

  private ioLine(label: string, call: string, length: number, offset: number): string {
    return ` ${label.padEnd(26)}: ${call}(${this.shownFd}, ...,${String(length).padStart(6)},${String(offset).padStart(12)})`;
  }

  markDirty(): void {
    this.written = this.dirty = true;
  }

  /** Everything written so far is on stable storage afterwards. */
  flush(): void {
    if (!this.dirty) return;
    try {
      this.store.flush();
    } catch (error) {
      refuse(10, `fdatasync(${this.tool.deviceName}) failed: ${errorText(error)}\n`);
    }
    this.dirty = false;
  }

  close(): void {
    this.store.close();
  }
}
