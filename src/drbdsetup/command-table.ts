// The commands of drbdsetup: what stands in front of their arguments and which options they take.
import {
  drbdsetupCommand,
  drbdsetupCommandNames,
  optionById,
  optionsInContext,
  type OptionSpec,
} from '../options/catalogue';
import { type LongOption } from './getopt';

export type ContextKind = 'resource' | 'minor' | 'peer_node_id' | 'volume';
const contextKinds: readonly ContextKind[] = ['resource', 'minor', 'peer_node_id', 'volume'];

export interface CommandDefinition {
  readonly name: string;
  readonly summary: string;
  /** Taken from the arguments in this order. */
  readonly context: readonly ContextKind[];
  /** `all` may stand for the resource. */
  readonly acceptsAll: boolean;
  /** The command's own arguments. */
  readonly own: readonly string[];
  /** Options of the command line alone (`--json`, `--set-defaults`). */
  readonly plain: readonly OptionSpec[];
  /** Options that go into the request. */
  readonly fields: readonly OptionSpec[];
  /** The command takes options in principle (new-path takes none of them). */
  readonly hasFields: boolean;
}

// Here the peer's id is an argument of the command, not its context.
const ownPeerNodeId = ['forget-peer'];
const withoutFields = ['new-path', 'del-path'];

const isPlain = (option: OptionSpec): boolean =>
  option.group === 'drbdsetup-only' || option.group === 'startup';

function define(name: string): CommandDefinition {
  const spec = drbdsetupCommand(name);
  if (spec === undefined) throw new RangeError(`no drbdsetup command ${name}`);
  const context: ContextKind[] = [];
  const own: string[] = [];
  for (const argument of spec.arguments) {
    const plainName = argument === '{resource|all}' ? 'resource' : argument;
    const kind = contextKinds.find((candidate) => candidate === plainName);
    const isOwn = own.length > 0 || (kind === 'peer_node_id' && ownPeerNodeId.includes(name));
    if (kind === undefined || isOwn) own.push(argument);
    else context.push(kind);
  }
  const fields = spec.options.filter((option) => !isPlain(option));
  return {
    name,
    summary: spec.summary,
    context,
    acceptsAll: spec.arguments.includes('{resource|all}'),
    own,
    plain: spec.options.filter(isPlain),
    fields,
    hasFields: fields.length > 0 || withoutFields.includes(name),
  };
}

const definitions = new Map<string, CommandDefinition>();

/** The definition of a command; undefined for a name that is none. */
export function findCommand(name: string): CommandDefinition | undefined {
  let definition = definitions.get(name);
  if (definition === undefined) {
    if (!drbdsetupCommandNames().includes(name)) return undefined;
    definition = define(name);
    definitions.set(name, definition);
  }
  return definition;
}

const shortLetters: Readonly<Record<string, string>> = {
  'set-defaults': '(',
  'show-defaults': 'D',
  json: 'j',
  verbose: 'v',
  statistics: 's',
  color: 'c',
  timestamps: 'T',
  now: 'n',
  poll: 'p',
  full: 'f',
  diff: 'i',
  'wfc-timeout': 't',
  'degr-wfc-timeout': 'd',
  'outdated-wfc-timeout': 'o',
  'wait-after-sb': 'w',
};
const optionalValue = ['color', 'diff', 'wait-after-sb'];

function plainOption(option: OptionSpec): LongOption {
  const short = shortLetters[option.name];
  const takesValue = option.kind === 'switch' ? 'none' : 'required';
  return {
    name: option.name,
    argument: optionalValue.includes(option.name) ? 'optional' : takesValue,
    ...(short === undefined ? {} : { short }),
  };
}

function fieldOption(option: OptionSpec): LongOption {
  const optional = option.kind === 'boolean' || option.kind === 'flag';
  return { name: option.name, argument: optional ? 'optional' : 'required' };
}

/** Other names of options, by command. */
export const aliases: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  primary: { 'overwrite-data-of-peer': 'force' },
  connect: { 'dry-run': 'tentative' },
};

// Options of DRBD 8.4 that moved to other commands (drbdsetup.md 10.4).
const attach84 = ['net.fencing'];

/** DRBD 8.4 options a command still accepts: attach those of the peer, connect those of the network. */
export function options84(command: string): readonly OptionSpec[] {
  if (command === 'attach') {
    const moved = attach84.map(optionById);
    const rates = optionsInContext('peer_device_options').slice(0, 6);
    return [...moved, ...rates];
  }
  return command === 'connect'
    ? optionsInContext('net_options').filter((option) => option.name !== '_name')
    : [];
}

const recognised = new WeakMap<CommandDefinition, readonly LongOption[]>();

/** Everything getopt is to recognise for a command. */
export function longOptions(command: CommandDefinition): readonly LongOption[] {
  let options = recognised.get(command);
  if (options === undefined) {
    options = listOptions(command);
    recognised.set(command, options);
  }
  return options;
}

function listOptions(command: CommandDefinition): readonly LongOption[] {
  const names = aliases[command.name] ?? {};
  const own = [...command.plain.map(plainOption), ...command.fields.map(fieldOption)];
  return [
    ...own,
    ...Object.entries(names).map(([alias, name]) => ({
      name: alias,
      argument: own.find((option) => option.name === name)?.argument ?? 'none',
    })),
    ...options84(command.name)
      .map(fieldOption)
      .filter((option) => own.every((other) => other.name !== option.name)),
  ];
}
