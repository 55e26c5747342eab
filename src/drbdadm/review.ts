/** What a reviewer would say about a valid configuration. Ids are documented in drbdadm(8). */
import { type Config, type Connection, type OptionList, type Origin, type Resource } from '../config/model';
import { type Diagnostic } from '../language/diagnostic';

function setting(
  options: OptionList,
  name: string,
): { readonly value: string; readonly origin: Origin } | undefined {
  return options.find((option) => option.name === name);
}

function warning(id: string, origin: Origin, message: string, remedy?: string): Diagnostic {
  const advice = remedy === undefined ? '' : `; write '${remedy}'`;
  return {
    id,
    severity: 'warning',
    text: `${origin.display}:${origin.line}: Warning: ${message}${advice}`,
    file: origin.file,
    line: origin.line,
    range: undefined,
    expected: [],
    suggestion: undefined,
  };
}

function diskfulHosts(resource: Resource): number {
  return resource.hosts.filter((host) =>
    host.volumes.some((volume) => volume.disk !== undefined && volume.disk !== 'none'),
  ).length;
}

function reviewQuorum(resource: Resource): readonly Diagnostic[] {
  const quorum = setting(resource.options.resource, 'quorum');
  if (quorum?.value !== 'majority' || resource.hosts.length !== 2) return [];
  const message = `resource ${resource.name} has quorum majority on two nodes: losing either stops I/O; add a diskless tiebreaker`;
  return [warning('quorum-without-tiebreaker', quorum.origin, message)];
}

function reviewConnection(resource: Resource, connection: Connection): readonly Diagnostic[] {
  const net = connection.netOptions;
  const found: Diagnostic[] = [...reviewConditions(net)];
  const secret = setting(net, 'shared-secret');
  const digest = setting(net, 'cram-hmac-alg');
  if (secret !== undefined && secret.value.length < 16)
    found.push(
      warning(
        'weak-shared-secret',
        secret.origin,
        'a shared-secret of less than 16 characters is easily guessed',
      ),
    );
  if (secret !== undefined && digest === undefined)
    found.push(
      warning('secret-without-digest', secret.origin, 'shared-secret has no effect without cram-hmac-alg'),
    );
  const protocol = setting(net, 'protocol');
  const congestion = setting(net, 'on-congestion');
  if (protocol?.value.toUpperCase() === 'A' && congestion?.value === 'block')
    found.push(
      warning(
        'protocol-a-blocks',
        congestion.origin,
        'protocol A with on-congestion block waits for the network',
        'on-congestion pull-ahead;',
      ),
    );
  if (protocol?.value.toUpperCase() !== 'A' && congestion?.value === 'pull-ahead')
    found.push(
      warning(
        'pull-ahead-without-a',
        congestion.origin,
        'on-congestion pull-ahead works with protocol A only',
      ),
    );
  const primaries = setting(net, 'allow-two-primaries');
  const fencing = setting(net, 'fencing');
  if (primaries?.value === 'yes' && fencing?.value !== 'resource-and-stonith')
    found.push(
      warning(
        'two-primaries-without-fencing',
        primaries.origin,
        `two primaries in resource ${resource.name} without fencing end in split brain`,
        'fencing resource-and-stonith;',
      ),
    );
  return found;
}

function reviewFencing(resource: Resource): readonly Diagnostic[] {
  const fencing = setting(resource.options.net, 'fencing');
  if (fencing === undefined || fencing.value === 'dont-care') return [];
  if (setting(resource.options.handlers, 'fence-peer') !== undefined) return [];
  return [
    warning('fencing-without-handler', fencing.origin, `fencing ${fencing.value} needs a fence-peer handler`),
  ];
}

/** Options of a connection that do something only when another one is set so. */
const conditions: ReadonlyMap<string, { readonly on: string; readonly isSet: (value: string) => boolean }> =
  new Map([
    ['congestion-fill', { on: 'on-congestion', isSet: (value) => value !== 'block' }],
    ['congestion-extents', { on: 'on-congestion', isSet: (value) => value !== 'block' }],
    ['csums-after-crash-only', { on: 'csums-alg', isSet: (value) => value !== '' }],
    ['tls-keyring', { on: 'tls', isSet: (value) => value === 'yes' }],
    ['tls-privkey', { on: 'tls', isSet: (value) => value === 'yes' }],
    ['tls-certificate', { on: 'tls', isSet: (value) => value === 'yes' }],
    ['on-no-quorum', { on: 'quorum', isSet: (value) => value !== 'off' }],
    ['quorum-minimum-redundancy', { on: 'quorum', isSet: (value) => value !== 'off' }],
  ]);

function unreachable(origin: Origin, what: string, why: string): Diagnostic {
  return warning('unreachable-option', origin, `${what} has no effect: ${why}`);
}

function reviewConditions(options: OptionList): readonly Diagnostic[] {
  return options.flatMap((option) => {
    const condition = conditions.get(option.name);
    const value = condition === undefined ? undefined : setting(options, condition.on)?.value;
    if (condition === undefined || (value !== undefined && condition.isSet(value))) return [];
    return [unreachable(option.origin, option.name, `${condition.on} is not set so that it would matter`)];
  });
}

/** What is read and handed to no command. */
function reviewUnused(resource: Resource): readonly Diagnostic[] {
  const ofHosts = resource.hosts.flatMap((host) =>
    host.options.map((option) =>
      unreachable(
        option.origin,
        option.name,
        'options of a host section are not used, those of the resource are',
      ),
    ),
  );
  const tiebreakers = resource.volumes
    .filter((volume) => volume.tiebreaker !== undefined)
    .map((volume) =>
      unreachable(
        volume.deviceOrigin ?? resource.origin,
        'tiebreaker',
        'it counts only in the volume of a host section',
      ),
    );
  const diskless = resource.hosts.flatMap((host) =>
    host.volumes
      .filter((volume) => volume.disk === undefined || volume.disk === 'none')
      .flatMap((volume) => volume.diskOptions.filter((option) => !option.inherited))
      .map((option) =>
        unreachable(option.origin, option.name, `the volume has no disk on ${host.names.join(' ')}`),
      ),
  );
  return [...ofHosts, ...tiebreakers, ...diskless];
}

function reviewDisks(resource: Resource): readonly Diagnostic[] {
  if (diskfulHosts(resource) > 0 || resource.hosts.length === 0) return [];
  return [warning('no-disk', resource.origin, `resource ${resource.name} has no disk on any host`)];
}

/** Warnings in file order; each is given once, however many connections share its line. */
export function reviewConfiguration(config: Config): readonly Diagnostic[] {
  const all = config.resources.flatMap((resource) => [
    ...reviewDisks(resource),
    ...reviewQuorum(resource),
    ...reviewFencing(resource),
    ...reviewUnused(resource),
    ...reviewConditions(resource.options.resource),
    ...resource.connections.flatMap((connection) => reviewConnection(resource, connection)),
  ]);
  const seen = new Set<string>();
  return all.filter((diagnostic) => {
    const key = `${diagnostic.id} ${diagnostic.text}`;
    const fresh = !seen.has(key);
    seen.add(key);
    return fresh;
  });
}
