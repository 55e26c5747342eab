import { type Comment, scan } from './scanner';
import { parseText, type ParseOptions } from './parse';
import {
  Colon,
  endOf,
  KSkip,
  LBrace,
  LBracket,
  lineOf,
  RBrace,
  RBracket,
  Semicolon,
  type Token,
} from './tokens';
import { type ErrorNode, type FileNode } from './tree';

const INDENT = '    ';

/** Something to print, in the order of the text: a token, or a comment between tokens. */
type Piece = { readonly token: Token } | { readonly comment: Comment };

/** Lays statements out one a line; knows nothing of the grammar but braces and semicolons. */
class Layout {
  private readonly lines: string[] = [];
  private words = '';
  private depth = 0;
  /** A comment or line break stands inside the statement being written. */
  private continued = false;
  private previous: Token | undefined;
  /** Source line on which the last piece ended. */
  private lastLine = 0;

  constructor(private readonly text: string) {}

  private indent(): string {
    return INDENT.repeat(this.depth + (this.continued ? 1 : 0));
  }

  private flush(): void {
    if (this.words === '') return;
    this.lines.push(this.indent() + this.words);
    this.words = '';
  }

  private endStatement(): void {
    this.flush();
    this.continued = false;
    this.previous = undefined;
  }

  /** At most one empty line of the source is kept, and none behind an opening brace. */
  private keepBlankLine(line: number): void {
    const last = this.lines.at(-1);
    if (last === undefined || last === '' || this.words !== '' || line <= this.lastLine + 1) return;
    if (!last.endsWith('{') && !this.continued) this.lines.push('');
  }

  comment({ image, line }: Comment): void {
    const shown = image.trimEnd();
    const midStatement = this.words !== '' || this.continued;
    if (line === this.lastLine && (this.words !== '' || this.lines.length > 0)) {
      if (this.words !== '') this.words += ` ${shown}`;
      else this.lines.push(`${this.lines.pop() ?? ''} ${shown}`);
      this.flush();
    } else {
      this.flush();
      this.continued = midStatement;
      this.keepBlankLine(line);
      this.lines.push(this.indent() + shown);
    }
    this.continued = midStatement;
    this.previous = undefined;
    this.lastLine = line;
  }

  token(token: Token): void {
    const type = token.tokenType;
    const line = lineOf(token);
    if (type === RBrace) {
      this.endStatement();
      this.depth = Math.max(0, this.depth - 1);
      if (this.lines.at(-1) === '') this.lines.pop();
      this.lines.push(`${INDENT.repeat(this.depth)}}`);
    } else {
      this.keepBlankLine(line);
      this.words += (this.words !== '' && this.needsBlank(token) ? ' ' : '') + token.image;
      this.previous = token;
      if (type === LBrace) {
        this.endStatement();
        this.depth++;
      } else if (type === Semicolon) this.endStatement();
    }
    this.lastLine = line;
  }

  private needsBlank({ tokenType: type }: Token): boolean {
    const before = this.previous?.tokenType;
    if (type === Semicolon || type === Colon || type === RBracket) return false;
    return before !== Colon && before !== LBracket;
  }

  /** Text that stays as it is: a skipped section may hold anything. */
  verbatim(start: number, end: number, firstLine: number): void {
    this.keepBlankLine(firstLine);
    const raw = this.text.slice(start, end);
    this.words = this.words === '' ? raw : `${this.words} ${raw}`;
    this.lastLine = firstLine + (raw.match(/\n/g)?.length ?? 0);
    this.endStatement();
  }

  result(): string {
    this.flush();
    return this.lines.length === 0 ? '' : `${this.lines.join('\n')}\n`;
  }
}

/** First syntax error anywhere in the tree. */
function firstError(node: unknown): ErrorNode | undefined {
  if (typeof node !== 'object' || node === null || 'tokenType' in node) return undefined;
  if ('kind' in node && node.kind === 'error') return isErrorNode(node) ? node : undefined;
  for (const child of Array.isArray(node) ? node : Object.values(node)) {
    const error = firstError(child);
    if (error !== undefined) return error;
  }
  return undefined;
}

function isErrorNode(node: object): node is ErrorNode {
  return 'expected' in node && 'form' in node;
}

/** Where `skip` sections are: from the word to behind their closing brace. */
function skippedRanges(node: unknown, found: Map<number, number>): Map<number, number> {
  if (typeof node !== 'object' || node === null || 'tokenType' in node) return found;
  if ('kind' in node && node.kind === 'skip' && 'keyword' in node && 'end' in node) {
    const { keyword, end } = node;
    if (isToken(keyword) && isToken(end)) found.set(keyword.startOffset, endOf(end));
    return found;
  }
  for (const child of Array.isArray(node) ? node : Object.values(node)) skippedRanges(child, found);
  return found;
}

function isToken(value: unknown): value is Token {
  return typeof value === 'object' && value !== null && 'startOffset' in value;
}

function inOrder(tokens: readonly Token[], comments: readonly Comment[]): Piece[] {
  const offset = (piece: Piece): number => ('token' in piece ? piece.token : piece.comment).startOffset;
  const pieces: Piece[] = [
    ...tokens.map((token) => ({ token })),
    ...comments.map((comment) => ({ comment })),
  ];
  return pieces.sort((a, b) => offset(a) - offset(b));
}

export type FormatResult =
  | { readonly kind: 'formatted'; readonly text: string }
  | { readonly kind: 'broken'; readonly error: ErrorNode };

/**
 * The canonical layout of one file: a statement a line, four blanks a level, comments and single empty lines kept,
 * skipped sections untouched. Formatting twice changes nothing; a file with a syntax error is not formatted.
 */
export function formatText(text: string, options: ParseOptions = {}): FormatResult {
  const { tree }: { readonly tree: FileNode } = parseText(text, options);
  const error = firstError(tree.items);
  if (error !== undefined) return { kind: 'broken', error };
  const skipped = skippedRanges(tree.items, new Map());
  const { tokens, comments } = scan(text, true);
  const layout = new Layout(text);
  let verbatimEnd = -1;
  for (const piece of inOrder(tokens, comments)) {
    const start = 'token' in piece ? piece.token.startOffset : piece.comment.startOffset;
    if (start < verbatimEnd) continue;
    const end = 'token' in piece && piece.token.tokenType === KSkip ? skipped.get(start) : undefined;
    if ('token' in piece && end !== undefined) {
      layout.verbatim(start, end, lineOf(piece.token));
      verbatimEnd = end;
    } else if ('token' in piece) layout.token(piece.token);
    else layout.comment(piece.comment);
  }
  return { kind: 'formatted', text: layout.result() };
}
