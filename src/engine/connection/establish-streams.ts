/**
 * Brings up the two TCP streams of a connection: both nodes connect and both accept, until each holds one data and
 * one control stream on the same path (wire-protocol.md 4.2, engine.md 5.2).
 */
import {
  Errno,
  type ByteStream,
  type ConnectAttempt,
  type ConnectWaiter,
  type ErrnoCode,
  type TimerHandle,
} from '../ports';
import { type Connection, type Path } from '../objects';
import { HeldStream } from './held-stream';
import { type IncomingInterest, type IncomingStreams } from './incoming-streams';

export interface EstablishedStreams {
  readonly data: HeldStream;
  readonly control: HeldStream;
  readonly path: Path;
}
export interface EstablishWaiter {
  onEstablished(streams: EstablishedStreams): void;
  /** Nothing to connect to, or an error that no waiting mends: the connection goes StandAlone. */
  onCannotEstablish(reason: string): void;
}

type Kind = 'data' | 'control';
const MAX_WAITING_STREAMS = 64;
const MAGIC_80 = 0x83740267;
const INITIAL_META = 0xfff1;
const INITIAL_DATA = 0xfff2;

function initialPacket(kind: Kind): Uint8Array {
  const packet = new Uint8Array(8);
  const view = new DataView(packet.buffer);
  view.setUint32(0, MAGIC_80);
  view.setUint16(4, kind === 'data' ? INITIAL_DATA : INITIAL_META);
  return packet;
}
function kindOfInitialPacket(packet: Uint8Array): Kind | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (view.getUint32(0) !== MAGIC_80 || view.getUint16(6) !== 0) return undefined;
  const command = view.getUint16(4);
  if (command === INITIAL_DATA) return 'data';
  return command === INITIAL_META ? 'control' : undefined;
}

export class EstablishStreams implements ConnectWaiter {
  private readonly held: Partial<Record<Kind, HeldStream>> = {};
  private readonly waiting: { stream: ByteStream; path: Path }[] = [];
  private interests: IncomingInterest[] = [];
  private pathIndex = 0;
  private attempt: ConnectAttempt | undefined;
  private timer: TimerHandle | undefined;
  private accepting = false;
  private readingFirst: HeldStream | undefined;
  private stopped = false;
  private warnedAboutAddress = false;

  constructor(
    private readonly connection: Connection,
    private readonly incoming: IncomingStreams,
    private readonly waiter: EstablishWaiter,
    private readonly logLine: (level: 'error' | 'warning' | 'info', text: string) => void,
  ) {}

  start(): void {
    if (this.connection.paths.length === 0) {
      this.finish();
      this.waiter.onCannotEstablish('no path');
      return;
    }
    this.interests = this.connection.paths.map((path) => ({
      path,
      onIncoming: (stream: ByteStream) => this.onIncoming(stream, path),
      onListenFailed: (error: ErrnoCode) => this.onListenFailed(error),
    }));
    for (const interest of this.interests) this.incoming.add(interest);
    if (!this.stopped) this.tryConnect();
  }

  /** Drops everything; the waiter is not called any more. */
  stop(): void {
    if (this.stopped) return;
    this.finish();
    this.held.data?.destroy();
    this.held.control?.destroy();
  }

  // --- ConnectWaiter

  onConnected(stream: ByteStream): void {
    this.attempt = undefined;
    const path = this.currentPath();
    if (path === undefined) {
      stream.destroy();
      return;
    }
    this.dropDead();
    if (this.holdsOtherPath(path)) {
      this.logLine('info', 'initial paths crossed A - fail over');
      this.dropBoth();
    }
    const { data, control } = this.held;
    let kind: Kind = stream.localIsGreater ? 'data' : 'control';
    if (data !== undefined) kind = 'control';
    else if (control !== undefined) kind = 'data';
    if (kind === 'control') this.connection.resolveConflicts = false;
    stream.write(initialPacket(kind));
    this.held[kind]?.destroy();
    this.held[kind] = new HeldStream(stream, path);
    this.afterStep();
  }
  onConnectFailed(error: ErrnoCode): void {
    this.attempt = undefined;
    if (error === Errno.EADDRNOTAVAIL && !this.warnedAboutAddress) {
      this.warnedAboutAddress = true;
      const seconds = this.connection.options.connectInt;
      this.logLine(
        'warning',
        `Configured local address not found, retrying every ${seconds} sec, err=-${error}`,
      );
    }
    if (this.held.data === undefined && this.held.control === undefined) this.pathIndex++;
    this.waitForIncoming();
  }

  // --- steps

