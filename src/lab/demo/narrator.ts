/** What the demo says: every command with its answer, and every comparison with its outcome. */
import fs from 'node:fs';

export class DemoFailure extends Error {}

const codes = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 } as const;
const BAR_WIDTH = 40;

export class Narrator {
  private readonly seen = new Set<string>();
  private barShown = -1;

  /** `colour` and `live` (a line that is written over): for terminals. */
  constructor(
    private readonly fd: number,
    private readonly colour: boolean,
    private readonly live: boolean,
  ) {}

  private paint(style: keyof typeof codes, text: string): string {
    return this.colour ? `\x1b[${codes[style]}m${text}\x1b[0m` : text;
  }
  private write(text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) {
      try {
        at += fs.writeSync(this.fd, bytes, at);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
      }
    }
  }
  title(text: string): void {
    this.write(`\n${this.paint('bold', `== ${text}`)}\n`);
  }
  note(text: string): void {
    this.write(`${text}\n`);
  }
  command(host: string, words: readonly string[]): void {
    this.write(`${this.paint('cyan', `${host}#`)} ${words.join(' ')}\n`);
  }
  /** Warnings about old forms come with every command: they are shown once. */
  answer(stdout: string, stderr: string): void {
    const lines = `${stderr}${stdout}`.split('\n').filter((line) => line !== '');
    for (const line of lines) {
      const isWarning = /deprecated/.test(line);
      if (isWarning && this.seen.has(line)) continue;
      this.seen.add(line);
      this.write(`  ${this.paint('dim', line)}\n`);
    }
  }
  progress(percent: number): void {
    const done = Math.min(BAR_WIDTH, Math.floor((percent / 100) * BAR_WIDTH));
    const bar = `  [${'#'.repeat(done)}${'.'.repeat(BAR_WIDTH - done)}] ${percent.toFixed(1).padStart(5)} %`;
    if (this.live) this.write(`\r${bar}`);
    // Where nothing can be written over, a line for every tenth.
    else if (Math.floor(percent / 10) > this.barShown) this.write(`${bar}\n`);
    this.barShown = Math.max(this.barShown, Math.floor(percent / 10));
  }
  endProgress(): void {
    if (this.live) this.write('\n');
    this.barShown = -1;
  }
  /** Says that something is as it should be, or throws. */
  check(what: string, holds: boolean, found = ''): void {
    if (holds) {
      this.write(`${this.paint('green', '  ok')} ${what}\n`);
      return;
    }
    this.write(`${this.paint('red', '  WRONG')} ${what}${found === '' ? '' : `: ${found}`}\n`);
    throw new DemoFailure(what);
  }
}
