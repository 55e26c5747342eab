import { deprecatedAlias } from '../options/catalogue';
import { endOf, lineOf, textOf, type Token } from '../language/tokens';
import {
  type OptionItem,
  type OptionsNode,
  type ProtocolNode,
  type ResourceItem,
  type ResourceNode,
} from '../language/tree';
import { newResource, type ResourceDraft } from './drafts';
import { diskAlias, modernSection, optionText, syncerContexts, warnDiskAliases, warnLegacy } from './legacy';
import { netRules, readConnection, readMesh } from './read-connection';
import { readHost } from './read-host';
import {
  checkValue,
  listedRules,
  phrasedRules,
  readOptions,
  type SectionRules,
  specOf,
} from './read-options';
import { readProxyOptions } from './read-proxy';
import { lineOrigin, type Reading, statementOrigin, tokenOrigin } from './reading';
import { readSkip } from './read-skip';
import {
  implicitVolume,
  readDevice,
  readDiskPath,
  readMetaDisk,
  readVolume,
  type VolumeOwner,
} from './read-volume';
import { EXIT_USAGE } from './report';
import { reportSyntaxError } from './syntax-errors';

function claimSection(reading: Reading, resource: ResourceDraft, what: string, key: string): void {
  reading.keys.claimInResource(what, `${resource.name}:${key}`, statementOrigin(reading));
}

function startupRules(resource: ResourceDraft): SectionRules {
  const list = resource.options.startup;
  return {
    ...phrasedRules(
      [{ context: 'startup_options', list }],
      '<an option keyword> | become-primary-on | stacked-timeouts',
    ),
    special: (_node, name) => {
      if (name !== 'stacked-timeouts') return false;
      resource.options.stackedTimeouts = true;
      return true;
    },
  };
}

function syncerRules(resource: ResourceDraft): SectionRules {
  const { net, disk, resource: res, peerDevice } = resource.options;
  const lists = [net, disk, res, peerDevice] as const;
  return {
    ...phrasedRules(
      syncerContexts.map(([context], index) => ({ context, list: lists[index] ?? net })),
      'a syncer option keyword',
    ),
    section: 'syncer',
    alias: deprecatedAlias,
  };
}

function warnSyncer(reading: Reading, item: OptionItem): void {
  if (item.kind !== 'option') return;
  const name = textOf(item.name);
  const modern = deprecatedAlias(name) ?? name;
  const section = modernSection(modern.replace(/^no-/, ''));
  if (section === undefined) return;
  const old = `syncer { ${optionText(item)} }`;
  warnLegacy(reading, item.name, 'syncer', old, `${section} { ${optionText(item, modern)} }`);
}

function readSection(reading: Reading, node: OptionsNode, resource: ResourceDraft): void {
  const options = resource.options;
  const keyword = textOf(node.keyword);
  switch (keyword) {
    case 'net':
      claimSection(reading, resource, 'net section', 'net');
      readOptions(reading, node, netRules(reading, options.net));
      return;
    case 'disk':
      claimSection(reading, resource, 'disk section', 'disk');
      warnDiskAliases(reading, node);
      readOptions(reading, node, {
        ...listedRules(
          [
            { context: 'attach', list: options.disk },
            { context: 'peer_device_options', list: options.peerDevice },
            { context: 'device_options', list: options.device },
            { context: 'show_net_options', list: options.net, only: 'fencing' },
          ],
          'peer_device_options',
        ),
        section: 'disk',
        alias: diskAlias,
      });
      return;
    case 'syncer':
      claimSection(reading, resource, 'syncer section', 'syncer');
      for (const item of node.items) warnSyncer(reading, item);
      readOptions(reading, node, syncerRules(resource));
      return;
    case 'startup':
      claimSection(reading, resource, 'startup section', 'startup');
      readOptions(reading, node, startupRules(resource));
      return;
    case 'handlers':
      claimSection(reading, resource, 'handlers section', 'handlers');
      for (const item of node.items) {
        if (item.kind !== 'option' || textOf(item.name) !== 'outdate-peer') continue;
        const modern = optionText(item, 'fence-peer');
        warnLegacy(reading, item.name, 'outdate-peer', optionText(item), modern);
      }
      readOptions(reading, node, listedRules([{ context: 'handlers', list: options.handlers }], 'handlers'));
      return;
    case 'proxy':
      claimSection(reading, resource, 'proxy section', 'proxy');
      readProxyOptions(reading, node, options.proxy, options.proxyPlugins);
      return;
    default:
      claimSection(reading, resource, 'resource options section', 'res_options');
      readOptions(
        reading,
        node,
        listedRules([{ context: 'resource_options', list: options.resource }], 'resource_options'),
      );
  }
}

