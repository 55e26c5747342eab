// From a parsed command line to the request of the control contract (drbdsetup.md 2, 3).
import fs from 'node:fs';
import path from 'node:path';
import { errorCode } from '../control/channel/control-error';
import { type ControlRequest } from '../control/contract/requests';
import { MetaIndex } from '../control/contract/states';
import { type CommandContext, plainNumber } from './context-arguments';
import { CommandExit } from './io';
import { asRecord, type OptionValues, type ParsedOptions } from './option-arguments';
import { resolveAddress } from './path-address';

export interface CommandInput {
  readonly command: string;
  readonly context: CommandContext;
  /** The command's own arguments, all present. */
  readonly own: readonly string[];
  readonly options: ParsedOptions;
  /** Says something on standard error without ending the command. */
  readonly warn: (text: string) => void;
}

const systemErrors: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EPERM: 'Operation not permitted',
  EISDIR: 'Is a directory',
  ENXIO: 'No such device or address',
  ENOTDIR: 'Not a directory',
  EROFS: 'Read-only file system',
};

/** What strerror(3) says about a failed system call. */
export function systemErrorText(error: unknown): string {
  const code = errorCode(error);
  return systemErrors[code] ?? code;
}

/**
 * The absolute path of a disk. The real tool takes block devices only; the daemon of this project also serves
 * disks from regular files, and a device of its own host where that has no node in /dev: it knows better.
 */
function diskPath(text: string): string {
  const full = path.resolve('/', text);
  let descriptor: number;
  try {
    descriptor = fs.openSync(full, 'r+');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && /^\/dev\/drbd\d+$/.test(full)) return full;
    throw new CommandExit(20, `Can not open device '${text}': ${systemErrorText(error)}\n`);
  }
  try {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isBlockDevice() && !stat.isFile())
      throw new CommandExit(20, `${text} is not a block device!\n`);
  } finally {
    fs.closeSync(descriptor);
  }
  return full;
}

function metaIndex(text: string): number {
  if (text === 'internal') return MetaIndex.FlexInternal;
  return text === 'flexible' ? MetaIndex.FlexExternal : plainNumber(text);
}

const isYes = (values: OptionValues, name: string): boolean => values[name] === true;

/** `{key: value}` if the option was given with a value of that type, else nothing. */
function numberIfGiven<K extends string>(
  key: K,
  values: OptionValues,
  name: string,
): Partial<Record<K, number>> {
  const record: Partial<Record<K, number>> = {};
  const value = values[name];
  if (typeof value === 'number') record[key] = value;
  return record;
}
function booleanIfGiven<K extends string>(
  key: K,
  values: OptionValues,
  name: string,
): Partial<Record<K, boolean>> {
  const record: Partial<Record<K, boolean>> = {};
  const value = values[name];
  if (typeof value === 'boolean') record[key] = value;
  return record;
}

/** The request for a configuration command; throws CommandExit for arguments that are refused here. */
export function buildRequest(input: CommandInput): ControlRequest | Promise<ControlRequest> {
  const { command, context, own, options } = input;
  const { values } = options;
  const { minor, peerNodeId, volume } = context;
  const resource = context.resource ?? '';
  const peer = { resource, peerNodeId };
  const setDefaults = options.plain.some((option) => option.name === 'set-defaults');
  const [first = '', second = '', third = ''] = own;
  switch (command) {
    case 'new-resource':
      return {
        command,
        resource,
        nodeId: own.length === 0 ? null : plainNumber(first),
        options: asRecord('resource_options', values),
      };
    case 'resource-options':
      return { command, resource, setDefaults, options: asRecord('resource_options', values) };
    case 'rename-resource':
      return { command, resource, newName: first };
    case 'del-resource':
    case 'down':
      return { command, resource };
    case 'primary':
    case 'secondary':
      return { command, resource, force: isYes(values, 'force') };
    case 'new-minor':
      return { command, resource, minor, volume, options: asRecord('device_options', values) };
    case 'attach': {
      const backingDevice = diskPath(first);
      return {
        command,
        minor,
        backingDevice,
        metaDevice: second === first ? backingDevice : diskPath(second),
        metaIndex: metaIndex(third),
        options: asRecord('attach', values),
      };
    }
    case 'disk-options':
      return { command, minor, setDefaults, options: asRecord('attach', values) };
    case 'new-peer':
      return { command, ...peer, options: asRecord('show_net_options', values) };
    case 'net-options':
      return { command, ...peer, setDefaults, options: asRecord('show_net_options', values) };
    case 'peer-device-options':
      return { command, ...peer, volume, setDefaults, options: asRecord('peer_device_options', values) };
    case 'new-path':
    case 'del-path':
      return buildPathRequest(command, input);
    default:
      return buildPlainRequest(input);
  }
}

async function buildPathRequest(
  command: 'new-path' | 'del-path',
  { context, own, warn }: CommandInput,
): Promise<ControlRequest> {
  const [local = '', remote = ''] = own;
  return {
    command,
    resource: context.resource ?? '',
    peerNodeId: context.peerNodeId,
    local: await resolveAddress(local, warn),
    remote: await resolveAddress(remote, warn),
  };
}

/** Requests without option records. */
function buildPlainRequest({ command, context, own, options }: CommandInput): ControlRequest {
  const { values } = options;
  const { minor, peerNodeId, volume } = context;
  const resource = context.resource ?? '';
  const peer = { resource, peerNodeId };
  switch (command) {
    case 'del-minor':
    case 'resume-io':
    case 'outdate':
      return { command, minor };
    case 'detach':
      return { command, minor, force: isYes(values, 'force'), diskless: isYes(values, 'diskless') };
    case 'resize':
      return {
        command,
        minor,
        ...numberIfGiven('size', values, 'size'),
        assumePeerHasSpace: isYes(values, 'assume-peer-has-space'),
        assumeClean: isYes(values, 'assume-clean'),
        ...numberIfGiven('alStripes', values, 'al-stripes'),
        ...numberIfGiven('alStripeSize', values, 'al-stripe-size-kB'),
      };
    case 'new-current-uuid':
      return {
        command,
        minor,
        clearBitmap: isYes(values, 'clear-bitmap'),
        forceResync: isYes(values, 'force-resync'),
      };
    case 'invalidate':
      return {
        command,
        minor,
        ...numberIfGiven('syncFromPeerNodeId', values, 'sync-from-peer-node-id'),
        ...booleanIfGiven('resetBitmap', values, 'reset-bitmap'),
      };
    case 'suspend-io':
      return { command, minor, ...booleanIfGiven('bdevFreeze', values, 'bdev-freeze') };
    case 'connect':
      return {
        command,
        ...peer,
        tentative: isYes(values, 'tentative'),
        discardMyData: isYes(values, 'discard-my-data'),
      };
    case 'disconnect':
    case 'del-peer':
      return { command, ...peer, force: isYes(values, 'force') };
    case 'forget-peer':
      return { command, resource, peerNodeId: plainNumber(own[0] ?? '') };
    case 'invalidate-remote':
      return { command, ...peer, volume, ...booleanIfGiven('resetBitmap', values, 'reset-bitmap') };
    case 'pause-sync':
    case 'resume-sync':
      return { command, ...peer, volume };
    case 'verify':
      return {
        command,
        ...peer,
        volume,
        ...numberIfGiven('start', values, 'start'),
        ...numberIfGiven('stop', values, 'stop'),
      };
    default:
      throw new RangeError(`${command} is no configuration command`);
  }
}
