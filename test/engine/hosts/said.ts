/** What was said on one stream, and what of the kernel's the engine still owes. */
export class Said {
  readonly kernel: string[] = [];
  readonly engine: string[] = [];
  owed = 0;
  /** Packets of the kernel that the engine will not say any more. */
  missed = 0;
  private readonly balance = new Map<string, number>();
  kernelSays(line: string): void {
    this.kernel.push(line);
    this.owed += this.add(line, 1) > 0 ? 1 : 0;
  }
  engineSays(line: string): void {
    this.engine.push(line);
    this.owed -= this.add(line, -1) >= 0 ? 1 : 0;
  }
  /** `K 2 PACKET`: the kernel said it twice more than the engine; `U`: the engine more than the kernel. */
  get differences(): string[] {
    return [...this.balance]
      .filter(([, sum]) => sum !== 0)
      .map(([line, sum]) => `${sum > 0 ? 'K' : 'U'} ${Math.abs(sum)} ${line}`);
  }
  private add(line: string, step: number): number {
    const sum = (this.balance.get(line) ?? 0) + step;
    this.balance.set(line, sum);
    return sum;
  }
}
