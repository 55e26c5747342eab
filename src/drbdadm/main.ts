/** The program: streams of this process around runDrbdadm() (performance.md 1.3). */
import fs from 'node:fs';
import path from 'node:path';
import { launcherDirectory, runDrbdadm } from './run';
import { prepareSnapshot } from './start-up-snapshot';

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function writeAll(fd: number, data: Uint8Array): void {
  let at = 0;
  while (at < data.length) {
    try {
      at += fs.writeSync(fd, data, at, data.length - at);
    } catch (error) {
      const code = errorCode(error);
      // A reader that went away ends the program as it ends every filter.
      if (code === 'EPIPE') process.exit(141);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

const spill = 1 << 16;
let pending = '';

function flush(): void {
  const text = pending;
  pending = '';
  if (text !== '') writeAll(1, Buffer.from(text, 'latin1'));
}

function output(text: string): void {
  pending += text;
  if (pending.length >= spill) flush();
}

/** Memory devices (major 1), such as /dev/null; asking Node about those would load its stream layer for nothing. */
const MEMORY_DEVICES = 1;

function isTerminal(fd: number): boolean {
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isCharacterDevice() || Math.floor(stat.rdev / 256) === MEMORY_DEVICES) return false;
    return (require('node:tty') as typeof import('node:tty')).isatty(fd);
  } catch {
    return false;
  }
}

/** One line typed at a terminal, without its newline. */
function readLine(): string {
  flush();
  const byte = new Uint8Array(1);
  let line = '';
  for (;;) {
    try {
      if (fs.readSync(0, byte) === 0 || byte[0] === 0x0a) return line;
      line += String.fromCharCode(byte[0] ?? 0);
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') return line;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

async function main(): Promise<number> {
  const script = process.argv[1];
  const typed = isTerminal(0);
  return runDrbdadm(process.argv.slice(2), {
    stdout: output,
    stderr: (text) => writeAll(2, Buffer.from(text, 'latin1')),
    // Looking into that of Node is slow, and each call copies it.
    env: { ...process.env },
    programName: path.basename(script ?? 'drbdadm'),
    terminal: typed && isTerminal(1),
    stdin: () => fs.readFileSync(0, 'latin1'),
    ...(typed ? { readLine } : {}),
    ownDirectory: launcherDirectory(script),
    excerpts: true,
    flush,
  });
}

function start(): void {
  main()
    .then((code) => {
      flush();
      // Nothing is left to do, and Node takes longer to find that out and to take itself apart.
      process.exit(code);
    })
    .catch((error: unknown) => {
      flush();
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      writeAll(2, Buffer.from(`drbdadm: internal error: ${reason}\n`));
      process.exit(42);
    });
}

/** For a start-up snapshot: what main() does first and last. */
function warm(fd: number): void {
  isTerminal(fd);
  writeAll(fd, Buffer.from('\n', 'latin1'));
}

if (process.execArgv.includes('--build-snapshot')) prepareSnapshot(start, warm);
else start();
