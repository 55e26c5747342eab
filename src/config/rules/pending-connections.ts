import {
  type ConnectionDraft,
  type HostDraft,
  newConnection,
  newPath,
  newPathEnd,
  newPeerDevice,
  type PathEndDraft,
  type PendingConnections,
  type ResourceDraft,
} from '../drafts';
import { Heir, inheritConnections } from '../inherit';
import { type Origin } from '../model';
import { type Reporter } from '../report';
import { findHost } from './find-host';
import { type Checking } from './rule';

/** Where connections are that nobody wrote: line 0. */
export function unwrittenOrigin({ origin }: ResourceDraft): Origin {
  return { file: origin.file, display: origin.display, line: 0 };
}

function endOfHost(host: HostDraft, origin: Origin): PathEndDraft {
  const end = newPathEnd(origin);
  // A stacked section has no name of its own: such an end counts as given by address.
  end.byAddress = host.kind === 'stacked';
  end.name = end.byAddress ? host.names.join('_') : host.names[0];
  end.host = host;
  end.address = host.address;
  end.proxy = host.proxy;
  return end;
}

export function implicitConnection(origin: Origin, a: HostDraft, b: HostDraft): ConnectionDraft {
  const connection = newConnection(origin, true);
  const path = newPath(origin, true);
  path.ends = [endOfHost(a, origin), endOfHost(b, origin)];
  connection.paths = [path];
  return connection;
}

/** One connection per unordered pair, in the order of the list. */
export function connectPairs(
  hosts: readonly HostDraft[],
  origin: Origin,
  fromMesh: boolean,
): ConnectionDraft[] {
  const connections: ConnectionDraft[] = [];
  hosts.forEach((a, index) => {
    for (const b of hosts.slice(index + 1)) {
      const connection = implicitConnection(origin, a, b);
      connection.fromMesh = fromMesh;
      connections.push(connection);
    }
  });
  return connections;
}

/** One peer-device per volume of the first host of the first path. */
export function addPeerDevices(connection: ConnectionDraft): void {
  const host = connection.paths[0]?.ends[0]?.host;
  for (const volume of host?.volumes ?? []) {
    if (connection.peerDevices.some((device) => device.vnr === volume.vnr)) continue;
    const device = newPeerDevice(volume.vnr, true, connection.origin);
    if (connection.peerDevices.length === 0) connection.peerDevices = [device];
    else connection.peerDevices.push(device);
  }
}

class Pending implements PendingConnections {
  inherits = false;

  constructor(
    private readonly resource: ResourceDraft,
    readonly hosts: readonly HostDraft[],
    private readonly report: Reporter,
  ) {}

  make(): ConnectionDraft[] {
    const { resource } = this;
    const fromMesh = resource.meshes.length > 0;
    const connections = connectPairs(this.hosts, unwrittenOrigin(resource), fromMesh);
    connections.forEach(addPeerDevices);
    if (this.inherits) inheritConnections(new Heir(resource, this.report), resource, connections);
    return connections;
  }
}

/** True if no rule finds anything wrong with a connection of this host, or completes it. */
function isPlain(host: HostDraft): boolean {
  return (
    (host.kind === 'on' || host.kind === 'floating') &&
    host.address !== undefined &&
    host.nodeId !== undefined &&
    host.proxy === undefined
  );
}

/** Hosts of which each has a connection to each other one, if that is all there is to say about connections. */
function plainHosts(resource: ResourceDraft): readonly HostDraft[] | undefined {
  const [mesh, another] = resource.meshes;
  if (mesh === undefined) return resource.hosts.length === 2 ? resource.hosts : undefined;
  if (another !== undefined || mesh.netOptions.length > 0 || mesh.hosts.length < 2) return undefined;
  const hosts: HostDraft[] = [];
  for (const name of mesh.hosts) {
    const host = findHost(resource, name);
    if (host === undefined || hosts.includes(host)) return undefined;
    hosts.push(host);
  }
  return hosts;
}

/** Leaves the connections of a resource to be made when they are asked for, where no rule would say anything about them. */
export function leavePending({ report, showDialect }: Checking, resource: ResourceDraft): boolean {
  if (showDialect || resource.made.length > 0) return false;
  const hosts = plainHosts(resource);
  if (hosts === undefined || !hosts.every(isPlain)) return false;
  resource.pending = new Pending(resource, hosts, report);
  return true;
}
