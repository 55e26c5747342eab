import { type Comment, scan } from '../../language/scanner';
import { endOf, lineOf, Semicolon, type Token } from '../../language/tokens';

/** Offsets of a statement with its semicolon, and of the comments that belong to it. */
export interface Extent {
  readonly start: number;
  readonly end: number;
  /** Its last token: the semicolon of a statement. */
  readonly last: Token;
  /** Start of the comments on lines of their own in front of it, else `start`. */
  readonly outerStart: number;
  /** End of the comment behind it on the same line, else `end`. */
  readonly outerEnd: number;
}

type Piece = { readonly token: Token } | { readonly comment: Comment };

const startOf = (piece: Piece): number =>
  'token' in piece ? piece.token.startOffset : piece.comment.startOffset;

/** One file as text, tokens and comments: finds the extent of statements, and makes edits. */
export class SourceText {
  private readonly pieces: readonly Piece[];
  private readonly places: ReadonlyMap<number, number>;
  private readonly edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];

  constructor(readonly text: string) {
    const { tokens, comments } = scan(text, true);
    const pieces: Piece[] = [
      ...tokens.map((token) => ({ token })),
      ...comments.map((comment) => ({ comment })),
    ];
    this.pieces = pieces.sort((a, b) => startOf(a) - startOf(b));
    this.places = new Map(this.pieces.map((piece, index) => [startOf(piece), index]));
  }

  /** End of the comment that follows the token on its line, else the end of the token. */
  private endWithComment(token: Token): number {
    const next = this.pieces[(this.places.get(token.startOffset) ?? 0) + 1];
    if (next === undefined || 'token' in next || next.comment.line !== lineOf(token)) return endOf(token);
    return next.comment.startOffset + next.comment.image.length;
  }

  /** Start of the block of comments on lines of their own in front of the token, else the start of the token. */
  private startWithComments(token: Token): number {
    let index = this.places.get(token.startOffset) ?? 0;
    let start = token.startOffset;
    for (;;) {
      index -= 1;
      const piece = this.pieces[index];
      if (piece === undefined || 'token' in piece) return start;
      const before = this.pieces[index - 1];
      const behindToken =
        before !== undefined && 'token' in before && lineOf(before.token) === piece.comment.line;
      if (behindToken) return start;
      start = piece.comment.startOffset;
    }
  }

  /** From `first` to `last`, both included. */
  extent(first: Token, last: Token): Extent {
    return {
      start: first.startOffset,
      end: endOf(last),
      last,
      outerStart: this.startWithComments(first),
      outerEnd: this.endWithComment(last),
    };
  }

  /** The statement that starts with `first` and whose last word is `last`: up to the semicolon. */
  statement(first: Token, last: Token): Extent {
    let index = this.places.get(last.startOffset) ?? 0;
    for (;;) {
      index += 1;
      const piece = this.pieces[index];
      if (piece === undefined) return this.extent(first, last);
      if ('token' in piece && piece.token.tokenType === Semicolon) return this.extent(first, piece.token);
    }
  }

  /** The comments between two offsets but for those inside `taken`, a line each. */
  comments(start: number, end: number, taken: readonly Extent[]): string {
    let text = '';
    for (let index = this.places.get(start) ?? 0; index < this.pieces.length; index += 1) {
      const piece = this.pieces[index];
      if (piece === undefined || startOf(piece) >= end) break;
      const at = startOf(piece);
      if ('token' in piece || taken.some((each) => at >= each.outerStart && at < each.outerEnd)) continue;
      text += `${piece.comment.image}\n`;
    }
    return text;
  }

  slice(start: number, end: number): string {
    return this.text.slice(start, end);
  }

  replace(start: number, end: number, text: string): void {
    this.edits.push({ start, end, text });
  }

  /** Offset of the line break if nothing but blanks follows on the line. */
  private restOfLine(at: number): number | undefined {
    let end = at;
    while (this.text[end] === ' ' || this.text[end] === '\t') end += 1;
    return end === this.text.length || this.text[end] === '\n' ? end : undefined;
  }

  /** Takes out a statement, and its line if there is nothing else on it. */
  remove(start: number, end: number): void {
    let from = start;
    while (this.text[from - 1] === ' ' || this.text[from - 1] === '\t') from -= 1;
    const rest = this.restOfLine(end);
    const ownLine = rest !== undefined && (from === 0 || this.text[from - 1] === '\n');
    if (ownLine) this.replace(from, Math.min(rest + 1, this.text.length), '');
    else this.replace(start, end, '');
  }

  /** Puts whole lines, each with its line break, in place of something. */
  replaceByLines(start: number, end: number, text: string): void {
    this.replace(start, end, this.restOfLine(end) === undefined ? text : text.trimEnd());
  }

  /** Puts whole lines behind a token, and behind the comment that follows it on its line. */
  insertLinesBehind(token: Token, text: string): void {
    const at = this.endWithComment(token);
    this.replace(at, at, `\n${text}${this.restOfLine(at) === undefined ? '\n' : ''}`);
  }

  /** The text with all edits made. They do not overlap; those at one place stay in the order in which they came. */
  edited(): string {
    const ordered = this.edits
      .map((edit, order) => ({ ...edit, order }))
      .sort((a, b) => a.start - b.start || a.order - b.order);
    let result = '';
    let at = 0;
    for (const edit of ordered) {
      // Lines put behind something that went with its line break need one of their own.
      const lineBreak = edit.start < at && edit.text !== '' ? '\n' : '';
      result += this.text.slice(at, Math.max(at, edit.start)) + edit.text + lineBreak;
      at = Math.max(at, edit.end);
    }
    return result + this.text.slice(at);
  }
}
