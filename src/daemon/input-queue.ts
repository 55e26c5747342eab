/**
 * The one door into the engine. Every callback of the operating system comes in as an input; inputs never nest, `soon`
 * tasks run after the input that asked for them and before the next (ports.ts). A turn goes on until nothing is left:
 * inputs, then what was written to the network (it leaves together), then the disk operations that were asked for,
 * whose completions are inputs again. Sending before the local write overlaps the peer's work with ours
 * (performance.md 4.3). What is too small for that leaves at the end of the turn, in one packet with what follows.
 */
import { performance } from 'node:perf_hooks';
import { type Scheduler, type Task, type TimerHandle, type TimerWaiter } from '../engine/ports';
import { EventLoopSpin } from './event-loop-spin';

/** Work that is left to the end of an input round. */
export interface RoundEnd {
  endRound(): void;
}

/** After this many milliseconds a turn lets the operating system speak again. */
const LONGEST_TURN = 20;
const LONGEST_DELAY = 0x7fffffff;
/** Taken from the module once: a bundle looks up what is imported with every use. */
const clock = performance;
const MOST_TASKS = 1_000_000;
/** More room than that for tasks is not kept. */
const MANY_TASKS = 1024;

class Timer implements TimerHandle {
  private timeout: NodeJS.Timeout | undefined;
  private readonly due: number;

  constructor(
    private readonly queue: InputQueue,
    delay: number,
    private readonly waiter: TimerWaiter,
  ) {
    this.due = clock.now() + delay;
    this.arm();
  }
  private arm(): void {
    const left = Math.min(Math.max(this.due - clock.now(), 0), LONGEST_DELAY);
    this.timeout = setTimeout(() => this.expired(), Math.ceil(left));
  }
  private expired(): void {
    // Timers of Node may come a fraction of a millisecond early.
    if (clock.now() < this.due) {
      this.arm();
      return;
    }
    this.queue.input(() => {
      if (this.timeout === undefined) return;
      this.timeout = undefined;
      this.waiter.onTimer();
    });
  }
  cancel(): void {
    clearTimeout(this.timeout);
    this.timeout = undefined;
  }
}

export class InputQueue implements Scheduler {
  private inputs: Task[] = [];
  /** The first `taskCount` of them are to be run: an array that is used again does not grow again. */
  private tasks: (Task | undefined)[] = [];
  private taskCount = 0;
  private writers: RoundEnd[] = [];
  private disks: RoundEnd[] = [];
  private lastWriters: RoundEnd[] = [];
  private readonly spin = new EventLoopSpin(() => clock.now());
  private running = false;
  private roundBegan = 0;
  private continued = false;

  /** `onFault`: an input threw. The engine's state cannot be trusted any more; nothing runs after that. */
  constructor(private readonly onFault: (error: unknown) => void) {}

  /** Within a turn, when its round began: many inputs ask. */
  now(): number {
    return this.running ? this.roundBegan : clock.now();
  }
  wallClock(): number {
    return Date.now();
  }
  after(delay: number, waiter: TimerWaiter): TimerHandle {
    return new Timer(this, delay, waiter);
  }
  soon(task: Task): void {
    this.tasks[this.taskCount++] = task;
    // Asked for outside of an input: an empty input carries it.
    if (!this.running) this.continueLater();
  }

  /** Runs `action` to completion as an input: at once, or after the running one. */
  input(action: () => void): void {
    this.inputs.push({ run: action });
    if (!this.running) this.run();
  }
  /** As `input`, for what a client or a peer sent. `soon`: more may follow, and is worth staying awake for. */
  data(input: Task, soon = true): void {
    this.inputs.push(input);
    if (this.running) return;
    this.run();
    if (soon) this.spin.dataCame();
  }
  /** Makes `action` an input that comes later, never from within the call. */
  later(action: () => void): void {
    this.laterTask({ run: action });
  }
  laterTask(input: Task): void {
    this.inputs.push(input);
    if (!this.running) this.continueLater();
  }
  /** `writer` has bytes to send: called once after the inputs of this round. */
  afterInputs(writer: RoundEnd): void {
    this.writers.push(writer);
    if (!this.running) this.continueLater();
  }
  /** `writer` has a few bytes to send: called once when nothing else is left in this turn. */
  afterTurn(writer: RoundEnd): void {
    this.lastWriters.push(writer);
    if (!this.running) this.continueLater();
  }
  /** `disk` has operations to start: called once after the network writes of this round. */
  afterWriters(disk: RoundEnd): void {
    this.disks.push(disk);
    if (!this.running) this.continueLater();
  }

  private continueLater(): void {
    if (this.continued) return;
    this.continued = true;
    setImmediate(() => {
      this.continued = false;
      if (!this.running) this.run();
    });
  }
  private get idle(): boolean {
    return (
      this.inputs.length === 0 && this.taskCount === 0 && this.writers.length === 0 && this.disks.length === 0
    );
  }
  private run(): void {
    const began = clock.now();
    this.roundBegan = began;
    this.running = true;
    try {
      while (!this.idle) {
        this.runInputs();
        const { writers } = this;
        if (writers.length > 0) this.writers = [];
        for (const writer of writers) writer.endRound();
        const { disks } = this;
        if (disks.length > 0) this.disks = [];
        for (const disk of disks) disk.endRound();
        this.roundBegan = clock.now();
        if (this.roundBegan - began > LONGEST_TURN) break;
      }
      const { lastWriters } = this;
      if (lastWriters.length > 0) this.lastWriters = [];
      for (const writer of lastWriters) writer.endRound();
      this.running = false;
    } catch (error) {
      // `running` stays set: no further input is handled.
      this.onFault(error);
      return;
    }
    if (!this.idle) this.continueLater();
  }
  private runInputs(): void {
    this.runTasks();
    const inputs = this.inputs;
    this.inputs = [];
    for (let i = 0; i < inputs.length; i++) {
      inputs[i]?.run();
      if (this.taskCount > 0) this.runTasks();
    }
  }
  private runTasks(): void {
    for (let done = 0; done < this.taskCount; done++) {
      const task = this.tasks[done];
      this.tasks[done] = undefined;
      task?.run();
      if (done > MOST_TASKS) throw new Error('tasks keep asking for tasks');
    }
    this.taskCount = 0;
    if (this.tasks.length > MANY_TASKS) this.tasks = [];
  }
}
