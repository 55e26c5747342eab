// What a command is about: resource, minor, peer, volume from the first arguments (drbdsetup.md 1.3).
import fs from 'node:fs';
import { parseCommandNumber, type NumberRefusal } from '../options/value';
import { type CommandDefinition } from './command-table';
import { CommandExit } from './io';

const DRBD_MAJOR = 147;

export interface CommandContext {
  /** The first context argument as typed; the prefix of most messages. */
  readonly objectName: string;
  /** Undefined stands for all. */
  readonly resource: string | undefined;
  readonly minor: number;
  readonly peerNodeId: number;
  readonly volume: number;
}

/** Texts a command may have to show. */
export interface HelpTexts {
  usage(): string;
  help(command: CommandDefinition): string;
}

/** The message for a number that drbdsetup refuses; an empty one has an exit status of its own. */
export function numberRefused(text: string, refusal: NumberRefusal): CommandExit {
  switch (refusal) {
    case 'empty':
      return new CommandExit(100, 'missing number argument\n');
    case 'out of range':
      return new CommandExit(20, `${text}: out of range\n`);
    case 'not a valid number':
    case 'not a valid unit':
      return new CommandExit(20, `${text} is ${refusal}\n`);
  }
}

/** A number without a unit of its own; throws CommandExit. */
export function plainNumber(text: string): number {
  const parsed = parseCommandNumber(text, '1');
  if ('refusal' in parsed) throw numberRefused(text, parsed.refusal);
  return Number(parsed.value);
}

/** Minor of `7`, `/dev/drbd7` or a DRBD block device node; undefined if it is none. */
export function minorOf(text: string): number | undefined {
  const match = /^(?:\/dev\/drbd)?([0-9]+)$/.exec(text);
  if (match?.[1] !== undefined) return Number(match[1]);
  try {
    const stat = fs.statSync(text);
    const major = (stat.rdev >> 8) & 0xfff;
    if (!stat.isBlockDevice() || major !== DRBD_MAJOR) return undefined;
    return (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00);
  } catch {
    return undefined;
  }
}

function checkedResource(name: string): string {
  if (name === '') throw new CommandExit(1, 'Resource name is empty.\n');
  for (const character of name) {
    const code = character.charCodeAt(0);
    if (code < 32 || code === 127) {
      throw new CommandExit(1, "Resource name is invalid - please don't use control characters.\n");
    }
  }
  return name;
}

function checkedMinor(text: string): number {
  const minor = minorOf(text);
  if (minor !== undefined) return minor;
  throw new CommandExit(20, `Cannot determine minor device number of device '${text}'\n`);
}

/** Takes the context from the front of the positional arguments; throws CommandExit. */
export function takeContext(
  command: CommandDefinition,
  positionals: readonly string[],
  texts: HelpTexts,
): { readonly context: CommandContext; readonly rest: readonly string[] } {
  const [first] = positionals;
  if (first === 'all' && !command.acceptsAll) {
    throw new CommandExit(20, '', `${texts.usage()}\ncommand does not accept argument 'all'\n`);
  }
  let resource: string | undefined;
  let [minor, peerNodeId, volume] = [-1, -1, -1];
  for (const [index, kind] of command.context.entries()) {
    const text = positionals[index] ?? (command.acceptsAll ? 'all' : undefined);
    if (text === undefined) {
      throw new CommandExit(20, `Missing argument ${index + 1} to command\n`, texts.help(command));
    }
    switch (kind) {
      case 'resource':
        resource = command.acceptsAll && text === 'all' ? undefined : checkedResource(text);
        break;
      case 'minor':
        minor = checkedMinor(text);
        break;
      case 'peer_node_id':
        peerNodeId = plainNumber(text);
        break;
      case 'volume':
        volume = plainNumber(text);
        break;
    }
  }
  const objectName = first ?? 'all';
  return {
    context: { objectName, resource, minor, peerNodeId, volume },
    rest: positionals.slice(command.context.length),
  };
}
