// The tools' end of the control socket: pipelined requests, dumps, event streams, starting the daemon on demand.
import net from 'node:net';
import { type ControlEvent } from '../contract/events';
import {
  CONTRACT_VERSION,
  MAX_SERVER_MESSAGE,
  type ChainPlace,
  type ClientMessage,
  type DumpScope,
  type ServerMessage,
} from '../contract/messages';
import { type ControlReply, type ControlRequest } from '../contract/requests';
import { type ResourceSnapshot } from '../contract/snapshot';
import { ControlError, errorCode, errorMessage, RequestSkipped } from './control-error';
import { LineReader } from './line-reader';
import { decodeServerMessage, encodeMessage } from './message-codec';
import { controlSocketExists, controlSocketPath, runDirectoryPath, type Environment } from './run-directory';
import { logTail, startDaemon, type StartedDaemon } from './start-daemon';

/** Bytes that are kept back at most: some ten requests. */
const PIECE = 2048;

/** What a reader of events is told; everything but `onEvent` at most once per request for events. */
export interface EventReader {
  /** `seq` 0: part of a dump. */
  onEvent(event: ControlEvent, seq: number): void;
  onDumpEnd(): void;
  /** Events were lost; ask again with `events()`. */
  onOverrun(lost: number): void;
  /** The connection ended. */
  onClosed(error: ControlError): void;
}

interface Waiter {
  /** Time of `performance.now()` after which nobody waits any more. */
  readonly deadline: number;
  readonly timeoutMs: number;
  /** Is given the last message of the answer. */
  readonly onAnswer: (message: ServerMessage) => void;
  readonly onFailure: (error: ControlError | RequestSkipped) => void;
  /** Of a dump. */
  readonly parts: ResourceSnapshot[] | undefined;
}

const unexpected = (): ControlError => new ControlError('protocol', 'the daemon did not answer the request');

export interface DaemonIdentity {
  readonly pid: number;
  readonly nodeName: string;
  readonly release: string;
}

/** One timer for many waiters; it does not keep the process alive. */
class Alarm {
  private handle: NodeJS.Timeout | undefined;
  private time = Infinity;

  constructor(private readonly onRing: () => void) {}

  /** Rings at this time of `performance.now()`, unless it does earlier. */
  ringAt(time: number): void {
    if (time >= this.time) return;
    clearTimeout(this.handle);
    this.time = time;
    this.handle = setTimeout(() => {
      this.time = Infinity;
      this.onRing();
    }, time - performance.now()).unref();
  }

  stop(): void {
    clearTimeout(this.handle);
    this.time = Infinity;
  }
}

export class ControlClient {
  private readonly waiting = new Map<number, Waiter>();
  private nextId = 1;
  private greeted = false;
  /** What is asked for in this turn and not sent yet. */
  private unsent = '';
  private readonly patience = new Alarm(() => this.giveUp());
  private reader: EventReader | undefined;
  private failure: ControlError | undefined;
  private onHello: ((identity: DaemonIdentity) => void) | undefined;
  private onFailed: ((error: ControlError) => void) | undefined;

  private constructor(private readonly socket: net.Socket) {
    const lines = new LineReader(MAX_SERVER_MESSAGE, (line) => this.onLine(line));
    socket.on('data', (chunk: Buffer) => {
      if (this.failure === undefined && !lines.push(chunk)) {
        this.fail(new ControlError('protocol', 'the daemon sent a message that is too long'));
      }
    });
    socket.on('error', (error) => this.fail(new ControlError('closed', errorMessage(error))));
    socket.on('close', () => this.fail(new ControlError('closed', 'the daemon closed the connection')));
  }

  /** Connects to a listening daemon and waits for its greeting. Throws ControlError ('no-daemon' if none). */
  static async open(directory: string): Promise<{ client: ControlClient; daemon: DaemonIdentity }> {
    if (!controlSocketExists(directory)) throw new ControlError('no-daemon', noDaemon(directory));
    const socket = await connect(controlSocketPath(directory), directory);
    const client = new ControlClient(socket);
    const daemon = await new Promise<DaemonIdentity>((resolve, reject) => {
      client.onHello = resolve;
      client.onFailed = reject;
    });
    return { client, daemon };
  }

