/** Back-end calls, one function per kind of command line (drbdadm.md section 7). */
import { type Connection, type Path, type Resource, type Volume } from '../config/model';
import { type BackEndText } from './command-line';
import { findCommand, type TimeLimit } from './command-table';
import {
  addressWord,
  configuredWords,
  matchingTexts,
  metaDataDevice,
  metaDataIndex,
  metaDataIndexForDrbdmeta,
} from './back-end-words';
import { type BackEndCall, type ErrorOutput, type Registration } from './plan';

/** What every call of one command line shares. */
export interface CallSettings {
  readonly texts: readonly BackEndText[];
  /** How often -v was given: `status` hands it on. */
  readonly verbosity: number;
  /** DRBD_MY_NODE_ID is set in our own environment: handlers keep it. */
  readonly nodeIdKnown: boolean;
}

export function minorOf(volume: Volume): number {
  return volume.minor ?? 0;
}

export function nodeIdOf(connection: Connection): string {
  return connection.peer?.nodeId ?? connection.peerNodeId ?? '';
}

interface CallParts {
  readonly words: readonly string[];
  readonly resource: string;
  readonly limit?: TimeLimit;
  readonly errors?: ErrorOutput;
  readonly registers?: Registration;
  /** DRBD_RESOURCE names the resource, for this call and those that follow. */
  readonly announced?: boolean;
}

const NOTHING: BackEndCall['environment'] = {};

/** A drbdsetup call. */
export function drbdsetupCall(parts: CallParts): BackEndCall {
  const { words, resource, limit = 'short', errors = 'shown', registers } = parts;
  const environment = parts.announced === true ? { DRBD_RESOURCE: resource } : NOTHING;
  const call: BackEndCall = { tool: 'drbdsetup', words, resource, limit, errors, environment };
  return registers === undefined ? call : { ...call, registers };
}

/** `drbdmeta MINOR v09 DEVICE INDEX [--node-id=P] COMMAND [ARGUMENT] OPTIONS`. */
export function drbdmetaCall(
  settings: CallSettings,
  resource: Resource,
  volume: Volume,
  command: string,
  extra: {
    readonly nodeId?: string;
    readonly argument?: string;
    readonly options?: readonly string[];
    readonly context?: string;
    readonly errors?: ErrorOutput;
    readonly limit?: TimeLimit;
  } = {},
): BackEndCall {
  const context = extra.context ?? findCommand(command)?.context;
  const options = extra.options ?? matchingTexts(settings.texts, context);
  return {
    tool: 'drbdmeta',
    words: [
      String(minorOf(volume)),
      'v09',
      metaDataDevice(volume),
      metaDataIndexForDrbdmeta(volume),
      ...(extra.nodeId === undefined ? [] : [`--node-id=${extra.nodeId}`]),
      command,
      ...(extra.argument === undefined ? [] : [extra.argument]),
      ...options,
    ],
    resource: resource.name,
    limit: extra.limit ?? 'long',
    errors: extra.errors ?? 'shown',
    environment: NOTHING,
  };
}

/** Words of a drbdsetup command after its own arguments: options of the command line for its context. */
function given(settings: CallSettings, command: string): readonly string[] {
  const { texts } = settings;
  return texts.length === 0 ? [] : matchingTexts(texts, findCommand(command)?.context);
}

/** Commands with a special form of their own leave the environment alone (observed in the real tool). */
const unannounced = new Set(['connect', 'resource-options']);

/** `drbdsetup COMMAND RESOURCE OPTIONS`. */
export function onResource(settings: CallSettings, command: string, resource: Resource): BackEndCall {
  const words = [command, resource.name, ...given(settings, command)];
  return drbdsetupCall({
    words,
    resource: resource.name,
    limit: findCommand(command)?.limit ?? 'short',
    announced: !unannounced.has(command),
  });
}

/** `drbdsetup COMMAND MINOR OPTIONS`. */
export function onMinor(
  settings: CallSettings,
  command: string,
  resource: Resource,
  volume: Volume,
): BackEndCall {
  const words = [command, String(minorOf(volume)), ...given(settings, command)];
  return drbdsetupCall({
    words,
    resource: resource.name,
    limit: findCommand(command)?.limit ?? 'short',
    announced: !unannounced.has(command),
  });
}

/** `drbdsetup COMMAND RESOURCE PEER OPTIONS`. */
export function onPeer(
  settings: CallSettings,
  command: string,
  resource: Resource,
  connection: Connection,
): BackEndCall {
  const words = [command, resource.name, nodeIdOf(connection), ...given(settings, command)];
  return drbdsetupCall({
    words,
    resource: resource.name,
    limit: findCommand(command)?.limit ?? 'short',
    announced: !unannounced.has(command),
  });
}

