import {
  Errno,
  type ByteStream,
  type Endpoint,
  type ErrnoCode,
  type StreamReceiver,
} from '../../engine/ports';
import { CallbackEvent, SimulatedEvent, type EventQueue } from './event-queue';
import { type HostLife, type TurnEnd } from './host-life';
import { type NetworkLink } from './network-link';
import { type RandomStream } from './random-stream';
import { type Trace } from './trace';

/** Bytes on the way, or the end of the stream: an orderly one, or a reset. */
type Content = Uint8Array | 'end' | 'reset';
interface Segment {
  bytes: Content;
  readonly arrives: number;
}

/** `onDrained` comes when the queue has shrunk to this many bytes. */
const lowMark = 32768;

export interface StreamSurroundings {
  readonly events: EventQueue;
  readonly random: RandomStream;
  readonly trace: Trace;
  now(): number;
  /** True if packets for that stream reach a running machine. */
  reaches(pipe: Pipe): boolean;
  /** The pipe is to be looked at again when a link heals or a machine starts. */
  stall(pipe: Pipe): void;
  forget(stream: SimulatedStream): void;
}

class Arrival extends SimulatedEvent {
  constructor(private readonly pipe: Pipe) {
    super();
  }
  override happen(): void {
    this.pipe.arrive(this);
  }
}

/** One direction of a stream: what was written, what is on the way, what waits for its reader. */
export class Pipe implements TurnEnd {
  queuedBytes = 0;
  private queue: Uint8Array[] = [];
  private readonly flight: Segment[] = [];
  private flightBytes = 0;
  private ending: 'no' | 'end' | 'reset' | 'sent' = 'no';
  private wasAboveLowMark = false;
  private inTurn = false;
  private arrival: Arrival | undefined;
  private lastArrival = 0;
  private readonly capacity: number;

  constructor(
    readonly source: SimulatedStream,
    readonly target: SimulatedStream,
    readonly link: NetworkLink,
    private readonly world: StreamSurroundings,
  ) {
    this.capacity = 16384 << world.random.below(5);
  }

  write(bytes: Uint8Array): void {
    if (this.ending !== 'no') return;
    this.queue.push(bytes.slice());
    this.queuedBytes += bytes.length;
    if (this.queuedBytes > lowMark) this.wasAboveLowMark = true;
    this.pumpAtTurnEnd();
  }
  /** The reader sees the end after everything that was written. */
  end(how: 'end' | 'reset' = 'end'): void {
    if (this.ending !== 'no') return;
    this.ending = how;
    this.pumpAtTurnEnd();
  }
  /** What the network did not take yet is lost, and maybe some of what is on the way. */
  cutShort(keepFlight: boolean): void {
    this.queue = [];
    this.queuedBytes = 0;
    if (!keepFlight && this.flight.length > 1) {
      this.flight.length = this.world.random.between(1, this.flight.length);
      this.flightBytes = this.flight.reduce((sum, segment) => sum + contentLength(segment.bytes), 0);
    }
  }
  private pumpAtTurnEnd(): void {
    if (this.inTurn) return;
    this.inTurn = true;
    this.source.life.atTurnEnd(this);
  }
  endTurn(): void {
    this.inTurn = false;
    this.pump();
  }

  /** As `end`, outside of an input. */
  endNow(): void {
    if (this.ending === 'no') this.ending = 'end';
    this.pump();
  }

  /** Hands queued bytes to the network as far as it takes them. */
  pump(): void {
    while (this.queue.length > 0 && this.flightBytes < this.capacity) {
      const bytes = this.takeFromQueue();
      this.queuedBytes -= bytes.length;
      this.flightBytes += bytes.length;
      this.send(bytes);
    }
    if (this.queue.length === 0 && (this.ending === 'end' || this.ending === 'reset')) {
      this.send(this.ending);
      this.ending = 'sent';
    }
    if (this.wasAboveLowMark && this.queuedBytes <= lowMark) {
      this.wasAboveLowMark = false;
      this.source.tellDrained();
    }
  }
  /** All that was written in one turn, up to a limit, as one packet train. */
  private takeFromQueue(): Uint8Array {
    const first = this.queue.shift();
    if (first === undefined || this.queue.length === 0) return first ?? new Uint8Array(0);
    let count = 0;
    let length = first.length;
    for (const chunk of this.queue) {
      if (length >= 65536) break;
      length += chunk.length;
      count++;
    }
    const joined = new Uint8Array(length);
    joined.set(first);
    let at = first.length;
    for (const chunk of this.queue.splice(0, count)) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }
  private send(bytes: Content): void {
    const now = this.world.now();
    const delay = this.link.delay(contentLength(bytes));
    this.lastArrival = Math.max(this.lastArrival, now + delay);
    this.flight.push({ bytes, arrives: this.lastArrival });
    this.scheduleArrival(this.lastArrival);
  }
  private scheduleArrival(time: number): void {
    if (this.arrival !== undefined) return;
    this.arrival = new Arrival(this);
    this.world.events.push(this.arrival, time);
  }
  /** Looks again: a link healed, a reader came back. */
  retry(): void {
    if (this.flight.length > 0) this.scheduleArrival(this.world.now() + this.link.delay(0));
  }
  /** The network reset the stream: nothing more arrives. */
  discard(): void {
    if (this.arrival !== undefined) this.arrival.cancelled = true;
    this.arrival = undefined;
    this.flight.length = 0;
    this.queue = [];
    this.flightBytes = 0;
    this.ending = 'sent';
    this.queuedBytes = 0;
  }

