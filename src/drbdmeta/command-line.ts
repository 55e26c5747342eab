/*
 * drbdmeta's options (metadata.md 8.1), scanned as GNU getopt_long does: options anywhere, long names abbreviated.
 */
import { parseNumber } from './number-text';
import { Refusal } from './refusal';

export type BitmapMode = 'automatic' | 'zeroout' | 'pwrite' | 'set-all' | 'skip';
export type OutputFormat = 'auto' | 'hex' | 'bin' | 'json';

export interface Options {
  force: boolean;
  quiet: boolean;
  verbose: number;
  ignoreSanityChecks: boolean;
  dryRun: boolean;
  json: boolean;
  nodeId?: number;
  peerMaxBioSize?: number;
  alStripes?: bigint;
  /** In units of 4 KiB, truncated. */
  alStripeSize4k?: bigint;
  initializeBitmap: BitmapMode;
  /** As typed: it is checked later. */
  bitmapBlockSize?: { readonly text: string; readonly value: bigint };
  effectiveSize?: bigint;
  diskfulPeers?: number;
  outputFormat?: OutputFormat;
  initialCurrentUuid?: string;
  consistent: boolean;
  uptodate: boolean;
  peersOutdated: boolean;
  rotateUuids: boolean;
  varLibDrbd?: string;
}

export interface CommandLine {
  readonly options: Options;
  readonly words: readonly string[];
  /** All arguments as getopt leaves them: options first. For the dump's header. */
  readonly reordered: readonly string[];
}

/** A broken command line: the message goes to standard error, the usage to standard output. */
export class UsageError extends Refusal {
  constructor(message: string) {
    super(20, message);
  }
}

type Setter = (options: Options, value: string) => void;
interface OptionRule {
  readonly short?: string;
  readonly argument: boolean;
  readonly set: Setter;
}

const BITMAP_MODES: readonly BitmapMode[] = ['automatic', 'zeroout', 'pwrite', 'set-all', 'skip'];
const OUTPUT_FORMATS: readonly OutputFormat[] = ['auto', 'hex', 'bin', 'json'];

function flag(set: (options: Options) => void, short?: string): OptionRule {
  return short === undefined ? { argument: false, set } : { argument: false, set, short };
}
function valued(set: Setter, short?: string): OptionRule {
  return short === undefined ? { argument: true, set } : { argument: true, set, short };
}

const RULES: ReadonlyMap<string, OptionRule> = new Map([
  ['force', flag((o) => (o.force = true), 'f')],
  ['quiet', flag((o) => (o.quiet = true), 'q')],
  ['verbose', flag((o) => o.verbose++, 'v')],
  ['ignore-sanity-checks', flag((o) => (o.ignoreSanityChecks = true))],
  ['dry-run', flag((o) => (o.dryRun = true))],
  ['tentative', flag((o) => (o.dryRun = true))],
  ['node-id', valued((o, text) => (o.nodeId = ranged(text, 31n, 'node-id out of range (0...31)')), 'i')],
  [
    'peer-max-bio-size',
    valued(
      (o, text) => (o.peerMaxBioSize = ranged(text, 1048576n, 'peer-max-bio-size out of range (0...1M)')),
      'p',
    ),
  ],
  ['al-stripes', valued((o, text) => (o.alStripes = parseNumber(text)), 's')],
  ['al-stripe-size-kB', valued((o, text) => (o.alStripeSize4k = parseNumber(text, 10) / 4n), 'z')],
  ['initialize-bitmap', valued(setBitmapMode, 'b')],
  ['bitmap-block-size', valued((o, text) => (o.bitmapBlockSize = { text, value: parseNumber(text) }), 'B')],
  ['effective-size', valued((o, text) => (o.effectiveSize = parseNumber(text, 9)), 'Z')],
  ['diskful-peers', valued((o, text) => (o.diskfulPeers = parseNodeList(text)), 'D')],
  ['output-format', valued(setOutputFormat, 'o')],
  ['initial-current-uuid', valued((o, text) => (o.initialCurrentUuid = text))],
  ['consistent', flag((o) => (o.consistent = true))],
  ['uptodate', flag((o) => (o.uptodate = true))],
  ['peers-outdated', flag((o) => (o.peersOutdated = true))],
  ['rotate-uuids', flag((o) => (o.rotateUuids = true))],
  ['var-lib-drbd', valued((o, text) => (o.varLibDrbd = text))],
  ['json', flag((o) => (o.json = true))],
]);
/** Long names. */
export const optionNames: readonly string[] = [...RULES.keys()];
const SHORT: ReadonlyMap<string, OptionRule> = new Map(
  [...RULES.values()].flatMap((rule) => (rule.short === undefined ? [] : [[rule.short, rule] as const])),
);

