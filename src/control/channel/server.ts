/**
 * The daemon's end of the control socket. Requests are handed to a callback, dumps and event streams are made from
 * snapshots; a reader that does not keep up loses events, is told so and may ask for a fresh dump (it never
 * blocks the engine and never grows the queue beyond its bound).
 */
import fs from 'node:fs';
import net from 'node:net';
import { dumpEvents, type ControlEvent } from '../contract/events';
import {
  CONTRACT_VERSION,
  MAX_CLIENT_MESSAGE,
  type ChainPlace,
  type DumpScope,
  type ServerMessage,
} from '../contract/messages';
import { isSuccess } from '../contract/codes';
import { type ControlReply, type ControlRequest } from '../contract/requests';
import { type ResourceSnapshot } from '../contract/snapshot';
import { ControlError, errorMessage } from './control-error';
import { takeHostLock, type HostLock } from './host-lock';
import { LineReader } from './line-reader';
import { decodeClientMessage, encodeMessage } from './message-codec';
import { procFilePath, writeProcFile } from './proc-file';
import { RequestChain } from './request-chain';
import { controlSocketPath, ensureRunDirectory, pidFilePath } from './run-directory';

export interface ControlServerCallbacks {
  /** Answers exactly once, now or later, by calling `respond`. */
  onRequest(request: ControlRequest, respond: (reply: ControlReply) => void): void;
  /** State of one resource (none if unknown), or of all in the order of their creation. */
  snapshots(scope?: DumpScope): Iterable<ResourceSnapshot>;
  /** Somebody wants events from now on, or nobody any more: then none need be published. */
  onFollowed?(followed: boolean): void;
}

export interface ControlServerOptions {
  readonly directory: string;
  readonly nodeName: string;
  readonly release: string;
  /** Bytes a reader of events may have outstanding before it loses some. Default 4 MiB. */
  readonly eventBacklog?: number;
  /** Default 512. */
  readonly maxClients?: number;
}

const MAX_UNANSWERED = 4096;

/** Dumps are written in pieces of about this many characters: one write a message would cost more than its text. */
const PIECE = 64 * 1024;

/** Bytes of answers that are kept back at most: some ten. */
const LITTLE = 1024;

function dumpScope(message: { resource?: string; minor?: number }): DumpScope | undefined {
  return message.minor === undefined ? message.resource : { minor: message.minor };
}

class Client {
  private live = false;
  private lost = 0;
  private unanswered = 0;
  private ended = false;
  private chain: RequestChain | undefined;
  /** What is said in this turn and not sent yet. */
  private unsent = '';
  /** Messages that arrived while the client's answers, unread by it, filled its share of memory. */
  private readonly waiting: string[] = [];
  /** Outstanding bytes up to which events are queued: a dump does not count against its reader. */
  private allowance: number;

  constructor(
    private readonly socket: net.Socket,
    private readonly callbacks: ControlServerCallbacks,
    private readonly backlog: number,
    private readonly onFollows: () => void,
  ) {
    this.allowance = backlog;
    const reader = new LineReader(MAX_CLIENT_MESSAGE, (line) => this.onLine(line));
    socket.on('data', (chunk: Buffer) => {
      if (!this.ended && !reader.push(chunk)) {
        this.end(`a control message is longer than ${MAX_CLIENT_MESSAGE} bytes`);
      }
    });
    socket.on('drain', () => this.onDrained());
    socket.on('error', () => socket.destroy());
  }

  /** Whether it wants events at all. */
  get follows(): boolean {
    return this.live && !this.ended;
  }

  send(message: ServerMessage): void {
    if (!this.ended) this.write(encodeMessage(message));
  }

  /** What is said in one turn goes out together, but nobody shall wait for the end of a long one. */
  private write(text: string): void {
    if (this.unsent === '') process.nextTick(() => this.sendAll());
    this.unsent += text;
    if (this.unsent.length >= LITTLE && !this.socket.writableNeedDrain) this.sendAll();
  }

