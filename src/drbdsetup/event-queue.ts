/**
 * The order in which events are applied (drbdsetup.md 8.4 rule 2): by their sequence number, the first one counting
 * as the next, and none before the dump is complete. Unlike the real tool this one also counts events that a filter
 * leaves out, so that a filtered stream does not stall.
 */
export class EventQueue<T> {
  private readonly waiting: { readonly seq: number; readonly item: T }[] = [];
  private next: number | undefined;
  private open = false;

  constructor(private readonly apply: (item: T) => void) {}

  /** Adds an event; it is applied now if its turn has come. */
  push(seq: number, item: T): void {
    this.next ??= seq;
    // Later ones stay behind; equal ones keep their order.
    const index = this.waiting.findIndex((other) => other.seq > seq);
    this.waiting.splice(index < 0 ? this.waiting.length : index, 0, { seq, item });
    this.drain();
  }

  /** The dump is complete: events may be applied from now on. */
  start(): void {
    this.open = true;
    this.drain();
  }

  /** Forgets what is waiting and where it was: the next event is the first again. */
  reset(): void {
    this.waiting.length = 0;
    this.next = undefined;
    this.open = false;
  }

  private drain(): void {
    for (let first = this.waiting[0]; this.open && first !== undefined; first = this.waiting[0]) {
      if (first.seq > (this.next ?? first.seq)) return;
      this.waiting.shift();
      if (first.seq === this.next) this.next += 1;
      this.apply(first.item);
    }
  }
}
