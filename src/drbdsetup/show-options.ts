// The options of one block of `show`, printed or left out (drbdsetup.md 5.1, 5.2).
import { optionsInContext, type OptionContext, type OptionSpec } from '../options/catalogue';
import { defaultText, printValue, type OptionValue } from '../options/value';

export interface ShownOption {
  readonly option: OptionSpec;
  /** Without quotes; undefined if the engine does not know the option. */
  readonly text: string | undefined;
  readonly isDefault: boolean;
  readonly value: OptionValue | undefined;
}

export interface ShowSettings {
  readonly showDefaults: boolean;
  /** '9.22': only the options, and the syntax, that drbdadm 9.22 can read. */
  readonly dialect: 'current' | '9.22';
}

/** Options whose default differs from the catalogue's, by name. */
export type DefaultOverrides = Readonly<Record<string, string>>;

function lookUp(values: object, name: string): OptionValue | undefined {
  const value: unknown = Object.hasOwn(values, name) ? Reflect.get(values, name) : undefined;
  return typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string'
    ? value
    : undefined;
}

const optionsOf922 = (option: OptionSpec): boolean => option.since === undefined && option.group !== 'device';

/** The options of a context that are to be shown, in the order of the catalogue. */
export function shownOptions(
  context: OptionContext,
  values: object,
  settings: ShowSettings,
  overrides: DefaultOverrides = {},
): readonly ShownOption[] {
  return optionsInContext(context)
    .filter((option) => settings.dialect === 'current' || optionsOf922(option))
    .map((option) => {
      const value = lookUp(values, option.name);
      const text = value === undefined ? undefined : printValue(option, value);
      const fallback = overrides[option.name] ?? defaultText(option);
      return { option, text, value, isDefault: text === fallback };
    })
    .filter((shown) => shown.text === undefined || settings.showDefaults || !shown.isDefault);
}

export const isQuoted = (option: OptionSpec): boolean =>
  option.kind === 'string' || option.kind === 'key-description';

/** Puts a text in double quotes. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** The lines of one block, without indentation. */
export function optionLines(options: readonly ShownOption[]): readonly string[] {
  return options.map(({ option, text, isDefault }) => {
    if (text === undefined) return `_unknown ${option.name.padEnd(14)};\t# not supported by kernel`;
    const unit = option.kind === 'number' ? option.unit : null;
    const remarks = [...(unit === null ? [] : [unit]), ...(isDefault ? ['default'] : [])];
    const remark = remarks.length === 0 ? '' : ` # ${remarks.join(', ')}`;
    return `${option.name.padEnd(16)}\t${isQuoted(option) ? quoted(text) : text};${remark}`;
  });
}

/** The members of one JSON block; flags are texts, unset keys `(null)`, nothing is escaped (drbdsetup.md 5.2). */
export function optionMembers(options: readonly ShownOption[]): readonly string[] {
  return options.flatMap(({ option, text, value }) => {
    if (text === undefined) return [];
    if (option.kind === 'boolean' && typeof value === 'boolean') return [`"${option.name}": ${value}`];
    if (option.kind === 'key-description' && text === '') return [`"${option.name}": "(null)"`];
    return [`"${option.name}": "${text}"`];
  });
}
