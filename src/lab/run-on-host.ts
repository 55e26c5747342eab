/** Running programs on a host of the lab. */
import { spawn } from 'node:child_process';
import { hostEnvironment, type LabHost } from './lab-host';

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  /** Without the note about the host's assumed name, which every drbdadm of a lab gives. */
  readonly stderr: string;
}

const nameNote = /\n {3}found __DRBD_NODE__ in environment\n {3}PRETENDING that I am >>[^\n]*<<\n\n/g;

let ending = false;
/** From now on nothing is begun: who asks waits for the end of this program. */
export function beginNothingMore(): void {
  ending = true;
}

/** Runs a program to its end and collects what it says. */
export function ask(host: LabHost, configFile: string, words: readonly string[]): Promise<Answer> {
  const [program = '', ...args] = words;
  if (ending) return new Promise(() => undefined);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: hostEnvironment(host, configFile),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ exitCode: code ?? 128, stdout, stderr: stderr.replace(nameNote, '') }),
    );
  });
}

/** Runs a program with our own terminal; the result is its exit code. */
export function hand(host: LabHost, configFile: string, words: readonly string[]): Promise<number> {
  const [program = '', ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: hostEnvironment(host, configFile), stdio: 'inherit' });
    // The terminal sends its signals to both of us; the child decides what they mean.
    const wait = (): void => undefined;
    process.on('SIGINT', wait);
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait);
      resolve(signal === null ? (code ?? 0) : 128 + 2);
    });
  });
}
