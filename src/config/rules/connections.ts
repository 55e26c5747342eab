import {
  type ConnectionDraft,
  type HostDraft,
  newConnection,
  newPath,
  newPathEnd,
  newPeerDevice,
  type PathEndDraft,
  type ResourceDraft,
} from '../drafts';
import { sameHost } from '../host-names';
import { Heir } from '../inherit';
import { type Address, type Origin } from '../model';
import { implicitNodeIds } from './implicit-node-ids';
import { type Checking, hostNames, resourcePlace, type Rule } from './rule';

export function findHost(resource: ResourceDraft, name: string): HostDraft | undefined {
  return resource.hosts.find((host) => host.names.some((own) => sameHost(own, name)));
}

function checkEnds({ report, showDialect }: Checking, resource: ResourceDraft): void {
  for (const connection of resource.connections) {
    for (const path of connection.paths) {
      if (path.ends.length === 2 || (showDialect && path.ends.length === 0)) continue;
      report.error(
        'two-ends',
        path.origin,
        `${path.origin.file}:${path.origin.line}: Resource ${resource.name}: ` +
          `${path.implicit ? 'connection' : 'path'} needs to have two endpoints`,
      );
    }
  }
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

/** Line 0: nobody wrote these. */
function implicitConnection(origin: Origin, a: PathEndDraft, b: PathEndDraft): ConnectionDraft {
  const connection = newConnection(origin, true);
  const path = newPath(origin, true);
  path.ends = [a, b];
  connection.paths = [path];
  return connection;
}

function meshHost({ report }: Checking, resource: ResourceDraft, name: string): HostDraft | undefined {
  const host = findHost(resource, name);
  if (host === undefined) {
    report.error(
      'mesh-host',
      resource.origin,
      `${resourcePlace(resource)}in resource ${resource.name}:\n` +
        `\tThere is no 'on' section for hostname '${name}' named in the connection-mesh`,
    );
  } else if (host.proxy !== undefined) {
    report.error(
      'mesh-proxy',
      host.origin,
      `${host.origin.file}:${host.origin.line}: in resource ${resource.name}:\n` +
        `\tThere is a drbd-8.x proxy config syntax within an 'on' section and you are using\n` +
        `\tthe 'mesh' keyword from drbd-9.x syntax. That does not work together.\n\n` +
        `\tUse an explicit connection to configure a proxy and omit that pair of hosts\n` +
        `\tfrom the mesh.`,
    );
  }
  return host;
}

/** One connection per unordered pair, in the order of the list. */
function expandMeshes(checking: Checking, resource: ResourceDraft): void {
  if (resource.meshes.length === 0) return;
  const origin = { ...resource.origin, line: 0 };
  const heir = new Heir(resource, checking.report);
  for (const mesh of resource.meshes) {
    const hosts: HostDraft[] = [];
    for (const name of mesh.hosts) {
      const host = meshHost(checking, resource, name);
      if (host !== undefined) hosts.push(host);
    }
    for (const [index, a] of hosts.entries()) {
      for (let other = index + 1; other < hosts.length; other++) {
        const b = hosts[other];
        if (b === undefined) continue;
        const connection = implicitConnection(origin, endOfHost(a, origin), endOfHost(b, origin));
        connection.fromMesh = true;
        heir.pass('show_net_options', mesh.netOptions, connection.netOptions);
        resource.connections.push(connection);
      }
    }
  }
}

function addImplicit({ report }: Checking, resource: ResourceDraft): void {
  if (resource.connections.length > 0) return;
  const [a, b, third] = resource.hosts;
  if (a === undefined || b === undefined) return;
  if (third !== undefined) {
    report.complain(
      'three-hosts',
      resource.origin,
      `Resource ${resource.name}:\n\tUse explicit 'connection' sections (or a 'connection-mesh' section)` +
        ` with more than two 'on' sections.`,
    );
    return;
  }
  const origin = { ...resource.origin, line: 0 };
  resource.connections.push(implicitConnection(origin, endOfHost(a, origin), endOfHost(b, origin)));
}

function sameAddress(a: Address | undefined, b: Address | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.family === b.family &&
    a.address === b.address &&
    a.port === b.port
  );
}

