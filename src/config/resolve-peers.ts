import {
  type ConnectionDraft,
  type HostDraft,
  type PathDraft,
  type PathEndDraft,
  type ResourceDraft,
} from './drafts';
import { sameHost } from './host-names';
import { type Outcome } from './load-types';
import { type OptionSetting, type Resource } from './model';
import { EXIT_CONFIG_INVALID, Reporter, StopLoading } from './report';

function isDraft(resource: Resource): resource is ResourceDraft {
  return 'ignoredOn' in resource;
}

/** Models that this room built are drafts; nothing else makes resources. */
export function draftOf(resource: Resource): ResourceDraft {
  if (isDraft(resource)) return resource;
  throw new TypeError(`a resource was not loaded by loadConfig`);
}

const nowhere = { file: '', display: '', line: 0 };

function implied(name: string, value: string): OptionSetting {
  return { name, value, inherited: false, implied: true, unknown: false, origin: nowhere };
}

/** A proxy node may work for several hosts: what counts is that the proxy is the one that runs here. */
function sharesProxy(resource: ResourceDraft, names: readonly string[]): boolean {
  const ends = resource.connections.flatMap((connection) => connection.paths.flatMap((path) => path.ends));
  const here = ends.filter((end) => end.host === resource.me).flatMap((end) => end.proxy?.hostNames ?? []);
  return names.some((name) => here.some((own) => sameHost(own, name)));
}

/** In a stacked resource only ends named like a host of the local lower section are here. */
function isHere(resource: ResourceDraft, end: PathEndDraft): boolean {
  const me = resource.me;
  if (resource.proxyOnly) return end.proxy !== undefined && sharesProxy(resource, end.proxy.hostNames);
  if (me === undefined || end.host !== me) return false;
  if (me.kind !== 'stacked' || end.byAddress || end.name === undefined) return true;
  const name = end.name;
  return me.lower?.me?.names.some((own) => sameHost(own, name)) ?? true;
}

function resolvePath(resource: ResourceDraft, path: PathDraft): void {
  const [first, second] = path.ends;
  const local = path.ends.find((end) => isHere(resource, end));
  path.local = local;
  path.remote = local === undefined ? undefined : local === first ? second : first;
  path.ignore = local === undefined;
  path.localProxy = local?.proxy;
  path.remoteProxy = path.remote?.proxy;
  path.target = local?.proxy?.inside ?? path.remote?.outsideAddress ?? path.remote?.address;
}

/** The value of `_name`: written, or the peer's host names joined with `_`. */
function nameConnection(connection: ConnectionDraft, peer: HostDraft): void {
  const written = connection.netOptions.find((option) => option.name === '_name');
  connection.name = written?.value ?? peer.names.join('_');
  if (written === undefined) connection.netOptions.unshift(implied('_name', connection.name));
}

/** Options that follow from the peer's volume (config-language.md 9). */
function completePeerDevices(connection: ConnectionDraft, peer: HostDraft): void {
  for (const device of connection.peerDevices) {
    const volume = peer.volumes.find((candidate) => candidate.vnr === device.vnr);
    device.peerVolume = volume;
    if (volume === undefined) continue;
    const diskless = volume.disk === undefined || volume.disk === 'none';
    if (diskless && peer.kind !== 'generated') device.options.push(implied('bitmap', 'no'));
    if (volume.tiebreaker === 'no' && !device.options.some((option) => option.name === 'peer-tiebreaker')) {
      device.options.push(implied('peer-tiebreaker', 'no'));
    }
  }
}

function missingPeer(report: Reporter, resource: ResourceDraft, connection: ConnectionDraft): void {
  const { file } = resource.origin;
  report.fatal(
    'missing-peer',
    { ...resource.origin, line: connection.origin.line },
    `${file}:${connection.origin.line}: in connection in resource ${resource.name}:\n` +
      `\tMissing statement 'host <PEER> '.`,
  );
}

function resolveConnection(report: Reporter, resource: ResourceDraft, connection: ConnectionDraft): void {
  for (const path of connection.paths) resolvePath(resource, path);
  const path = connection.paths.find((candidate) => !candidate.ignore);
  connection.ignore = path === undefined;
  if (path === undefined) return;
  const peer = path.remote?.host;
  // Without an address of our own the real tool has no local end: the connection is nobody's business here.
  if (path.local?.address === undefined) {
    connection.ignore = true;
    return;
  }
  if (peer === undefined || path.remote?.address === undefined) {
    missingPeer(report, resource, connection);
    return;
  }
  connection.peer = peer;
  connection.resolved = true;
  nameConnection(connection, peer);
  completePeerDevices(connection, peer);
}

/**
 * Fills in the fields marked "resolved" of one resource of this host, in place (objects stay the same ones). A
 * second call changes nothing.
 */
export function resolvePeers(resource: Resource): Outcome {
  const report = new Reporter();
  const draft = draftOf(resource);
  try {
    for (const connection of draft.connections) {
      if (!connection.resolved && !draft.ignore) resolveConnection(report, draft, connection);
    }
  } catch (error) {
    if (!(error instanceof StopLoading)) throw error;
  }
  return { diagnostics: report.diagnostics, exitCode: report.valid ? undefined : EXIT_CONFIG_INVALID };
}
