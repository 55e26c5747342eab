/*
 * drbdmeta from its arguments to its exit status (metadata.md 8.2): checks in the reference's order, then one command.
 */
import fs from 'node:fs';
import path from 'node:path';
import { INDEX_FLEX_EXTERNAL, INDEX_INTERNAL, INDEX_V07_INTERNAL } from '../metadata/layout';
import { type Format } from '../metadata/meta-record';
import { isLegalBytesPerBit } from '../metadata/superblock-check';
import { majorOf, minorOf } from './block-store';
import { parseCommandLine, UsageError, type CommandLine, type Options } from './command-line';
import { COMMANDS, type CommandRule } from './command-table';
import { realHost, type Host } from './host';
import { lockMinor } from './minor-lock';
import { Refusal } from './refusal';
import { refuse, type DrbdmetaIo, type Tool } from './tool';
import { usageText } from './usage-text';

export { type DrbdmetaIo } from './tool';

const FORMATS: readonly Format[] = ['v06', 'v07', 'v08', 'v09'];
const DRBD_MAJOR = 147;

/**
 * Runs `drbdmeta ARGV...` in this process (argv without the program name) and returns the exit status. Never throws for
 * bad input; errors of the program itself are thrown.
 */
export async function runDrbdmeta(argv: readonly string[], io: DrbdmetaIo): Promise<number> {
  try {
    return await dispatch(parseCommandLine(argv, io.programName), io);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.message !== '') io.stderr(error.message);
    if (error instanceof UsageError) io.stdout(usageText(io.programName));
    return error.status;
  }
}

interface Target {
  readonly format: Format;
  readonly deviceName: string;
  readonly index: number;
  readonly command: string;
  readonly args: readonly string[];
}

async function dispatch(line: CommandLine, io: DrbdmetaIo): Promise<number> {
  const host = io.host ?? realHost(io.env);
  const target = parseTarget(line.words, host);
  const rule = COMMANDS.get(target.command);
  if (rule === undefined) return refuse(20, `Unknown command '${target.command}'.\n`);
  const minor = minorOfWord(line.words[0] ?? '-');
  const { options, reordered } = line;
  const tool: Tool = { io, options, reordered, host, minor, ...target, suppressed: 0 };
  const release = lockMinor(tool);
  try {
    const attached = await isAttached(tool);
    if (attached && modifies(rule, tool)) refuse(20, `Device '${line.words[0] ?? ''}' is configured!\n`);
    checkOptions(tool, rule);
    const used = usedArguments(tool, rule);
    if (target.args.length > used) io.stderr('Ignoring additional arguments\n');
    const status = await rule.run(tool);
    if (attached) io.stderr(`# Output might be stale, since minor ${minor} is attached\n`);
    if (tool.suppressed > 0)
      io.stderr(`# --force --quiet: ${tool.suppressed} confirmation(s) suppressed and auto-confirmed\n`);
    return status < 0 ? status + 256 : status;
  } finally {
    release();
  }
}

function usedArguments(tool: Tool, rule: CommandRule): number {
  if (rule.maxArguments !== 'by-format') return rule.maxArguments;
  return tool.format === 'v09' ? 1 : 0;
}

function parseTarget(words: readonly string[], host: Host): Target {
  if (words.length < 2) return refuse(20, 'Format identifier missing\n');
  const [, formatWord = ''] = words;
  const format = FORMATS.find((candidate) => candidate === formatWord);
  if (format === undefined) return refuse(20, `Unknown format '${formatWord}'.\n`);
  const needed = format === 'v06' ? 3 : 4;
  if (words.length < needed) return refuse(20, 'Too few arguments for format\n');
  const place =
    format === 'v06'
      ? counterFile(words[2] ?? '', host)
      : { deviceName: words[2] ?? '', index: indexOf(format, words[3] ?? '') };
  if (words.length < needed + 1) return refuse(20, 'command missing\n');
  return { format, ...place, command: words[needed] ?? '', args: words.slice(needed + 1) };
}

function counterFile(word: string, host: Host): { deviceName: string; index: number } {
  const minor = cInteger(word);
  if (minor === undefined || minor > 255) return refuse(20, `'${word}' is not a valid minor number.\n`);
  return { deviceName: path.join(host.stateFolder, `drbd${minor}`), index: INDEX_INTERNAL };
}

function indexOf(format: Format, word: string): number {
  switch (word) {
    case 'internal':
      return format === 'v07' ? INDEX_V07_INTERNAL : INDEX_INTERNAL;
    case 'flex-internal':
      return INDEX_INTERNAL;
    case 'flex-external':
      return INDEX_FLEX_EXTERNAL;
    default: {
      const index = cInteger(word);
      if (index === undefined || index > 255) return refuse(20, `'${word}' is not a valid index number.\n`);
      return index;
    }
  }
}

/** Decimal, 0x hexadecimal or 0 octal, without a sign. */
function cInteger(word: string): number | undefined {
  if (/^(0[xX][0-9a-fA-F]+|[1-9][0-9]*|0)$/.test(word)) return Number(word);
  return /^0[0-7]+$/.test(word) ? parseInt(word, 8) : undefined;
}

