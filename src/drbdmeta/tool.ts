/*
 * What every command works with: the options, the streams, and the state of one drbdmeta run.
 */
import { type Format } from '../metadata/meta-record';
import { type BlockStore, type OpenFlags } from './block-store';
import { type Options } from './command-line';
import { type Host } from './host';
import { Refusal } from './refusal';

export interface DrbdmetaIo {
  stdout(text: string): void;
  stderr(text: string): void;
  /** All of standard input; absent: empty. */
  stdin?(): string;
  /** One line typed at a terminal, without the newline. Absent: standard input is no terminal. */
  readLine?(): string;
  /** Large dumps; without it they go to stdout() as latin1 text. */
  stdoutBytes?(bytes: Uint8Array): void;
  readonly stdoutIsTerminal?: boolean;
  readonly env: NodeJS.ProcessEnv;
  readonly programName: string;
  /** For tests: another way to open devices. */
  openStore?(path: string, flags: OpenFlags): BlockStore;
  /** For tests, and for a drbdadm that knows already: what the host says about minors. */
  readonly host?: Host;
}

export interface Tool {
  readonly io: DrbdmetaIo;
  readonly options: Options;
  readonly format: Format;
  /** Name of the meta data device. */
  readonly deviceName: string;
  readonly index: number;
  readonly minor: number;
  readonly host: Host;
  readonly command: string;
  readonly args: readonly string[];
  readonly reordered: readonly string[];
  /** Questions that --force --quiet answered. */
  suppressed: number;
}

/**
 * Asks a yes/no question on standard error. `context` is shown above it. --force answers yes; without a terminal the
 * answer is no (metadata.md 8.5).
 */
export function confirm(tool: Tool, question: string, context = ''): boolean {
  const { io, options } = tool;
  if (options.force && options.quiet) {
    tool.suppressed++;
    return true;
  }
  io.stderr(`\n${context === '' ? '' : `${context}\n\n`}${question}\n`);
  if (options.force) {
    io.stderr('*** confirmation forced via --force option ***\n');
    return true;
  }
  if (io.readLine === undefined) {
    io.stderr('stdin not a TTY, not waiting for confirmation\n');
    return false;
  }
  io.stderr("[need to type 'yes' to confirm] ");
  const answer = io.readLine();
  io.stderr('\n');
  return answer === 'yes';
}

export function refuse(status: number, message = ''): never {
  throw new Refusal(status, message);
}
