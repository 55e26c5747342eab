/** Which files belong to a configuration, with nothing read but their texts (config-language.md 1.3). */
import { type FileReader } from '../../language/file-reader';
import { parseText, type ParseOptions } from '../../language/parse';
import { lineOf, textOf, type Token } from '../../language/tokens';
import { type FileItem } from '../../language/tree';

/** More than any sane configuration has. */
const MAX_FILES = 100_000;

export interface ConfigurationFile {
  /** As to be opened from the working directory; `-` is standard input. */
  readonly name: string;
  readonly text: string;
}

/** An `include` or `template-file` that leads nowhere. */
export interface LostFile {
  readonly name: string;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

export interface ConfigurationFiles {
  /** The first one leads, the others follow in the order of reading; none twice. */
  readonly files: readonly ConfigurationFile[];
  readonly lost: readonly LostFile[];
}

interface Reference {
  readonly token: Token;
  readonly isPattern: boolean;
}

/** Every `include` and `template-file` of one file; what has a syntax error refers to nothing. */
function referencesOf(items: readonly FileItem[]): readonly Reference[] {
  return items.flatMap((item): readonly Reference[] => {
    if (item.kind === 'include') return [{ token: item.pattern, isPattern: true }];
    if (item.kind !== 'resource' && item.kind !== 'common') return [];
    return item.items.flatMap((part) =>
      part.kind === 'template-file' ? [{ token: part.path, isPattern: false }] : [],
    );
  });
}

function directoryOf(file: string): string {
  const slash = file.lastIndexOf('/');
  return slash < 0 ? '.' : file.slice(0, slash) || '/';
}

/** A relative name is meant from where the file lies that has it, which is not always where we are. */
function nameFrom(directory: string, name: string): string {
  return name.startsWith('/') || directory === '.' ? name : `${directory.replace(/\/$/, '')}/${name}`;
}

/** `first` and all that it includes, directly or not. */
export function filesOfConfiguration(
  first: ConfigurationFile,
  reader: FileReader,
  options: ParseOptions,
): ConfigurationFiles {
  const files: ConfigurationFile[] = [first];
  const lost: LostFile[] = [];
  const seen = new Set([reader.realPath(first.name) ?? first.name]);
  // The list grows while it is walked.
  for (const { name: file, text } of files) {
    const directory = directoryOf(reader.canonicalName(file));
    for (const { token, isPattern } of referencesOf(parseText(text, options).tree.items)) {
      const wanted = textOf(token);
      const names = isPattern ? reader.glob(wanted, directory) : [wanted];
      if (names.length === 0 && !/[*?[]/.test(wanted)) lost.push({ name: wanted, file, line: lineOf(token) });
      for (const match of names) {
        const name = nameFrom(directoryOf(file), match);
        const real = reader.realPath(name) ?? name;
        if (seen.has(real)) continue;
        seen.add(real);
        const result = files.length < MAX_FILES ? reader.read(name) : undefined;
        if (result?.kind === 'text') files.push({ name, text: result.text });
        else lost.push({ name: match, file, line: lineOf(token) });
      }
    }
  }
  return { files, lost };
}
