/**
 * Keeps the event loop awake for a moment after data came in. Waking up a sleeping process costs more than handling a
 * small request, and a client that waits for its answer sends the next request soon (performance.md 3). It spins only
 * while that pays: where data keeps coming within the time, on a machine with processors to spare.
 */
import os from 'node:os';

/** Milliseconds to wait for more. */
const WINDOW = 0.05;
/** A round of the empty loop takes microseconds. When it took so many milliseconds, somebody else needed the processor. */
const PREEMPTED = 0.5;
/** Milliseconds without spinning after that, doubled each time up to the limit. */
const SHORTEST_REST = 20;
const LONGEST_REST = 2000;
/** Each spin that ended with data counts one, each that did not takes so many away. */
const BEST_SCORE = 32;
const MISS = 4;
/** Arrivals without spinning before it is tried again. */
const SKIPPED = 200;

export class EventLoopSpin {
  private readonly enabled = os.availableParallelism() > 1;
  private spinning = false;
  private until = 0;
  private lastRound = 0;
  private score = BEST_SCORE / 2;
  private toSkip = 0;
  private rest = SHORTEST_REST;
  private restUntil = 0;

  constructor(private readonly now: () => number) {}

  /** Data came in and was handled. */
  dataCame(): void {
    if (this.spinning) {
      if (this.score < BEST_SCORE) this.score++;
      this.goOnFrom(this.now());
    } else if (this.toSkip > 0) this.toSkip--;
    else if (this.enabled) {
      const now = this.now();
      if (now < this.restUntil) return;
      this.spinning = true;
      this.goOnFrom(now);
      setImmediate(this.round);
    }
  }
  private goOnFrom(now: number): void {
    this.lastRound = now;
    this.until = now + WINDOW;
  }
  private readonly round = (): void => {
    const now = this.now();
    if (now - this.lastRound > PREEMPTED) {
      this.spinning = false;
      this.restUntil = now + this.rest;
      this.rest = Math.min(this.rest * 2, LONGEST_REST);
      return;
    }
    this.lastRound = now;
    if (now < this.until) {
      setImmediate(this.round);
      return;
    }
    this.spinning = false;
    this.score -= MISS;
    if (this.score > 0) return;
    this.score = MISS * 2;
    this.toSkip = SKIPPED;
  };
}
