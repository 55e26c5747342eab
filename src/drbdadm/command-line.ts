/** drbdadm's own command line (drbdadm.md section 2). */
import { type CommandDescription, findCommand, renamedCommands } from './command-table';
import { type ArgumentNeed, type LongOption, type ScannedOption, scanOptions } from './getopt-long';
import { backEndCode, backEndLongOptions, backEndOptions } from './option-contexts';

export interface BackEndText {
  readonly text: string;
  /** How it was given: `-W`, an unknown first word, or one of our own long options (already checked). */
  readonly source: 'setup-option' | 'word' | 'long-option';
}

export interface BackEndPaths {
  readonly drbdsetup?: string;
  readonly drbdmeta?: string;
  readonly proxyControl?: string;
}

/** A command line that asks for something to be done. */
export interface CommandLine {
  readonly command: CommandDescription;
  readonly names: readonly string[];
  readonly stacked: boolean;
  readonly dryRun: boolean;
  /** How often -v was given. */
  readonly verbosity: number;
  readonly configFile?: string;
  readonly filesToTest: readonly string[];
  readonly filesToExclude: readonly string[];
  readonly paths: BackEndPaths;
  readonly shellVariable?: string;
  readonly backEndTexts: readonly BackEndText[];
}

export type ParsedCommandLine =
  | { readonly kind: 'run'; readonly line: CommandLine; readonly warnings: readonly string[] }
  | { readonly kind: 'version'; readonly warnings: readonly string[] }
  | {
      readonly kind: 'help';
      readonly command?: CommandDescription;
      readonly complaint?: string;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'hidden-commands'; readonly warnings: readonly string[] }
  | { readonly kind: 'failure'; readonly messages: readonly string[]; readonly exitCode: number };

/** What parsing has to ask the machine: files are tried as soon as their option is seen. */
export interface CommandLinePort {
  canRead(file: string): boolean;
  isExecutable(file: string): boolean;
}

interface GeneralOption {
  readonly name: string;
  readonly letter: string;
  readonly argument: ArgumentNeed;
}

/** In the order of `help`. */
export const generalOptions: readonly GeneralOption[] = [
  { name: 'stacked', letter: 'S', argument: 'none' },
  { name: 'dry-run', letter: 'd', argument: 'none' },
  { name: 'verbose', letter: 'v', argument: 'none' },
  { name: 'config-file', letter: 'c', argument: 'required' },
  { name: 'config-to-test', letter: 't', argument: 'required' },
  { name: 'config-to-exclude', letter: 'E', argument: 'required' },
  { name: 'drbdsetup', letter: 's', argument: 'required' },
  { name: 'drbdmeta', letter: 'm', argument: 'required' },
  { name: 'drbd-proxy-ctl', letter: 'p', argument: 'required' },
  { name: 'sh-varname', letter: 'n', argument: 'required' },
  { name: 'version', letter: 'V', argument: 'none' },
  { name: 'setup-option', letter: 'W', argument: 'required' },
  { name: 'help', letter: 'h', argument: 'none' },
];

const shortOptions = new Map(generalOptions.map((row) => [row.letter, row.argument]));

function longOptions(): LongOption[] {
  const general = generalOptions.map((row): LongOption => ({
    name: row.name,
    argument: row.argument,
    code: row.letter,
  }));
  return [...general, ...backEndLongOptions()];
}

interface Draft {
  stacked: boolean;
  dryRun: boolean;
  verbosity: number;
  help: boolean;
  configFile?: string;
  readonly filesToTest: string[];
  readonly filesToExclude: string[];
  paths: BackEndPaths;
  shellVariable?: string;
  readonly setupOptions: string[];
  readonly longOptions: string[];
  readonly warnings: string[];
}

class Refusal {
  constructor(
    readonly messages: readonly string[],
    readonly exitCode: number,
  ) {}
}

