/** How a release counts columns: before 9.34 the indentation of a line counted (drbdsetup.md 1.6). */
export type WrapDialect = 'current' | '9.22';

/**
 * Lays text out as the real tool does: units that do not fit go to the next line. Help and `status` use it; its
 * oddities (the indentation is not counted, a one-letter first word lets the second one start again) are part of
 * the output other programs compare.
 */
export class WrappedText {
  private column = 0;
  private readonly parts: string[] = [];

  constructor(
    private readonly columns: number,
    private readonly dialect: WrapDialect = 'current',
  ) {}

  /** Adds one unit that is not to be broken; `indent` applies if it starts a line. */
  unit(indent: number, text: string): this {
    let rest = text;
    for (; rest.startsWith('\n'); rest = rest.slice(1)) this.newline();
    if (rest === '') return this;
    if (this.column > 0 && this.column + rest.length > this.columns) this.newline();
    if (this.column === 0) {
      rest = rest.replace(/^ +/, '');
      this.parts.push(' '.repeat(indent));
      // The real tool's loop leaves -1 behind instead of the indentation.
      this.column = this.dialect === '9.22' ? indent : -1;
    }
    this.parts.push(rest);
    this.column = rest.endsWith('\n') ? 0 : this.column + rest.length;
    return this;
  }

  toString(): string {
    return this.parts.join('');
  }

  private newline(): void {
    this.parts.push('\n');
    this.column = 0;
  }
}
