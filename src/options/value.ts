// Option values as text: the two dialects of the real tools (drbd.conf, drbdsetup's command line) and `show`.
import {
  type NumberOption,
  type NumberOrSymbolOption,
  type OptionSpec,
  type Scale,
  type StringOption,
  upperLimit,
} from './option-spec';

/** A parsed value: booleans and flags, numbers in the option's own unit, names and texts as text. */
export type OptionValue = boolean | number | string;

/** What is wrong with a value in a configuration file (config-language.md 3.1). */
export type ValueProblem =
  | { readonly kind: 'not-valid'; readonly allowed: readonly string[] }
  | { readonly kind: 'not-yes-or-no' }
  | { readonly kind: 'not-a-number' }
  | { readonly kind: 'too-small'; readonly min: number }
  | { readonly kind: 'too-big'; readonly max: number }
  | { readonly kind: 'too-long'; readonly maxLength: number };

/** The words after `Value is` in the real tool's message; the extra line, if any, follows a newline. */
export function describeProblem(problem: ValueProblem): string {
  switch (problem.kind) {
    case 'not-valid':
      return problem.allowed.length === 0
        ? 'not valid'
        : `not valid\nAllowed values are: ${problem.allowed.join(' | ')}`;
    case 'not-yes-or-no':
      return "not 'yes' or 'no'";
    case 'not-a-number':
      return 'not a number';
    case 'too-small':
      return 'too small';
    case 'too-big':
      return 'too big';
    case 'too-long':
      return `too long\nmax len: ${problem.maxLength}`;
  }
}

const unlimited64 = (1n << 64n) - 1n;
const scaleBits: Readonly<Record<Scale, number>> = { '1': 0, '': 0, k: 10, s: 9 };
const suffixBits: ReadonlyMap<string, number> = new Map([
  ['K', 10],
  ['k', 10],
  ['M', 20],
  ['m', 20],
  ['G', 30],
  ['g', 30],
  ['s', 9],
]);

/** Multiplies by the suffix and divides, rounding up, by the option's own unit. */
function rescale(value: bigint, suffix: number, scale: Scale): bigint {
  const shift = suffix - scaleBits[scale];
  if (shift >= 0) return value << BigInt(shift);
  const divisor = BigInt(-shift);
  return (value + (1n << divisor) - 1n) >> divisor;
}

/**
 * A number as the configuration parser scans it: unsigned 64 bit with a unit letter, the result in units of
 * `scale`. Too many digits saturate, a minus sign wraps around (both then are `too big`), as with scanf(3).
 * Undefined: not a number.
 */
export function parseConfigNumber(text: string, scale: Scale): bigint | undefined {
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)(.?)$/s.exec(text);
  if (match === null) return undefined;
  const [, sign, digits = '', letter = ''] = match;
  const magnitude = BigInt(digits);
  const saturated = magnitude > unlimited64 ? unlimited64 : magnitude;
  const value = sign === '-' && magnitude <= unlimited64 ? BigInt.asUintN(64, -saturated) : saturated;
  if (letter === '') return value;
  const suffix = suffixBits.get(letter);
  if (suffix === undefined) return undefined;
  const scaled = rescale(value, suffix, scale);
  return scaled > unlimited64 ? undefined : scaled;
}

function checkNumber(option: NumberOption, text: string, is922: boolean): ValueProblem | undefined {
  if (option.checkedInPostparse) return undefined;
  const value = parseConfigNumber(text, option.scale);
  if (value === undefined) return { kind: 'not-a-number' };
  if (option.implicitClamp) return undefined;
  const max = is922 ? (option.in922.max ?? upperLimit(option)) : upperLimit(option);
  if (value < BigInt(option.min)) return { kind: 'too-small', min: option.min };
  return max !== undefined && value > BigInt(max) ? { kind: 'too-big', max } : undefined;
}

function checkNumberOrSymbol(option: NumberOrSymbolOption, text: string): ValueProblem | undefined {
  if (option.symbols.includes(text)) return undefined;
  const unsigned = parseConfigNumber(text, option.scale);
  if (unsigned === undefined) return { kind: 'not-valid', allowed: [] };
  // Unlike plain numbers these are compared signed (checked against 9.22).
  const value = BigInt.asIntN(64, unsigned);
  if (value < BigInt(option.min)) return { kind: 'too-small', min: option.min };
  return value > BigInt(option.max) ? { kind: 'too-big', max: option.max } : undefined;
}

function checkString(option: StringOption, text: string, is922: boolean): ValueProblem | undefined {
  const limit = is922 && option.in922.maxLength !== undefined ? option.in922.maxLength : option.maxLength;
  return limit !== null && text.length > limit ? { kind: 'too-long', maxLength: limit } : undefined;
}