function takeBackEndPath(
  draft: Draft,
  letter: string,
  path: string,
  port: CommandLinePort,
): Refusal | undefined {
  if (!port.isExecutable(path)) return new Refusal(['Can not find command (drbdsetup/drbdmeta)'], 20);
  if (letter === 's') draft.paths = { ...draft.paths, drbdsetup: path };
  else if (letter === 'm') draft.paths = { ...draft.paths, drbdmeta: path };
  else draft.paths = { ...draft.paths, proxyControl: path };
  return undefined;
}

function takeShellVariable(draft: Draft, name: string): void {
  if (/^[a-zA-Z0-9_]*$/.test(name)) draft.shellVariable = name;
  else {
    const why = 'contains suspect characters, allowed set is [a-zA-Z0-9_]';
    draft.warnings.push(`ignored --sh-varname=${name}: ${why}`);
  }
}

function takeFlag(draft: Draft, code: string): void {
  if (code === 'S') draft.stacked = true;
  else if (code === 'd') draft.dryRun = true;
  else if (code === 'v') draft.verbosity += 1;
  else draft.help = true;
}

/** Applies one option to the draft; the result ends parsing. */
function takeOption(draft: Draft, option: ScannedOption, program: string, port: CommandLinePort) {
  if (option.kind === 'bad') return new Refusal([option.message, `try '${program} help'`], 1);
  const value = option.value;
  if (option.code === backEndCode) {
    draft.longOptions.push(value === undefined ? `--${option.name}` : `--${option.name}=${value}`);
    return undefined;
  }
  if (option.code === 'V') return 'version' as const;
  if (value === undefined) {
    takeFlag(draft, option.code);
    return undefined;
  }
  switch (option.code) {
    case 'c':
      if (value !== '-' && !port.canRead(value)) return new Refusal([`Can not open '${value}'.`], 20);
      draft.configFile = value;
      return undefined;
    case 't':
      draft.filesToTest.push(value);
      return undefined;
    case 'E':
      draft.filesToExclude.push(value);
      return undefined;
    case 'n':
      takeShellVariable(draft, value);
      return undefined;
    case 'W':
      draft.setupOptions.push(value);
      return undefined;
    default:
      return takeBackEndPath(draft, option.code, value, port);
  }
}

interface Words {
  readonly command?: CommandDescription;
  readonly names: readonly string[];
  readonly unknown: readonly string[];
  readonly help: boolean;
  readonly warnings: readonly string[];
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'Resource name is empty.';
  // eslint-disable-next-line no-control-regex -- the rule itself speaks of control characters
  if (/[\x00-\x1f\x7f]/.test(name)) return "Resource name is invalid - please don't use control characters.";
  return undefined;
}

function sortWords(operands: readonly string[], program: string): Words | Refusal {
  const names: string[] = [];
  const unknown: string[] = [];
  const warnings: string[] = [];
  let command: CommandDescription | undefined;
  let help = false;
  for (const word of operands) {
    if (command !== undefined) {
      const problem = nameProblem(word);
      if (problem !== undefined) return new Refusal([...warnings, problem], 1);
      names.push(word);
    } else if (word === 'help') {
      help = true;
    } else {
      const modern = renamedCommands.get(word);
      if (modern !== undefined)
        warnings.push(`'${program} ${word}' is deprecated, use '${program} ${modern}' instead.`);
      command = findCommand(modern ?? word);
      if (command === undefined) unknown.push(word);
      // The real tool prints the list at once and looks at nothing else.
      else if (command.name === 'hidden-commands') break;
    }
  }
  return { ...(command === undefined ? {} : { command }), names, unknown, help, warnings };
}

function unsuitableOption(command: CommandDescription, texts: readonly string[]): string | undefined {
  const options = backEndOptions(command.context);
  if (options === '*') return undefined;
  const names = new Set((options ?? []).map((option) => option.name));
  return texts.map((text) => text.slice(2).split('=', 1)[0] ?? '').find((name) => !names.has(name));
}

const overwriteWords: readonly string[] = ['--overwrite-data-of-peer', '-o'];

