/** Commands the real tool has not got. They stand outside its option grammar. */
export interface ExtraCommand {
  readonly name: string;
  /** What follows the name in a usage line. */
  readonly usage: string;
  readonly summary: string;
  /** Options without dashes; those with a value list what it may be. */
  readonly options: Readonly<Record<string, readonly string[] | 'alone'>>;
  /** What the plain words are, for completion. */
  readonly words: 'files' | 'resources' | 'commands' | 'shells';
}

export const extraCommands = [
  {
    name: 'check',
    usage: '[FILE] [--format text|json|sarif]',
    summary: 'report all problems of all files, and what a reviewer would say',
    options: { format: ['text', 'json', 'sarif'] },
    words: 'files',
  },
  {
    name: 'explain',
    usage: 'RESOURCE [OPTION]',
    summary: 'show the values in effect on this host and where each was written',
    options: {},
    words: 'resources',
  },
  {
    name: 'plan',
    usage: 'COMMAND... [--json]',
    summary: 'show as JSON what a command would do',
    options: { json: 'alone' },
    words: 'commands',
  },
  {
    name: 'fmt',
    usage: '[--check] FILE...',
    summary: 'bring files into the canonical layout',
    options: { check: 'alone' },
    words: 'files',
  },
  {
    name: 'migrate',
    usage: '[--write] [FILE...]',
    summary: 'turn a configuration of DRBD 8.3 or 8.4 into one of DRBD 9',
    options: { write: 'alone' },
    words: 'files',
  },
  {
    name: 'graph',
    usage: '[RESOURCE...] [--format mermaid|svg]',
    summary: 'draw hosts, disks, devices and connections, for Mermaid or as a picture',
    options: { format: ['mermaid', 'svg'] },
    words: 'resources',
  },
  {
    name: 'completion',
    usage: 'bash|zsh',
    summary: 'print the completion of drbdadm for a shell',
    options: {},
    words: 'shells',
  },
] as const satisfies readonly ExtraCommand[];
export type ExtraCommandName = (typeof extraCommands)[number]['name'];

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
  const name = extraCommands.find((candidate) => candidate.name === words[at])?.name;
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
    if (valued.includes(word) || /^(-[cE]|--config-(file|to-exclude))$/.test(word)) at += 1;
    else if (word === '-' || !word.startsWith('-')) plain.push(word);
  }
  return plain;
}

/** Complaint about the first option that the command has not got, or that lacks its value. */
export function optionProblem(extra: ExtraCommandLine): string | undefined {
  // What follows `plan` belongs to the planned command.
  if (extra.name === 'plan') return undefined;
  const command: ExtraCommand | undefined = extraCommands.find(({ name }) => name === extra.name);
  const options: ExtraCommand['options'] = command?.options ?? {};
  for (let at = 0; at < extra.after.length; at += 1) {
    const word = extra.after[at] ?? '';
    if (!word.startsWith('-') || word === '-') continue;
    if (/^(-[cE].|--config-(file|to-exclude)=)/.test(word)) continue;
    const [name = '', value] = word.replace(/^--/, '').split('=', 2);
    const values = options[name];
    const takes = /^(-[cE]|--config-(file|to-exclude))$/.test(word) || Array.isArray(values);
    if (values === undefined && !takes) return `unknown option '${word}'`;
    if (value === undefined && takes) at += 1;
    const given = value ?? (takes ? extra.after[at] : undefined);
    if (takes && given === undefined) return `option '${word}' needs a value`;
    if (Array.isArray(values) && !values.includes(given ?? '')) return `--${name} is ${values.join(' or ')}`;
    if (values === 'alone' && value !== undefined) return `option '--${name}' takes no value`;
  }
  return undefined;
}
