// Typed access to grammar/options.json, the one list of every option (design.md section 2).
import type json from '../../grammar/options.json';
import { readOption, type OptionSpec, type RawOption } from './option-spec';

export type * from './option-spec';

/** Names of the ordered option lists in `contexts`: what a section or a command accepts. */
export type OptionContext = keyof typeof json.contexts;
/** Names of the drbdsetup commands the catalogue knows. */
export type DrbdsetupCommandName = keyof typeof json.drbdsetupCommandArguments;

let document: typeof json | undefined;

/** Made when it is wanted: many commands ask for no option. */
function catalogue(): typeof json {
  return (document ??= require('../../grammar/options.json') as typeof json);
}

let rawById: ReadonlyMap<string, RawOption> | undefined;
function rawOptions(): ReadonlyMap<string, RawOption> {
  return (rawById ??= new Map<string, RawOption>(catalogue().options.map((raw) => [raw.id, raw])));
}

const readById = new Map<string, OptionSpec>();

/**
 * The option with this unique id (`net.protocol`), checked when it is first wanted; throws RangeError for an id that is not
 * in the catalogue.
 */
export function optionById(id: string): OptionSpec {
  let option = readById.get(id);
  if (option === undefined) {
    const raw = rawOptions().get(id);
    if (raw === undefined) throw new RangeError(`the option catalogue has no ${id}`);
    option = readOption(raw);
    readById.set(id, option);
  }
  return option;
}

/** Every option in the order of the catalogue, which is the order of help, XML and `show`. */
export function allOptions(): readonly OptionSpec[] {
  return [...rawOptions().keys()].map(optionById);
}

const contextCache = new Map<OptionContext, readonly OptionSpec[]>();

/** The options of one context, ordered. */
export function optionsInContext(context: OptionContext): readonly OptionSpec[] {
  let options = contextCache.get(context);
  if (options === undefined) {
    options = catalogue().contexts[context].map(optionById);
    contextCache.set(context, options);
  }
  return options;
}

/** The ids of the options of one context, ordered. */
export function optionIdsInContext(context: OptionContext): readonly string[] {
  return catalogue().contexts[context];
}

/** The name in an option's id: all behind the first dot. */
export function nameInId(id: string): string {
  return id.slice(id.indexOf('.') + 1);
}

/** Looks an option up by name in a context; undefined if the context does not accept it. */
export function findOption(context: OptionContext, name: string): OptionSpec | undefined {
  const id = optionIdsInContext(context).find((known) => nameInId(known) === name);
  return id === undefined ? undefined : optionById(id);
}

/** Options a configuration section keyword (`net`, `disk`, ...) may hold, whatever their group. */
export function optionsInSection(section: string): readonly OptionSpec[] {
  return allOptions().filter((option) => option.configSections.includes(section));
}

/** Options of one group (`connection`, `handlers`, ...). */
export function optionsInGroup(group: OptionSpec['group']): readonly OptionSpec[] {
  return allOptions().filter((option) => option.group === group);
}

export interface DrbdsetupCommandSpec {
  readonly name: string;
  readonly summary: string;
  /** Context arguments first, then the command's own; `{resource|all}` marks a choice. */
  readonly arguments: readonly string[];
  readonly options: readonly OptionSpec[];
  /** First release with the command; absent: already in 9.22. */
  readonly since?: string;
}

interface RawCommand {
  readonly summary: string;
  readonly arguments: readonly string[];
  readonly options: readonly string[];
  readonly since?: string;
}

function readCommand(name: string, raw: RawCommand): DrbdsetupCommandSpec {
  const candidates = allOptions().filter((option) => option.drbdsetupCommands.includes(name));
  const options = raw.options.map((optionName) => {
    const option = candidates.find((candidate) => candidate.name === optionName);
    if (option === undefined) throw new RangeError(`the option catalogue has no ${name} --${optionName}`);
    return option;
  });
  return {
    name,
    summary: raw.summary,
    arguments: raw.arguments,
    options,
    ...(raw.since === undefined ? {} : { since: raw.since }),
  };
}

let rawCommands: ReadonlyMap<string, RawCommand> | undefined;
function commands(): ReadonlyMap<string, RawCommand> {
  return (rawCommands ??= new Map(Object.entries<RawCommand>(catalogue().drbdsetupCommandArguments)));
}

/** Names of all drbdsetup commands in the order of its help. */
export function drbdsetupCommandNames(): readonly string[] {
  return [...commands().keys()];
}

/** One drbdsetup command with its arguments and options in help order; undefined for an unknown name. */
export function drbdsetupCommand(name: string): DrbdsetupCommandSpec | undefined {
  const raw = commands().get(name);
  return raw === undefined ? undefined : readCommand(name, raw);
}

/** The option context of a drbdadm command; `*` means the text is handed on unchecked. */
export function drbdadmCommandContext(command: string): string | undefined {
  return new Map<string, string>(Object.entries(catalogue().drbdadmCommandContexts)).get(command);
}

let deprecatedAliases: ReadonlyMap<string, string> | undefined;

/** Old option names inside `syncer { }` and what they mean today (config-language.md 3.3). */
export function deprecatedAlias(name: string): string | undefined {
  deprecatedAliases ??= new Map<string, string>(Object.entries(catalogue().deprecatedAliases));
  return name === 'comment' ? undefined : deprecatedAliases.get(name);
}
