/**
 * The option grammar of GNU getopt_long(3): options and operands in any order, `--` ends the options,
 * long names may be abbreviated. The messages are the C library's (drbdadm.md 2.1).
 */
export type ArgumentNeed = 'none' | 'required' | 'optional';

/** One row of the long option table. Rows that share `code` and `argument` never make a prefix ambiguous. */
export interface LongOption {
  readonly name: string;
  readonly argument: ArgumentNeed;
  readonly code: string;
}

export type ScannedOption =
  | { readonly kind: 'option'; readonly code: string; readonly name: string; readonly value?: string }
  | { readonly kind: 'bad'; readonly message: string };

export interface OptionScan {
  readonly options: readonly ScannedOption[];
  readonly operands: readonly string[];
}

interface Cursor {
  readonly words: readonly string[];
  next: number;
}

function option(code: string, name: string, value: string | undefined): ScannedOption {
  return value === undefined ? { kind: 'option', code, name } : { kind: 'option', code, name, value };
}

/** Finds the row for a possibly abbreviated long name, or the rows that make it ambiguous. */
export function findLongOption(
  table: readonly LongOption[],
  typed: string,
): LongOption | readonly LongOption[] {
  const exact = table.find((row) => row.name === typed);
  if (exact !== undefined) return exact;
  const candidates = table.filter((row) => row.name.startsWith(typed));
  const first = candidates[0];
  if (first === undefined) return [];
  const rivals = candidates.filter((row) => row.argument !== first.argument || row.code !== first.code);
  return rivals.length === 0 ? first : [first, ...rivals];
}

function scanLong(
  table: readonly LongOption[],
  program: string,
  text: string,
  cursor: Cursor,
): ScannedOption {
  const equals = text.indexOf('=');
  const typed = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  const found = findLongOption(table, typed);
  if (!('name' in found)) {
    if (found.length === 0) return { kind: 'bad', message: `${program}: unrecognized option '--${text}'` };
    const possible = found.map((row) => ` '--${row.name}'`).join('');
    return { kind: 'bad', message: `${program}: option '--${text}' is ambiguous; possibilities:${possible}` };
  }
  switch (found.argument) {
    case 'none':
      if (value !== undefined)
        return { kind: 'bad', message: `${program}: option '--${found.name}' doesn't allow an argument` };
      return option(found.code, found.name, undefined);
    case 'optional':
      return option(found.code, found.name, value);
    case 'required': {
      if (value !== undefined) return option(found.code, found.name, value);
      const word = cursor.words[cursor.next];
      if (word === undefined)
        return { kind: 'bad', message: `${program}: option '--${found.name}' requires an argument` };
      cursor.next += 1;
      return option(found.code, found.name, word);
    }
  }
}

function scanCluster(
  shorts: ReadonlyMap<string, ArgumentNeed>,
  program: string,
  letters: string,
  cursor: Cursor,
): ScannedOption[] {
  const found: ScannedOption[] = [];
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters.charAt(at);
    const need = letter === ':' || letter === ';' ? undefined : shorts.get(letter);
    if (need === undefined) {
      found.push({ kind: 'bad', message: `${program}: invalid option -- '${letter}'` });
      continue;
    }
    if (need === 'none') {
      found.push(option(letter, letter, undefined));
      continue;
    }
    const rest = letters.slice(at + 1);
    if (rest !== '') return [...found, option(letter, letter, rest)];
    const word = cursor.words[cursor.next];
    if (word === undefined)
      return [...found, { kind: 'bad', message: `${program}: option requires an argument -- '${letter}'` }];
    cursor.next += 1;
    return [...found, option(letter, letter, word)];
  }
  return found;
}

/**
 * Splits `words` (without the program name) into options, in the order typed, and operands, in the order typed.
 * `permute` false (POSIXLY_CORRECT) stops at the first operand. Bad options are reported in place: the caller
 * decides whether to go on.
 */
export function scanOptions(
  words: readonly string[],
  grammar: {
    readonly program: string;
    /** Asked for the table when a long option comes. */
    readonly long: () => readonly LongOption[];
    readonly short: ReadonlyMap<string, ArgumentNeed>;
    readonly permute?: boolean;
  },
): OptionScan {
  const cursor: Cursor = { words, next: 0 };
  const options: ScannedOption[] = [];
  const operands: string[] = [];
  let table: readonly LongOption[] | undefined;
  for (;;) {
    const word = words[cursor.next];
    if (word === undefined) return { options, operands };
    cursor.next += 1;
    if (word === '--') return { options, operands: [...operands, ...words.slice(cursor.next)] };
    if (word.startsWith('--')) {
      options.push(scanLong((table ??= grammar.long()), grammar.program, word.slice(2), cursor));
    } else if (word.startsWith('-') && word !== '-') {
      options.push(...scanCluster(grammar.short, grammar.program, word.slice(1), cursor));
    } else if (grammar.permute === false) {
      return { options, operands: [...operands, word, ...words.slice(cursor.next)] };
    } else {
      operands.push(word);
    }
  }
}
