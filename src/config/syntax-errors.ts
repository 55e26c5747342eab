import {
  textOf,
  tokenNumber,
  QuotedTooLong,
  type Token,
  Unterminated,
  WordTooLong,
} from '../language/tokens';
import { type ErrorNode } from '../language/tree';
import { nearestWord } from './nearest-word';
import { type Reading, lineOrigin } from './reading';

const SHOWN_LENGTH = 20;

/** Token text as messages show it: 20 characters and dots. */
export function shortText(text: string): string {
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}...` : text;
}

function stringProblem(token: Token): string | undefined {
  const start = `>>>${token.image.slice(0, SHOWN_LENGTH)}...<<<`;
  switch (token.tokenType) {
    case WordTooLong:
      return `Token too long ${start}`;
    case QuotedTooLong:
      return `Double quoted string too long ${start}`;
    case Unterminated:
      return `Unterminated double quoted string\n  we don't allow embedded newlines\n  ${start}`;
    default:
      return undefined;
  }
}

/** `'EXPECTED' expected, but got 'TOKEN'` (config-language.md 2.4). */
export function expectedText(expected: string, token: Token, form: 'A' | 'B'): string {
  const number = form === 'B' ? ` (TK ${tokenNumber(token)})` : '';
  return `Parse error: '${expected}' expected,\n\tbut got '${shortText(textOf(token))}'${number}`;
}

const tokenWords: ReadonlyMap<string, string> = new Map([
  ['TK_STRING', 'a word'],
  ['TK_INTEGER', 'a number'],
  ['TK_IPADDR', 'an IPv4 address'],
  ['TK_IPADDR6', 'an IPv6 address'],
  ['TK_KMODVERS', 'a version N.N.N'],
  ['TK_DISK', 'disk'],
  ['TK_ON', 'on'],
  ['TK_COMMON', 'common'],
]);

/** The words of an EXPECTED text, for people. */
export function expectedWords(expected: string): readonly string[] {
  if (!expected.includes(' ') || expected.startsWith('an ')) return [tokenWords.get(expected) ?? expected];
  return expected
    .split('|')
    .map((word) => word.trim().replace(/^'(.+)'$/, '$1'))
    .map((word) => tokenWords.get(word) ?? word);
}

/** Reports a syntax error and stops, as the real tool does. */
export function reportSyntaxError(reading: Reading, node: ErrorNode): void {
  // A plugin list without its last semicolon is reported where its section begins.
  const origin = lineOrigin(reading, node.form === 'text' ? reading.statement : node.line);
  const place = `${origin.display}:${origin.line}: `;
  const wantsString = node.expected === 'TK_STRING' || node.expected === 'TK_STRING | {';
  const problem = wantsString ? stringProblem(node.token) : undefined;
  if (problem !== undefined || node.form === 'text') {
    reading.report.fatal('syntax', origin, place + (problem ?? node.expected), { token: node.token });
    return;
  }
  const expected = expectedWords(node.expected);
  reading.report.fatal('syntax', origin, place + expectedText(node.expected, node.token, node.form), {
    token: node.token,
    expected,
    suggestion: nearestWord(textOf(node.token), expected),
  });
}
