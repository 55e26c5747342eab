import { EventQueue, CallbackEvent } from './event-queue';
import { RandomStream } from './random-stream';
import { SimulatedHost, type StopKind } from './simulated-host';
import { SimulatedNetwork } from './simulated-network';
import { Trace } from './trace';

/**
 * A deterministic world of hosts, disks and cables. Everything random comes from the seed and everything that happens
 * is an event at a moment of simulated time, so that one seed is one history, bit for bit.
 */
export class World {
  readonly random: RandomStream;
  readonly network: SimulatedNetwork;
  readonly trace: Trace;
  private readonly events = new EventQueue();
  private readonly hosts = new Map<string, SimulatedHost>();
  private time = 0;
  private happened = 0;
  /** Looks at the world after every event. */
  observer: () => void = () => undefined;

  /** `traceSink` gets every line of what happens. */
  constructor(
    readonly seed: number,
    traceSink?: (line: string) => void,
  ) {
    this.random = RandomStream.fromSeed(seed);
    this.trace = new Trace(
      traceSink === undefined
        ? undefined
        : (line) => traceSink(`${this.time.toFixed(3).padStart(12)} ${line}`),
    );
    this.network = new SimulatedNetwork(
      this.events,
      this.random.split('network'),
      this.trace,
      () => this.time,
    );
  }

  /** Milliseconds since the world began. */
  now(): number {
    return this.time;
  }
  get eventCount(): number {
    return this.happened;
  }
  /** A new machine, not started. */
  addHost(name: string, addresses: readonly string[]): SimulatedHost {
    const { events, random, trace, network } = this;
    const host = new SimulatedHost(name, addresses, { events, random, trace, network, now: () => this.time });
    this.hosts.set(name, host);
    return host;
  }
  host(name: string): SimulatedHost {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }
  crash(name: string, kind: StopKind = 'power-lost'): void {
    this.host(name).stop(kind);
  }
  /** Something outside of all hosts happens `delay` milliseconds from now. */
  later(delay: number, action: () => void): void {
    this.events.push(new CallbackEvent(action), this.time + delay);
  }

  /** One event. False if there is none before `limit` (milliseconds since the world began). */
  step(limit = Infinity): boolean {
    const event = this.events.peek();
    if (event === undefined || event.time > limit) return false;
    this.events.pop();
    this.time = event.time;
    this.happened++;
    this.trace.moment(event.time);
    event.happen();
    this.observer();
    return true;
  }
  /** Lets `milliseconds` pass. */
  run(milliseconds: number): void {
    const end = this.time + milliseconds;
    while (this.step(end));
    this.time = end;
  }
  /**
   * Runs until `condition` holds, looked at every `interval` milliseconds. False if it does not hold after
   * `milliseconds`.
   */
  runUntil(condition: () => boolean, milliseconds: number, interval = 10): boolean {
    const end = this.time + milliseconds;
    while (!condition()) {
      if (this.time >= end) return false;
      this.run(interval);
    }
    return true;
  }
}