function ranged(text: string, max: bigint, message: string): number {
  const value = parseNumber(text);
  if (value > max) throw new Refusal(10, `${message}\n`);
  return Number(value);
}

function setBitmapMode(options: Options, text: string): void {
  const mode = BITMAP_MODES.find((candidate) => candidate === text);
  if (mode === undefined)
    throw new Refusal(
      10,
      `invalid initialize-bitmap mode "${text}", should be one of ${BITMAP_MODES.join('|')}\n`,
    );
  options.initializeBitmap = mode;
}

function setOutputFormat(options: Options, text: string): void {
  const format = OUTPUT_FORMATS.find((candidate) => candidate === text);
  if (format === undefined) throw new Refusal(10, `Unknown output format '${text}'\n`);
  options.outputFormat = format;
}

function parseNodeList(text: string): number {
  const bad = (rest: string) => new Refusal(10, `invalid node list / mask value '${rest}'\n`);
  if (/^0x/i.test(text)) {
    const digits = text.slice(2);
    if (!/^[0-9a-f]{1,16}$/i.test(digits)) throw bad(digits);
    return Number(BigInt.asUintN(32, BigInt(`0x${digits}`)));
  }
  let mask = 0;
  let rest = text;
  for (;;) {
    const match = /^([0-9]+)(,|$)/.exec(rest);
    if (match === null || Number(match[1]) > 31) throw bad(rest);
    mask = (mask | (1 << Number(match[1]))) >>> 0;
    if (match[2] === '') return mask;
    rest = rest.slice(match[0].length);
  }
}

/** Scans the arguments (without the program name). Throws UsageError or, for a bad value, Refusal. */
export function parseCommandLine(argv: readonly string[], programName: string): CommandLine {
  const options: Options = {
    force: false,
    quiet: false,
    verbose: 0,
    ignoreSanityChecks: false,
    dryRun: false,
    json: false,
    initializeBitmap: 'automatic',
    consistent: false,
    uptodate: false,
    peersOutdated: false,
    rotateUuids: false,
  };
  if (argv.length < 3) throw new UsageError('');
  const words: string[] = [];
  const leading: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    if (argument === '--') {
      leading.push(argument);
      words.push(...argv.slice(i + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      words.push(argument);
      continue;
    }
    const used = argument.startsWith('--')
      ? scanLong(argument, argv[i + 1], options, programName)
      : scanShort(argument, argv[i + 1], options, programName);
    leading.push(...argv.slice(i, i + 1 + used));
    i += used;
  }
  return { options, words, reordered: [...leading, ...words] };
}

/** Returns how many following arguments were consumed. */
function scanLong(argument: string, next: string | undefined, options: Options, program: string): number {
  const equals = argument.indexOf('=');
  const typed = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
  const value = equals < 0 ? undefined : argument.slice(equals + 1);
  const names = RULES.has(typed) ? [typed] : [...RULES.keys()].filter((name) => name.startsWith(typed));
  const [name] = names;
  const rule = name === undefined ? undefined : RULES.get(name);
  if (rule === undefined || name === undefined)
    throw new UsageError(
      `${program}: unrecognized option '--${typed}${value === undefined ? '' : `=${value}`}'\n`,
    );
  if (names.length > 1) {
    const possible = names.map((candidate) => ` '--${candidate}'`).join('');
    throw new UsageError(`${program}: option '${argument}' is ambiguous; possibilities:${possible}\n`);
  }
  if (!rule.argument) {
    if (value !== undefined)
      throw new UsageError(`${program}: option '--${name}' doesn't allow an argument\n`);
    rule.set(options, '');
    return 0;
  }
  const text = value ?? next;
  if (text === undefined) throw new UsageError(`${program}: option '--${name}' requires an argument\n`);
  rule.set(options, text);
  return value === undefined ? 1 : 0;
}

function scanShort(argument: string, next: string | undefined, options: Options, program: string): number {
  for (let i = 1; i < argument.length; i++) {
    const letter = argument[i] ?? '';
    const rule = SHORT.get(letter);
    if (rule === undefined) throw new UsageError(`${program}: invalid option -- '${letter}'\n`);
    if (!rule.argument) {
      rule.set(options, '');
      continue;
    }
    const rest = argument.slice(i + 1);
    const text = rest === '' ? next : rest;
    if (text === undefined) throw new UsageError(`${program}: option requires an argument -- '${letter}'\n`);
    rule.set(options, text);
    return rest === '' ? 1 : 0;
  }
  return 0;
}
