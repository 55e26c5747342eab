// The shape of one option, one type per kind, read from the catalogue's JSON with checks instead of casts.

export type OptionGroup =
  | 'resource'
  | 'connection'
  | 'device-disk'
  | 'device'
  | 'peer-device'
  | 'command'
  | 'drbdsetup-only'
  | 'drbdadm-command'
  | 'startup'
  | 'handlers'
  | 'proxy'
  | 'global';

/** Unit of a bare number: '1' none, 'k' KiB, 's' 512-byte sectors, '' no units at all. */
export type Scale = '1' | 'k' | 's' | '';

interface OptionCommon {
  /** Unique: `group.name`. */
  readonly id: string;
  readonly name: string;
  readonly group: OptionGroup;
  readonly configSections: readonly string[];
  readonly drbdsetupCommands: readonly string[];
  /** `--name` alone is allowed on drbdsetup's command line (means yes). */
  readonly argumentOptional: boolean;
  /** First release with the option; absent: already in 9.22. */
  readonly since?: string;
  /** The configuration parser accepts it only since this release. */
  readonly configSince?: string;
  readonly note?: string;
  /** Changing it means deleting and recreating the peer. */
  readonly immutable: boolean;
  /** Created by the tools themselves (`_name`). */
  readonly internal: boolean;
}

export interface BooleanOption extends OptionCommon {
  readonly kind: 'boolean';
  readonly default: 'yes' | 'no';
}
/** A boolean that is only sent when it is yes. */
export interface FlagOption extends OptionCommon {
  readonly kind: 'flag';
  readonly default: 'yes' | 'no';
}
export interface EnumOption extends OptionCommon {
  readonly kind: 'enum';
  readonly values: readonly string[];
  readonly default: string;
  readonly caseSensitive: boolean;
}
export interface NumberOption extends OptionCommon {
  readonly kind: 'number';
  /** In the option's own unit. */
  readonly min: number;
  readonly max: number;
  /** null: no default (unset). */
  readonly default: number | null;
  readonly scale: Scale;
  /** What `show` appends to the number. */
  readonly unitLetter: string;
  readonly unit: string | null;
  /** Out-of-range values are accepted by the parser and clamped later. */
  readonly implicitClamp: boolean;
  /** Not checked while parsing (resync-after). */
  readonly checkedInPostparse: boolean;
  readonly in922: { readonly max?: number };
}
export interface NumberOrSymbolOption extends OptionCommon {
  readonly kind: 'number-or-symbol';
  readonly symbols: readonly string[];
  readonly min: number;
  readonly max: number;
  readonly default: string;
  readonly scale: Scale;
  readonly unitLetter: string;
}
export interface StringOption extends OptionCommon {
  readonly kind: 'string';
  /** Longest accepted length in bytes; null: no limit of its own. */
  readonly maxLength: number | null;
  readonly default: string | null;
  readonly in922: { readonly maxLength?: number | null };
}
export interface KeyDescriptionOption extends OptionCommon {
  readonly kind: 'key-description';
  readonly keyType: string;
}
/** No value at all. */
export interface SwitchOption extends OptionCommon {
  readonly kind: 'switch';
}
/** drbdadm hands the text to the back end unchecked. */
export interface PassthroughOption extends OptionCommon {
  readonly kind: 'passthrough';
  readonly drbdadmContext: string;
}
export interface PluginListOption extends OptionCommon {
  readonly kind: 'plugin-list';
}
export interface IgnoredLegacyOption extends OptionCommon {
  readonly kind: 'ignored-legacy';
}

export type OptionSpec =
  | BooleanOption
  | FlagOption
  | EnumOption
  | NumberOption
  | NumberOrSymbolOption
  | StringOption
  | KeyDescriptionOption
  | SwitchOption
  | PassthroughOption
  | PluginListOption
  | IgnoredLegacyOption;
export type OptionKind = OptionSpec['kind'];

/** One entry of grammar/options.json as TypeScript sees it: the union of all keys, unchecked. */
export interface RawOption {
  readonly id: string;
  readonly name: string;
  readonly group: string;
  readonly kind: string;
  readonly configSections: readonly string[];
  readonly drbdsetupCommands: readonly string[];
  readonly argumentOptional?: boolean | null;
  readonly since?: string;
  readonly configSince?: string;
  readonly note?: string;
  readonly immutable?: boolean;
  readonly internal?: boolean;
  readonly default?: string | number | null;
  readonly values?: readonly string[];
  readonly caseSensitive?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly scale?: string;
  readonly unitLetter?: string;
  readonly unit?: string | null;
  readonly implicitClamp?: boolean;
  readonly checkedInPostparse?: boolean;
  readonly symbols?: readonly string[];
  readonly maxLength?: number | null;
  readonly keyType?: string;
  readonly drbdadmContext?: string;
  readonly in_9_22?: { readonly max?: number; readonly maxLength?: number | null };
}

