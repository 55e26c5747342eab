/*
 * The program: streams of this process around runDrbdmeta(). Output is written synchronously and completely; the stream
 * layer of Node would cost more than the whole command (performance.md 1.3).
 */
import fs from 'node:fs';
import path from 'node:path';
import { runDrbdmeta } from './run';
import { errorCode } from './system-error';

function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += fs.writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      const code = errorCode(error);
      // A reader that went away ends the program as it ends every filter.
      if (code === 'EPIPE') process.exit(141);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

// As the reference: standard output is collected, standard error is not.
const SPILL = 1 << 16;
let pending: Uint8Array[] = [];
let pendingBytes = 0;

function flushOutput(): void {
  for (const piece of pending) writeAll(1, piece);
  pending = [];
  pendingBytes = 0;
}

function output(bytes: Uint8Array): void {
  pending.push(bytes);
  pendingBytes += bytes.length;
  if (pendingBytes >= SPILL) flushOutput();
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

function readLine(): string {
  flushOutput();
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
  const terminal = isTerminal(0);
  try {
    return await runDrbdmeta(process.argv.slice(2), {
      stdout: (text) => output(Buffer.from(text, 'latin1')),
      stdoutBytes: (bytes) => {
        flushOutput();
        writeAll(1, bytes);
      },
      stderr: (text) => writeAll(2, Buffer.from(text, 'latin1')),
      stdin: () => fs.readFileSync(0, 'latin1'),
      ...(terminal ? { readLine } : {}),
      stdoutIsTerminal: isTerminal(1),
      env: process.env,
      programName: path.basename(process.argv[1] ?? 'drbdmeta'),
    });
  } catch (error) {
    writeAll(2, Buffer.from(`drbdmeta: ${error instanceof Error ? error.message : String(error)}\n`));
    return 111;
  } finally {
    flushOutput();
  }
}

void main().then((status) => (process.exitCode = status));
