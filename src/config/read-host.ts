import { lineOf, textOf } from '../language/tokens';
import { type HostItem, type HostNode, type NodeIdNode } from '../language/tree';
import { type HostDraft, newHost, type ResourceDraft } from './drafts';
import { type Address, type HostKind } from './model';
import { checkRange, MAX_PORT, readAddress } from './read-address';
import { listedRules, readOptions } from './read-options';
import { readProxy } from './read-proxy';
import { type HostStatements, lineOrigin, noStatements, type Reading, statementOrigin } from './reading';
import { readSkip } from './read-skip';
import {
  implicitVolume,
  readDevice,
  readDiskPath,
  readMetaDisk,
  readVolume,
  readVolumeOptions,
  type VolumeOwner,
} from './read-volume';
import { reportSyntaxError } from './syntax-errors';

const MAX_NODE_ID = 32;

/** Name of a floating host: its address with odd characters replaced (config-language.md 7.5). */
export function floatingName(address: Address): string {
  return `${address.address}:${address.port}`.replace(/[^A-Za-z0-9+._-]/g, '_');
}

/** A statement that may stand once in a host section; a stacked section has no name that could conflict. */
function claimStatement(
  reading: Reading,
  resource: ResourceDraft,
  host: HostDraft,
  what: keyof HostStatements,
): void {
  const name = host.names[0];
  if (name === undefined) return;
  const first = reading.hostStatements[what];
  if (first === undefined) {
    reading.hostStatements[what] = reading.statement;
    return;
  }
  const key = `${resource.name}:${name}:${what}`;
  reading.keys.conflict(`${what} statement`, key, statementOrigin(reading), lineOrigin(reading, first));
}

function readNodeId(reading: Reading, node: NodeIdNode, resource: ResourceDraft, host: HostDraft): void {
  const value = checkRange(reading, 'node-id', node.value, 0, MAX_NODE_ID);
  host.nodeId = String(value);
  reading.config.modern = true;
  const text = node.value.image;
  const origin = statementOrigin(reading);
  let first: HostDraft['nodeIdWritten'];
  for (const { nodeIdWritten } of resource.hosts) if (nodeIdWritten?.text === text) first ??= nodeIdWritten;
  host.nodeIdWritten = { text, origin };
  if (first !== undefined) reading.keys.conflict('node-id', `${resource.name}:${text}`, origin, first.origin);
}

/** The same spelling of a name may stand in one host section of a resource only. */
function claimNames(reading: Reading, resource: ResourceDraft, host: HostDraft): void {
  const origin = statementOrigin(reading);
  host.claimed = origin;
  if (host.kind === 'floating') return;
  let index = 0;
  for (const name of host.names) {
    let first = host.names.indexOf(name) < index++ ? origin : undefined;
    for (const other of resource.hosts) {
      if (other.kind === 'stacked' || !other.names.includes(name)) continue;
      first = other.claimed ?? first;
      break;
    }
    if (first !== undefined) {
      reading.keys.conflict('host section', `${resource.name}: on ${name}`, origin, first);
    }
  }
}

function readItem(
  reading: Reading,
  item: HostItem,
  resource: ResourceDraft,
  host: HostDraft,
  owner: VolumeOwner,
): void {
  // Statements of a stacked section do not count as such (config-language.md 5).
  if (item.kind !== 'error' && host.kind !== 'stacked') reading.statement = lineOf(item.keyword);
  switch (item.kind) {
    case 'address':
      if (host.kind === 'floating') {
        const origin = statementOrigin(reading);
        reading.report.fatal(
          'floating-address',
          origin,
          `${origin.display}:${origin.line}: address statement not allowed for floating {} host sections`,
          { token: item.keyword },
        );
        return;
      }
      claimStatement(reading, resource, host, 'address');
      host.address = readAddress(reading, item.address);
      return;
    case 'node-id':
      claimStatement(reading, resource, host, 'node-id');
      readNodeId(reading, item, resource, host);
      return;
    case 'proxy':
      host.proxy = readProxy(reading, item);
      return;
    case 'volume':
      readVolume(reading, item, owner);
      return;
    case 'options':
      if (textOf(item.keyword) === 'options') {
        host.options = [];
        const rules = listedRules([{ context: 'resource_options', list: host.options }], 'resource_options');
        readOptions(reading, item, rules);
        return;
      }
      claimStatement(reading, resource, host, 'disk');
      readVolumeOptions(reading, item, implicitVolume(reading, owner, item.keyword));
      return;
    case 'disk-path':
      claimStatement(reading, resource, host, 'disk');
      readDiskPath(reading, item, implicitVolume(reading, owner, item.keyword));
      return;
    case 'device':
      claimStatement(reading, resource, host, 'device');
      readDevice(reading, item, implicitVolume(reading, owner, item.keyword), host);
      return;
    case 'meta-disk':
      claimStatement(reading, resource, host, 'meta-disk');
      readMetaDisk(reading, item, implicitVolume(reading, owner, item.keyword));
      return;
    case 'skip':
      readSkip(reading, item);
      return;
    case 'error':
      reportSyntaxError(reading, item);
      return;
    case 'tiebreaker':
      return;
  }
}

const kinds: Readonly<Record<HostNode['form'], HostKind>> = {
  on: 'on',
  floating: 'floating',
  stacked: 'stacked',
  'this-host': 'this-host',
};

function nameHost(reading: Reading, node: HostNode, host: HostDraft): void {
  switch (node.form) {
    case 'on':
      host.names = node.names.map(textOf);
      return;
    case 'this-host':
      host.names = ['_this_host'];
      return;
    case 'floating':
      if (node.address === undefined) return;
      host.address = readAddress(reading, node.address);
      host.names = [floatingName(host.address)];
      return;
    case 'stacked':
      host.lowerName = node.names[0] === undefined ? '' : textOf(node.names[0]);
      return;
  }
}

/** `on`, `floating`, `stacked-on-top-of` and `_this_host` sections. */
export function readHost(reading: Reading, node: HostNode, resource: ResourceDraft): void {
  const start = node.form === 'floating' || node.open === undefined ? node.keyword : node.open;
  // The real tool does not remember where a stacked section is: its messages show line 0.
  const line = node.form === 'stacked' ? 0 : lineOf(start);
  const host = newHost(kinds[node.form], lineOrigin(reading, line));
  reading.statement = lineOf(node.keyword);
  nameHost(reading, node, host);
  if (node.form === 'stacked') {
    reading.keys.claim('stacked-on-top-of', `stacked:${host.lowerName}`, statementOrigin(reading));
  }
  claimNames(reading, resource, host);
  reading.section = lineOf(start);
  if (node.form === 'stacked') reading.statement = reading.section;
  resource.hosts.push(host);
  reading.hostStatements = noStatements();
  const owner = { holder: host, host };
  let index = 0;
  for (const item of node.items) {
    index++;
    readItem(reading, item, resource, host, owner);
    if (item.kind !== 'address') continue;
    // Behind the semicolon the real tool checks the port a second time.
    const next = node.items[index];
    const complete = next?.kind !== 'error' || next.expected !== ';';
    if (complete) checkRange(reading, 'port', item.address.port, 1, MAX_PORT);
  }
}