  arrive(arrival: Arrival): void {
    if (this.arrival !== arrival) return;
    this.arrival = undefined;
    const segment = this.flight[0];
    if (segment === undefined) return;
    if (!this.world.reaches(this)) return this.world.stall(this);
    if (this.target.isGone) return this.refuse();
    if (!this.target.canTake) return;
    const bytes = this.shiftSegment(segment);
    const next = this.flight[0];
    if (next !== undefined) this.scheduleArrival(Math.max(next.arrives, this.world.now()));
    if (typeof bytes === 'string') this.target.receiveEnd(bytes === 'end' ? 0 : Errno.ECONNRESET);
    else this.target.receiveBytes(bytes);
    this.pump();
  }
  /** Takes the next piece; now and then only a part of it, as TCP does not keep the borders of writes. */
  private shiftSegment(segment: Segment): Content {
    const { bytes } = segment;
    if (typeof bytes !== 'string' && bytes.length > 1 && this.world.random.below(16) === 0) {
      const part = 1 + this.world.random.below(bytes.length - 1);
      segment.bytes = bytes.slice(part);
      this.flightBytes -= part;
      return bytes.slice(0, part);
    }
    this.flight.shift();
    this.flightBytes -= contentLength(bytes);
    return bytes;
  }
  /** Nobody is there: the sender is told by a reset. */
  private refuse(): void {
    const atEnd = typeof this.flight[0]?.bytes === 'string';
    this.discard();
    if (atEnd) return;
    const back = this.source.incoming.link;
    if (back.blackholed) return;
    const reset = new CallbackEvent(() => this.source.receiveEnd(Errno.ECONNRESET));
    this.world.events.push(reset, this.world.now() + back.delay(0));
  }
}
function contentLength(bytes: Content): number {
  return typeof bytes === 'string' ? 0 : bytes.length;
}

/** One end of a simulated TCP connection. */
export class SimulatedStream implements ByteStream {
  private outgoingPipe: Pipe | undefined;
  private incomingPipe: Pipe | undefined;
  private receiver: StreamReceiver | undefined;
  private paused = false;
  private closed = false;

  constructor(
    readonly number: number,
    readonly life: HostLife,
    readonly local: Endpoint,
    readonly remote: Endpoint,
    readonly localIsGreater: boolean,
    private readonly world: StreamSurroundings,
  ) {}

  static connect(one: SimulatedStream, two: SimulatedStream, there: NetworkLink, back: NetworkLink): void {
    const toTwo = new Pipe(one, two, there, one.world);
    const toOne = new Pipe(two, one, back, one.world);
    one.outgoingPipe = toTwo;
    one.incomingPipe = toOne;
    two.outgoingPipe = toOne;
    two.incomingPipe = toTwo;
  }
  get outgoing(): Pipe {
    if (this.outgoingPipe === undefined) throw new Error('stream is not connected');
    return this.outgoingPipe;
  }
  get incoming(): Pipe {
    if (this.incomingPipe === undefined) throw new Error('stream is not connected');
    return this.incomingPipe;
  }
  get queuedBytes(): number {
    return this.outgoing.queuedBytes;
  }
  /** Closed, or its process is gone. */
  get isGone(): boolean {
    return this.closed || !this.life.alive;
  }
  get canTake(): boolean {
    return this.receiver !== undefined && !this.paused;
  }

  setReceiver(receiver: StreamReceiver): void {
    this.receiver = receiver;
    this.incoming.retry();
  }
  write(bytes: Uint8Array): void {
    if (this.isGone) return;
    this.life.countCall();
    this.outgoing.write(bytes);
  }
  writeShared(bytes: Uint8Array): void {
    this.write(bytes);
  }
  pauseReading(): void {
    this.paused = true;
  }
  resumeReading(): void {
    this.paused = false;
    this.incoming.retry();
  }
  end(): void {
    if (!this.isGone) this.outgoing.end();
  }
  destroy(): void {
    if (this.isGone) return;
    this.life.countCall();
    this.close();
    // Unread data makes the kernel send a reset, which may overtake what is on the way.
    const orderly = this.world.random.chance(0.7);
    this.outgoing.cutShort(orderly);
    this.outgoing.end(orderly ? 'end' : 'reset');
  }
  private close(): void {
    this.closed = true;
    this.receiver = undefined;
    this.world.forget(this);
  }
  /** Its process was killed (`machineRuns`), or the machine stopped. */
  lifeEnded(machineRuns: boolean): void {
    this.close();
    this.outgoing.cutShort(machineRuns);
    if (machineRuns) this.outgoing.endNow();
  }

  receiveBytes(bytes: Uint8Array): void {
    const { trace } = this.world;
    trace.number(this.number);
    trace.bytes(bytes);
    trace.line(() => `${this.life.hostName} stream ${this.number} received ${bytes.length} bytes`);
    this.life.input(() => {
      this.receiver?.onBytes(bytes);
      // Whoever kept a view on it gets what he deserves (ports.ts: only valid during the call).
    });
  }
  receiveEnd(error: ErrnoCode): void {
    if (this.isGone) return;
    const { receiver } = this;
    if (error === 0) this.outgoing.endNow();
    else this.outgoing.discard();
    this.incoming.discard();
    this.close();
    this.world.trace.number(this.number + error);
    this.world.trace.line(() => `${this.life.hostName} stream ${this.number} closed with error ${error}`);
    this.life.input(() => receiver?.onClosed(error));
  }
  tellDrained(): void {
    if (this.isGone) return;
    const event = new CallbackEvent(() => {
      if (!this.isGone) this.life.input(() => this.receiver?.onDrained());
    });
    this.world.events.push(event, this.world.now());
  }
}
