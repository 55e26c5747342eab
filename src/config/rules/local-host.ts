import { type HostDraft, type ResourceDraft } from '../drafts';
import { sameHost } from '../host-names';
import { type Checking, hostNames, type Rule } from './rule';

function isLocal(checking: Checking, host: HostDraft): boolean {
  switch (host.kind) {
    case 'floating':
      if (host.address === undefined) return false;
      if (host.address.family === 'sdp' || host.address.family === 'ssocks') return true;
      return host.address.address === checking.nodeName || checking.isLocalAddress(host.address);
    case 'stacked':
      return host.lower?.me !== undefined;
    case 'this-host':
      return true;
    case 'generated':
      return false;
    case 'on':
      return host.names[0] === '_this_host' || host.names.some((name) => sameHost(name, checking.nodeName));
  }
}

function hasProxyHere(checking: Checking, resource: ResourceDraft): boolean {
  const names = [
    ...resource.made.flatMap((connection) =>
      connection.paths.flatMap((path) => path.ends.flatMap((end) => end.proxy?.hostNames ?? [])),
    ),
  ];
  return names.some((name) => sameHost(name, checking.nodeName));
}

/** The end whose proxy runs here tells which host this node works for. */
function proxiedHost(checking: Checking, resource: ResourceDraft): HostDraft | undefined {
  for (const connection of resource.made) {
    for (const path of connection.paths) {
      for (const end of path.ends) {
        if (end.proxy?.hostNames.some((name) => sameHost(name, checking.nodeName)) === true) return end.host;
      }
    }
  }
  return undefined;
}

function sectionStart(host: HostDraft): string {
  return host.kind === 'stacked' ? `stacked-on-top-of ${host.lowerName ?? ''}` : `on ${hostNames(host)}`;
}

function choose(checking: Checking, resource: ResourceDraft): void {
  if (resource.ignoredOn.length > 0 && resource.ignoredOn.some((name) => sameHost(name, checking.nodeName))) {
    resource.ignore = true;
    return;
  }
  let me: HostDraft | undefined;
  let second: HostDraft | undefined;
  for (const host of checking.matchProxyOnly ? [] : resource.hosts) {
    if (!isLocal(checking, host)) continue;
    if (me === undefined) me = host;
    else second ??= host;
  }
  if (me !== undefined && second !== undefined) {
    checking.report.error(
      'two-local-hosts',
      second.origin,
      `${second.origin.file}:${second.origin.line}: in resource ${resource.name}, ` +
        `${sectionStart(me)} { ... } ... ${sectionStart(second)} { ... }:\n` +
        `\tThere are multiple host sections for this node.`,
    );
  }
  resource.me = me;
  if (me === undefined && hasProxyHere(checking, resource)) {
    resource.me = proxiedHost(checking, resource);
    resource.proxyOnly = resource.me !== undefined;
  }
  resource.ignore = resource.me === undefined;
  resource.stacked = resource.me?.kind === 'stacked';
}

/** The section of this host in each resource: first the normal, then the stacked ones (8.1, step 5; 8.2). */
export const localHost: Rule = {
  id: 'local-host',
  check: (checking) => {
    const isStacked = (resource: ResourceDraft): boolean =>
      resource.hosts.some((host) => host.kind === 'stacked');
    for (const resource of checking.config.resources) if (!isStacked(resource)) choose(checking, resource);
    for (const resource of checking.config.resources) if (isStacked(resource)) choose(checking, resource);
  },
};
