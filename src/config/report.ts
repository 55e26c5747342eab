import { type Diagnostic } from '../language/diagnostic';
import { endOf, lineOf, type Token } from '../language/tokens';
import { type Origin } from './model';

/** A file while it is being read. */
export interface SourceFile {
  readonly display: string;
  readonly file: string;
  readonly text: string;
}

/** Thrown inside this room where the real tool exits; `loadConfig` catches it. */
export class StopLoading extends Error {
  constructor(readonly exitCode: number) {
    super(`exit ${exitCode}`);
  }
}

export const EXIT_USAGE = 1;
export const EXIT_CONFIG_INVALID = 10;
export const EXIT_EXEC_ERROR = 20;

export interface DiagnosticDetails {
  readonly token?: Token | undefined;
  readonly expected?: readonly string[];
  readonly suggestion?: string | undefined;
}

/** Collects messages in the order in which the real tool prints them. */
export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  valid = true;

  /** `reportAll`: go on where the real tool exits. */
  constructor(private readonly reportAll = false) {}

  private add(
    severity: Diagnostic['severity'],
    id: string,
    place: { readonly file: string | undefined; readonly line: number },
    text: string,
    details: DiagnosticDetails,
  ): void {
    const token = details.token;
    const range =
      token === undefined || Number.isNaN(token.startOffset)
        ? undefined
        : { start: token.startOffset, end: endOf(token) };
    this.diagnostics.push({
      id,
      severity,
      text,
      file: place.file,
      line: place.line,
      range,
      expected: details.expected ?? [],
      suggestion: details.suggestion,
    });
  }

  /** Something the real tool only remarks; the configuration stays valid. */
  warn(id: string, origin: Origin, text: string, details: DiagnosticDetails = {}): void {
    this.add('warning', id, { file: origin.file, line: origin.line }, text, details);
  }

  /** An error after which reading goes on; the configuration is invalid. */
  error(id: string, origin: Origin, text: string, details: DiagnosticDetails = {}): void {
    this.valid = false;
    this.add('error', id, { file: origin.file, line: origin.line }, text, details);
  }

  /** An error that does not make the configuration invalid (the real tool prints it and goes on). */
  complain(id: string, origin: Origin | undefined, text: string): void {
    this.add('error', id, { file: origin?.file, line: origin?.line ?? 0 }, text, {});
  }

  /** An error with which the real tool exits at once; returns only when everything is to be reported. */
  fatal(
    id: string,
    origin: Origin | undefined,
    text: string,
    details: DiagnosticDetails = {},
    exitCode = EXIT_CONFIG_INVALID,
  ): void {
    this.valid = false;
    this.add('error', id, { file: origin?.file, line: origin?.line ?? 0 }, text, details);
    if (!this.reportAll) throw new StopLoading(exitCode);
  }
}

/** The place of a token, for messages printed while scanning. */
export function originOf(source: SourceFile, token: Token): Origin {
  return { file: source.file, display: source.display, line: lineOf(token) };
}
