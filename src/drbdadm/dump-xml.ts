/** `dump-xml` (drbdadm.md 12.4), including that `<template>` is never closed. */
import {
  type Address,
  type Config,
  type Connection,
  type Host,
  type OptionList,
  type PathEnd,
  type Proxy,
  type Resource,
  type SectionOptions,
  type Volume,
} from '../config/model';
import { type DumpSettings, shownEnds } from './dump';

const entities: ReadonlyMap<string, string> = new Map([
  ["'", '&apos;'],
  ['"', '&quot;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['&', '&amp;'],
]);

function escapeXml(text: string): string {
  return text.replace(/['"<>&]/g, (character) => entities.get(character) ?? character);
}

function line(depth: number, text: string): string {
  return `${'    '.repeat(depth)}${text}\n`;
}

function optionLines(depth: number, options: OptionList): string {
  return options
    .map((option) =>
      line(depth, `<option name="${escapeXml(option.name)}" value="${escapeXml(option.value)}"/>`),
    )
    .join('');
}

function section(depth: number, name: string, options: OptionList, extra = ''): string {
  if (options.length === 0 && extra === '') return '';
  return (
    line(depth, `<section name="${name}">`) +
    optionLines(depth + 1, options) +
    extra +
    line(depth, '</section>')
  );
}

function sections(depth: number, options: SectionOptions): string {
  const stacked = options.stackedTimeouts ? line(depth + 1, '<option name="stacked-timeouts"/>') : '';
  const plugins = options.proxyPlugins.map((plugin) =>
    line(depth + 2, `<option name="${escapeXml(plugin.text)}"/>`),
  );
  const pluginSection =
    plugins.length === 0
      ? ''
      : line(depth + 1, '<section name="plugin">') + plugins.join('') + line(depth + 1, '</section>');
  return (
    section(depth, 'options', options.resource) +
    section(depth, 'net', options.net) +
    section(depth, 'disk', [...options.device, ...options.disk, ...options.peerDevice]) +
    section(depth, 'startup', options.startup, stacked) +
    section(depth, 'proxy', options.proxy, pluginSection) +
    section(depth, 'handlers', options.handlers)
  );
}

function addressElement(name: string, address: Address | undefined): string {
  const family = address?.family ?? '(null)';
  const port = address?.port ?? '(null)';
  return `<${name} family="${family}" port="${port}">${address?.address ?? '(null)'}</${name}>`;
}

function metaDiskElement(depth: number, volume: Volume): string {
  const implied = volume.disk === 'none' && volume.metaDiskOrigin === undefined;
  if (volume.metaDisk === undefined || implied) return '';
  const index = volume.metaIndex;
  const numbered = index !== undefined && /^\d+$/.test(index);
  const attribute = numbered ? ` index="${index}"` : '';
  return line(depth, `<meta-disk${attribute}>${escapeXml(volume.metaDisk)}</meta-disk>`);
}

function volumeElement(depth: number, volume: Volume): string {
  const options = [...volume.deviceOptions, ...volume.diskOptions, ...volume.peerDeviceOptions];
  return (
    line(depth, `<volume vnr="${volume.vnr}">`) +
    section(depth + 1, 'disk', options) +
    line(depth + 1, `<device minor="${volume.minor ?? 0}">${escapeXml(volume.deviceName ?? '')}</device>`) +
    line(depth + 1, `<disk>${escapeXml(volume.disk ?? '')}</disk>`) +
    metaDiskElement(depth + 1, volume) +
    line(depth, '</volume>')
  );
}

function proxyElement(depth: number, proxy: Proxy): string {
  const plugins = proxy.plugins
    .map((plugin) => line(depth + 2, `<option name="${escapeXml(plugin.text)}"/>`))
    .join('');
  return (
    line(depth, `<proxy hostname="${escapeXml(proxy.hostNames.join(' '))}">`) +
    line(depth + 1, addressElement('inside', proxy.inside)) +
    line(depth + 1, addressElement('outside', proxy.outside)) +
    section(depth + 1, 'options', proxy.options, plugins) +
    line(depth, '</proxy>')
  );
}

function hostElement(host: Host): string {
  const opening =
    host.kind === 'floating' ? '<host floating="1">' : `<host name="${escapeXml(host.names.join(' '))}">`;
  return (
    line(2, opening) +
    section(3, 'options', host.options) +
    host.volumes.map((volume) => volumeElement(3, volume)).join('') +
    line(3, addressElement('address', host.address)) +
    line(2, '</host>')
  );
}

function endElement(depth: number, end: PathEnd): string {
  const name = escapeXml(end.name ?? end.host?.names.join('_') ?? '');
  if (end.proxy === undefined)
    return line(depth, `<host name="${name}">${addressElement('address', end.address)}</host>`);
  return (
    line(depth, `<host name="${name}">`) +
    line(depth + 1, addressElement('address', end.address)) +
    proxyElement(depth + 1, end.proxy) +
    line(depth, '</host>')
  );
}

function connectionElement(connection: Connection, settings: DumpSettings): string {
  const paths = connection.paths.map((path) => {
    if (path.implicit && !settings.verbose)
      return shownEnds(connection, path)
        .map((end) => endElement(3, end))
        .join('');
    return (
      line(3, '<path>') +
      shownEnds(connection, path)
        .map((end) => endElement(4, end))
        .join('') +
      line(3, '</path>')
    );
  });
  const devices = connection.peerDevices
    .filter((device) => settings.verbose || !device.implicit)
    .map(
      (device) =>
        line(3, `<volume vnr="${device.vnr}">`) + section(4, 'disk', device.options) + line(3, '</volume>'),
    );
  return (
    line(2, '<connection>') +
    paths.join('') +
    section(3, 'net', connection.netOptions) +
    section(3, 'disk', connection.peerDeviceOptions) +
    devices.join('') +
    line(2, '</connection>')
  );
}

/** A `<resource>` element as it stands inside `<config>`. */
function resourceElement(resource: Resource, settings: DumpSettings): string {
  const place = escapeXml(`${resource.origin.file}:${resource.origin.line}`);
  const template =
    resource.templateFile === undefined
      ? ''
      : line(2, `<template file="${escapeXml(resource.templateFile)}">`);
  return (
    line(1, `<resource name="${escapeXml(resource.name)}" conf-file-line="${place}">`) +
    template +
    resource.hosts.map(hostElement).join('') +
    resource.connections.map((connection) => connectionElement(connection, settings)).join('') +
    sections(2, resource.options) +
    line(1, '</resource>')
  );
}

/** One resource by itself: the same element, one level further left. */
export function dumpXmlResource(resource: Resource, settings: DumpSettings): string {
  return resourceElement(resource, settings).replace(/^ {4}/gm, '');
}

function globalElement(config: Config): string {
  const { global } = config;
  const lines = [
    ...(global.disableIpVerification ? [line(2, '<disable-ip-verification/>')] : []),
    ...(global.minorCount === 0 ? [] : [line(2, `<minor-count count="${global.minorCount}"/>`)]),
    ...(global.dialogRefresh === 1 ? [] : [line(2, `<dialog-refresh refresh="${global.dialogRefresh}"/>`)]),
  ];
  return lines.length === 0 ? '' : `${line(1, '<global>')}${lines.join('')}${line(1, '</global>')}`;
}

/** The whole configuration as one `<config>` element. */
export function dumpXmlAll(config: Config, settings: DumpSettings): string {
  const common =
    config.common === undefined
      ? ''
      : `${line(1, '<common>')}${sections(2, config.common.options)}${line(1, '</common>')}`;
  return (
    line(0, `<config file="${escapeXml(config.file)}">`) +
    globalElement(config) +
    common +
    config.resources.map((resource) => resourceElement(resource, settings)).join('') +
    line(0, '</config>')
  );
}
