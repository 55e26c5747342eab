import { textOf, type Token } from '../../language/tokens';
import { type HostNode, type NodeIdNode, type ProxyNode, type ResourceNode } from '../../language/tree';
import { addressHash } from '../rules/implicit-node-ids';
import { type Change } from './migrate-sections';
import { type SourceText } from './source-text';

function proxyOf(host: HostNode): ProxyNode | undefined {
  return host.items.find((item): item is ProxyNode => item.kind === 'proxy');
}

function nodeIdOf(host: HostNode): NodeIdNode | undefined {
  return host.items.find((item): item is NodeIdNode => item.kind === 'node-id');
}

function addressOf(host: HostNode): Token | undefined {
  if (host.address !== undefined) return host.address.address;
  for (const item of host.items) if (item.kind === 'address') return item.address.address;
  return undefined;
}

function outsideAddress(host: HostNode): string {
  for (const item of proxyOf(host)?.items ?? [])
    if (item.kind === 'proxy-address' && textOf(item.keyword) === 'outside')
      return textOf(item.address.address);
  return '';
}

/** The two hosts of a resource without connections: what 8.3 and 8.4 know. */
function pairOf(node: ResourceNode): readonly [HostNode, HostNode] | undefined {
  const kinds = ['connection', 'mesh', 'template-file'];
  if (node.kind !== 'resource' || node.items.some((item) => kinds.includes(item.kind))) return undefined;
  const hosts = node.items.filter((item): item is HostNode => item.kind === 'host');
  const [first, second] = hosts;
  return first === undefined || second === undefined || hosts.length !== 2 ? undefined : [first, second];
}

/** The ids that DRBD 9 would derive (config-language.md 7.8): clusters that run keep theirs. */
function derivedIds(first: HostNode, second: HostNode): readonly [string, string] | undefined {
  const addresses = [addressOf(first), addressOf(second)] as const;
  if (addresses[0] === undefined || addresses[1] === undefined) return undefined;
  const [a, b] = [addressHash(textOf(addresses[0])), addressHash(textOf(addresses[1]))];
  const [x, y] = a !== b ? [a, b] : [addressHash(outsideAddress(first)), addressHash(outsideAddress(second))];
  if (x === y) return undefined;
  return x > y ? ['0', '1'] : ['1', '0'];
}

function addNodeId(source: SourceText, host: HostNode, id: string): void {
  if (host.open !== undefined) {
    source.insertLinesBehind(host.open, `node-id ${id};`);
    return;
  }
  // floating ADDRESS ;
  const last = host.address?.port ?? host.keyword;
  const { end } = source.statement(host.keyword, last);
  source.replace(end - 1, end, ` {\nnode-id ${id};\n}`);
}

/** Writes down the node ids of a resource that has none. */
export function migrateNodeIds(source: SourceText, node: ResourceNode, changes: Change[]): void {
  const pair = pairOf(node);
  if (pair === undefined || pair.some((host) => nodeIdOf(host) !== undefined)) return;
  const ids = derivedIds(...pair);
  if (ids === undefined) return;
  pair.forEach((host, index) => {
    const id = ids[index] ?? '';
    addNodeId(source, host, id);
    changes.push({ token: host.keyword, before: undefined, after: `node-id ${id};` });
  });
}

/** `proxy on` of 8.4 moves from the two hosts into a connection. */
export function migrateProxies(source: SourceText, node: ResourceNode, changes: Change[]): void {
  const pair = pairOf(node);
  if (pair === undefined) return;
  const ends: string[] = [];
  for (const host of pair) {
    const proxy = proxyOf(host);
    const name = host.names[0];
    if (host.form !== 'on' || proxy?.close === undefined || name === undefined) return;
    const { start, end } = source.extent(proxy.keyword, proxy.close);
    ends.push(`host ${name.image} via ${source.slice(start, end)}`);
  }
  for (const host of pair) {
    const proxy = proxyOf(host);
    if (proxy?.close === undefined) return;
    const { start, end } = source.extent(proxy.keyword, proxy.close);
    source.remove(start, end);
    changes.push({
      token: proxy.keyword,
      before: 'proxy on ... in a host section',
      after: 'connection { host ... via proxy on ... }',
    });
  }
  const last = pair[1].close;
  if (last !== undefined) source.insertLinesBehind(last, `connection {\n${ends.join('\n')}\n}`);
}