/**
 * `-- --overwrite-data-of-peer primary all` of the old tutorials. DRBD 9's own drbdadm drops the words without a sign and
 * the promotion then fails; here they mean what they meant.
 */
function modernWords(words: Words, warnings: string[], program: string): readonly string[] {
  if (words.command?.name !== 'primary') return words.unknown;
  return words.unknown.map((word) => {
    if (!overwriteWords.includes(word)) return word;
    warnings.push(`'${program} -- ${word} primary' is deprecated, use '${program} primary --force' instead.`);
    return '--force';
  });
}

function finish(draft: Draft, words: Words, program: string): ParsedCommandLine {
  const warnings = [...draft.warnings, ...words.warnings];
  const { command } = words;
  if (command?.name === 'hidden-commands') return { kind: 'hidden-commands', warnings };
  if (draft.help || words.help)
    return { kind: 'help', warnings, ...(command === undefined ? {} : { command }) };
  if (command === undefined) {
    const first = words.unknown[0];
    if (first === undefined) return { kind: 'help', warnings, complaint: 'No command specified' };
    const message = `${program}: Unknown command '${first}'`;
    return { kind: 'failure', messages: [...warnings, message], exitCode: 1 };
  }
  const bad = unsuitableOption(command, draft.longOptions);
  if (bad !== undefined) {
    const messages = [`${program}: unrecognized option '--${bad}'`, `try '${program} help ${command.name}'`];
    return { kind: 'failure', messages: [...warnings, ...messages], exitCode: 1 };
  }
  if (draft.filesToTest.length > 0 && !['dump', 'dump-xml', 'sh-nop'].includes(command.name)) {
    const message = 'The --config-to-test (-t) option is only allowed with the dump and sh-nop commands';
    return { kind: 'failure', messages: [...warnings, message], exitCode: 1 };
  }
  if (command.resources === 'required' && words.names.length === 0)
    return { kind: 'help', warnings, command, complaint: 'No resource names specified' };
  const backEndTexts: BackEndText[] = [
    ...draft.setupOptions.map((text): BackEndText => ({ text, source: 'setup-option' })),
    ...modernWords(words, warnings, program).map((text): BackEndText => ({ text, source: 'word' })),
    ...draft.longOptions.map((text): BackEndText => ({ text, source: 'long-option' })),
  ];
  const line: CommandLine = {
    command,
    names: words.names,
    stacked: draft.stacked,
    dryRun: draft.dryRun,
    verbosity: draft.verbosity,
    filesToTest: draft.filesToTest,
    filesToExclude: draft.filesToExclude,
    paths: draft.paths,
    backEndTexts,
    ...(draft.configFile === undefined ? {} : { configFile: draft.configFile }),
    ...(draft.shellVariable === undefined ? {} : { shellVariable: draft.shellVariable }),
  };
  return { kind: 'run', line, warnings };
}

/**
 * Parses the words after the program name. Every failure comes with the real tool's messages and exit code;
 * nothing is printed here.
 */
export function parseCommandLine(
  words: readonly string[],
  program: string,
  port: CommandLinePort,
  permute = true,
): ParsedCommandLine {
  const scan = scanOptions(words, { program, long: longOptions, short: shortOptions, permute });
  const draft: Draft = {
    stacked: false,
    dryRun: false,
    verbosity: 0,
    help: false,
    filesToTest: [],
    filesToExclude: [],
    paths: {},
    setupOptions: [],
    longOptions: [],
    warnings: [],
  };
  for (const option of scan.options) {
    const end = takeOption(draft, option, program, port);
    if (end === 'version') return { kind: 'version', warnings: draft.warnings };
    if (end !== undefined)
      return { kind: 'failure', messages: [...draft.warnings, ...end.messages], exitCode: end.exitCode };
  }
  const sorted = sortWords(scan.operands, program);
  if (sorted instanceof Refusal)
    return { kind: 'failure', messages: [...draft.warnings, ...sorted.messages], exitCode: sorted.exitCode };
  return finish(draft, sorted, program);
}
