// Options of a command line as typed values (drbdsetup.md 1.4).
import { optionsInContext, type OptionContext, type OptionSpec } from '../options/catalogue';
import {
  type DeviceOptions,
  type DiskOptions,
  type NetOptions,
  type PeerDeviceOptions,
  type ResourceOptions,
} from '../options/option-values';
import { type NumberOption, type NumberOrSymbolOption } from '../options/option-spec';
import { parseCommandNumber, type OptionValue } from '../options/value';
import { aliases, options84, type CommandDefinition } from './command-table';
import { numberRefused } from './context-arguments';
import { type GivenOption } from './getopt';
import { CommandExit } from './io';

export type OptionValues = Readonly<Record<string, OptionValue>>;

export interface ParsedOptions {
  readonly values: OptionValues;
  /** Plain options as typed, in order. */
  readonly plain: readonly GivenOption[];
  /** DRBD 8.4 options that do not belong to this command any more, as typed. */
  readonly legacy: readonly { readonly option: OptionSpec; readonly value: string }[];
}

function invalid(option: OptionSpec, text: string): CommandExit {
  return new CommandExit(20, `Option --${option.name}: invalid argument '${text}'\n`);
}

/** Numbers are cut to the width of their field without a word, as in the real tool. */
function toWidth(value: bigint, option: NumberOption | NumberOrSymbolOption): number {
  if (option.max > 0xffffffff) return Number(value);
  return Number(option.min < 0 ? BigInt.asIntN(32, value) : BigInt.asUintN(32, value));
}

function numberValue(option: NumberOption | NumberOrSymbolOption, text: string): number | undefined {
  const parsed = parseCommandNumber(text, option.scale);
  if ('value' in parsed) return toWidth(parsed.value, option);
  if (option.kind === 'number-or-symbol') return undefined;
  throw numberRefused(text, parsed.refusal);
}

/** Numbers that mean a symbol of quorum and quorum-minimum-redundancy. */
const symbolOfNumber: Readonly<Record<number, string>> = { 0: 'off', 1024: 'majority', 1025: 'all' };

/** One value; throws CommandExit if it is refused. */
function optionValue(option: OptionSpec, text: string | undefined): OptionValue {
  switch (option.kind) {
    case 'boolean':
    case 'flag': {
      if (text === undefined || text === 'yes') return true;
      if (text === 'no') return false;
      throw invalid(option, text);
    }
    case 'enum': {
      const same = (value: string): boolean =>
        value === text || (!option.caseSensitive && value.toLowerCase() === text?.toLowerCase());
      const found = option.values.find(same);
      if (found === undefined) throw invalid(option, text ?? '');
      return found;
    }
    case 'number':
      return numberValue(option, text ?? '') ?? 0;
    case 'number-or-symbol': {
      if (text !== undefined && option.symbols.includes(text)) return text;
      const value = numberValue(option, text ?? '');
      if (value === undefined) throw invalid(option, text ?? '');
      return symbolOfNumber[value] ?? value;
    }
    case 'string':
    case 'key-description':
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      return text ?? '';
  }
}

/** Sorts the given options and parses those that go into the request; throws CommandExit. */
export function parseOptions(command: CommandDefinition, given: readonly GivenOption[]): ParsedOptions {
  const values: Record<string, OptionValue> = {};
  const plain: GivenOption[] = [];
  const legacy: { option: OptionSpec; value: string }[] = [];
  for (const { name: typed, value } of given) {
    const name = aliases[command.name]?.[typed] ?? typed;
    const field = command.fields.find((option) => option.name === name);
    const old = options84(command.name).find((option) => option.name === name);
    if (field !== undefined) {
      const parsed = optionValue(field, value);
      // Only the yes of a flag is sent: a later no does not take it back.
      if (field.kind !== 'flag' || parsed === true) values[name] = parsed;
    } else if (old !== undefined) {
      optionValue(old, value);
      legacy.push({ option: old, value: value ?? 'yes' });
    } else plain.push({ name, value });
  }
  return { values, plain, legacy };
}

interface OptionRecords {
  resource_options: ResourceOptions;
  show_net_options: NetOptions;
  attach: DiskOptions;
  device_options: DeviceOptions;
  peer_device_options: PeerDeviceOptions;
}

function fits(option: OptionSpec, value: OptionValue): boolean {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number';
    case 'enum':
      return typeof value === 'string' && option.values.includes(value);
    case 'number-or-symbol':
      return typeof value === 'number' || option.symbols.includes(String(value));
    default:
      return typeof value === 'string';
  }
}

function belong<C extends keyof OptionRecords & OptionContext>(
  context: C,
  values: object,
): values is OptionRecords[C] {
  const options = optionsInContext(context);
  return Object.entries(values).every(([name, value]) =>
    options.some((option) => option.name === name && fits(option, value)),
  );
}

/** The values as the option record of a context; throws TypeError if one does not belong to it. */
export function asRecord<C extends keyof OptionRecords & OptionContext>(
  context: C,
  values: OptionValues,
): OptionRecords[C] {
  const copy: object = { ...values };
  if (!belong(context, copy)) throw new TypeError(`options are not those of ${context}`);
  return copy;
}
