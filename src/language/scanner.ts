import { type TokenType } from 'chevrotain';
import {
  Colon,
  Else,
  Integer,
  Ipv4,
  Ipv6,
  KernelVersion,
  KSkip,
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
  semicolon = 59,
  backslash = 92,
  underscore = 95,
  open = 123,
  close = 125,
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

/** Type of a plain number or IPv4 address, without the regular expression, which takes time to be compiled. */
function plainNumberType(word: string): TokenType | undefined {
  let dots = 0;
  let digits = 0;
  let longest = 0;
  for (let at = 0; at < word.length; at++) {
    const char = word.charCodeAt(at);
    if (char >= Char.zero && char <= Char.nine) {
      digits++;
      if (digits > longest) longest = digits;
    } else if (char === Char.dot && digits > 0) {
      dots++;
      digits = 0;
    } else return undefined;
  }
  if (digits === 0) return undefined;
  if (dots === 0 && longest <= 8) return Integer;
  return dots === 3 && longest <= 3 ? Ipv4 : undefined;
}

/** Type of a word that starts with a digit. */
function numberType(word: string): TokenType {
  const plain = plainNumberType(word);
  if (plain !== undefined) return plain;
  const match = NUMBERLIKE.exec(word);
  if (match === null) return Str;
  if (match[1] !== undefined) return Integer;
  return match[2] === undefined ? KernelVersion : Ipv4;
}

/** Length of an IPv6 address at `at`, 0 if there is none. */
function ipv6Length(text: string, at: number): number {
  // Two colons with at most four digits between them; most colons stand before a port.
  const colon = text.indexOf(':', at);
  const second = text.indexOf(':', colon + 1);
  if (second < 0 || second - colon > 5) return 0;
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

/**
 * Splits a text (latin1: one character a byte) into tokens. Never fails: odd characters become ELSE tokens. It can be
 * done section by section, so that the tokens of one section are gone before those of the next are made.
 */
export class Scanner {
  readonly comments: Comment[] = [];
  /** Line on which the scanner stands. */
  line = 1;
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly keepComments = false,
  ) {}

  atEnd(): boolean {
    return this.at >= this.text.length;
  }

  /**
   * Adds the tokens of the rest of the text, or of the next top-level section: up to `}` that balances its braces,
   * or `;` outside of braces.
   */
  scan(tokens: Token[], oneSection: boolean): void {
    const { text } = this;
    const { length } = text;
    let { at, line } = this;
    let depth = 0;
    while (at < length) {
      const char = text.charCodeAt(at);
      const start = at;
      const kind = classes[char];
      if (kind === SPACE) {
        at++;
      } else if (char === Char.newline) {
        line++;
        at++;
      } else if (kind === PUNCTUATION && char !== Char.colon) {
        at++;
        const type = punctuation[char] ?? Else;
        tokens.push(new ScannedToken(punctuationText[char] ?? '', start, line, typeIndex(type), type));
        if (char === Char.open) depth++;
        else if (char === Char.close) depth--;
        else if (char !== Char.semicolon) continue;
        // `skip` swallows semicolons on its way to its braces.
        const ends = char === Char.close || (char === Char.semicolon && tokens[0]?.tokenType !== KSkip);
        if (oneSection && depth === 0 && ends) break;
      } else if (kind === WORD || kind === HEX) {
        at = scanWord(text, start, line, kind === HEX, tokens);
      } else if (char === Char.hash) {
        const newline = text.indexOf('\n', at);
        at = newline < 0 ? length : newline;
        if (this.keepComments) this.comments.push({ startOffset: start, image: text.slice(start, at), line });
      } else {
        at = scanOdd(text, start, line, tokens);
      }
    }
    this.at = at;
    this.line = line;
  }
}

interface KnownWord {
  readonly text: string;
  readonly type: TokenType;
}

/** Words seen lately, by hash: most words of a configuration are the same few, and share their strings. */
const KNOWN_WORDS = 1024;
const MAX_KNOWN_LENGTH = 20;
const knownWords = new Array<KnownWord | undefined>(KNOWN_WORDS).fill(undefined);

function isSame(word: string, text: string, start: number, length: number): boolean {
  if (word.length !== length) return false;
  for (let at = 0; at < length; at++) {
    if (word.charCodeAt(at) !== text.charCodeAt(start + at)) return false;
  }
  return true;
}

function typeOfWord(word: string): TokenType {
  const first = word.charCodeAt(0);
  if (first >= Char.zero && first <= Char.nine) return numberType(word);
  // No reserved word starts with anything but a small letter or an underscore.
  return first >= Char.underscore ? (wordTypes.get(word) ?? Str) : Str;
}

/** A word of any type, or an IPv6 address; gives its end. */
function scanWord(text: string, start: number, line: number, isHex: boolean, tokens: Token[]): number {
  let at = start;
  let hash = 0;
  for (let char = text.charCodeAt(at); isWord[char] === 1; char = text.charCodeAt(at)) {
    hash = (Math.imul(hash, 31) + char) | 0;
    at++;
  }
  const length = at - start;
  if (isHex && length <= 4 && text.charCodeAt(at) === Char.colon) {
    const address = ipv6Length(text, start);
    if (address > length) {
      at = start + address;
      tokens.push(new ScannedToken(text.slice(start, at), start, line, typeIndex(Ipv6), Ipv6));
      return at;
    }
  }
  if (length > MAX_WORD) {
    at = start + MAX_WORD + 1;
    tokens.push(new ScannedToken(text.slice(start, at), start, line, typeIndex(WordTooLong), WordTooLong));
    return at;
  }
  // Longer words, and numbers of more than two digits, are rarely seen again soon.
  if (length > MAX_KNOWN_LENGTH || (length > 2 && text.charCodeAt(start) <= Char.nine)) {
    const image = text.slice(start, at);
    const type = typeOfWord(image);
    tokens.push(new ScannedToken(image, start, line, typeIndex(type), type));
    return at;
  }
  const slot = (hash ^ (hash >>> 10)) & (KNOWN_WORDS - 1);
  let known = knownWords[slot];
  if (known === undefined || !isSame(known.text, text, start, length)) {
    const image = text.slice(start, at);
    known = { text: image, type: typeOfWord(image) };
    knownWords[slot] = known;
  }
  tokens.push(new ScannedToken(known.text, start, line, typeIndex(known.type), known.type));
  return at;
}

/** A colon, quoted text, or a character that means nothing; gives its end. */
function scanOdd(text: string, start: number, line: number, tokens: Token[]): number {
  const char = text.charCodeAt(start);
  let end = start + 1;
  let type: TokenType = Else;
  if (char === Char.colon) {
    const address = ipv6Length(text, start);
    type = address > 1 ? Ipv6 : Colon;
    end = start + Math.max(1, address);
  } else if (char === Char.quote) {
    ({ end, type } = scanQuoted(text, start));
  }
  const image = text.slice(start, end);
  // Two words are compared by text, so quotes make no difference to them.
  if (image === '"protocol"' || image === '"become-primary-on"')
    type = wordTypes.get(image.slice(1, -1)) ?? Str;
  tokens.push(new ScannedToken(image, start, line, typeIndex(type), type));
  return end;
}

/** All tokens of a text. */
export function scan(text: string, keepComments = false): Scan {
  const scanner = new Scanner(text, keepComments);
  const tokens: Token[] = [];
  scanner.scan(tokens, false);
  return { tokens, lastLine: scanner.line, comments: scanner.comments };
}
