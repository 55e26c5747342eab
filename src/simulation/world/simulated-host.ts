import { type EnginePorts } from '../../engine/ports';
import { DiskMedium } from './disk-medium';
import { type EventQueue } from './event-queue';
import { HostClock } from './host-clock';
import { type HelperScript, ScriptedHelpers } from './host-helpers';
import { HostLife } from './host-life';
import { HostLog } from './host-log';
import { PureDigests } from './pure-digests';
import { type RandomStream } from './random-stream';
import { type DiskFaults, type DiskSlot, healthyDisk, SimulatedDisks } from './simulated-disk';
import { HostNetwork, type NetworkMachine, type SimulatedNetwork } from './simulated-network';
import { type Trace } from './trace';

export interface HostSurroundings {
  readonly events: EventQueue;
  readonly random: RandomStream;
  readonly trace: Trace;
  readonly network: SimulatedNetwork;
  now(): number;
}

/** What happens to a host that stops: the process only, or the whole machine with what its disks' caches held. */
export type StopKind = 'process-killed' | 'power-lost';

/** A machine: it keeps its disks and its name while its lives come and go. */
export class SimulatedHost implements NetworkMachine {
  running = false;
  lives = 0;
  helperScript: HelperScript = () => undefined;
  /** What happens when a crash that was asked for with `crashSoon` comes. */
  private pendingStop: StopKind = 'power-lost';
  private readonly slots = new Map<string, DiskSlot>();
  private readonly random: RandomStream;
  private disks: SimulatedDisks | undefined;
  private life: HostLife | undefined;
  /** Told when a life ends by itself (`crashSoon`). */
  onStopped: () => void = () => undefined;
  readonly log: HostLog;

  constructor(
    readonly name: string,
    readonly addresses: readonly string[],
    private readonly world: HostSurroundings,
  ) {
    this.random = world.random.split(`host ${name}`);
    this.log = new HostLog(name, world.trace, () => world.now());
    world.network.addMachine(this);
  }

  /** `garbage` 0: the disk reads as zeros at first. */
  addDisk(path: string, size: number, garbage = 0, blockSize = 512): DiskMedium {
    const medium = new DiskMedium(path, size, blockSize, garbage);
    this.slots.set(path, { medium, faults: healthyDisk() });
    return medium;
  }
  medium(path: string): DiskMedium {
    return this.slot(path).medium;
  }
  faults(path: string): DiskFaults {
    return this.slot(path).faults;
  }
  private slot(path: string): DiskSlot {
    const slot = this.slots.get(path);
    if (slot === undefined) throw new Error(`${this.name} has no disk ${path}`);
    return slot;
  }
  get alive(): boolean {
    return this.life?.alive === true;
  }
  get currentLife(): HostLife {
    if (this.life === undefined || !this.life.alive) throw new Error(`${this.name} is not running`);
    return this.life;
  }

  /** Disks that the present life holds open. */
  get openDisks(): number {
    return this.alive ? (this.disks?.openCount ?? 0) : 0;
  }
  /** Starts a life; returns the ports for its engine. */
  start(): EnginePorts {
    if (this.alive) throw new Error(`${this.name} runs already`);
    const { world } = this;
    const now = (): number => world.now();
    const life = new HostLife(this.name, world.now(), () => this.stop(this.pendingStop));
    this.life = life;
    this.lives++;
    this.running = true;
    const random = this.random.split(`life ${this.lives}`);
    const diskWorld = { events: world.events, trace: world.trace, random: random.split('disks'), now };
    this.disks = new SimulatedDisks(this.slots, life, diskWorld);
    world.trace.line(() => `${this.name} starts`);
    world.network.retryStalled();
    return {
      scheduler: new HostClock(life, world.events, random.split('timers'), now, random.below(100)),
      random: random.split('engine'),
      disks: this.disks,
      network: new HostNetwork(world.network, this, life),
      digests: new PureDigests(),
      helpers: new ScriptedHelpers(life, world.events, now, () => this.helperScript),
      log: this.log,
    };
  }
  /** One input of this host's engine: the only way in from outside of the world. */
  input(action: () => void): void {
    this.currentLife.input(action);
  }
  stop(kind: StopKind): void {
    const { life, disks } = this;
    if (life === undefined || disks === undefined || !life.alive) return;
    life.alive = false;
    const random = this.random.split(`stop ${this.lives}`);
    if (kind === 'power-lost') {
      disks.losePower(random);
      this.running = false;
    } else disks.loseProcess(random);
    this.world.network.lifeEnded(life, this.running);
    this.world.trace.number(this.lives);
    this.world.trace.line(() => `${this.name} stops: ${kind}`);
    this.onStopped();
  }
  /** Stops in the middle of an input, at the `calls`-th use of a disk or the network from now. */
  crashSoon(calls: number, kind: StopKind): void {
    this.pendingStop = kind;
    this.currentLife.crashAfterCalls(calls);
  }
}