  /**
   * Sends a request; answers may overtake each other. Throws ControlError if the connection ends or time is up, and
   * RequestSkipped if it has a place in a chain and something before it failed.
   */
  request(request: ControlRequest, timeoutMs = 120_000, place?: ChainPlace): Promise<ControlReply> {
    return new Promise((resolve, reject) => {
      const onAnswer = (message: ServerMessage): void => {
        if (message.type === 'reply') resolve(message.reply);
        else reject(unexpected());
      };
      const id = this.await({ timeoutMs, onAnswer, onFailure: reject });
      if (id === undefined) return;
      const what: ClientMessage =
        place === undefined ? { type: 'request', id, request } : { type: 'request', id, place, request };
      this.send(encodeMessage(what));
    });
  }

  /** State of one resource (empty if unknown) or of all. Throws as `request` does. */
  dump(scope?: DumpScope, timeoutMs = 120_000, place?: ChainPlace): Promise<readonly ResourceSnapshot[]> {
    const which = typeof scope === 'string' ? { resource: scope } : scope;
    const where = place === undefined ? which : { place, ...which };
    return new Promise((resolve, reject) => {
      const parts: ResourceSnapshot[] = [];
      const id = this.await({ timeoutMs, parts, onAnswer: () => resolve(parts), onFailure: reject });
      if (id !== undefined) this.send(encodeMessage({ type: 'dump', id, ...where }));
    });
  }

  /** Disk state of a minor (`DiskState`), undefined if there is none. Throws as `request` does. */
  diskState(minor: number, timeoutMs = 120_000, place?: ChainPlace): Promise<number | undefined> {
    const where = place === undefined ? {} : { place };
    return new Promise((resolve, reject) => {
      const onAnswer = (message: ServerMessage): void => {
        if (message.type === 'disk-state') resolve(message.disk);
        else reject(unexpected());
      };
      const id = this.await({ timeoutMs, onAnswer, onFailure: reject });
      if (id !== undefined) this.send(encodeMessage({ type: 'disk-state', id, ...where, minor }));
    });
  }

  /** Starts or repeats a stream of events on this connection; `live` false: only the dump. */
  events(live: boolean, reader: EventReader): void {
    this.reader = reader;
    const failure = this.failure;
    if (failure !== undefined) {
      setImmediate(() => reader.onClosed(failure));
      return;
    }
    const id = this.nextId++;
    this.socket.ref();
    this.send(encodeMessage({ type: 'events', id, live }));
  }

