/** The few programs of util-linux and coreutils that a block device takes. */
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';

const DIRECTORIES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Milliseconds after which a program is given up. */
const PATIENCE = 20_000;

const known = new Map<string, string>();

/** Full path, or undefined if this machine does not have it. What has been found once is not looked for again. */
export function findProgram(name: string): string | undefined {
  const file =
    known.get(name) ??
    DIRECTORIES.map((directory) => path.join(directory, name)).find((candidate) => fs.existsSync(candidate));
  if (file !== undefined) known.set(name, file);
  return file;
}

/** What the program printed. `fds` become its descriptors from 3 on. Rejects with what it complained about. */
export function runProgram(
  name: string,
  args: readonly string[],
  ...fds: readonly number[]
): Promise<string> {
  return new Promise((resolve, reject) => {
    const program = findProgram(name);
    if (program === undefined) {
      reject(new Error(`${name} is not installed`));
      return;
    }
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...fds],
      env: { PATH: DIRECTORIES.join(':'), LC_ALL: 'C' },
      timeout: PATIENCE,
    });
    let output = '';
    let complaint = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${name}: ${complaint.trim() || `ended with ${signal ?? `exit code ${code}`}`}`));
    });
  });
}