function readProtocol(reading: Reading, node: ProtocolNode, resource: ResourceDraft): void {
  reading.keys.claimInResource('protocol statement', `${resource.name}: protocol`, statementOrigin(reading));
  const spec = specOf('show_net_options', 'protocol');
  const value = node.value === undefined ? 'yes' : textOf(node.value);
  if (spec !== undefined && node.value !== undefined)
    checkValue(reading, spec, 'protocol', node.value, value);
  resource.options.net.push({
    name: 'protocol',
    value,
    inherited: false,
    implied: false,
    unknown: false,
    origin: tokenOrigin(reading, node.keyword),
  });
}

const inResource = (resource: ResourceDraft): VolumeOwner => ({ holder: resource, host: undefined });

function readItem(reading: Reading, item: ResourceItem, resource: ResourceDraft): void {
  if (item.kind !== 'error') reading.statement = lineOf(item.keyword);
  switch (item.kind) {
    case 'protocol':
      readProtocol(reading, item, resource);
      return;
    case 'host':
      readHost(reading, item, resource);
      return;
    case 'options':
      readSection(reading, item, resource);
      return;
    case 'disk-path':
      readDiskPath(reading, item, implicitVolume(reading, inResource(resource), item.keyword), false);
      return;
    case 'device':
      claimSection(reading, resource, 'device statement', 'device');
      readDevice(reading, item, implicitVolume(reading, inResource(resource), item.keyword), undefined);
      return;
    case 'meta-disk':
      readMetaDisk(reading, item, implicitVolume(reading, inResource(resource), item.keyword));
      return;
    case 'volume':
      readVolume(reading, item, inResource(resource));
      return;
    case 'connection':
      readConnection(reading, item, resource);
      return;
    case 'mesh':
      readMesh(reading, item, resource);
      return;
    case 'ignore-on':
      resource.ignoredOn.push(textOf(item.host));
      warnLegacy(
        reading,
        item.keyword,
        'ignore-on',
        `ignore-on ${item.host.image};`,
        `skip resource ${resource.name} { ... }' in the file of that host or remove 'on ${item.host.image} { ... }`,
      );
      return;
    case 'template-file':
      readTemplateStatement(reading, textOf(item.path), resource);
      return;
    case 'skip':
      readSkip(reading, item);
      return;
    case 'error':
      reportSyntaxError(reading, item);
      return;
  }
}

function readTemplateStatement(reading: Reading, path: string, resource: ResourceDraft): void {
  reading.config.modern = true;
  const template = reading.readTemplate(resource, path, reading.statement);
  if (template === undefined) return;
  resource.template = template;
  resource.templateFile = template.origin.file;
}

function hasControlCharacter(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const char = name.charCodeAt(at);
    if (char < 0x20 || char === 0x7f) return true;
  }
  return false;
}

/** Bad names end the real tool at once, without naming the file (config-language.md 7.3a). */
function checkName(reading: Reading, name: string, token: Token | undefined): void {
  const problem =
    name === ''
      ? 'Resource name is empty.'
      : hasControlCharacter(name)
        ? "Resource name is invalid - please don't use control characters."
        : undefined;
  if (problem === undefined) return;
  reading.report.fatal('resource-name', statementOrigin(reading), problem, { token }, EXIT_USAGE);
}

/** Reads the body of a resource, of `common` or of a template. */
export function readResourceBody(reading: Reading, node: ResourceNode, resource: ResourceDraft): void {
  reading.keys.startResource();
  for (const item of node.items) readItem(reading, item, resource);
  resource.start = node.keyword.startOffset;
  resource.end = node.close === undefined ? reading.source.text.length : endOf(node.close);
}

/** `resource NAME { }`. */
export function readResource(reading: Reading, node: ResourceNode): void {
  reading.statement = lineOf(node.keyword);
  const name = node.name === undefined ? '' : textOf(node.name);
  checkName(reading, name, node.name);
  reading.keys.claim('resource section', name, statementOrigin(reading));
  const resource = newResource(name, lineOrigin(reading, lineOf(node.open)));
  reading.config.resources.push(resource);
  readResourceBody(reading, node, resource);
}

/** `common { }`. */
export function readCommon(reading: Reading, node: ResourceNode): void {
  reading.statement = lineOf(node.keyword);
  reading.keys.claim('resource section', 'common', statementOrigin(reading));
  const common = newResource('common', lineOrigin(reading, lineOf(node.open)));
  readResourceBody(reading, node, common);
  reading.config.common = { origin: common.origin, options: common.options };
  reportHostsInCommon(reading, common, node.close ?? node.keyword);
}

/** There are no hosts in a section that is for all resources. */
export function reportHostsInCommon(reading: Reading, common: ResourceDraft, last: Token): void {
  if (common.hosts.length === 0) return;
  const origin = statementOrigin(reading);
  reading.report.error(
    'hosts-in-common',
    origin,
    `${origin.display}:${origin.line}: in the ${common.name} section, there are no host sections allowed.`,
    { token: last },
  );
}
