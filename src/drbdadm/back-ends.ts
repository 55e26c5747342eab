/** How back ends are run: in this process when they are our own, as programs otherwise (design.md sections 2, 7). */
import { type BackEndCall, type ErrorOutput } from './plan';
import { type TextOutput } from './text-output';
import { otherPrograms } from './other-bundles';

/** What became of a call. */
export interface CallResult {
  /** Exit status; -1: killed by a signal; 256: ran out of time with its messages suppressed. */
  readonly code: number;
  /** Standard error, if it was held. */
  readonly errors: string;
  /** Standard output, if it was held. */
  readonly output: string;
  /** It did not finish within its time limit and nothing was suppressed: the program ends. */
  readonly timedOut: boolean;
}

/**
 * The place of a call that runs ahead: it is asked for before it is known whether everything before it succeeds, and does
 * nothing if not.
 */
export interface CallOrder {
  /** Stands for all calls that run ahead together. */
  readonly chain: object;
  /** Calls on lower levels come before. */
  readonly level: number;
  /** Stands for the calls of one entry, which follow each other. */
  readonly entry: object;
  /** Resolves when everything on lower levels has ended: time limits count from then on. Never rejects. */
  readonly before: Promise<unknown>;
  /** A request has gone out. */
  onSent(): void;
  /** Something before it failed, and the call has done nothing; its result is to be ignored. */
  onSkipped(): void;
  /** Has something done when the calls of the same entry have ended, too. */
  atEnd(action: () => void): void;
}

export interface RunSettings {
  readonly errors: ErrorOutput;
  /** Time limit; 0: none. */
  readonly seconds: number;
  /** Keep standard output instead of showing it. */
  readonly holdOutput?: boolean;
  /** Where a back end in this process writes; the program's own streams by default. */
  readonly output?: TextOutput;
  /** Only for our own tools. */
  readonly order?: CallOrder;
}

/** Runs one call. */
export type CallRunner = (call: BackEndCall, settings: RunSettings) => Promise<CallResult>;

/** What an in-process back end is given. Texts are byte strings. */
export interface InProcessIo {
  stdout(text: string): void;
  stderr(text: string): void;
  stdin?(): string;
  readLine?(): string;
  env: NodeJS.ProcessEnv;
  programName: string;
  order?: CallOrder;
}

export type InProcessTool = (words: readonly string[], io: InProcessIo) => Promise<number>;

/** Words of a call as the JavaScript strings that other programs and modules want. */
export function decodeWords(words: readonly string[]): readonly string[] {
  // ASCII is the same in both.
  if (!/[\x80-\xff]/.test(words.join(' '))) return words;
  return words.map((word) => Buffer.from(word, 'latin1').toString('utf8'));
}

/** Our environment with a call's additions. Nobody changes it: without additions it is the one given. */
export function callEnvironment(
  base: NodeJS.ProcessEnv,
  additions: Readonly<Record<string, string | undefined>>,
): NodeJS.ProcessEnv {
  const added = Object.entries(additions);
  if (added.length === 0) return base;
  const environment: NodeJS.ProcessEnv = { ...base };
  for (const [name, value] of added) {
    if (value === undefined) delete environment[name];
    else environment[name] = Buffer.from(value, 'latin1').toString('utf8');
  }
  return environment;
}

/** Time limits that begin at the same moment and are equally long: calls that run ahead have them in common. */
class TimeLimit {
  private readonly waiting = new Set<() => void>();
  private handle: NodeJS.Timeout | undefined;

  constructor(private readonly seconds: number) {}

  begin(): void {
    if (this.waiting.size === 0) return;
    this.handle = setTimeout(() => {
      for (const onExpired of this.waiting) onExpired();
    }, this.seconds * 1000);
  }

  /** Before it begins. Returns how to wait no longer. */
  await(onExpired: () => void): () => void {
    this.waiting.add(onExpired);
    return () => {
      this.waiting.delete(onExpired);
      if (this.waiting.size === 0) clearTimeout(this.handle);
    };
  }
}

