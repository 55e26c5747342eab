/** `check`: all problems of all files in one run, as text, JSON or SARIF. */
import { type LoadResult } from '../config/load';
import { type Diagnostic } from '../language/diagnostic';
import { excerpt } from '../language/excerpt';

export type CheckFormat = 'text' | 'json' | 'sarif';

/** What was found, in the order of the files. */
export interface Findings {
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: LoadResult['sources'];
}

/** The message without the `FILE:LINE: ` it starts with. */
function message(diagnostic: Diagnostic): string {
  return diagnostic.text.replace(/^[^\n:]*:\d+: /, '');
}

function textReport(findings: Findings): string {
  const parts = findings.diagnostics.map((diagnostic) => {
    const source = diagnostic.file === undefined ? undefined : findings.sources.get(diagnostic.file);
    const place = source === undefined ? '' : excerpt(diagnostic, source);
    return `${diagnostic.text} [${diagnostic.id}]\n${place}`;
  });
  const errors = findings.diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length;
  const warnings = findings.diagnostics.length - errors;
  return `${parts.join('')}${errors} ${errors === 1 ? 'error' : 'errors'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}\n`;
}

function jsonReport(findings: Findings): string {
  const list = findings.diagnostics.map((diagnostic) => ({
    id: diagnostic.id,
    severity: diagnostic.severity,
    file: diagnostic.file ?? null,
    line: diagnostic.line,
    message: message(diagnostic),
    expected: diagnostic.expected,
    suggestion: diagnostic.suggestion ?? null,
  }));
  return `${JSON.stringify(list, null, 2)}\n`;
}

/** 1-based columns of a range that ends on the line where it starts. */
function columns(diagnostic: Diagnostic, source: string | undefined): object {
  const { range } = diagnostic;
  if (range === undefined || source === undefined || range.start > source.length) return {};
  const lineStart = source.lastIndexOf('\n', range.start - 1) + 1;
  const startColumn = range.start - lineStart + 1;
  if (source.slice(range.start, range.end).includes('\n')) return { startColumn };
  return { startColumn, endColumn: Math.max(startColumn, range.end - lineStart + 1) };
}

/** A file name as a URI, relative if it is. Names are byte strings. */
function fileUri(name: string): string {
  const escaped = Array.from(name, (character) =>
    /[\w./~-]/.test(character) ? character : `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  ).join('');
  return name.startsWith('/') ? `file://${escaped}` : escaped;
}

function sarifReport(findings: Findings): string {
  const ruleIds = [...new Set(findings.diagnostics.map((diagnostic) => diagnostic.id))];
  const results = findings.diagnostics.map((diagnostic) => {
    const { file, line } = diagnostic;
    const result = {
      ruleId: diagnostic.id,
      ruleIndex: ruleIds.indexOf(diagnostic.id),
      level: diagnostic.severity,
      message: { text: message(diagnostic) },
    };
    if (file === undefined) return result;
    const region = { startLine: line, ...columns(diagnostic, findings.sources.get(file)) };
    const place = { artifactLocation: { uri: fileUri(file) }, ...(line > 0 ? { region } : {}) };
    return { ...result, locations: [{ physicalLocation: place }] };
  });
  const rules = ruleIds.map((id) => ({ id }));
  const tool = { driver: { name: 'drbdadm check', rules } };
  const schema = 'https://json.schemastore.org/sarif-2.1.0.json';
  const run = { tool, results };
  return `${JSON.stringify({ $schema: schema, version: '2.1.0', runs: [run] }, null, 2)}\n`;
}

export function checkReport(findings: Findings, format: CheckFormat): string {
  switch (format) {
    case 'text':
      return textReport(findings);
    case 'json':
      return jsonReport(findings);
    case 'sarif':
      return sarifReport(findings);
  }
}

/** 0: nothing but warnings; 1: at least one error. */
export function checkExitCode(findings: Findings): number {
  return findings.diagnostics.some((diagnostic) => diagnostic.severity === 'error') ? 1 : 0;
}
