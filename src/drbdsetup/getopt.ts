// getopt_long(3) with permutation, as far as drbdsetup depends on it (drbdsetup.md 1.2).

export type OptionArgument = 'none' | 'required' | 'optional';

export interface LongOption {
  readonly name: string;
  readonly argument: OptionArgument;
  /** One letter, for options that have a short form. */
  readonly short?: string;
}

export interface GivenOption {
  /** Full name, also where an abbreviation was typed. */
  readonly name: string;
  /** Undefined if none was given. */
  readonly value: string | undefined;
}

export interface ParsedArguments {
  /** In the order in which they were typed. */
  readonly options: readonly GivenOption[];
  readonly positionals: readonly string[];
}

function findLong(options: readonly LongOption[], typed: string): LongOption | undefined {
  const exact = options.find((option) => option.name === typed);
  if (exact !== undefined) return exact;
  const candidates = options.filter((option) => option.name.startsWith(typed));
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** Undefined for an unknown or ambiguous option, a missing or a superfluous value. */
export function getopt(argv: readonly string[], known: readonly LongOption[]): ParsedArguments | undefined {
  const options: GivenOption[] = [];
  const positionals: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') {
      positionals.push(...argv.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      positionals.push(word);
      continue;
    }
    const used = word.startsWith('--')
      ? longOption(word, argv[index + 1], known, options)
      : shortOptions(word, argv[index + 1], known, options);
    if (used === undefined) return undefined;
    index += used;
  }
  return { options, positionals };
}

/** Returns how many further words were used; undefined on an error. */
function longOption(
  word: string,
  next: string | undefined,
  known: readonly LongOption[],
  options: GivenOption[],
): number | undefined {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const option = findLong(known, name);
  if (option === undefined) return undefined;
  const inline = equals < 0 ? undefined : word.slice(equals + 1);
  switch (option.argument) {
    case 'none':
      if (inline !== undefined) return undefined;
      options.push({ name: option.name, value: undefined });
      return 0;
    case 'optional':
      options.push({ name: option.name, value: inline });
      return 0;
    case 'required':
      if (inline === undefined && next === undefined) return undefined;
      options.push({ name: option.name, value: inline ?? next });
      return inline === undefined ? 1 : 0;
  }
}

function shortOptions(
  word: string,
  next: string | undefined,
  known: readonly LongOption[],
  options: GivenOption[],
): number | undefined {
  for (let at = 1; at < word.length; at++) {
    const option = known.find((candidate) => candidate.short === word[at]);
    if (option === undefined) return undefined;
    const rest = word.slice(at + 1);
    if (option.argument === 'none') {
      options.push({ name: option.name, value: undefined });
      continue;
    }
    if (rest !== '') options.push({ name: option.name, value: rest });
    else if (option.argument === 'optional') options.push({ name: option.name, value: undefined });
    else if (next === undefined) return undefined;
    else {
      options.push({ name: option.name, value: next });
      return 1;
    }
    return 0;
  }
  return 0;
}