  private currentPath(): Path | undefined {
    const { paths } = this.connection;
    return paths[this.pathIndex % Math.max(1, paths.length)];
  }
  private tryConnect(): void {
    const path = this.currentPath();
    if (path === undefined) {
      this.stop();
      this.waiter.onCannotEstablish('no path');
      return;
    }
    const timeout = this.connection.options.connectInt * 1000;
    this.accepting = false;
    this.attempt = this.connection.resource.host.ports.network.connect(
      path.local,
      path.remote,
      timeout,
      this,
    );
  }
  /** With both streams in hand: wait a little, then see whether the peer kept them too; else accept. */
  private afterStep(): void {
    if (this.held.data !== undefined && this.held.control !== undefined) this.waitForCrossing();
    else this.waitForIncoming();
  }
  private waitForCrossing(): void {
    const { socketCheckTimeout, pingTimeout } = this.connection.options;
    this.accepting = false;
    this.setTimer((socketCheckTimeout || pingTimeout) * 100, () => {
      this.dropDead();
      const { data, control } = this.held;
      if (data !== undefined && control !== undefined) {
        this.finish();
        this.waiter.onEstablished({ data, control, path: data.path });
        return;
      }
      this.tryConnect();
    });
  }
  private waitForIncoming(): void {
    const { random } = this.connection.resource.host.ports;
    const wait = this.connection.options.connectInt * 1000;
    const jitter = Math.floor(wait / 7) * (random.below(2) === 0 ? 1 : -1);
    this.accepting = true;
    this.setTimer(wait + jitter, () => {
      this.readingFirst?.destroy();
      this.readingFirst = undefined;
      this.tryConnect();
    });
    this.acceptNext();
  }
  private onIncoming(stream: ByteStream, path: Path): void {
    if (this.waiting.length >= MAX_WAITING_STREAMS) {
      stream.destroy();
      return;
    }
    this.waiting.push({ stream, path });
    if (this.accepting) this.acceptNext();
  }
  private acceptNext(): void {
    if (!this.accepting || this.readingFirst !== undefined) return;
    const next = this.waiting.shift();
    if (next === undefined) return;
    const held = new HeldStream(next.stream, next.path);
    this.readingFirst = held;
    const timeout = this.connection.options.pingTimeout * 4 * 100;
    const timer = this.connection.resource.host.ports.scheduler.after(timeout, {
      onTimer: () => {
        if (this.readingFirst !== held) return;
        held.destroy();
        this.onFirstPacket(held, 'failed');
      },
    });
    held.awaitFirstPacket((first) => {
      timer.cancel();
      this.onFirstPacket(held, first);
    });
  }
  private onFirstPacket(held: HeldStream, first: Uint8Array | 'failed'): void {
    if (this.readingFirst !== held || this.stopped) return;
    this.readingFirst = undefined;
    const kind = first === 'failed' ? undefined : kindOfInitialPacket(first);
    this.dropDead();
    if (kind === undefined) {
      this.logLine('warning', 'Error receiving initial packet: -5');
      held.destroy();
      if (this.coin()) this.acceptNext();
      else this.leaveAccept();
      return;
    }
    if (this.holdsOtherPath(held.path)) {
      this.logLine('info', 'initial paths crossed P - fail over');
      this.dropBoth();
    }
    this.pathIndex = Math.max(0, this.connection.paths.indexOf(held.path));
    if (kind === 'control') this.connection.resolveConflicts = true;
    const older = this.held[kind];
    this.held[kind] = held;
    if (older !== undefined) {
      this.logLine('warning', kind === 'data' ? 'initial packet S crossed' : 'initial packet M crossed');
      older.destroy();
      if (this.coin()) {
        this.acceptNext();
        return;
      }
    }
    this.leaveAccept();
  }
  private leaveAccept(): void {
    this.timer?.cancel();
    if (this.held.data !== undefined && this.held.control !== undefined) this.waitForCrossing();
    else this.tryConnect();
  }
  private onListenFailed(error: ErrnoCode): void {
    this.logLine('error', `Failed to initiate connection, err=-${error}`);
    this.stop();
    this.waiter.onCannotEstablish(`listen: ${error}`);
  }

  // --- small things

  private coin(): boolean {
    return this.connection.resource.host.ports.random.below(2) === 0;
  }
  private setTimer(delay: number, then: () => void): void {
    this.timer?.cancel();
    this.timer = this.connection.resource.host.ports.scheduler.after(delay, {
      onTimer: () => {
        if (!this.stopped) then();
      },
    });
  }
  private holdsOtherPath(path: Path): boolean {
    const held = this.held.data ?? this.held.control;
    return held !== undefined && held.path !== path;
  }
  private dropDead(): void {
    if (this.held.data?.closed) delete this.held.data;
    if (this.held.control?.closed) delete this.held.control;
  }
  private dropBoth(): void {
    this.held.data?.destroy();
    this.held.control?.destroy();
    delete this.held.data;
    delete this.held.control;
  }
  private finish(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.attempt?.cancel();
    this.readingFirst?.destroy();
    for (const { stream } of this.waiting) stream.destroy();
    this.waiting.length = 0;
    for (const interest of this.interests) this.incoming.remove(interest);
    this.interests = [];
  }
}