  private sendAll(): void {
    const text = this.unsent;
    this.unsent = '';
    if (text !== '' && !this.socket.destroyed) this.socket.write(text);
  }

  /** What is on its way to the client, bytes or as good as that. */
  private get outstanding(): number {
    return this.socket.writableLength + this.unsent.length;
  }

  /** `line` is the encoded event message, the same for every reader. */
  publish(line: string): void {
    if (!this.follows) return;
    if (this.lost > 0 || this.outstanding > this.allowance) this.lost += 1;
    else this.write(line);
  }

  end(reason: string): void {
    if (this.ended) return;
    this.send({ type: 'closing', reason });
    this.ended = true;
    this.sendAll();
    this.socket.end();
    // A peer that does not read would keep the socket for ever.
    setTimeout(() => this.socket.destroy(), 1000).unref();
  }

  private onDrained(): void {
    this.allowance = this.backlog;
    if (this.lost > 0) {
      const lost = this.lost;
      this.lost = 0;
      this.send({ type: 'overrun', lost });
    }
    this.takeUp();
  }

  /** True while nothing more may be asked: too much is unread or unanswered. */
  private get isFull(): boolean {
    return this.outstanding > this.backlog || this.unanswered >= MAX_UNANSWERED;
  }

  private onLine(line: string): void {
    if (this.ended) return;
    if (this.isFull || this.waiting.length > 0) {
      this.waiting.push(line);
      this.socket.pause();
    } else this.perform(line);
  }

  /** Goes on with what was left waiting, then with reading. */
  private takeUp(): void {
    while (!this.ended && !this.isFull) {
      const line = this.waiting.shift();
      if (line === undefined) break;
      this.perform(line);
    }
    if (this.waiting.length === 0 && !this.isFull && this.socket.isPaused()) this.socket.resume();
  }

  private perform(line: string): void {
    try {
      this.onMessage(line);
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      this.end(error.message);
    }
  }

  private onMessage(line: string): void {
    const message = decodeClientMessage(line);
    const { id } = message;
    switch (message.type) {
      case 'request':
        this.inOrder(id, message.place, (done) => this.ask(id, message.request, done));
        break;
      case 'dump':
        this.inOrder(id, message.place, (done) => {
          this.sendDump(dumpScope(message), id, (snapshot) => encodeMessage({ type: 'part', id, snapshot }));
          done(true);
        });
        break;
      case 'disk-state':
        this.inOrder(id, message.place, (done) => {
          this.sendDiskState(message.minor, id);
          done(true);
        });
        break;
      case 'events':
        this.live = message.live;
        this.lost = 0;
        this.onFollows();
        this.sendDump(undefined, id, (snapshot) =>
          dumpEvents(snapshot)
            .map((event) => encodeMessage({ type: 'event', seq: 0, event }))
            .join(''),
        );
        this.allowance = this.backlog + this.outstanding;
        break;
    }
  }

  private inOrder(
    id: number,
    place: ChainPlace | undefined,
    begin: (done: (success: boolean) => void) => void,
  ): void {
    if (place === undefined) {
      begin(() => undefined);
      return;
    }
    if (this.chain?.number !== place.chain) this.chain = new RequestChain(place.chain);
    this.unanswered += 1;
    this.chain.add(place, {
      begin: (done) => {
        this.unanswered -= 1;
        // What its client asked for in case something else succeeds, nobody wants any more.
        if (!this.ended && !this.socket.destroyed) begin(done);
      },
      skip: () => {
        this.unanswered -= 1;
        this.send({ type: 'skipped', id });
      },
    });
  }

  private sendDiskState(minor: number, id: number): void {
    for (const { devices } of this.callbacks.snapshots({ minor })) {
      const device = devices.find((candidate) => candidate.minor === minor);
      if (device === undefined) continue;
      this.send({ type: 'disk-state', id, disk: device.info.disk });
      return;
    }
    this.send({ type: 'disk-state', id });
  }

