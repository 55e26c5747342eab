import { type ConnectionDraft, type HostDraft, type PathEndDraft, type ResourceDraft } from '../drafts';
import { Heir } from '../inherit';
import { type Address } from '../model';
import { findHost } from './find-host';
import { implicitNodeIds } from './implicit-node-ids';
import {
  addPeerDevices,
  connectPairs,
  implicitConnection,
  leavePending,
  unwrittenOrigin,
} from './pending-connections';
import { type Checking, hostNames, resourcePlace, type Rule } from './rule';

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
  const origin = unwrittenOrigin(resource);
  const heir = new Heir(resource, checking.report);
  for (const mesh of resource.meshes) {
    const hosts: HostDraft[] = [];
    for (const name of mesh.hosts) {
      const host = meshHost(checking, resource, name);
      if (host !== undefined) hosts.push(host);
    }
    for (const connection of connectPairs(hosts, origin, true)) {
      heir.pass('show_net_options', mesh.netOptions, connection.netOptions);
      resource.connections.push(connection);
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
  resource.connections.push(implicitConnection(unwrittenOrigin(resource), a, b));
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
      if (leavePending(checking, resource)) {
        requireNodeIds(checking, resource);
        continue;
      }
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
