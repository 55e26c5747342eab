// The command events2: a stream of events as text, with --now, --poll and --timestamps (drbdsetup.md 8).
import { type ControlError } from '../control/channel/control-error';
import { ownConnections } from './connections';
import { wantsColors } from './display-commands';
import { Events2Printer } from './events2-printer';
import { timesGiven, type Command, type Invocation } from './invocation';
import { CommandExit, type ControlConnection } from './io';

const two = (value: number): string => String(value).padStart(2, '0');

/** `2026-01-31T12:00:00.123456+01:00`, local time. */
export function timestamp(millisecondsSinceEpoch: number): string {
  const whole = Math.floor(millisecondsSinceEpoch);
  const date = new Date(whole);
  const microseconds = Math.floor((millisecondsSinceEpoch - whole) * 1000);
  const zone = -date.getTimezoneOffset();
  const sign = zone < 0 ? '-' : '+';
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const fraction = String(date.getMilliseconds()).padStart(3, '0') + String(microseconds).padStart(3, '0');
  const offset = `${sign}${two(Math.floor(Math.abs(zone) / 60))}:${two(Math.abs(zone) % 60)}`;
  return `${day}T${time}.${fraction}${offset}`;
}

function createPrinter(invocation: Invocation): Events2Printer {
  const times = (name: string): number => timesGiven(invocation, name);
  const withTimestamps = times('timestamps') > 0;
  return new Events2Printer(
    {
      statistics: times('statistics') + times('full') > 0,
      full: times('full') > 0,
      diff: times('diff') > 0,
      colors: wantsColors(invocation),
      verbosity: times('statistics') + times('full'),
      dialect: invocation.dialect,
    },
    invocation.context.resource,
    (lines) => {
      const prefix = withTimestamps ? `${timestamp(performance.timeOrigin + performance.now())} ` : '';
      invocation.io.stdout(lines.map((line) => `${prefix}${line}\n`).join(''));
    },
  );
}

/** Commands on standard input: `n` asks for the state again, anything else ends (drbdsetup.md 8.6). */
class PollInput {
  private pending: number[] = [];
  private ended = false;
  private wanted: ((command: 'next' | 'quit') => void) | undefined;

  constructor(input: NodeJS.ReadableStream) {
    input.on('data', (chunk: Buffer | string) => {
      this.pending.push(...Buffer.from(chunk));
      this.answer();
    });
    input.on('end', () => {
      this.ended = true;
      this.answer();
    });
    input.on('error', () => {
      this.ended = true;
      this.answer();
    });
  }

  /** Calls back once with the next command. */
  next(callback: (command: 'next' | 'quit') => void): void {
    this.wanted = callback;
    this.answer();
  }

  private answer(): void {
    const { wanted } = this;
    if (wanted === undefined) return;
    while (this.pending[0] === 10) this.pending.shift();
    const byte = this.pending.shift();
    if (byte === undefined && !this.ended) return;
    this.wanted = undefined;
    wanted(byte === 110 ? 'next' : 'quit');
  }
}

/** Runs the stream until it ends; the result is the exit status. */
function follow(invocation: Invocation, connection: ControlConnection): Promise<number> {
  const { io, context } = invocation;
  const live = timesGiven(invocation, 'now') === 0;
  const input = timesGiven(invocation, 'poll') > 0 && io.input !== undefined ? io.input() : undefined;
  const poll = input === undefined ? undefined : new PollInput(input);
  const printer = createPrinter(invocation);
  return new Promise((resolve, reject) => {
    const finish = (status: number): void => {
      endWatch?.();
      connection.close();
      if (input !== undefined && 'unref' in input && typeof input.unref === 'function') input.unref();
      resolve(status);
    };
    const start = (meaning: 'initial' | 'update' | 'resync'): void => {
      printer.beginDump(meaning);
      connection.events(live, reader);
    };
    const guard = (action: () => void): void => {
      try {
        action();
      } catch (error) {
        connection.close();
        reject(error);
      }
    };
    const reader = {
      onEvent: (event: Parameters<Events2Printer['onEvent']>[0], seq: number) =>
        guard(() => printer.onEvent(event, seq)),
      onDumpEnd: () =>
        guard(() => {
          printer.onDumpEnd();
          if (poll !== undefined) {
            poll.next((command) => (command === 'quit' ? finish(0) : start(live ? 'update' : 'initial')));
          } else if (!live) finish(0);
        }),
      onOverrun: () => start('resync'),
      onClosed: (error: ControlError) => {
        const gone = error.kind === 'closed';
        io.stderr(`${context.objectName}: ${gone ? 'module unloaded' : error.message}\n`);
        finish(gone ? 121 : 5);
      },
    };
    const endWatch = live ? io.watchOutput?.(() => finish(0)) : undefined;
    start('initial');
  });
}

export const events2: Command = async (invocation) => {
  const { io, rest } = invocation;
  if (rest.length > 0) throw new CommandExit(20, 'Excess arguments:\n');
  const now = timesGiven(invocation, 'now') > 0;
  // A stream needs a connection of its own: it cannot be shared with requests that come later.
  const connections = io.connections ?? ownConnections(io.env);
  const connection = await connections.connect(!now);
  if (connection !== undefined) return follow(invocation, connection);
  createPrinter(invocation).onDumpEnd();
  return 0;
};