  private sendDump(
    scope: DumpScope | undefined,
    id: number,
    encode: (snapshot: ResourceSnapshot) => string,
  ): void {
    let piece = '';
    for (const snapshot of this.callbacks.snapshots(scope)) {
      piece += encode(snapshot);
      if (piece.length < PIECE) continue;
      this.write(piece);
      piece = '';
    }
    this.write(piece + encodeMessage({ type: 'dump-end', id }));
  }

  private ask(id: number, request: ControlRequest, done: (success: boolean) => void): void {
    let answered = false;
    this.unanswered += 1;
    this.callbacks.onRequest(request, (reply) => {
      if (answered) return;
      answered = true;
      this.unanswered -= 1;
      this.send({ type: 'reply', id, reply });
      done(isSuccess(reply.code));
      if (this.waiting.length > 0) setImmediate(() => this.takeUp());
    });
  }
}

export class ControlServer {
  private readonly clients = new Set<Client>();
  private sequence = 0;
  private followed = false;

  private constructor(
    private readonly server: net.Server,
    private readonly lock: HostLock,
    private readonly options: ControlServerOptions,
  ) {}

  /**
   * Takes the host's lock and listens. Undefined if another daemon serves this run directory; throws ControlError
   * if the directory cannot be used.
   */
  static async listen(
    options: ControlServerOptions,
    callbacks: ControlServerCallbacks,
  ): Promise<ControlServer | undefined> {
    ensureRunDirectory(options.directory);
    const path = controlSocketPath(options.directory);
    const lock = await takeHostLock(options.directory);
    if (lock === undefined) return undefined;
    const server = net.createServer();
    const control = new ControlServer(server, lock, options);
    server.on('connection', (socket) => control.accept(socket, callbacks));
    try {
      // Only the holder of the lock removes what a killed daemon has left.
      fs.rmSync(path, { force: true });
      await listenPrivately(server, path);
      writeProcFile(options.directory, options.release);
      fs.writeFileSync(pidFilePath(options.directory), `${process.pid}\n`, { mode: 0o600 });
    } catch (error) {
      await lock.release();
      throw new ControlError('run-directory', `Cannot listen on ${path}: ${errorMessage(error)}`);
    }
    return control;
  }

  /** Sends an event to every reader. */
  publish(event: ControlEvent): void {
    this.sequence += 1;
    let line: string | undefined;
    for (const client of this.clients) {
      if (client.follows)
        client.publish((line ??= encodeMessage({ type: 'event', seq: this.sequence, event })));
    }
  }

  /** Stops listening, tells the clients and removes socket and pid file. */
  async close(reason = 'the daemon ends'): Promise<void> {
    fs.rmSync(controlSocketPath(this.options.directory), { force: true });
    fs.rmSync(pidFilePath(this.options.directory), { force: true });
    fs.rmSync(procFilePath(this.options.directory), { force: true });
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const client of this.clients) client.end(reason);
    await closed;
    await this.lock.release();
  }

  private accept(socket: net.Socket, callbacks: ControlServerCallbacks): void {
    const { eventBacklog = 4 * 1024 * 1024, maxClients = 512, nodeName, release } = this.options;
    const review = (): void => this.review(callbacks);
    const client = new Client(socket, callbacks, eventBacklog, review);
    if (this.clients.size >= maxClients) {
      client.end('too many clients');
      return;
    }
    this.clients.add(client);
    socket.on('close', () => {
      this.clients.delete(client);
      review();
    });
    client.send({ type: 'hello', version: CONTRACT_VERSION, pid: process.pid, nodeName, release });
  }

  private review(callbacks: ControlServerCallbacks): void {
    const followed = [...this.clients].some(({ follows }) => follows);
    if (followed === this.followed) return;
    this.followed = followed;
    callbacks.onFollowed?.(followed);
  }
}

/** Binds with a umask under which nobody else could connect even for a moment. */
function listenPrivately(server: net.Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        fs.chmodSync(path, 0o600);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}
