/** drbd-proxy-ctl command lines (drbdadm.md 13.3). */
import { type Address, type Connection, type Path, type Proxy, type Resource } from '../config/model';
import { type BackEndCall, type Step } from './plan';
import { type Scope } from './scope';

/** One end of a proxied connection as drbd-proxy-ctl is told about it. */
export interface ProxiedPath {
  readonly resource: Resource;
  readonly path: Path;
  readonly own: Proxy;
  readonly peer: Proxy;
}

function endpoint(address: Address | undefined): string {
  if (address === undefined) return '';
  const host = address.family === 'ipv6' ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

function joined(names: readonly string[] | undefined): string {
  return (names ?? []).join('_');
}

/** `RES-PEERHOST-OWNHOST`, host sections by all their names. */
export function proxyConnectionName(proxied: ProxiedPath): string {
  const { path, resource } = proxied;
  return `${resource.name}-${joined(path.remote?.host?.names)}-${joined(path.local?.host?.names)}`;
}

/** What releases before 9.23 called the connection: by the proxies' hosts. */
export function formerProxyConnectionName(proxied: ProxiedPath): string {
  return `${proxied.resource.name}-${joined(proxied.peer.hostNames)}-${joined(proxied.own.hostNames)}`;
}

/** A call of drbd-proxy-ctl with one or more commands, each behind its own `-c`. */
export function proxyControl(resource: Resource, commands: readonly string[]): BackEndCall {
  return {
    tool: 'drbd-proxy-ctl',
    words: commands.flatMap((command) => ['-c', command]),
    resource: resource.name,
    limit: 'short',
    errors: 'shown',
    environment: {},
  };
}

export function addProxyConnection(proxied: ProxiedPath): BackEndCall {
  const { own, peer, path, resource } = proxied;
  const words = [
    'add connection',
    proxyConnectionName(proxied),
    endpoint(own.inside),
    endpoint(peer.outside),
    endpoint(own.outside),
    endpoint(path.local?.address),
    ...own.options.map((option) => `--${option.name}=${option.value}`),
  ];
  return proxyControl(resource, [words.join(' ')]);
}

/** Options and plugins of a connection; nothing to do without any. */
export function setProxyConnection(proxied: ProxiedPath): readonly BackEndCall[] {
  const { own, resource } = proxied;
  const name = proxyConnectionName(proxied);
  const options = own.options.map((option) => `set ${option.name} ${name} ${option.value}`);
  const plugins = own.plugins.map((plugin, index) => `set plugin ${name} ${index} ${plugin.text}`);
  const end = plugins.length === 0 ? [] : [`set plugin ${name} ${plugins.length} END`];
  const commands = [...options, ...plugins, ...end];
  return commands.length === 0 ? [] : [proxyControl(resource, commands)];
}

/** Removes the connection under its present and, if different, its former name. */
export function deleteProxyConnection(proxied: ProxiedPath): readonly BackEndCall[] {
  const names = new Set([proxyConnectionName(proxied), formerProxyConnectionName(proxied)]);
  return [...names].map((name) => proxyControl(proxied.resource, [`del connection ${name}`]));
}

/** The proxied path of a connection; undefined if this host has no proxy on it. */
export function proxiedPath(resource: Resource, connection: Connection): ProxiedPath | undefined {
  const path = connection.paths[0];
  const own = path?.localProxy;
  const peer = path?.remoteProxy;
  return path === undefined || own === undefined || peer === undefined
    ? undefined
    : { resource, path, own, peer };
}

function noProxyHere(scope: Scope, connection: Connection): Step {
  const { resource } = scope;
  const here = joined(resource.me?.names);
  const peer = joined(connection.peer?.names);
  const where = `${resource.origin.file}:${resource.origin.line}`;
  const line = `${where}: In resource '${resource.name}', no proxy config for connection from '${here}' to '${peer}'.`;
  return { kind: 'complain', lines: [line], code: 10 };
}

export function proxySteps(scope: Scope, connection: Connection, what: 'up' | 'down'): readonly Step[] {
  const path = connection.paths[0];
  if (connection.paths.length > 1 && path?.localProxy !== undefined) {
    const lines = ['Multiple paths in connection within proxy setup not allowed'];
    return [{ kind: 'complain', lines, code: 10 }];
  }
  const proxied = proxiedPath(scope.resource, connection);
  if (proxied === undefined) return scope.named === undefined ? [] : [noProxyHere(scope, connection)];
  const calls =
    what === 'up'
      ? [addProxyConnection(proxied), ...setProxyConnection(proxied)]
      : deleteProxyConnection(proxied);
  return calls.map((call) => ({ kind: 'call', call }));
}
