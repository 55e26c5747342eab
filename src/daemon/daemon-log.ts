/**
 * The daemon's log: a file in the run directory, standard error when that is somewhere else, and a ring of the last lines
 * of every level that is written out when the daemon ends by an error of its own.
 */
import fs from 'node:fs';
import { type Log, type LogLevel } from '../engine/ports';
import { KernelLog } from './kernel-log';

const RING_LINES = 400;
/** Lines that may come at once, and how many a second in the long run; errors always pass. */
const BURST = 2000;
const PER_SECOND = 200;
/** Bytes at which the file is set aside as `drbdd.log.1`. */
const LARGEST_FILE = 8 * 1024 * 1024;

export interface LogSettings {
  readonly file: string;
  /** Also to standard error, unless that is the file already. */
  readonly toStandardError: boolean;
  /** Debug lines too. */
  readonly verbose: boolean;
  /** A kernel log such as /dev/kmsg, or a FIFO in its place, that gets every line of level info and above. */
  readonly kernelLog?: string | undefined;
  readonly clock?: () => number;
}

export class DaemonLog implements Log {
  private readonly ring: string[] = [];
  private fd: number | undefined;
  private size = 0;
  private allowance = BURST;
  private refilled: number;
  private suppressed = 0;
  private readonly clock: () => number;
  private readonly echo: boolean;
  private readonly kernelLog: KernelLog | undefined;

  constructor(private readonly settings: LogSettings) {
    this.clock = settings.clock ?? Date.now;
    this.refilled = this.clock();
    this.kernelLog = settings.kernelLog === undefined ? undefined : new KernelLog(settings.kernelLog);
    this.open();
    this.echo = settings.toStandardError && !this.isStandardError();
  }

  write(level: LogLevel, line: string): void {
    const text = `${new Date(this.clock()).toISOString()} ${level}: ${line.replaceAll('\n', '\n  ')}\n`;
    if (this.ring.push(text) > RING_LINES) this.ring.shift();
    if (level === 'debug' && !this.settings.verbose) return;
    if (level !== 'alert' && level !== 'error' && !this.mayWrite()) {
      this.suppressed++;
      return;
    }
    if (this.suppressed > 0) {
      this.put(`${this.suppressed} lines suppressed\n`);
      this.suppressed = 0;
    }
    this.put(text);
    this.kernelLog?.write(level, line);
  }
  /** The last lines of all levels, oldest first. */
  recent(): readonly string[] {
    return this.ring;
  }
  close(): void {
    this.kernelLog?.close();
    this.closeFile();
  }

  private closeFile(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd);
    this.fd = undefined;
  }

  private mayWrite(): boolean {
    const now = this.clock();
    this.allowance = Math.min(BURST, this.allowance + ((now - this.refilled) / 1000) * PER_SECOND);
    this.refilled = now;
    if (this.allowance < 1) return false;
    this.allowance--;
    return true;
  }
  private open(): void {
    try {
      this.fd = fs.openSync(this.settings.file, 'a', 0o600);
      this.size = fs.fstatSync(this.fd).size;
    } catch {
      // A full disk or a missing directory must not stop the daemon.
      this.fd = undefined;
    }
  }
  private isStandardError(): boolean {
    if (this.fd === undefined) return false;
    try {
      const [own, error] = [fs.fstatSync(this.fd), fs.fstatSync(2)];
      return own.dev === error.dev && own.ino === error.ino;
    } catch {
      return false;
    }
  }
  private put(text: string): void {
    const bytes = Buffer.from(text);
    if (this.fd !== undefined) {
      tryWrite(this.fd, bytes);
      this.size += bytes.length;
      if (this.size > LARGEST_FILE) this.setAside();
    }
    if (this.echo) tryWrite(2, bytes);
  }
  private setAside(): void {
    this.closeFile();
    try {
      fs.renameSync(this.settings.file, `${this.settings.file}.1`);
    } catch {
      // Nothing to set aside.
    }
    this.open();
  }
}

function tryWrite(fd: number, bytes: Uint8Array): void {
  try {
    fs.writeSync(fd, bytes);
  } catch {
    // Nobody reads, or no space: a lost line is better than a daemon that waits.
  }
}
