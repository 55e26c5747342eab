/** Commands the real tool has not got: `check`, `explain`, `plan`, `fmt`. They stand outside its option grammar. */
export const extraCommandNames = ['check', 'explain', 'plan', 'fmt'] as const;
export type ExtraCommandName = (typeof extraCommandNames)[number];

export interface ExtraCommandLine {
  readonly name: ExtraCommandName;
  /** General options in front of the command, as typed. */
  readonly before: readonly string[];
  /** Words behind the command, options included. */
  readonly after: readonly string[];
  readonly configFile?: string;
  readonly filesToExclude: readonly string[];
}

const takingValue = new Set(['-c', '-t', '-E', '-s', '-m', '-p', '-n', '-W']);
const longTakingValue =
  /^--(config-file|config-to-test|config-to-exclude|drbdsetup|drbdmeta|drbd-proxy-ctl|sh-varname|setup-option)$/;

function valuesOf(words: readonly string[], letter: string, name: string): readonly string[] {
  const values: string[] = [];
  words.forEach((word, index) => {
    const next = words[index + 1];
    if ((word === letter || word === `--${name}`) && next !== undefined) values.push(next);
    else if (word.startsWith(`--${name}=`)) values.push(word.slice(name.length + 3));
    else if (word.startsWith(letter) && word.length > 2 && !word.startsWith('--')) values.push(word.slice(2));
  });
  return values;
}

/** Recognises our own commands by the first word that is no option; everything else is the real tool's grammar. */
export function findExtraCommand(words: readonly string[]): ExtraCommandLine | undefined {
  let at = 0;
  for (;;) {
    const word = words[at];
    if (word === undefined || word === '--') return undefined;
    if (!word.startsWith('-')) break;
    at += takingValue.has(word) || longTakingValue.test(word) ? 2 : 1;
  }
  const name = extraCommandNames.find((candidate) => candidate === words[at]);
  if (name === undefined) return undefined;
  const before = words.slice(0, at);
  const after = words.slice(at + 1);
  const known = name === 'plan' ? before : words;
  const configFile = valuesOf(known, '-c', 'config-file').at(-1);
  return {
    name,
    before,
    after,
    filesToExclude: valuesOf(known, '-E', 'config-to-exclude'),
    ...(configFile === undefined ? {} : { configFile }),
  };
}

/** The value of `--NAME=VALUE` or `--NAME VALUE` behind the command. */
export function optionValue(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(`--${name}`);
  if (at >= 0) return words[at + 1];
  return words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
}

/** Words behind the command that are no options. `valued` names the options that take the next word. */
export function plainWords(words: readonly string[], valued: readonly string[]): readonly string[] {
  const plain: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (valued.includes(word) || word === '-c' || word === '-E') at += 1;
    else if (!word.startsWith('-')) plain.push(word);
  }
  return plain;
}
