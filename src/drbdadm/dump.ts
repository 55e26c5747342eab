/** `dump`: the configuration as text (drbdadm.md 12.2, 12.3), quirks of the layout included. */
import {
  type Address,
  type Config,
  type Connection,
  type Host,
  type OptionList,
  type Path,
  type PathEnd,
  type PluginEntry,
  type Proxy,
  type Resource,
  type SectionOptions,
  type Volume,
} from '../config/model';

export interface DumpSettings {
  /** -v: hosts, devices and connections as they are after everything was worked out. */
  readonly verbose: boolean;
  readonly nodeName: string;
}

function indent(depth: number): string {
  return ' '.repeat(4 * depth);
}

/** A value as the dump writes it: quoted unless it is a plain word of at most 80 characters. */
export function quoteValue(value: string): string {
  if (/^[a-zA-Z0-9/._-]{1,80}$/.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

function assignment(depth: number, name: string, value: string): string {
  const width = 24 - 4 * depth;
  const field = width >= 0 ? name.padEnd(width) : name.padStart(-width);
  return `${indent(depth)}${field} ${value.padStart(3)};\n`;
}

function addressText(address: Address): string {
  const host = address.family === 'ipv6' ? `[${address.address}]` : address.address;
  return `${address.family} ${host}:${address.port}`;
}

function addressLine(depth: number, name: string, address: Address, postfix: string): string {
  return `${indent(depth)}${name.padEnd(16)} ${addressText(address)}${postfix}`;
}

function optionLines(depth: number, options: OptionList): string {
  return options.map((option) => assignment(depth, option.name, quoteValue(option.value))).join('');
}

/** `section { options }`, or nothing without any. */
function section(depth: number, name: string, ...lists: readonly OptionList[]): string {
  const options = lists.flat();
  if (options.length === 0) return '';
  return `${indent(depth)}${name} {\n${optionLines(depth + 1, options)}${indent(depth)}}\n`;
}

function startupSection(depth: number, options: SectionOptions): string {
  if (options.startup.length === 0 && !options.stackedTimeouts) return '';
  const stacked = options.stackedTimeouts ? `${indent(depth + 1)}stacked-timeouts;\n` : '';
  return `${indent(depth)}startup {\n${optionLines(depth + 1, options.startup)}${stacked}${indent(depth)}}\n`;
}

function pluginSection(depth: number, plugins: readonly PluginEntry[]): string {
  if (plugins.length === 0) return '';
  const lines = plugins.map((plugin) => `${indent(depth + 1)}${plugin.text};\n`).join('');
  return `${indent(depth)}plugin {\n${lines}${indent(depth)}}\n`;
}

function proxyOptions(
  depth: number,
  name: string,
  options: OptionList,
  plugins: readonly PluginEntry[],
): string {
  if (options.length === 0 && plugins.length === 0) return '';
  const inner = optionLines(depth + 1, options) + pluginSection(depth + 1, plugins);
  return `${indent(depth)}${name} {\n${inner}${indent(depth)}}\n`;
}

function sections(depth: number, options: SectionOptions): string {
  return (
    section(depth, 'options', options.resource) +
    section(depth, 'net', options.net) +
    section(depth, 'disk', options.device, options.disk, options.peerDevice) +
    startupSection(depth, options) +
    proxyOptions(depth, 'proxy', options.proxy, options.proxyPlugins) +
    section(depth, 'handlers', options.handlers)
  );
}

function globalSection(config: Config, settings: DumpSettings): string {
  const { global } = config;
  const lines = [
    ...(global.disableIpVerification ? [`${indent(1)}disable-ip-verification;\n`] : []),
    ...(global.minorCount === 0 ? [] : [`${indent(1)}minor-count ${global.minorCount};\n`]),
    ...(global.dialogRefresh === 1 ? [] : [`${indent(1)}dialog-refresh ${global.dialogRefresh};\n`]),
    ...(global.usageCount === 'ask' ? [] : [`${indent(1)}usage-count ${global.usageCount};\n`]),
  ];
  if (lines.length === 0 && !settings.verbose) return '';
  return `global {\n${lines.join('')}}\n\n`;
}

function commonSection(config: Config): string {
  if (config.common === undefined) return '';
  return `common {\n${sections(1, config.common.options)}}\n\n`;
}

function metaDiskLine(depth: number, volume: Volume): string {
  if (volume.metaDisk === undefined) return '';
  if (volume.metaDisk === 'internal') return assignment(depth, 'meta-disk', 'internal');
  const index = volume.metaIndex;
  const suffix = index === undefined || index === 'flexible' || index === 'internal' ? '' : ` [${index}]`;
  return `${indent(depth)}${'meta-disk'.padEnd(16)} ${quoteValue(volume.metaDisk)}${suffix};\n`;
}

function deviceLine(depth: number, volume: Volume): string {
  const gap = ' '.repeat(Math.max(1, 19 - 4 * depth));
  const name = volume.deviceName === undefined ? '' : `${quoteValue(volume.deviceName)} `;
  return `${indent(depth)}device${gap}${name}minor ${volume.minor ?? 0};\n`;
}

function volumeBody(depth: number, volume: Volume, settings: DumpSettings, stacked: boolean): string {
  const { written } = volume;
  let text = section(depth, 'disk', volume.deviceOptions, volume.diskOptions, volume.peerDeviceOptions);
  if (written.device || settings.verbose) text += deviceLine(depth, volume);
  if ((written.disk || settings.verbose) && !stacked)
    text += assignment(depth, 'disk', volume.disk === undefined ? 'none' : quoteValue(volume.disk));
  if ((written.metaDisk || settings.verbose) && !stacked) text += metaDiskLine(depth, volume);
  if (volume.tiebreaker !== undefined) text += assignment(depth, 'tiebreaker', volume.tiebreaker);
  return text;
}

function volumeText(depth: number, volume: Volume, settings: DumpSettings, stacked: boolean): string {
  if (volume.implicit) return volumeBody(depth, volume, settings, stacked);
  const body = volumeBody(depth + 1, volume, settings, stacked);
  return `${indent(depth)}volume ${volume.vnr} {\n${body}${indent(depth)}}\n`;
}

function wasWritten(volume: Volume): boolean {
  return volume.written.device || volume.written.disk || volume.written.metaDisk;
}

function proxyBlock(depth: number, proxy: Proxy): string {
  let text = `${indent(depth)}proxy on ${proxy.hostNames.join(' ')} {\n`;
  if (proxy.inside !== undefined) text += addressLine(depth + 1, 'inside', proxy.inside, ';\n');
  if (proxy.outside !== undefined) text += addressLine(depth + 1, 'outside', proxy.outside, ';\n');
  return `${text}${proxyOptions(depth + 1, 'options', proxy.options, proxy.plugins)}${indent(depth)}}\n`;
}

function hostOpening(host: Host): string {
  switch (host.kind) {
    case 'floating':
      return host.address === undefined
        ? `${indent(1)}floating {\n`
        : addressLine(1, 'floating', host.address, ' {\n');
    case 'stacked':
      return (
        `${indent(1)}stacked-on-top-of ${quoteValue(host.lowerName ?? '')} {\n` +
        `${indent(2)}# on ${host.names.map((name) => `${name} `).join('')}\n`
      );
    case 'on':
    case 'this-host':
    case 'generated':
      return `${indent(1)}on ${host.names.join(' ')} {\n`;
  }
}

function hostText(host: Host, settings: DumpSettings): string {
  if (host.kind === 'generated' && !settings.verbose) return '';
  const stacked = host.kind === 'stacked';
  let text = hostOpening(host);
  if (host.nodeId !== undefined) text += `${indent(2)}node-id ${host.nodeId};\n`;
  text += section(2, 'options', host.options);
  for (const volume of host.volumes) {
    if (settings.verbose || (wasWritten(volume) && !(stacked && volume.implicit)))
      text += volumeText(2, volume, settings, stacked);
  }
  if (host.kind !== 'floating' && host.address !== undefined)
    text += addressLine(2, 'address', host.address, ';\n');
  if (host.proxy !== undefined && !settings.verbose) text += proxyBlock(2, host.proxy);
  return `${text}${indent(1)}}\n`;
}

function endAddress(depth: number, end: PathEnd, settings: DumpSettings): string {
  if (end.address === undefined) return '';
  if (end.addressWritten || settings.verbose)
    return `${indent(depth)}${' address'.padEnd(16)} ${addressText(end.address)}`;
  return end.portWritten ? ` port ${end.address.port}` : '';
}

function endTail(depth: number, end: PathEnd): string {
  if (end.proxy !== undefined) return `${indent(depth)} via ${proxyBlock(depth, end.proxy).trimStart()}`;
  if (end.outsideAddress !== undefined)
    return `${indent(depth)} via outside-address ${addressText(end.outsideAddress)};\n`;
  return ';\n';
}

function pathEnd(depth: number, end: PathEnd, settings: DumpSettings): string {
  if (end.byAddress && end.address !== undefined) {
    const names = end.host?.names.join('_') ?? '';
    return `${addressLine(depth, 'address', end.address, `; # on ${names}\n`)}${endTail(depth, end)}`;
  }
  const name = quoteValue(end.name ?? end.host?.names.join('_') ?? '');
  return `${indent(depth)}host ${name}${endAddress(depth, end, settings)}${endTail(depth, end)}`;
}

/** An implicit connection has no end for a host without address. */
export function shownEnds(connection: Connection, path: Path): readonly PathEnd[] {
  return connection.implicit ? path.ends.filter((end) => end.address !== undefined) : path.ends;
}

function pathText(connection: Connection, path: Path, settings: DumpSettings): string {
  const shown = shownEnds(connection, path);
  if (path.implicit && !settings.verbose) return shown.map((end) => pathEnd(2, end, settings)).join('');
  const ends = shown.map((end) => pathEnd(3, end, settings)).join('');
  return `${indent(2)}path {\n${ends}${indent(2)}}\n`;
}

function connectionText(connection: Connection, settings: DumpSettings): string {
  if ((connection.implicit || connection.fromMesh) && !settings.verbose) return '';
  const devices = connection.peerDevices
    .filter((device) => settings.verbose || !device.implicit)
    .map((device) => {
      const body = section(3, 'disk', device.options);
      return `${indent(2)}volume ${device.vnr} {\n${body}${indent(2)}}\n`;
    });
  return (
    `${indent(1)}connection {\n` +
    connection.paths.map((path) => pathText(connection, path, settings)).join('') +
    section(2, 'net', connection.netOptions) +
    section(2, 'disk', connection.peerDeviceOptions) +
    `${devices.join('')}${indent(1)}}\n`
  );
}

function meshText(resource: Resource): string {
  return resource.meshes
    .map(
      (mesh) =>
        `${indent(1)}connection-mesh {\n${indent(2)}hosts ${mesh.hosts.join(' ')};\n` +
        `${section(2, 'net', mesh.netOptions)}${indent(1)}}\n`,
    )
    .join('');
}

function resourceHeading(resource: Resource, settings: DumpSettings): string {
  const { origin } = resource;
  return (
    `# resource ${quoteValue(resource.name)} on ${settings.nodeName}: ` +
    `${resource.ignore ? 'ignored' : 'not ignored'}, ${resource.stacked ? 'stacked' : 'not stacked'}\n` +
    `# defined at ${origin.file}:${origin.line}\n`
  );
}

/** One resource, with the empty line that follows it. A volume named on the command line changes nothing. */
export function dumpResource(resource: Resource, settings: DumpSettings): string {
  let text = `${resourceHeading(resource, settings)}resource ${quoteValue(resource.name)} {\n`;
  if (resource.templateFile !== undefined)
    text += `${indent(1)}template-file ${quoteValue(resource.templateFile)};\n`;
  if (!settings.verbose) {
    const volumes = resource.volumes.filter(wasWritten);
    text += volumes.map((volume) => volumeText(1, volume, settings, false)).join('');
  }
  text += resource.hosts.map((host) => hostText(host, settings)).join('');
  const connections = settings.verbose ? resource.connections : resource.made;
  text += connections.map((connection) => connectionText(connection, settings)).join('');
  if (!settings.verbose) text += meshText(resource);
  return `${text}${sections(1, resource.options)}}\n\n`;
}

/** Every resource, those of other hosts included, behind the global and common sections. */
export function dumpAll(config: Config, settings: DumpSettings): string {
  const head = `# ${config.file}\n${globalSection(config, settings)}${commonSection(config)}`;
  return head + config.resources.map((resource) => dumpResource(resource, settings)).join('');
}
