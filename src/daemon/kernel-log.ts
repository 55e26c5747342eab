/** Lines for a kernel log: /dev/kmsg, or a FIFO in its place (one line a write, `<PRIORITY>` first). */
import fs from 'node:fs';
import { type LogLevel } from '../engine/ports';

/** Of syslog(3), as printk has them. */
const PRIORITY: Readonly<Record<LogLevel, number>> = {
  alert: 1,
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
};
/** Bytes; /dev/kmsg refuses lines of about 1000. */
const LONGEST = 900;

export class KernelLog {
  private fd: number | undefined;

  constructor(private readonly file: string) {}

  /** Loses the line if nobody reads or the log is full. */
  write(level: LogLevel, line: string): void {
    try {
      this.fd ??= fs.openSync(this.file, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
      for (const one of line.split('\n'))
        fs.writeSync(
          this.fd,
          Buffer.concat([Buffer.from(`<${PRIORITY[level]}>${one}`).subarray(0, LONGEST), NEWLINE]),
        );
    } catch {
      this.close();
    }
  }
  close(): void {
    if (this.fd !== undefined) fs.closeSync(this.fd);
    this.fd = undefined;
  }
}
const NEWLINE = Buffer.from('\n');
