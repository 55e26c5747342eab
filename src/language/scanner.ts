import { type TokenType } from 'chevrotain';
import {
  Colon,
  Else,
  Integer,
  Ipv4,
  Ipv6,
  KernelVersion,
  LBrace,
  LBracket,
  QuotedTooLong,
  RBrace,
  RBracket,
  Semicolon,
  Str,
  type Token,
  Unterminated,
  wordTypes,
  WordTooLong,
} from './tokens';

/**
 * The lexer: produces chevrotain's tokens by the longest-match rules of config-language.md 2. It is written by hand
 * because the type of a word depends on the whole word, and because it is a good part of the run time of every
 * command (performance.md 2.4).
 */
export interface Scan {
  readonly tokens: Token[];
  /** Line of the end of the text. */
  readonly lastLine: number;
  /** Offsets of comments, each without its newline; empty unless asked for. */
  readonly comments: readonly Comment[];
}

export interface Comment {
  readonly startOffset: number;
  readonly image: string;
  readonly line: number;
}

const MAX_WORD = 128;
const MAX_QUOTED_ITEMS = 255;

const enum Char {
  newline = 10,
  quote = 34,
  hash = 35,
  dot = 46,
  zero = 48,
  nine = 57,
  colon = 58,
  backslash = 92,
}
// Classes of a first character; 0 is any other.
const SPACE = 1;
const WORD = 2;
const HEX = 3;
const PUNCTUATION = 4;

const classes = new Uint8Array(256);
const isWord = new Uint8Array(256);
for (const char of ' \t\r') classes[char.charCodeAt(0)] = SPACE;
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-') {
  classes[char.charCodeAt(0)] = WORD;
  isWord[char.charCodeAt(0)] = 1;
}
for (const char of '0123456789abcdefABCDEF') classes[char.charCodeAt(0)] = HEX;
const punctuation: (TokenType | undefined)[] = [];
const punctuationText: string[] = [];
for (const [char, type] of [
  ['{', LBrace],
  ['}', RBrace],
  [';', Semicolon],
  ['[', LBracket],
  [']', RBracket],
  [':', Colon],
] as const) {
  classes[char.charCodeAt(0)] = PUNCTUATION;
  punctuation[char.charCodeAt(0)] = type;
  punctuationText[char.charCodeAt(0)] = char;
}

const HEXTET = '[0-9A-Fa-f]{1,4}';
const IPV6 = new RegExp(
  `(?:::[fF]{4}:\\d{1,3}(?:\\.\\d{1,3}){3}|` +
    `(?:(?:${HEXTET}:){0,5}${HEXTET})?:(?:${HEXTET})?:(?:${HEXTET}(?::${HEXTET}){0,5})?(?:%[A-Za-z0-9/._-]{1,128})?)`,
  'y',
);
const NUMBERLIKE = /^(?:(\d{1,8}[MKGs]?)|(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})|(\d+\.\d+\.\d+))$/;

class ScannedToken implements Token {
  constructor(
    readonly image: string,
    readonly startOffset: number,
    readonly startLine: number,
    readonly tokenTypeIdx: number,
    readonly tokenType: TokenType,
  ) {}
}

const typeIndex = (type: TokenType): number => type.tokenTypeIdx ?? 0;

/** Type of a word that starts with a digit. */
function numberType(word: string): TokenType {
  const match = NUMBERLIKE.exec(word);
  if (match === null) return Str;
  if (match[1] !== undefined) return Integer;
  return match[2] === undefined ? KernelVersion : Ipv4;
}

/** Length of an IPv6 address at `at`, 0 if there is none. */
function ipv6Length(text: string, at: number): number {
  IPV6.lastIndex = at;
  return IPV6.exec(text)?.[0].length ?? 0;
}

/** End and type of what starts with a double quote at `start`. */
function scanQuoted(text: string, start: number): { readonly end: number; readonly type: TokenType } {
  let at = start + 1;
  let lastBackslash = -1;
  for (let items = 0; at < text.length; items++) {
    const char = text.charCodeAt(at);
    if (char === Char.quote) return { end: at + 1, type: Str };
    if (char === Char.newline) return { end: at + 1, type: Unterminated };
    if (items === MAX_QUOTED_ITEMS) return { end: at + 1, type: QuotedTooLong };
    if (char === Char.backslash) {
      lastBackslash = at;
      if (at + 1 === text.length || text.charCodeAt(at + 1) === Char.newline) {
        return { end: at + 1, type: Unterminated };
      }
      at++;
    }
    at++;
  }
  // End of the file inside the quotes: the longest rule that still matches.
  return lastBackslash < 0 ? { end: start + 1, type: Else } : { end: lastBackslash + 1, type: Unterminated };
}

/** Splits a text (latin1: one character a byte) into tokens. Never fails: odd characters become ELSE tokens. */
export function scan(text: string, keepComments = false): Scan {
  const tokens: Token[] = [];
  const comments: Comment[] = [];
  const length = text.length;
  let line = 1;
  let at = 0;
  while (at < length) {
    const char = text.charCodeAt(at);
    const start = at;
    let type: TokenType;
    switch (classes[char]) {
      case SPACE:
        at++;
        continue;
      case HEX:
      case WORD: {
        do at++;
        while (at < length && isWord[text.charCodeAt(at)] === 1);
        if (classes[char] === HEX && text.charCodeAt(at) === Char.colon) {
          const address = ipv6Length(text, start);
          if (address > at - start) {
            at = start + address;
            tokens.push(new ScannedToken(text.slice(start, at), start, line, typeIndex(Ipv6), Ipv6));
            continue;
          }
        }
        if (at - start > MAX_WORD) {
          at = start + MAX_WORD + 1;
          type = WordTooLong;
          break;
        }
        const word = text.slice(start, at);
        type = char >= Char.zero && char <= Char.nine ? numberType(word) : (wordTypes.get(word) ?? Str);
        tokens.push(new ScannedToken(word, start, line, typeIndex(type), type));
        continue;
      }
      case PUNCTUATION: {
        if (char === Char.colon) {
          const address = ipv6Length(text, at);
          if (address > 1) {
            at += address;
            type = Ipv6;
            break;
          }
        }
        at++;
        type = punctuation[char] ?? Else;
        tokens.push(new ScannedToken(punctuationText[char] ?? '', start, line, typeIndex(type), type));
        continue;
      }
      default:
        if (char === Char.newline) {
          line++;
          at++;
          continue;
        }
        if (char === Char.hash) {
          const newline = text.indexOf('\n', at);
          at = newline < 0 ? length : newline;
          if (keepComments) comments.push({ startOffset: start, image: text.slice(start, at), line });
          continue;
        }
        if (char === Char.quote) {
          const quoted = scanQuoted(text, at);
          at = quoted.end;
          type = quoted.type;
        } else {
          at++;
          type = Else;
        }
    }
    const image = text.slice(start, at);
    // Two words are compared by text, so quotes make no difference to them.
    if (image === '"protocol"' || image === '"become-primary-on"') {
      type = wordTypes.get(image.slice(1, -1)) ?? Str;
    }
    tokens.push(new ScannedToken(image, start, line, typeIndex(type), type));
  }
  return { tokens, lastLine: line, comments };
}