function sameWord(a: string, b: string, caseSensitive: boolean): boolean {
  return a === b || (!caseSensitive && a.toLowerCase() === b.toLowerCase());
}

/**
 * Checks a value of a configuration file as the real drbdadm does; undefined means it is accepted.
 * `dialect` '9.22' applies the limits of that release.
 */
export function checkConfigValue(
  option: OptionSpec,
  text: string,
  dialect: 'current' | '9.22' = 'current',
): ValueProblem | undefined {
  const is922 = dialect === '9.22';
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return text === 'yes' || text === 'no' ? undefined : { kind: 'not-yes-or-no' };
    case 'enum':
      return option.values.some((value) => sameWord(value, text, option.caseSensitive))
        ? undefined
        : { kind: 'not-valid', allowed: option.values };
    case 'number':
      return checkNumber(option, text, is922);
    case 'number-or-symbol':
      return checkNumberOrSymbol(option, text);
    case 'string':
      return checkString(option, text, is922);
    case 'key-description':
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      return undefined;
  }
}

/** Why drbdsetup refuses a number on its command line (drbdsetup.md 1.4). */
export type NumberRefusal = 'empty' | 'not a valid number' | 'not a valid unit' | 'out of range';

const signedMax = (1n << 63n) - 1n;

/**
 * A number as drbdsetup reads it: signed 64 bit (saturating), one optional unit letter, no range check. The
 * result is in units of `scale`.
 */
export function parseCommandNumber(
  text: string,
  scale: Scale,
): { readonly value: bigint } | { readonly refusal: NumberRefusal } {
  if (text === '') return { refusal: 'empty' };
  const match = /^[ \t\n\v\f\r]*([+-]?[0-9]+)(.?)$/s.exec(text);
  if (match === null) return { refusal: 'not a valid number' };
  const [, digits = '', letter = ''] = match;
  const exact = BigInt(digits.startsWith('+') ? digits.slice(1) : digits);
  const value = exact > signedMax ? signedMax : exact < -signedMax - 1n ? -signedMax - 1n : exact;
  if (letter === '') return { value };
  const suffix = suffixBits.get(letter);
  if (suffix === undefined) return { refusal: 'not a valid unit' };
  const scaled = rescale(value, suffix, scale);
  return scaled > signedMax || scaled < -signedMax - 1n ? { refusal: 'out of range' } : { value: scaled };
}

/**
 * The value a checked configuration text stands for. Call it only for values that `checkConfigValue` accepts;
 * anything else gives undefined. Strings and key descriptions are the text itself.
 */
export function parseConfigValue(option: OptionSpec, text: string): OptionValue | undefined {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return text === 'yes' ? true : text === 'no' ? false : undefined;
    case 'enum':
      return option.values.find((value) => sameWord(value, text, option.caseSensitive));
    case 'number': {
      const command = option.min < 0 ? parseCommandNumber(text, option.scale) : undefined;
      if (command !== undefined) return 'value' in command ? Number(command.value) : undefined;
      const value = parseConfigNumber(text, option.scale);
      return value === undefined ? undefined : Number(value);
    }
    case 'number-or-symbol': {
      if (option.symbols.includes(text)) return text;
      const value = parseConfigNumber(text, option.scale);
      return value === undefined ? undefined : Number(value);
    }
    case 'string':
    case 'key-description':
      return text;
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      return undefined;
  }
}

/** True if both texts mean the same value of this option (`1M` = `1024k`); texts that do not parse compare as text. */
export function sameValue(option: OptionSpec, a: string, b: string): boolean {
  if (a === b) return true;
  const valueA = parseConfigValue(option, a);
  return valueA !== undefined && valueA === parseConfigValue(option, b);
}

/**
 * True if the text means the built-in default, as `adjust` and `show` see it: for strings only the empty string
 * is the default (drbdadm.md 11.2).
 */
export function isDefaultText(option: OptionSpec, text: string): boolean {
  const fallback = defaultText(option);
  return fallback !== undefined && sameValue(option, text, fallback);
}

/** The default as `show` prints it, without quotes; undefined if the kind has none. */
export function defaultText(option: OptionSpec): string | undefined {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
    case 'enum':
    case 'number-or-symbol':
      return option.default;
    case 'number':
      return option.default === null ? undefined : `${option.default}${option.unitLetter}`;
    case 'string':
      return option.default ?? undefined;
    case 'key-description':
      return '';
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      return undefined;
  }
}

/** A value as `drbdsetup show` prints it, without quotes: numbers carry their unit letter. */
export function printValue(option: OptionSpec, value: OptionValue): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number' && (option.kind === 'number' || option.kind === 'number-or-symbol')) {
    return `${value}${option.unitLetter}`;
  }
  return String(value);
}
