import { type Diagnostic } from './diagnostic';

const MAX_WIDTH = 100;
const MAX_EXPECTED = 12;

/** Where the line of a range begins and ends in the text. */
function lineBounds(text: string, offset: number): { readonly start: number; readonly end: number } {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return { start, end: end < 0 ? text.length : end };
}

/** The part of a long line around the caret. */
function cut(line: string, column: number): { readonly shown: string; readonly column: number } {
  if (line.length <= MAX_WIDTH) return { shown: line, column };
  const from = Math.max(0, Math.min(column - MAX_WIDTH / 2, line.length - MAX_WIDTH));
  return { shown: line.slice(from, from + MAX_WIDTH), column: column - from };
}

function caretLines(diagnostic: Diagnostic, text: string): readonly string[] {
  const { range } = diagnostic;
  if (range === undefined || range.start > text.length) return [];
  const { start, end } = lineBounds(text, range.start);
  const { shown, column } = cut(text.slice(start, end), range.start - start);
  const gutter = String(diagnostic.line).length;
  const length = Math.max(1, Math.min(range.end, end) - range.start, 1);
  // Tabs keep their width above and below.
  const blank = shown.slice(0, column).replace(/[^\t]/g, ' ');
  const caret = '^'.repeat(Math.min(length, Math.max(1, shown.length - column)));
  return [`  ${diagnostic.line} | ${shown}`, `  ${' '.repeat(gutter)} | ${blank}${caret}`];
}

function expectedLine(diagnostic: Diagnostic): readonly string[] {
  const { expected } = diagnostic;
  if (expected.length === 0) return [];
  const some = expected.slice(0, MAX_EXPECTED).join(', ');
  const more = expected.length > MAX_EXPECTED ? `, ... (${expected.length - MAX_EXPECTED} more)` : '';
  return [`  expected: ${some}${more}`];
}

function suggestionLine(diagnostic: Diagnostic): readonly string[] {
  if (diagnostic.suggestion === undefined || diagnostic.id.startsWith('legacy-')) return [];
  return [`  did you mean '${diagnostic.suggestion}'?`];
}

/**
 * What stands below a message: the line with a caret, what was expected and the nearest known word. `text` is the file
 * the diagnostic is about; the result ends with a newline unless it is empty.
 */
export function excerpt(diagnostic: Diagnostic, text: string): string {
  const lines = [...caretLines(diagnostic, text), ...expectedLine(diagnostic), ...suggestionLine(diagnostic)];
  return lines.map((line) => `${line}\n`).join('');
}
