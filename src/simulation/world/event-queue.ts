/** Something that happens at a moment of simulated time. */
export abstract class SimulatedEvent {
  /** Milliseconds since the world began. */
  time = 0;
  /** Breaks ties: events of one moment happen in the order in which they were scheduled. */
  order = 0;
  cancelled = false;
  abstract happen(): void;
}

export class CallbackEvent extends SimulatedEvent {
  constructor(private readonly action: () => void) {
    super();
  }
  override happen(): void {
    this.action();
  }
}

function before(one: SimulatedEvent, two: SimulatedEvent): boolean {
  return one.time < two.time || (one.time === two.time && one.order < two.order);
}

/** Events by time; a binary heap. Cancelled events are skipped when they come up. */
export class EventQueue {
  private readonly heap: SimulatedEvent[] = [];
  private scheduled = 0;

  get size(): number {
    return this.heap.length;
  }

  push(event: SimulatedEvent, time: number): void {
    event.time = time;
    event.order = this.scheduled++;
    const heap = this.heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !before(event, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = event;
  }

  /** The next event that is not cancelled, left in the queue. */
  peek(): SimulatedEvent | undefined {
    for (let top = this.heap[0]; top !== undefined; top = this.heap[0]) {
      if (!top.cancelled) return top;
      this.removeTop();
    }
    return undefined;
  }

  pop(): SimulatedEvent | undefined {
    const top = this.peek();
    if (top !== undefined) this.removeTop();
    return top;
  }

  private removeTop(): void {
    const heap = this.heap;
    const last = heap.pop();
    const length = heap.length;
    if (last === undefined || length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childIndex++;
      }
      if (!before(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}
