/*
 * Tokens of a meta data dump (metadata.md 10.2), read piece by piece: memory does not grow with the dump.
 */

export type TokenKind =
  | 'punctuation'
  | 'number'
  | 'u64'
  | 'u32'
  | 'string'
  | 'keyword'
  /** The four error classes of the reference's scanner; `character` is any other single character. */
  | 'bad-string'
  | 'bad-hex'
  | 'big-number'
  | 'unknown'
  | 'character'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'version',
  'max-peers',
  'node-id',
  'current-uuid',
  'bitmap-uuid',
  'bitmap-dagtag',
  'bitmap-index',
  'peer',
  'gc',
  'bm',
  'bitmap',
  'uuid',
  'flags',
  'members',
  'history-uuids',
  'la-size-sect',
  'bm-byte-per-bit',
  'device-uuid',
  'la-peer-max-bio-size',
  'al-stripes',
  'al-stripe-size-4k',
  'times',
  // Known to the reference's scanner, used nowhere.
  'hash',
]);

/** Longest token and what must be in memory behind the position to see all of it. */
const LOOKAHEAD = 256;
const END: Token = { kind: 'end', text: '' };

const STRING = /"[^"\r\n]{0,20}"?/y;
const WORD = /[-_a-zA-Z0-9]{1,100}/y;
/** `[COUNT times] 0xHIGHLOW;` as dump-md prints it, on one line: nearly all of a dump. */
const RUN = /[ \t]*(?:([0-9]{1,15}) times )?0x([0-9a-fA-F]{8})([0-9a-fA-F]{8});/y;

export interface BitmapRun {
  readonly count: number;
  readonly high: number;
  readonly low: number;
}

export class DumpScanner {
  line = 1;
  private buffer = '';
  private at = 0;
  private drained = false;

  /** `pull` returns the next piece of the text (latin1), or undefined at its end. */
  constructor(private readonly pull: () => string | undefined) {}

  private fill(): void {
    while (!this.drained && this.buffer.length - this.at < LOOKAHEAD) {
      const piece = this.pull();
      if (piece === undefined) this.drained = true;
      else {
        this.buffer = this.buffer.slice(this.at) + piece;
        this.at = 0;
      }
    }
  }

  /** First character that is no white space, without consuming anything else. */
  peekCharacter(): string {
    this.skipBlank();
    return this.buffer[this.at] ?? '';
  }

  next(): Token {
    this.skipBlank();
    const first = this.buffer[this.at];
    if (first === undefined) return END;
    if ('{};[]'.includes(first)) return this.take('punctuation', first);
    if (first === '"') {
      const text = this.match(STRING);
      return this.take(/^".+"$/.test(text) ? 'string' : 'bad-string', text);
    }
    const word = this.match(WORD);
    if (word === '') return this.take('character', first);
    return this.take(wordKind(word), word);
  }

  /** The next run of a bitmap if it is written as dump-md writes it; undefined leaves everything to next(). */
  nextRun(): BitmapRun | undefined {
    this.skipBlank();
    RUN.lastIndex = this.at;
    const match = RUN.exec(this.buffer);
    if (match === null) return undefined;
    this.at = RUN.lastIndex;
    return {
      count: match[1] === undefined ? 1 : Number(match[1]),
      high: parseInt(match[2] ?? '0', 16),
      low: parseInt(match[3] ?? '0', 16),
    };
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    return pattern.exec(this.buffer)?.[0] ?? '';
  }

  private take(kind: TokenKind, text: string): Token {
    this.at += text.length;
    return { kind, text };
  }

  private skipBlank(): void {
    let comment = false;
    for (;;) {
      if (this.buffer.length - this.at < LOOKAHEAD) this.fill();
      const code = this.buffer.charCodeAt(this.at);
      if (Number.isNaN(code)) return;
      if (code === 0x0a) {
        this.line++;
        comment = false;
      } else if (code === 0x23) {
        comment = true;
      } else if (!comment && code !== 0x20 && code !== 0x09 && code !== 0x0d) {
        return;
      }
      this.at++;
    }
  }
}

function wordKind(word: string): TokenKind {
  if (/^-?[0-9]{1,19}$/.test(word)) return 'number';
  if (/^0x[0-9a-fA-F]{16}$/.test(word)) return 'u64';
  if (/^0x[0-9a-fA-F]{8}$/.test(word)) return 'u32';
  if (KEYWORDS.has(word)) return 'keyword';
  if (/^0x[0-9a-fA-F]{0,17}$/.test(word)) return 'bad-hex';
  if (/^[0-9]{20}$/.test(word)) return 'big-number';
  return 'unknown';
}
