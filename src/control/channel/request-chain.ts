/** The daemon's side of a chain of requests (`ChainPlace`). */
import { type ChainPlace } from '../contract/messages';

export interface ChainedWork {
  /** `done` is called exactly once, now or later. */
  begin(done: (success: boolean) => void): void;
  /** Something on a lower level failed. */
  skip(): void;
}

interface Waiting {
  readonly level: number;
  readonly work: ChainedWork;
}

/** One chain of one client. Whoever feeds it limits how much waits. */
export class RequestChain {
  private level = 0;
  private running = 0;
  /** Lowest level on which something failed. */
  private failed = Infinity;
  /** Ascending by level. */
  private readonly waiting: Waiting[] = [];
  private advancing = false;

  constructor(readonly number: number) {}

  /** Begins the work now, or when everything on lower levels has been done. */
  add({ level }: ChainPlace, work: ChainedWork): void {
    let at = this.waiting.length;
    while (at > 0 && (this.waiting[at - 1]?.level ?? 0) > level) at -= 1;
    if (at === this.waiting.length) this.waiting.push({ level, work });
    else this.waiting.splice(at, 0, { level, work });
    this.advance();
  }

  private advance(): void {
    // Work that is done at once ends up here again.
    if (this.advancing) return;
    this.advancing = true;
    for (let next = this.next(); next !== undefined; next = this.next()) this.start(next);
    this.advancing = false;
  }

  private next(): Waiting | undefined {
    const [first] = this.waiting;
    if (first === undefined || (this.running > 0 && first.level > this.level)) return undefined;
    return this.waiting.shift();
  }

  private start({ level, work }: Waiting): void {
    if (level > this.failed) {
      work.skip();
      return;
    }
    this.level = Math.max(this.level, level);
    this.running += 1;
    work.begin((success) => {
      this.running -= 1;
      if (!success) this.failed = Math.min(this.failed, level);
      this.advance();
    });
  }
}
