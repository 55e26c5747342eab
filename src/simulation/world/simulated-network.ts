import {
  Errno,
  type ConnectAttempt,
  type ConnectWaiter,
  type Endpoint,
  type ErrnoCode,
  type IncomingWaiter,
  type Listener,
  type Network,
} from '../../engine/ports';
import { CallbackEvent, type EventQueue } from './event-queue';
import { type HostLife } from './host-life';
import { NetworkLink } from './network-link';
import { type RandomStream } from './random-stream';
import { type Pipe, SimulatedStream, type StreamSurroundings } from './simulated-stream';
import { type Trace } from './trace';

/** A machine's place on the network. */
export interface NetworkMachine {
  readonly name: string;
  readonly addresses: readonly string[];
  /** The machine runs: its kernel answers, even if no process does. */
  running: boolean;
}

const endpointKey = (endpoint: Endpoint): string => `${endpoint.host} ${endpoint.port}`;

/** The raw comparison of engine.md 5.2: family, then port, then address (all simulated addresses are IPv4). */
function isGreater(one: Endpoint, two: Endpoint): boolean {
  if (one.port !== two.port) return one.port > two.port;
  const bytes = (host: string): number[] => host.split('.').map(Number);
  const [left, right] = [bytes(one.host), bytes(two.host)];
  for (let i = 0; i < 4; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** The cables between all hosts. */
export class SimulatedNetwork implements StreamSurroundings {
  private readonly machines = new Map<string, NetworkMachine>();
  private readonly links = new Map<string, NetworkLink>();
  private readonly listeners = new Map<string, OpenListener>();
  private readonly streams = new Set<SimulatedStream>();
  private readonly stalled = new Set<Pipe>();
  private created = 0;
  /** When a link was last cut or mended, or a host started to be away; ms of the world's clock. */
  lastDisturbance = -Infinity;

  constructor(
    readonly events: EventQueue,
    readonly random: RandomStream,
    readonly trace: Trace,
    readonly now: () => number,
  ) {}

  addMachine(machine: NetworkMachine): void {
    for (const address of machine.addresses) this.machines.set(address, machine);
  }
  /** The machine with that address, if any. */
  machineOf(address: string): NetworkMachine | undefined {
    return this.machines.get(address);
  }
  link(from: string, to: string): NetworkLink {
    const key = `${from}>${to}`;
    let link = this.links.get(key);
    if (link === undefined) {
      link = new NetworkLink(from, to, this.random.split(key));
      this.links.set(key, link);
    }
    return link;
  }

  // --- faults

  /** From now on nothing gets from `from` to `to`; nobody is told. */
  blackhole(from: string, to: string): void {
    this.trace.line(() => `the link from ${from} to ${to} swallows everything`);
    this.link(from, to).blackholed = true;
    this.lastDisturbance = this.now();
  }
  heal(from: string, to: string): void {
    this.trace.line(() => `the link from ${from} to ${to} heals`);
    this.link(from, to).blackholed = false;
    this.lastDisturbance = this.now();
    this.retryStalled();
  }
  /** Both ends of every stream between two addresses see a reset. */
  resetStreams(one: string, two: string): void {
    this.trace.line(() => `streams between ${one} and ${two} are reset`);
    for (const stream of [...this.streams]) {
      const ends = [stream.local.host, stream.remote.host];
      if (ends.includes(one) && ends.includes(two)) this.later(stream, Errno.ECONNRESET);
    }
  }
  private later(stream: SimulatedStream, error: ErrnoCode): void {
    const delay = this.random.fraction() * 0.2;
    this.events.push(new CallbackEvent(() => stream.receiveEnd(error)), this.now() + delay);
  }
  retryStalled(): void {
    const pipes = [...this.stalled];
    this.stalled.clear();
    for (const pipe of pipes) pipe.retry();
  }
  /** A host's process ended. What it had open is closed by its kernel if there still is one. */
  lifeEnded(life: HostLife, machineRuns: boolean): void {
    this.lastDisturbance = this.now();
    for (const [key, listener] of [...this.listeners]) {
      if (listener.life === life) this.listeners.delete(key);
    }
    for (const stream of [...this.streams]) if (stream.life === life) stream.lifeEnded(machineRuns);
  }

  // --- StreamSurroundings

  reaches(pipe: Pipe): boolean {
    return !pipe.link.blackholed && this.machines.get(pipe.link.to)?.running === true;
  }
  stall(pipe: Pipe): void {
    this.stalled.add(pipe);
  }
  forget(stream: SimulatedStream): void {
    this.streams.delete(stream);
  }
  get openStreams(): number {
    return this.streams.size;
  }

  // --- listening and connecting

  addListener(listener: OpenListener): ErrnoCode {
    const key = endpointKey(listener.local);
    if (this.listeners.has(key)) return Errno.EADDRINUSE;
    this.listeners.set(key, listener);
    return 0;
  }
  removeListener(listener: OpenListener): void {
    const key = endpointKey(listener.local);
    if (this.listeners.get(key) === listener) this.listeners.delete(key);
  }

  /** The first packet of a connection arrived at its target's machine. */
  acceptAttempt(attempt: OpenAttempt): void {
    const there = this.link(attempt.local.host, attempt.remote.host);
    const back = this.link(attempt.remote.host, attempt.local.host);
    const machine = this.machines.get(attempt.remote.host);
    if (attempt.isOver || there.blackholed || machine?.running !== true) return;
    const listener = this.listeners.get(endpointKey(attempt.remote));
    if (listener === undefined || !listener.life.alive) {
      this.answer(attempt, back, () => attempt.failed(Errno.ECONNREFUSED));
      return;
    }
    const { local, remote } = attempt;
    const source: Endpoint = { ...local, port: 40000 + (this.created % 20000) };
    const client = this.newStream(attempt.life, source, remote, isGreater(local, remote));
    const server = this.newStream(listener.life, remote, source, isGreater(remote, source));
    SimulatedStream.connect(client, server, there, back);
    this.answer(attempt, back, () => {
      if (attempt.isOver) client.destroy();
      else attempt.connected(client);
    });
    listener.life.input(() => listener.waiter.onIncoming(server));
  }
  private answer(attempt: OpenAttempt, back: NetworkLink, action: () => void): void {
    const event = new CallbackEvent(() => {
      if (!back.blackholed) attempt.life.input(action);
    });
    this.events.push(event, this.now() + back.delay(0));
  }
  private newStream(
    life: HostLife,
    local: Endpoint,
    remote: Endpoint,
    localIsGreater: boolean,
  ): SimulatedStream {
    const stream = new SimulatedStream(++this.created, life, local, remote, localIsGreater, this);
    this.streams.add(stream);
    return stream;
  }
}

class OpenListener implements Listener {
  constructor(
    readonly local: Endpoint,
    readonly life: HostLife,
    readonly waiter: IncomingWaiter,
    private readonly network: SimulatedNetwork,
  ) {}
  close(): void {
    this.network.removeListener(this);
  }
}

class OpenAttempt implements ConnectAttempt {
  isOver = false;
  constructor(
    readonly local: Endpoint,
    readonly remote: Endpoint,
    readonly life: HostLife,
    private readonly waiter: ConnectWaiter,
  ) {}
  connected(stream: SimulatedStream): void {
    this.isOver = true;
    this.waiter.onConnected(stream);
  }
  failed(error: ErrnoCode): void {
    if (this.isOver) return;
    this.isOver = true;
    this.waiter.onConnectFailed(error);
  }
  cancel(): void {
    this.isOver = true;
  }
}

/** The network as one life of a host sees it. */
export class HostNetwork implements Network {
  constructor(
    private readonly network: SimulatedNetwork,
    private readonly machine: NetworkMachine,
    private readonly life: HostLife,
  ) {}

  listen(local: Endpoint, waiter: IncomingWaiter): Listener {
    const listener = new OpenListener(local, this.life, waiter, this.network);
    const error = this.machine.addresses.includes(local.host)
      ? this.network.addListener(listener)
      : Errno.EADDRNOTAVAIL;
    if (error !== 0) this.soonInput(() => waiter.onListenFailed(error));
    return listener;
  }
  connect(local: Endpoint, remote: Endpoint, timeout: number, waiter: ConnectWaiter): ConnectAttempt {
    const { network, life } = this;
    const attempt = new OpenAttempt(local, remote, life, waiter);
    life.countCall();
    if (!this.machine.addresses.includes(local.host)) {
      this.soonInput(() => attempt.failed(Errno.EADDRNOTAVAIL));
      return attempt;
    }
    const link = network.link(local.host, remote.host);
    const first = new CallbackEvent(() => {
      if (life.alive) network.acceptAttempt(attempt);
    });
    network.events.push(first, network.now() + link.delay(0));
    const late = new CallbackEvent(() => {
      if (!attempt.isOver) life.input(() => attempt.failed(Errno.ETIMEDOUT));
    });
    network.events.push(late, network.now() + timeout);
    return attempt;
  }
  private soonInput(action: () => void): void {
    const { events, now } = this.network;
    events.push(new CallbackEvent(() => this.life.input(action)), now());
  }
}
