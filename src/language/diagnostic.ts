/** A half-open range of offsets in the text of one file. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export type Severity = 'error' | 'warning' | 'note';

/** One thing to tell the user about a file. */
export interface Diagnostic {
  /** Stable identifier, e.g. `syntax`, `unknown-option`, `legacy-syncer`. */
  readonly id: string;
  readonly severity: Severity;
  /** Complete text for standard error without final newline, `FILE:LINE: ` included: the real tool's where it has one. */
  readonly text: string;
  /** Name shown to the user; undefined when no file is concerned. */
  readonly file: string | undefined;
  /** 1-based; 0 when unknown. */
  readonly line: number;
  /** Where to put the caret; undefined when only the line is known. */
  readonly range: Range | undefined;
  /** Words or kinds of token that would have been right here. */
  readonly expected: readonly string[];
  /** The known word nearest to what was written, or the modern form of a legacy statement. */
  readonly suggestion: string | undefined;
}
