// What a command needs of its surroundings, so that drbdadm can run it in process and tests without a daemon.
import { type ControlClient } from '../control/channel/client';

/** The part of a control connection the commands use. */
export type ControlConnection = Pick<ControlClient, 'request' | 'dump' | 'events' | 'close'>;

export interface ControlConnections {
  /**
   * A connection to the daemon; with `start` it is started if none runs, otherwise undefined is given then.
   * Throws ControlError.
   */
  connect(start: boolean): Promise<ControlConnection | undefined>;
}

export interface DrbdsetupIo {
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whole standard input, for callers without a stream. */
  stdin?(): string;
  readonly env: NodeJS.ProcessEnv;
  /** Base name of argv[0], for help texts. */
  readonly programName: string;
  /** Width of the terminal standard output is; absent if it is none. */
  readonly terminalColumns?: number;
  /** Standard input as a stream, for `events2 --poll`. */
  input?(): NodeJS.ReadableStream;
  /** Calls back when nobody reads standard output any more; the result ends the watch. */
  watchOutput?(onGone: () => void): () => void;
  /** Calls back before a signal ends the program; the result ends that. */
  beforeSignals?(action: () => void): () => void;
  /** One connection for several calls; by default each call makes its own. */
  readonly connections?: ControlConnections;
}

/** Ends a command with an exit status and what it has to say. */
export class CommandExit extends Error {
  constructor(
    readonly status: number,
    readonly stderrText = '',
    readonly stdoutText = '',
  ) {
    super(stderrText);
    this.name = 'CommandExit';
  }
}
