import { ConfigGrammar } from './grammar';
import { scan, type Comment } from './scanner';
import { type FileNode } from './tree';

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

/**
 * Parses one file. Never throws for bad input: syntax errors are nodes of the tree. The text is latin1, one
 * character per byte.
 */
export function parseText(text: string, options: ParseOptions = {}): ParsedFile {
  grammar ??= new ConfigGrammar();
  const { tokens, lastLine, comments } = scan(text, options.keepComments);
  grammar.input = tokens;
  grammar.lastLine = lastLine;
  grammar.isProxyOption = options.isProxyOption ?? (() => false);
  return { tree: grammar.file(), comments };
}
