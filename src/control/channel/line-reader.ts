/** Cuts a byte stream into lines, refusing lines that are too long before they fill the memory. */
export class LineReader {
  private parts: Buffer[] = [];
  private held = 0;

  /** `limit`: longest line in bytes, without its line break. */
  constructor(
    private readonly limit: number,
    private readonly onLine: (line: string) => void,
  ) {}

  /** Feeds bytes; false if a line is too long (nothing more is to be fed then). */
  push(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const length = this.held + end - start;
      if (length > this.limit) return false;
      const tail = chunk.subarray(start, end);
      const line = this.held === 0 ? tail : Buffer.concat([...this.parts, tail], length);
      this.parts = [];
      this.held = 0;
      start = end + 1;
      this.onLine(line.toString('utf8'));
    }
    if (start < chunk.length) {
      this.parts.push(chunk.subarray(start));
      this.held += chunk.length - start;
    }
    return this.held <= this.limit;
  }
}