function resolveNamed(
  checking: Checking,
  resource: ResourceDraft,
  connection: ConnectionDraft,
  end: PathEndDraft,
): void {
  const { report } = checking;
  const name = end.name ?? '';
  const place = `${end.origin.file}:${end.origin.line}: `;
  const host =
    end.host ??
    (name === '_remote_host' ? (connection.peer as HostDraft | undefined) : findHost(resource, name));
  end.host = host;
  if (host === undefined && name === '_remote_host') return;
  if (host === undefined) {
    report.error(
      'unknown-host',
      end.origin,
      `${place}in resource ${resource.name} a hostname ("${name}") is given\n` +
        `with a "host" keyword, has no "address" keyword, and no matching\nhost section ("on" keyword)`,
    );
    return;
  }
  if (end.address === undefined && host.address !== undefined) {
    end.address = end.portText === undefined ? host.address : { ...host.address, port: end.portText };
  }
  if (end.address === undefined && connection.fromMesh) {
    report.error(
      'mesh-address',
      resource.origin,
      `"connection-mesh" (for "${resource.name}") with a host ("${name}") that has no "address" defined`,
    );
  } else if (end.address === undefined && !connection.implicit) {
    const what = end.portText === undefined ? 'address and port' : 'address';
    report.error(
      'no-address',
      end.origin,
      `${place}Resource ${resource.name}, host ${name}: cannot determine which ${what} to use`,
    );
  }
}

function resolveEnd(
  checking: Checking,
  resource: ResourceDraft,
  connection: ConnectionDraft,
  end: PathEndDraft,
): void {
  if (!end.byAddress || end.host !== undefined) {
    resolveNamed(checking, resource, connection, end);
    return;
  }
  end.host = resource.hosts.find((host) => sameAddress(host.address, end.address));
  if (end.host !== undefined || end.address === undefined) return;
  // The reference crashes here (config-language.md 13).
  checking.report.error(
    'unknown-address',
    end.origin,
    `${end.origin.file}:${end.origin.line}: Resource ${resource.name}: ` +
      `no host section has the address ${end.address.family}:${end.address.address}:${end.address.port}`,
  );
}

/** One peer-device per volume of the first host of the first path. */
function addPeerDevices(connection: ConnectionDraft): void {
  const host = connection.paths[0]?.ends[0]?.host;
  for (const volume of host?.volumes ?? []) {
    if (connection.peerDevices.some((device) => device.vnr === volume.vnr)) continue;
    const device = newPeerDevice(volume.vnr, true, connection.origin);
    if (connection.peerDevices.length === 0) connection.peerDevices = [device];
    else connection.peerDevices.push(device);
  }
}

function requireNodeIds({ report, showDialect }: Checking, resource: ResourceDraft): void {
  if (showDialect) return;
  for (const host of resource.hosts) {
    if (host.nodeId !== undefined) continue;
    report.error(
      'node-id',
      host.origin,
      `${host.origin.file}:${host.origin.line}: in resource ${resource.name}, on ${hostNames(host)} { ... }: ` +
        `'node-id' keyword missing.`,
    );
  }
}

/** Paths have two ends with addresses, meshes and implicit connections are made, hosts have ids (8.1, step 3). */
export const connections: Rule = {
  id: 'connections',
  check: (checking) => {
    const { config, report } = checking;
    for (const resource of config.resources) {
      checkEnds(checking, resource);
      if (!report.valid) continue;
      expandMeshes(checking, resource);
      addImplicit(checking, resource);
      for (const connection of resource.connections) {
        for (const path of connection.paths) {
          for (const end of path.ends) {
            resolveEnd(checking, resource, connection, end);
            // The first host that is not there is reported, and of a mesh the first one without address.
            if (end.host === undefined && end.name !== '_remote_host') break;
            if (connection.fromMesh && end.address === undefined) break;
          }
        }
        implicitNodeIds(checking, connection);
        addPeerDevices(connection);
      }
      requireNodeIds(checking, resource);
    }
  },
};
