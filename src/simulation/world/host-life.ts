import { type Task } from '../../engine/ports';
import { SimulatedEvent } from './event-queue';

/** Thrown out of a port call to stop the engine in the middle of an input; never seen outside of the world. */
class Crashed extends Error {}

/** Work that is left to the end of an input: what was written to the network leaves together. */
export interface TurnEnd {
  endTurn(): void;
}

/**
 * One life of a host, from its start to its crash. Everything that reaches the engine passes through `input`, which
 * keeps the rules of ports.ts: inputs do not nest, `soon` tasks run after the input that asked for them.
 */
export class HostLife {
  alive = true;
  inputs = 0;
  private busy = false;
  private tasks: Task[] = [];
  private turnEnds: TurnEnd[] = [];
  private callsUntilCrash = Infinity;

  constructor(
    readonly hostName: string,
    /** Simulated milliseconds at which this life began. */
    readonly startedAt: number,
    private readonly whenStopped: () => void,
  ) {}

  soon(task: Task): void {
    if (this.alive) this.tasks.push(task);
  }
  atTurnEnd(work: TurnEnd): void {
    this.turnEnds.push(work);
  }
  /** The host stops at its `calls`-th use of a disk or the network from now on: in the middle of whatever it does. */
  crashAfterCalls(calls: number): void {
    this.callsUntilCrash = calls;
  }
  /** Every port call with an effect outside passes here. */
  countCall(): void {
    if (--this.callsUntilCrash > 0) return;
    this.callsUntilCrash = Infinity;
    throw new Crashed();
  }

  input(action: () => void): void {
    if (!this.alive) return;
    if (this.busy) throw new Error(`inputs nest on ${this.hostName}`);
    this.busy = true;
    this.inputs++;
    try {
      action();
      this.drain();
    } catch (error) {
      if (!(error instanceof Crashed)) throw error;
      this.busy = false;
      this.whenStopped();
      return;
    } finally {
      this.busy = false;
    }
    for (let i = 0; i < this.turnEnds.length; i++) this.turnEnds[i]?.endTurn();
    this.turnEnds.length = 0;
  }
  private drain(): void {
    for (let done = 0; this.tasks.length > 0;) {
      const tasks = this.tasks;
      this.tasks = [];
      for (const task of tasks) {
        if (++done > 100000) throw new Error(`${this.hostName}: tasks keep asking for tasks`);
        task.run();
      }
    }
  }
}

/** An event that is an input of one host; it is dropped when that host is no longer the same. */
export abstract class HostEvent extends SimulatedEvent {
  constructor(readonly life: HostLife) {
    super();
  }
  override happen(): void {
    if (this.life.alive) this.life.input(() => this.handle());
  }
  protected abstract handle(): void;
}