/** Those that have not begun. */
const limits = new WeakMap<Promise<unknown>, Map<number, TimeLimit>>();
const begun = new WeakSet<Promise<unknown>>();

/** The limit that begins when `before` has resolved; undefined if it has. */
function limitAfter(before: Promise<unknown>, seconds: number): TimeLimit | undefined {
  if (begun.has(before)) return undefined;
  let those = limits.get(before);
  if (those === undefined) {
    const made = new Map<number, TimeLimit>();
    limits.set(before, (those = made));
    void before.then(() => {
      begun.add(before);
      for (const limit of made.values()) limit.begin();
    });
  }
  const present = those.get(seconds) ?? new TimeLimit(seconds);
  those.set(seconds, present);
  return present;
}

/** What comes of the work, or 'expired'; no limit if `seconds` is 0. */
function within<T>(
  work: Promise<T>,
  seconds: number,
  before: Promise<unknown> | undefined,
): Promise<T | 'expired'> {
  if (seconds <= 0) return work;
  return new Promise((resolve, reject) => {
    const later = before === undefined ? undefined : limitAfter(before, seconds);
    const limit = later ?? new TimeLimit(seconds);
    const stop = limit.await(() => resolve('expired'));
    if (later === undefined) limit.begin();
    work.then(
      (result) => {
        stop();
        resolve(result);
      },
      (error: unknown) => {
        stop();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

/** Runs one of our own tools in this process. */
export async function runInProcess(
  tool: InProcessTool,
  call: BackEndCall,
  settings: RunSettings,
  io: Omit<InProcessIo, 'programName'>,
): Promise<CallResult> {
  let held = '';
  const shown = settings.output ?? io;
  const stderr = (text: string): void => {
    if (settings.errors === 'shown') shown.stderr(text);
    else if (settings.errors === 'held') held += text;
  };
  const env = callEnvironment(io.env, call.environment);
  let output = '';
  const stdout = (text: string): void => {
    if (settings.holdOutput === true) output += text;
    else shown.stdout(text);
  };
  const { stdin, readLine } = io;
  const world: InProcessIo = { stdout, stderr, env, programName: call.tool };
  if (stdin !== undefined) world.stdin = stdin;
  if (readLine !== undefined) world.readLine = readLine;
  if (settings.order !== undefined) world.order = settings.order;
  const work = tool(decodeWords(call.words), world);
  const result = await within(work, settings.seconds, settings.order?.before);
  if (result !== 'expired') return { code: result, errors: held, output, timedOut: false };
  return { code: 256, errors: held, output, timedOut: settings.errors === 'shown' };
}

/** Runs a program, found through PATH unless `file` has a slash. Its standard output is ours. */
export async function runProgram(
  file: string,
  call: BackEndCall,
  settings: RunSettings,
  io: { readonly stderr: (text: string) => void; readonly env: NodeJS.ProcessEnv },
): Promise<CallResult> {
  const { execa } = otherPrograms();
  const shown = settings.errors === 'shown';
  const result = await execa(file, decodeWords(call.words), {
    stdin: 'inherit',
    stdout: settings.holdOutput === true ? 'pipe' : 'inherit',
    stderr: shown ? 'inherit' : settings.errors === 'held' ? 'pipe' : 'ignore',
    env: callEnvironment(io.env, call.environment),
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    encoding: 'latin1',
    ...(settings.seconds > 0 ? { timeout: settings.seconds * 1000, killSignal: 'SIGKILL' as const } : {}),
  });
  const errors = typeof result.stderr === 'string' ? result.stderr : '';
  const output = typeof result.stdout === 'string' ? result.stdout : '';
  const ended = { errors, output, timedOut: false };
  if (result.timedOut) return { ...ended, code: 256, timedOut: shown };
  if (result.exitCode !== undefined) return { ...ended, code: result.exitCode };
  if (result.signal !== undefined) return { ...ended, code: -1 };
  if (shown) io.stderr('Can not exec\n');
  return { ...ended, code: 20 };
}
