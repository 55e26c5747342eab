/** How often what was tried and what came of it, so that nobody overlooks what was never tried. */
export class Histogram {
  private readonly counts = new Map<string, number>();

  count(name: string, times = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }
  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }
  add(other: Histogram): void {
    for (const [name, times] of other.counts) this.count(name, times);
  }
  entries(): Iterable<[string, number]> {
    return this.counts.entries();
  }
  /** One line a name, sorted by name. */
  lines(): readonly string[] {
    const names = [...this.counts.keys()].sort();
    const width = Math.max(0, ...names.map((name) => name.length));
    return names.map((name) => `${name.padEnd(width)} ${String(this.of(name)).padStart(10)}`);
  }
}
