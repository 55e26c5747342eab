/**
 * What happened in a run, as one number: two runs of one seed have the same trace hash or they were not the same.
 * With a sink every line is passed on for people to read.
 */
export class Trace {
  private one = 0x811c9dc5;
  private two = 0x1000193;
  private lines = 0;

  constructor(private readonly sink?: (line: string) => void) {}

  get verbose(): boolean {
    return this.sink !== undefined;
  }

  /** Mixes numbers in; nothing is printed. */
  number(value: number): void {
    const low = value | 0;
    this.one = Math.imul(this.one ^ low, 0x01000193);
    this.two = (Math.imul(this.two, 31) + low) | 0;
    this.two ^= this.one >>> 15;
  }
  /** Milliseconds with a fraction. */
  moment(time: number): void {
    this.number(Math.floor(time * 4096));
  }
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.number(text.charCodeAt(i));
  }
  /** A sample of the bytes: enough to notice a difference, cheap enough for every packet. */
  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    const step = bytes.length > 256 ? bytes.length >> 6 : 4;
    for (let i = 0; i < bytes.length; i += step) this.number(bytes[i] ?? 0);
  }
  /** `line` is only built if somebody reads. */
  line(line: () => string): void {
    if (this.sink === undefined) return;
    this.lines++;
    this.sink(line());
  }
  /** 16 hexadecimal digits. */
  get hash(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return hex(this.one) + hex(this.two);
  }
}
