import { type Log, type LogLevel } from '../../engine/ports';
import { type Trace } from './trace';

export interface LogLine {
  /** Simulated milliseconds. */
  readonly time: number;
  readonly level: LogLevel;
  readonly line: string;
}

const kept = 500;

/** The last lines that a host logged, over all its lives. */
export class HostLog implements Log {
  private lines: LogLine[] = [];

  constructor(
    private readonly hostName: string,
    private readonly trace: Trace,
    private readonly worldNow: () => number,
  ) {}

  write(level: LogLevel, line: string): void {
    this.trace.text(line);
    this.trace.line(() => `${this.hostName} ${level}: ${line}`);
    this.lines.push({ time: this.worldNow(), level, line });
    if (this.lines.length > 2 * kept) this.lines = this.lines.slice(-kept);
  }
  get recent(): readonly LogLine[] {
    return this.lines.slice(-kept);
  }
}
