import { type Scheduler, type Task, type TimerHandle, type TimerWaiter } from '../../engine/ports';
import { type EventQueue } from './event-queue';
import { HostEvent, type HostLife } from './host-life';
import { type RandomStream } from './random-stream';

class Timer extends HostEvent implements TimerHandle {
  constructor(
    life: HostLife,
    private readonly waiter: TimerWaiter,
  ) {
    super(life);
  }
  protected override handle(): void {
    this.waiter.onTimer();
  }
  cancel(): void {
    this.cancelled = true;
  }
}

/** 2026-01-01 00:00 UTC: when the simulated worlds begin. */
const worldBegan = 1767225600000;

/** Time and tasks of one life of a host. Timers are a little late, as real ones are. */
export class HostClock implements Scheduler {
  constructor(
    private readonly life: HostLife,
    private readonly events: EventQueue,
    private readonly random: RandomStream,
    private readonly worldNow: () => number,
    /** Milliseconds by which this host's wall clock is wrong. */
    private readonly wallClockError: number,
  ) {}

  now(): number {
    return this.worldNow() - this.life.startedAt;
  }
  wallClock(): number {
    return Math.floor(worldBegan + this.wallClockError + this.worldNow());
  }
  after(delay: number, waiter: TimerWaiter): TimerHandle {
    if (!(delay >= 0)) throw new Error(`a timer of ${delay} milliseconds`);
    const timer = new Timer(this.life, waiter);
    this.events.push(timer, this.worldNow() + delay + this.random.fraction() * 0.3);
    return timer;
  }
  soon(task: Task): void {
    this.life.soon(task);
  }
}