  /** Stops reading for a while: the daemon's queue fills, then it drops events. */
  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }

  /** True while requests can be sent. */
  get usable(): boolean {
    return this.failure === undefined;
  }

  close(): void {
    this.reader = undefined;
    this.failure ??= new ControlError('closed', 'the connection was closed');
    this.patience.stop();
    this.socket.destroy();
  }

  /** The number of what is asked for next; undefined, and its waiter knows, if nothing can be asked for any more. */
  private await({
    timeoutMs,
    parts,
    onAnswer,
    onFailure,
  }: Omit<Waiter, 'deadline' | 'parts'> & { readonly parts?: ResourceSnapshot[] }): number | undefined {
    if (this.failure !== undefined) {
      onFailure(this.failure);
      return undefined;
    }
    const id = this.nextId++;
    const deadline = performance.now() + timeoutMs;
    this.waiting.set(id, { deadline, timeoutMs, onAnswer, onFailure, parts });
    this.patience.ringAt(deadline);
    this.socket.ref();
    return id;
  }

  /** Those whose time is up get no answer. */
  private giveUp(): void {
    const now = performance.now();
    for (const [id, { deadline, timeoutMs, onFailure }] of this.waiting) {
      if (deadline > now) {
        this.patience.ringAt(deadline);
        continue;
      }
      this.waiting.delete(id);
      this.rest();
      onFailure(new ControlError('timeout', `no answer from the daemon within ${timeoutMs / 1000} s`));
    }
  }

  /** What is asked for in one turn goes out together, but the daemon shall not wait for the end of a long one. */
  private send(text: string): void {
    if (this.unsent === '') setImmediate(() => this.sendAll());
    this.unsent += text;
    if (this.unsent.length >= PIECE) this.sendAll();
  }

  private sendAll(): void {
    const text = this.unsent;
    this.unsent = '';
    if (text !== '' && this.failure === undefined) this.socket.write(text);
  }

  /** An idle connection does not keep the process alive. */
  private rest(): void {
    if (this.waiting.size === 0 && this.reader === undefined) this.socket.unref();
  }

  private onLine(line: string): void {
    if (this.failure !== undefined) return;
    try {
      this.onMessage(decodeServerMessage(line));
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      this.fail(new ControlError('protocol', `${error.message} (from the daemon)`));
    }
  }

  private onMessage(message: ServerMessage): void {
    switch (message.type) {
      case 'hello':
        if (message.version !== CONTRACT_VERSION) {
          const versions = `contract version ${message.version}, this program ${CONTRACT_VERSION}`;
          this.fail(
            new ControlError('protocol', `the daemon speaks ${versions}: it has to be started again`),
          );
        } else {
          this.greeted = true;
          this.onHello?.(message);
        }
        break;
      case 'part':
        this.waiting.get(message.id)?.parts?.push(message.snapshot);
        break;
      case 'disk-state':
        // The asker goes on with its disk before the next answer: the daemon gets its next request while others wait.
        setImmediate(() => this.finish(message));
        break;
      case 'reply':
      case 'dump-end':
      case 'skipped':
        this.finish(message);
        break;
      case 'event':
        this.reader?.onEvent(message.event, message.seq);
        break;
      case 'overrun':
        this.reader?.onOverrun(message.lost);
        break;
      case 'closing':
        // Before its greeting the daemon refuses us; afterwards it goes away.
        this.fail(new ControlError(this.greeted ? 'closed' : 'refused', message.reason));
        break;
    }
  }

  private finish(message: Extract<ServerMessage, { id: number }>): void {
    const waiter = this.waiting.get(message.id);
    if (waiter !== undefined) {
      this.waiting.delete(message.id);
      this.rest();
      if (message.type === 'skipped') waiter.onFailure(new RequestSkipped());
      else waiter.onAnswer(message);
    } else if (message.type === 'dump-end') this.reader?.onDumpEnd();
  }

  private fail(error: ControlError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.patience.stop();
    this.socket.destroy();
    this.onFailed?.(error);
    for (const waiter of this.waiting.values()) waiter.onFailure(error);
    this.waiting.clear();
    this.reader?.onClosed(error);
  }
}

const noDaemon = (directory: string): string => `no daemon serves ${directory}`;

function connect(path: string, directory: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') {
        reject(new ControlError('no-daemon', noDaemon(directory)));
      } else if (code === 'EACCES' || code === 'EPERM') {
        reject(new ControlError('not-permitted', `Permission denied: ${path}`));
      } else reject(new ControlError('closed', errorMessage(error)));
    });
  });
}

export interface ConnectOptions {
  readonly env: Environment;
  /** Start the daemon if none serves the run directory. */
  readonly start: boolean;
  /** How long a started daemon may take to listen. Default 15 s. */
  readonly startTimeoutMs?: number;
}

async function openIfServed(directory: string): Promise<ControlClient | undefined> {
  try {
    return (await ControlClient.open(directory)).client;
  } catch (error) {
    if (error instanceof ControlError && (error.kind === 'no-daemon' || error.kind === 'closed')) {
      return undefined;
    }
    throw error;
  }
}

async function awaitDaemon(
  directory: string,
  started: StartedDaemon,
  timeoutMs: number,
): Promise<ControlClient> {
  const deadline = Date.now() + timeoutMs;
  for (let pause = 4; Date.now() < deadline; pause = Math.min(pause * 1.5, 50)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const client = await openIfServed(directory);
    if (client !== undefined) return client;
    const end = started.ended();
    if (end !== undefined) {
      throw new ControlError('start-failed', `The daemon drbdd ended: ${end}\n${logTail(directory)}`);
    }
  }
  throw new ControlError('start-failed', `The daemon drbdd does not answer.\n${logTail(directory)}`);
}

/**
 * Connects to this host's daemon. A control socket that nobody serves (its daemon was killed) counts as none.
 * Throws ControlError.
 */
export async function connectToDaemon(options: ConnectOptions): Promise<ControlClient> {
  const directory = runDirectoryPath(options.env);
  const present = await openIfServed(directory);
  if (present !== undefined) return present;
  if (!options.start) throw new ControlError('no-daemon', noDaemon(directory));
  const started = startDaemon(directory, options.env);
  return awaitDaemon(directory, started, options.startTimeoutMs ?? 15_000);
}
