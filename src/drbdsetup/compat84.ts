/**
 * Command forms of DRBD 8.4 (drbdsetup.md 10.4): `connect RESOURCE LOCAL PEER` and `disconnect RESOURCE LOCAL PEER`
 * name the peer by addresses, and attach takes options that today belong to peers. Those are kept in the run
 * directory until the next connect.
 */
import fs from 'node:fs';
import path from 'node:path';
import { isSuccess } from '../control/contract/codes';
import { type ControlReply, type ControlRequest } from '../control/contract/requests';
import { type SocketAddress } from '../control/contract/snapshot';
import { type OptionSpec } from '../options/catalogue';
import { findCommand } from './command-table';
import { askEngine } from './ask-engine';
import { type Invocation } from './invocation';
import { CommandExit, type ControlConnection } from './io';
import { asRecord, parseOptions, type OptionValues } from './option-arguments';
import { resolveAddress } from './path-address';
import { verdictOf } from './reply-text';

type LegacyOption = Invocation['options']['legacy'][number];

const CASTAGNOLI = 0x82f63b78;
const HASH_START = 0x1a656f21;

/** The real tool's hash of an address: CRC-32C without final inversion, as a signed number. */
export function addressHash(address: string): number {
  let crc = HASH_START;
  for (const byte of Buffer.from(address, 'utf8')) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? CASTAGNOLI : 0);
  }
  return crc | 0;
}

/** Node id of the peer: the side whose address hashes higher is 1. Throws CommandExit if both are equal. */
export function peerIdOf(local: string, peer: string): 0 | 1 {
  const [ours, theirs] = [local.replace(/^local:/, ''), peer.replace(/^peer:/, '')].map(addressHash);
  if (ours === theirs || ours === undefined || theirs === undefined) {
    throw new CommandExit(20, 'my and peer addr produce the same hash!\n');
  }
  return ours > theirs ? 0 : 1;
}

const isPeerOption = (option: OptionSpec): boolean => option.group === 'peer-device';

function resourceFolder(directory: string, resource: string): string {
  return path.join(directory, 'compat-84', `res-${encodeURIComponent(resource)}`);
}

function remember(file: string, options: readonly LegacyOption[]): void {
  if (options.length === 0) return;
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  fs.writeFileSync(file, options.map(({ option, value }) => `--${option.name}=${value}\n`).join(''));
}

/** Keeps the peer's options of an 8.4 style attach for the connect that follows. */
export async function rememberLegacyOptions(
  invocation: Invocation,
  connection: ControlConnection,
): Promise<void> {
  const { legacy } = invocation.options;
  if (legacy.length === 0) return;
  const { minor } = invocation.context;
  for (const { name, devices } of await connection.dump({ minor })) {
    const device = devices.find((candidate) => candidate.minor === minor);
    if (device === undefined) continue;
    const folder = resourceFolder(invocation.directory, name);
    remember(
      path.join(folder, 'new-peer-opts'),
      legacy.filter(({ option }) => !isPeerOption(option)),
    );
    remember(
      path.join(folder, `vol-${device.volume}`),
      legacy.filter(({ option }) => isPeerOption(option)),
    );
  }
}

/** Words of a remembered file, which is removed. */
function takeWords(file: string): readonly string[] {
  try {
    const words = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
    fs.rmSync(file);
    return words;
  } catch {
    return [];
  }
}

/** Parses remembered words with the rules of the command whose options they are. */
function parseWords(command: string, words: readonly string[]): OptionValues {
  const definition = findCommand(command);
  if (definition === undefined) throw new RangeError(command);
  const given = words.map((word) => {
    const [, name = '', value = ''] = /^--([^=]*)=(.*)$/s.exec(word) ?? [];
    return { name, value };
  });
  return parseOptions(definition, given).values;
}

function volumeWords(folder: string): readonly (readonly [volume: number, words: readonly string[]])[] {
  const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return names
    .map((name) => /^vol-(\d+)$/.exec(name))
    .filter((match) => match !== null)
    .map((match) => [Number(match[1]), takeWords(path.join(folder, match[0]))] as const)
    .sort(([a], [b]) => a - b);
}

interface Step {
  readonly request: ControlRequest;
  /** What the user is told if it fails. */
  readonly failure: string;
}

function connectSteps(
  invocation: Invocation,
  texts: readonly [string, string],
  paths: readonly [SocketAddress, SocketAddress],
): readonly Step[] {
  const { context, options, directory } = invocation;
  const resource = context.resource ?? '';
  const peerNodeId = peerIdOf(...texts);
  const folder = resourceFolder(directory, resource);
  const typed = options.legacy.map(({ option, value }) => `--${option.name}=${value}`);
  const net = parseWords('new-peer', [
    '--_name=remote',
    ...takeWords(path.join(folder, 'new-peer-opts')),
    ...typed,
  ]);
  const peer = { resource, peerNodeId };
  const flags = {
    tentative: options.values.tentative === true,
    discardMyData: options.values['discard-my-data'] === true,
  };
  return [
    {
      request: { command: 'new-peer', ...peer, options: asRecord('show_net_options', net) },
      failure: `Failed to create peer with id ${peerNodeId}`,
    },
    ...volumeWords(folder).map(([volume, words]): Step => {
      const values = asRecord('peer_device_options', parseWords('peer-device-options', words));
      return {
        request: { command: 'peer-device-options', ...peer, volume, setDefaults: false, options: values },
        failure: `Failed to set the options of volume ${volume}`,
      };
    }),
    {
      request: { command: 'new-path', ...peer, local: paths[0], remote: paths[1] },
      failure: `Failed to create path from '${texts[0]}' to '${texts[1]}'`,
    },
    {
      request: { command: 'connect', ...peer, ...flags },
      failure: `Failed to connect to peer node ${peerNodeId}`,
    },
  ];
}

function disconnectSteps(
  invocation: Invocation,
  texts: readonly [string, string],
  paths: readonly [SocketAddress, SocketAddress],
): readonly Step[] {
  const peer = { resource: invocation.context.resource ?? '', peerNodeId: peerIdOf(...texts) };
  const force = invocation.options.values.force === true;
  const failure = `Failed to disconnect from peer node ${peer.peerNodeId}`;
  return [
    { request: { command: 'disconnect', ...peer, force }, failure },
    { request: { command: 'del-path', ...peer, local: paths[0], remote: paths[1] }, failure },
    { request: { command: 'del-peer', ...peer, force }, failure },
  ];
}

/** `connect` and `disconnect` with addresses; `rest` begins with the local one. */
export async function runAddressForm(invocation: Invocation): Promise<number> {
  const { definition, context, rest, io, help } = invocation;
  const warn = (text: string): void => io.stderr(text);
  const [localText = '', peerText] = rest;
  const local = await resolveAddress(localText, warn);
  if (peerText === undefined) throw new CommandExit(20, '', help());
  const remote = await resolveAddress(peerText, warn);
  const makeSteps = definition.name === 'connect' ? connectSteps : disconnectSteps;
  const steps = makeSteps(invocation, [localText, peerText], [local, remote]);
  const connection = await invocation.connections.connect(definition.name === 'connect');
  if (connection === undefined) return 0;
  for (const { request, failure } of steps) {
    const reply: ControlReply = await askEngine(connection, request);
    if (isSuccess(reply.code)) continue;
    const verdict = verdictOf(context.objectName, reply);
    throw new CommandExit(20, `${verdict.stderr}${failure}: error ${reply.code}\n`);
  }
  return 0;
}
