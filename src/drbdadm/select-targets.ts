/** Which resources, volumes and peers the arguments of a command mean (drbdadm.md section 5). */
import { type Config, type Connection, type Host, type Resource, type Volume } from '../config/model';
import { parseConfigNumber } from '../options/value';
import { type CommandDescription } from './command-table';

export interface Target {
  readonly argument: string;
  readonly resource: Resource;
  /** The volume the argument named. */
  readonly volume?: Volume;
  /** The connection whose peer the argument named. */
  readonly connection?: Connection;
}

/** What became of one argument. */
export type Selection =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'unknown'; readonly lines: readonly string[] }
  /** The program ends here with this code. */
  | { readonly kind: 'end'; readonly lines: readonly string[]; readonly code: number };

interface NameParts {
  readonly resource: string;
  readonly peer?: string;
  /** Text after the last slash. */
  readonly volume?: string;
}

/** Splits `RES[:PEER][/VOL]` at the last slash and then at the first colon. */
export function splitName(argument: string): NameParts {
  const slash = argument.lastIndexOf('/');
  const left = slash < 0 ? argument : argument.slice(0, slash);
  const colon = left.indexOf(':');
  return {
    resource: colon < 0 ? left : left.slice(0, colon),
    ...(colon < 0 ? {} : { peer: left.slice(colon + 1) }),
    ...(slash < 0 ? {} : { volume: argument.slice(slash + 1) }),
  };
}

interface BadNumber {
  readonly lines: readonly string[];
  readonly code: number;
}

/** A volume or minor number of an argument: decimal, with an optional unit letter. */
function argumentNumber(text: string): number | BadNumber {
  if (text === '') return { lines: ['missing number argument'], code: 100 };
  const value = parseConfigNumber(text, '1');
  if (value === undefined) return { lines: [`${text} is not a valid number`], code: 20 };
  return Number(BigInt.asIntN(64, value));
}

function sameHostName(a: string, b: string): boolean {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  if (left.includes('.') && right.includes('.')) return left === right;
  return left.split('.', 1)[0] === right.split('.', 1)[0];
}

function hostByName(resource: Resource, name: string): Host | undefined {
  return resource.hosts.find((host) => host.names.some((own) => sameHostName(own, name)));
}

function connectionTo(resource: Resource, peer: string): Connection | 'self' | undefined {
  const host = hostByName(resource, peer);
  if (host === undefined) return resource.connections.find((connection) => connection.name === peer);
  if (host === resource.me) return 'self';
  return resource.connections.find((connection) => connection.peer === host);
}

function byMinor(config: Config, argument: string): Target | BadNumber | undefined {
  if (!argument.startsWith('minor-')) return undefined;
  const minor = argumentNumber(argument.slice('minor-'.length));
  if (typeof minor !== 'number') return minor;
  for (const resource of config.resources) {
    const volume = resource.ignore ? undefined : resource.me?.volumes.find((own) => own.minor === minor);
    if (volume !== undefined) return { argument, resource, volume };
  }
  return undefined;
}

function notDefined(argument: string): string {
  return `'${argument}' not defined in your config (for this host).`;
}

/** Connections that the rest of the run leaves alone: somebody named another peer of their resource. */
export type IgnoredConnections = ReadonlySet<Connection>;

function namedConnection(
  argument: string,
  resource: Resource,
  peer: string,
  ignored: IgnoredConnections,
): Connection | Selection {
  const connection = connectionTo(resource, peer);
  const trailer = `'${argument}' unexpected ctx_by_* result r=-2`;
  if (connection === 'self') {
    const line = `Host name '${peer}' (from '${argument}') is not a peer, but the local node`;
    return { kind: 'end', lines: [line, line, line, trailer], code: 1 };
  }
  if (connection === undefined) {
    const line = `Not a valid connection (${argument}) for this host`;
    return { kind: 'end', lines: [line, trailer], code: 1 };
  }
  if (connection.ignore || ignored.has(connection)) {
    const line = `Connection '${peer}' has the ignore flag set`;
    return { kind: 'end', lines: [line, trailer], code: 1 };
  }
  return connection;
}

/** Finds what one argument means. Peers of the resource must have been resolved (`prepare` does that). */
export function selectTarget(
  config: Config,
  argument: string,
  ignored: IgnoredConnections,
  prepare: (resource: Resource, byMinor: boolean) => Selection | undefined,
): Selection {
  const parts = splitName(argument);
  let number: number | undefined;
  if (parts.volume !== undefined) {
    const value = argumentNumber(parts.volume);
    if (typeof value !== 'number') return { kind: 'end', ...value };
    number = value;
  }
  const resource = config.resources.find((candidate) => candidate.name === parts.resource);
  if (resource === undefined || resource.ignore) {
    const target = byMinor(config, argument);
    if (target === undefined) return { kind: 'unknown', lines: [notDefined(argument)] };
    if ('code' in target) return { kind: 'end', ...target };
    return prepare(target.resource, true) ?? { kind: 'target', target };
  }
  const failure = prepare(resource, false);
  if (failure !== undefined) {
    if (failure.kind !== 'end' || parts.peer === undefined) return failure;
    return {
      kind: 'end',
      lines: [...failure.lines, `Not a valid connection (${argument}) for this host`],
      code: 1,
    };
  }
  const target: Target = { argument, resource };
  return narrow(target, parts.peer, number, ignored);
}