const groups: readonly OptionGroup[] = [
  'resource',
  'connection',
  'device-disk',
  'device',
  'peer-device',
  'command',
  'drbdsetup-only',
  'drbdadm-command',
  'startup',
  'handlers',
  'proxy',
  'global',
];

function malformed(raw: RawOption, what: string): never {
  throw new TypeError(`grammar/options.json: ${raw.id}: ${what}`);
}

function required<T>(raw: RawOption, key: string, value: T | undefined): T {
  return value === undefined ? malformed(raw, `${key} is missing`) : value;
}

function yesNo(raw: RawOption): 'yes' | 'no' {
  return raw.default === 'yes' || raw.default === 'no'
    ? raw.default
    : malformed(raw, 'default is not yes or no');
}

function text(raw: RawOption): string {
  return typeof raw.default === 'string' ? raw.default : malformed(raw, 'default is not text');
}

function numberDefault(raw: RawOption): number | null {
  if (raw.default === null || typeof raw.default === 'number') return raw.default;
  return malformed(raw, 'default is not a number');
}

function scale(raw: RawOption): Scale {
  switch (raw.scale) {
    case '1':
    case 'k':
    case 's':
    case '':
      return raw.scale;
    case undefined:
      return '1';
    default:
      return malformed(raw, `unknown scale ${raw.scale}`);
  }
}

function common(raw: RawOption): OptionCommon {
  return {
    id: raw.id,
    name: raw.name,
    group: groups.find((group) => group === raw.group) ?? malformed(raw, `unknown group ${raw.group}`),
    configSections: raw.configSections,
    drbdsetupCommands: raw.drbdsetupCommands,
    argumentOptional: raw.argumentOptional ?? false,
    immutable: raw.immutable ?? false,
    internal: raw.internal ?? false,
    ...(raw.since === undefined ? {} : { since: raw.since }),
    ...(raw.configSince === undefined ? {} : { configSince: raw.configSince }),
    ...(raw.note === undefined ? {} : { note: raw.note }),
  };
}

/** Turns one JSON entry into its typed form; throws TypeError naming the option if it is malformed. */
export function readOption(raw: RawOption): OptionSpec {
  const base = common(raw);
  switch (raw.kind) {
    case 'boolean':
      return { ...base, kind: 'boolean', default: yesNo(raw) };
    case 'flag':
      return { ...base, kind: 'flag', default: yesNo(raw) };
    case 'enum':
      return {
        ...base,
        kind: 'enum',
        values: required(raw, 'values', raw.values),
        default: text(raw),
        caseSensitive: raw.caseSensitive ?? true,
      };
    case 'number':
      return readNumber(raw, base);
    case 'number-or-symbol':
      return {
        ...base,
        kind: 'number-or-symbol',
        symbols: required(raw, 'symbols', raw.symbols),
        min: required(raw, 'min', raw.min),
        max: required(raw, 'max', raw.max),
        default: text(raw),
        scale: scale(raw),
        unitLetter: raw.unitLetter ?? '',
      };
    case 'string':
      return {
        ...base,
        kind: 'string',
        maxLength: raw.maxLength ?? null,
        default: raw.default === null ? null : text(raw),
        in922: raw.in_9_22 ?? {},
      };
    case 'key-description':
      return { ...base, kind: 'key-description', keyType: required(raw, 'keyType', raw.keyType) };
    case 'passthrough':
      return {
        ...base,
        kind: 'passthrough',
        drbdadmContext: required(raw, 'drbdadmContext', raw.drbdadmContext),
      };
    case 'switch':
    case 'plugin-list':
    case 'ignored-legacy':
      return { ...base, kind: raw.kind };
    default:
      return malformed(raw, `unknown kind ${raw.kind}`);
  }
}

function readNumber(raw: RawOption, base: OptionCommon): NumberOption {
  return {
    ...base,
    kind: 'number',
    min: required(raw, 'min', raw.min),
    max: required(raw, 'max', raw.max),
    default: numberDefault(raw),
    scale: scale(raw),
    unitLetter: raw.unitLetter ?? '',
    unit: raw.unit ?? null,
    implicitClamp: raw.implicitClamp ?? false,
    checkedInPostparse: raw.checkedInPostparse ?? false,
    in922: raw.in_9_22?.max === undefined ? {} : { max: raw.in_9_22.max },
  };
}

/** A number's upper end in its own unit; undefined where the catalogue says "effectively unlimited" (beyond 2^53). */
export function upperLimit(option: { readonly max: number }): number | undefined {
  return option.max > Number.MAX_SAFE_INTEGER ? undefined : option.max;
}
