/** What happens to the hosts of a cluster at random. */
import { type Cluster } from '../e2e/cluster';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Repeatable numbers (a linear congruential generator); what happens to real daemons is not. */
export class RandomNumbers {
  constructor(private state: number) {}
  below(limit: number): number {
    this.state = (Math.imul(this.state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((this.state / 0x80000000) * limit);
  }
}

export class RandomFaults {
  private readonly dead = new Set<number>();

  constructor(
    private readonly cluster: Cluster,
    private readonly hosts: number,
    private readonly random: RandomNumbers,
    private readonly log: (line: string) => void,
  ) {}

  runs(host: number): boolean {
    return !this.dead.has(host);
  }
  private async command(host: number, ...words: readonly string[]): Promise<void> {
    const { exitCode } = await this.cluster.ask(host, 'drbdadm', ...words, 'r0');
    this.log(`${this.cluster.host(host).name}: ${words.join(' ')}: exit ${exitCode}`);
  }
  private async inTurn(host: number, first: string, second: string): Promise<void> {
    await this.command(host, first);
    await pause(this.random.below(800));
    await this.command(host, second);
  }
  async one(): Promise<void> {
    const host = this.random.below(this.hosts);
    const kind = this.random.below(7);
    if (kind <= 1) await this.revive();
    else if (!this.runs(host)) return;
    else if (kind <= 3) this.kill(host);
    else if (kind === 4) await this.inTurn(host, 'disconnect', 'adjust');
    else if (kind === 5) await this.inTurn(host, 'detach', 'adjust');
    else await this.inTurn(host, 'down', 'up');
  }
  private kill(host: number): void {
    this.log(`${this.cluster.host(host).name}: kill -9`);
    process.kill(this.cluster.daemon(host), 'SIGKILL');
    this.dead.add(host);
  }
  /** Brings one host back that was killed. */
  async revive(): Promise<void> {
    const [host] = this.dead;
    if (host === undefined) return;
    this.dead.delete(host);
    await this.command(host, 'up');
  }
  /** Everything runs and is connected again; nobody is Primary. */
  async end(): Promise<void> {
    while (this.dead.size > 0) await this.revive();
    for (let host = 0; host < this.hosts; host++) {
      await this.command(host, 'secondary');
      await this.command(host, 'adjust');
    }
  }
}