/** `-` and everything that is no DRBD device is -1; the reference does not refuse the latter either. */
function minorOfWord(word: string): number {
  const digits = /^(?:\/dev\/drbd)?([0-9]+)$/.exec(word)?.[1];
  if (digits !== undefined) return Number(digits) % 2 ** 31;
  try {
    const stat = fs.statSync(word);
    if (stat.isBlockDevice() && majorOf(stat.rdev) === DRBD_MAJOR) return minorOf(stat.rdev);
  } catch {
    // No such device: no minor.
  }
  return -1;
}

const DISK_STATES = [
  'Diskless',
  'Attaching',
  'Detaching',
  'Failed',
  'Negotiating',
  'Inconsistent',
  'Outdated',
  'DUnknown',
  'Consistent',
  'UpToDate',
];

async function isAttached(tool: Tool): Promise<boolean> {
  if (tool.minor < 0) return false;
  const { handover } = tool.host;
  if (handover?.isUnattached(tool.minor) === true) return false;
  const answer = await tool.host.diskState(tool.minor);
  if (answer === undefined) return false;
  const state = answer.replace(/[/\n].*$/s, '');
  if (state === 'Unconfigured') return false;
  const position = DISK_STATES.findIndex((candidate) => state.startsWith(candidate));
  if (position < 0) return refuse(20, `Unexpected output from drbdsetup >${answer.replace(/\n$/, '')}<\n`);
  if (position === 0) handover?.foundUnattached(tool.minor);
  return position > 0;
}

function modifies(rule: CommandRule, tool: Tool): boolean {
  if (tool.command === 'repair-md') return !tool.options.dryRun;
  return rule.modifies;
}

function only(condition: boolean, message: string): void {
  if (!condition) refuse(10, `${message}\n`);
}

/** Which option goes with which command, in the reference's order. */
function checkOptions(tool: Tool, rule: CommandRule): void {
  const { options, command, format } = tool;
  const creating = command === 'create-md';
  only(
    options.outputFormat === undefined || command === 'dump-superblock',
    'The -o|--output-format option is only allowed with dump-superblock',
  );
  only(
    !options.json || command === 'dump-md' || command === 'dump-superblock',
    'The --json option is only allowed with dump-md and dump-superblock',
  );
  only(
    options.peerMaxBioSize === undefined || creating,
    'The --peer-max-bio-size option is only allowed with create-md',
  );
  checkBitmapBlockSize(tool);
  only(
    (options.alStripes === undefined && options.alStripeSize4k === undefined) ||
      creating ||
      command === 'restore-md',
    'The --al-stripe* options are only allowed with create-md and restore-md',
  );
  only(
    options.effectiveSize === undefined || creating,
    'The -Z|--effective-size option is only allowed with create-md',
  );
  only(
    options.diskfulPeers === undefined || creating,
    'The -D|--diskful-peers option is only allowed with create-md',
  );
  for (const name of uuidOptions(options)) {
    only(creating, `The --${name} option is only allowed with create-md`);
    only(format === 'v09', `--${name} is not supported with '${format}'`);
  }
  const blocks = (options.alStripes ?? 1n) * (options.alStripeSize4k ?? 8n);
  only(blocks <= 8192n, 'invalid (too large) al-stripe* settings');
  only(blocks >= 8n, 'invalid (too small) al-stripe* settings');
  checkNodeId(tool, rule);
}

/** Those that were given. */
function uuidOptions(options: Options): readonly string[] {
  const given: string[] = [];
  if (options.initialCurrentUuid !== undefined) given.push('initial-current-uuid');
  if (options.consistent) given.push('consistent');
  if (options.uptodate) given.push('uptodate');
  if (options.peersOutdated) given.push('peers-outdated');
  if (options.rotateUuids) given.push('rotate-uuids');
  return given;
}

function checkBitmapBlockSize(tool: Tool): void {
  const { options, command, format } = tool;
  const size = options.bitmapBlockSize;
  if (size === undefined) return;
  only(command === 'create-md', 'The --bitmap-block-size option is only allowed with create-md');
  only(format === 'v09', `bitmap-block-size not supported with '${format}'`);
  only(
    size.value === 0n || (size.value < 2n ** 32n && isLegalBytesPerBit(Number(size.value))),
    `bitmap-block-size must be a power of 2 within [4k .. 1M], not '${size.text}'`,
  );
}

function checkNodeId(tool: Tool, rule: CommandRule): void {
  const { options, command, format, io } = tool;
  if (!rule.nodeId) {
    only(options.nodeId === undefined, `The ${command} command does not accept the --node-id option`);
  } else if (format !== 'v09') {
    if (options.nodeId !== undefined && options.nodeId !== 0)
      io.stderr('Not v09, implicitly set --node-id = 0\n');
    options.nodeId = 0;
  } else {
    only(options.nodeId !== undefined, `The ${command} command requires the --node-id option`);
  }
}