/** `drbdsetup COMMAND RESOURCE PEER VOLUME OPTIONS`. */
export function onPeerDevice(
  settings: CallSettings,
  command: string,
  resource: Resource,
  connection: Connection,
  vnr: number,
): BackEndCall {
  const words = [command, resource.name, nodeIdOf(connection), String(vnr), ...given(settings, command)];
  return drbdsetupCall({
    words,
    resource: resource.name,
    limit: findCommand(command)?.limit ?? 'short',
    announced: !unannounced.has(command),
  });
}

export interface OptionsMode {
  /** Say `--set-defaults` first: adjust replaces everything that is set. */
  readonly setDefaults?: boolean;
}

function defaultsWord(mode: OptionsMode): readonly string[] {
  return mode.setDefaults === true ? ['--set-defaults'] : [];
}

export function newResource(settings: CallSettings, resource: Resource): BackEndCall {
  return drbdsetupCall({
    words: [
      'new-resource',
      resource.name,
      resource.me?.nodeId ?? '',
      ...configuredWords(resource.options.resource, settings.texts),
      ...given(settings, 'new-resource'),
    ],
    resource: resource.name,
    registers: { kind: 'resource', name: resource.name },
  });
}

export function resourceOptions(settings: CallSettings, resource: Resource): BackEndCall {
  return drbdsetupCall({
    words: [
      'resource-options',
      resource.name,
      '--set-defaults',
      ...configuredWords(resource.options.resource, settings.texts),
      ...given(settings, 'resource-options'),
    ],
    resource: resource.name,
  });
}

export function newMinor(settings: CallSettings, resource: Resource, volume: Volume): BackEndCall {
  return drbdsetupCall({
    words: [
      'new-minor',
      resource.name,
      String(minorOf(volume)),
      String(volume.vnr),
      ...(volume.disk === undefined ? ['--diskless'] : []),
      ...configuredWords(volume.deviceOptions, settings.texts),
      ...given(settings, 'new-minor'),
    ],
    resource: resource.name,
    registers: { kind: 'minor', minor: minorOf(volume) },
  });
}

/** Bring the meta data into shape, then attach: each only if the one before succeeded. */
export function attach(settings: CallSettings, resource: Resource, volume: Volume): readonly BackEndCall[] {
  return [
    drbdmetaCall(settings, resource, volume, 'repair-md'),
    drbdmetaCall(settings, resource, volume, 'apply-al'),
    drbdsetupCall({
      words: [
        'attach',
        String(minorOf(volume)),
        volume.disk ?? '',
        metaDataDevice(volume),
        metaDataIndex(volume),
        ...configuredWords(volume.diskOptions, settings.texts),
        ...given(settings, 'attach'),
      ],
      resource: resource.name,
      limit: 'medium',
    }),
  ];
}

export function diskOptions(
  settings: CallSettings,
  resource: Resource,
  volume: Volume,
  mode: OptionsMode = {},
): BackEndCall {
  return drbdsetupCall({
    words: [
      'disk-options',
      String(minorOf(volume)),
      ...defaultsWord(mode),
      ...configuredWords(volume.diskOptions, settings.texts),
      ...given(settings, 'disk-options'),
    ],
    resource: resource.name,
    limit: 'medium',
  });
}

export function newPeer(settings: CallSettings, resource: Resource, connection: Connection): BackEndCall {
  return drbdsetupCall({
    words: [
      'new-peer',
      resource.name,
      nodeIdOf(connection),
      ...configuredWords(connection.netOptions, settings.texts),
      ...given(settings, 'new-peer'),
    ],
    resource: resource.name,
  });
}

export function netOptions(
  settings: CallSettings,
  resource: Resource,
  connection: Connection,
  mode: OptionsMode = {},
): BackEndCall {
  const fixed = new Set(['transport', 'load-balance-paths']);
  const changeable = connection.netOptions.filter((option) => !fixed.has(option.name));
  return drbdsetupCall({
    words: [
      'net-options',
      resource.name,
      nodeIdOf(connection),
      ...defaultsWord(mode),
      ...configuredWords(changeable, settings.texts),
      ...given(settings, 'net-options'),
    ],
    resource: resource.name,
  });
}

export function pathCall(
  settings: CallSettings,
  command: 'new-path' | 'del-path',
  resource: Resource,
  connection: Connection,
  path: Path,
): BackEndCall {
  const own = path.local?.address;
  const words = [command, resource.name, nodeIdOf(connection)];
  if (own !== undefined) words.push(addressWord(own));
  if (path.target !== undefined) words.push(addressWord(path.target));
  return drbdsetupCall({ words: [...words, ...given(settings, command)], resource: resource.name });
}

export function peerDeviceOptions(
  settings: CallSettings,
  resource: Resource,
  connection: Connection,
  vnr: number,
  mode: OptionsMode = {},
): BackEndCall {
  const options = connection.peerDevices.find((device) => device.vnr === vnr)?.options ?? [];
  return drbdsetupCall({
    words: [
      'peer-device-options',
      resource.name,
      nodeIdOf(connection),
      String(vnr),
      ...defaultsWord(mode),
      ...configuredWords(options, settings.texts),
      ...given(settings, 'peer-device-options'),
    ],
    resource: resource.name,
  });
}
