/** What the configuration language wants to know about files. Texts are latin1: one character per byte. */
export interface FileReader {
  /** Reads a whole file; `-` is standard input. */
  read(path: string): ReadResult;
  /** Directory resolved, last component kept (config-language.md 1.2). */
  canonicalName(path: string): string;
  /** Every symbolic link resolved; undefined when the file does not exist. */
  realPath(path: string): string | undefined;
  /** Sorted matches of a glob(3) pattern, relative patterns below `directory`. */
  glob(pattern: string, directory: string): readonly string[];
}

export type ReadResult =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'directory' }
  | { readonly kind: 'unreadable'; readonly reason: string };
