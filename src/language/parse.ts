import { ConfigGrammar } from './grammar';
import { type Comment, scan, Scanner } from './scanner';
import { type Token } from './tokens';
import { type FileItem, type FileNode } from './tree';

export interface ParseOptions {
  /** True for names of proxy options: other words followed by `{` are plugin lists (config-language.md 3.3). */
  readonly isProxyOption?: (name: string) => boolean;
  readonly keepComments?: boolean;
}

export interface ParsedFile {
  readonly tree: FileNode;
  readonly comments: readonly Comment[];
}

let grammar: ConfigGrammar | undefined;

function prepared(options: ParseOptions): ConfigGrammar {
  grammar ??= new ConfigGrammar();
  grammar.isProxyOption = options.isProxyOption ?? (() => false);
  return grammar;
}

/**
 * Parses one file. Never throws for bad input: syntax errors are nodes of the tree. The text is latin1, one
 * character per byte.
 */
export function parseText(text: string, options: ParseOptions = {}): ParsedFile {
  const parser = prepared(options);
  const { tokens, lastLine, comments } = scan(text, options.keepComments);
  parser.input = tokens;
  parser.lastLine = lastLine;
  return { tree: parser.file(), comments };
}

/**
 * Parses one file section by section and hands over each as soon as it is read: in a big configuration the tokens and
 * nodes of one resource are garbage before the next one is read. The first error is that of `parseText`; behind it
 * this may see other ones. `visit` may parse other files (includes) meanwhile.
 */
export function parseSections(text: string, options: ParseOptions, visit: (item: FileItem) => void): void {
  const scanner = new Scanner(text);
  while (!scanner.atEnd()) {
    const parser = prepared(options);
    const tokens: Token[] = [];
    scanner.scan(tokens, true);
    if (tokens.length === 0) break;
    parser.input = tokens;
    parser.lastLine = scanner.line;
    for (const item of parser.file().items) visit(item);
  }
}