function narrow(
  target: Target,
  peer: string | undefined,
  number: number | undefined,
  ignored: IgnoredConnections,
): Selection {
  const { argument, resource } = target;
  let connection: Connection | undefined;
  if (peer !== undefined) {
    const named = namedConnection(argument, resource, peer, ignored);
    if ('kind' in named) return named;
    connection = named;
  }
  let volume: Volume | undefined;
  if (number !== undefined) {
    volume = resource.me?.volumes.find((own) => own.vnr === number);
    if (volume === undefined) {
      const trailer = `'${argument}' unexpected ctx_by_* result r=-2`;
      return {
        kind: 'end',
        lines: [`Resource '${resource.name}' has no volume ${number}`, trailer],
        code: 1,
      };
    }
  }
  return {
    kind: 'target',
    target: {
      ...target,
      ...(connection === undefined ? {} : { connection }),
      ...(volume === undefined ? {} : { volume }),
    },
  };
}

function withoutVolume({ argument, resource, connection }: Target): Target {
  return { argument, resource, ...(connection === undefined ? {} : { connection }) };
}

function wholeResourcesOnly({ name }: CommandDescription): Selection {
  const line = `${name} operates on whole resources, but you specified a specific volume!`;
  return { kind: 'end', lines: [line], code: 1 };
}

/** A volume named where none is allowed is refused before peers that are not complete. */
export function refusedVolume(
  command: CommandDescription,
  argument: string,
  resource: Resource,
): Selection | undefined {
  if (command.volumes !== 'refused' || !/\/\d+$/.test(argument)) return undefined;
  return resource.me?.volumes.some(({ implicit }) => implicit) === true
    ? undefined
    : wholeResourcesOnly(command);
}

/**
 * Makes a target fit the command's idea of volumes: a named volume where none is allowed, a missing one where one
 * is needed. Implicit volumes are dropped or filled in silently.
 */
export function fitVolume(command: CommandDescription, target: Target): Selection {
  const { volume, resource, argument } = target;
  if (command.volumes === 'refused' && volume !== undefined) {
    if (volume.implicit) return { kind: 'target', target: withoutVolume(target) };
    return wholeResourcesOnly(command);
  }
  if (command.volumes === 'required' && volume === undefined) {
    const only = resource.me?.volumes[0];
    if (only !== undefined && only.implicit && resource.me?.volumes.length === 1)
      return { kind: 'target', target: { ...target, volume: only } };
    const lines = [
      `${command.name} requires a specific volume id, but none is specified.`,
      `Try '${command.name} minor-<minor_number>' or '${command.name} ${argument}/<vnr>'`,
    ];
    return { kind: 'end', lines, code: 1 };
  }
  return { kind: 'target', target };
}

export interface ArgumentSurvey {
  readonly ignored: IgnoredConnections;
  /** An argument that names a connection for the second time. */
  readonly usageBug?: string;
}

/**
 * Looks at all arguments before anything runs: which connections a named peer rules out, and whether one
 * connection is named twice. With two peers of one resource only the first in the resource's order stays enabled.
 */
export function surveyArguments(
  config: Config,
  names: readonly string[],
  prepare: (resource: Resource) => boolean,
): ArgumentSurvey {
  const enabled = new Set<Connection>();
  const named = new Map<Resource, Set<Connection>>();
  for (const argument of names) {
    const parts = splitName(argument);
    const resource = config.resources.find((candidate) => candidate.name === parts.resource);
    if (resource === undefined || resource.ignore || !prepare(resource)) continue;
    const wanted = parts.peer === undefined ? undefined : connectionTo(resource, parts.peer);
    if (parts.peer !== undefined && (wanted === undefined || wanted === 'self')) continue;
    const chosen = wanted === undefined || wanted === 'self' ? resource.connections : [wanted];
    if (wanted !== undefined && wanted !== 'self') {
      named.set(resource, (named.get(resource) ?? new Set<Connection>()).add(wanted));
    }
    if (parts.volume !== undefined && parts.peer === undefined) continue;
    for (const connection of chosen.filter((candidate) => !candidate.ignore)) {
      if (enabled.has(connection)) return { ignored: new Set(), usageBug: argument };
      enabled.add(connection);
    }
  }
  const ignored = new Set<Connection>();
  for (const [resource, connections] of named) {
    const survivor = resource.connections.find((connection) => connections.has(connection));
    for (const connection of resource.connections) if (connection !== survivor) ignored.add(connection);
  }
  return { ignored };
}
