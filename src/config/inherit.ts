import { type OptionContext } from '../options/catalogue';
import { parseConfigNumber, sameValue } from '../options/value';
import { type ConfigDraft, type ConnectionDraft, type HostDraft, type ResourceDraft } from './drafts';
import { type OptionSetting, type PluginEntry, type SectionOptions } from './model';
import { specOf } from './read-options';
import { EXIT_EXEC_ERROR, type Reporter } from './report';

const copies = new WeakMap<OptionSetting, OptionSetting>();

/** Settings never change, so all heirs of one share its copy. */
function inheritedCopy(option: OptionSetting): OptionSetting {
  if (option.inherited) return option;
  let copy = copies.get(option);
  if (copy === undefined) {
    copy = { ...option, inherited: true };
    copies.set(option, copy);
  }
  return copy;
}

/** Hands options down in one resource and reports contradictions (config-language.md 7.3). */
export class Heir {
  constructor(
    private readonly resource: ResourceDraft,
    private readonly report: Reporter,
  ) {}

  /**
   * Every option of `source` that `target` lacks is put in front of it. So each step reverses the order of what it
   * adds: that order is seen on command lines and in dumps.
   */
  pass(context: OptionContext, source: readonly OptionSetting[], target: OptionSetting[]): void {
    if (source.length === 0) return;
    for (const option of source) {
      const own = target.length === 0 ? undefined : target.find(({ name }) => name === option.name);
      if (own === undefined) target.unshift(inheritedCopy(option));
      else if (own.inherited) this.compare(context, own, option);
    }
  }

  private compare(context: OptionContext, own: OptionSetting, other: OptionSetting): void {
    if (own.value === other.value) return;
    const spec = specOf(context, own.name);
    const { origin } = this.resource;
    if (spec?.kind === 'number' && spec.checkedInPostparse) {
      const bad = [own, other].find((option) => parseConfigNumber(option.value, spec.scale) === undefined);
      if (bad !== undefined) {
        const text = `${bad.value} is not a valid number`;
        this.report.fatal('ambiguous-inheritance', origin, text, {}, EXIT_EXEC_ERROR);
        return;
      }
    }
    if (spec !== undefined && sameValue(spec, own.value, other.value)) return;
    this.report.error(
      'ambiguous-inheritance',
      origin,
      `${origin.file}:${origin.line}: in resource ${this.resource.name}, ` +
        `ambiguous inheritance for option "${own.name}".\n` +
        `should be "${own.value}" and "${other.value}" at the same time.`,
    );
  }

  plugins(source: readonly PluginEntry[], target: PluginEntry[]): void {
    // Plugin lists merge like options whose names are their texts.
    for (const entry of source) {
      if (!target.some((own) => own.text === entry.text)) target.unshift(entry);
    }
  }
}

/** Step 1: `disk none` clears disk and meta data; a device without name gets the default one. */
function completeVolumes(resource: ResourceDraft): void {
  for (const host of resource.hosts) {
    for (const volume of host.volumes) {
      if (volume.disk === 'none') {
        volume.disk = undefined;
        volume.metaDisk = undefined;
        volume.metaIndex = undefined;
      }
      if (volume.deviceName === undefined && volume.minor !== undefined) {
        volume.deviceName = `/dev/drbd${volume.minor}`;
      }
    }
  }
}

function inheritSections(heir: Heir, from: SectionOptions, resource: ResourceDraft): void {
  const to = resource.options;
  heir.pass('show_net_options', from.net, to.net);
  heir.pass('device_options', from.device, to.device);
  heir.pass('attach', from.disk, to.disk);
  heir.pass('peer_device_options', from.peerDevice, to.peerDevice);
  heir.pass('startup_options', from.startup, to.startup);
  heir.pass('proxy_options', from.proxy, to.proxy);
  heir.pass('handlers', from.handlers, to.handlers);
  heir.pass('resource_options', from.resource, to.resource);
  if (from.stackedTimeouts) to.stackedTimeouts = true;
  heir.plugins(from.proxyPlugins, to.proxyPlugins);
}

/** Steps 3 and 4: from the resource, then from its volumes, to the volumes of the hosts. */
function inheritVolumes(heir: Heir, resource: ResourceDraft): void {
  const { device, disk, peerDevice } = resource.options;
  const own = device.length + disk.length + peerDevice.length > 0 ? resource.hosts : [];
  for (const host of own) {
    for (const volume of host.volumes) {
      heir.pass('device_options', device, volume.deviceOptions);
      heir.pass('attach', disk, volume.diskOptions);
      heir.pass('peer_device_options', peerDevice, volume.peerDeviceOptions);
    }
  }
  for (const from of resource.volumes) {
    for (const host of resource.hosts) {
      const volume = host.volumes.find((candidate) => candidate.vnr === from.vnr);
      if (volume === undefined) continue;
      heir.pass('device_options', from.deviceOptions, volume.deviceOptions);
      heir.pass('attach', from.diskOptions, volume.diskOptions);
      heir.pass('peer_device_options', from.peerDeviceOptions, volume.peerDeviceOptions);
    }
  }
}

/** Step 6: proxies of a connection take the resource's proxy options. */
function inheritProxies(heir: Heir, resource: ResourceDraft, connection: ConnectionDraft): void {
  for (const path of connection.paths) {
    for (const end of path.ends) {
      if (end.proxy === undefined) continue;
      heir.pass('proxy_options', resource.options.proxy, end.proxy.options);
      heir.plugins(resource.options.proxyPlugins, end.proxy.plugins);
    }
  }
}

/** Step 7: options of peer-devices from the connection, then from the volumes of both hosts. */
function inheritPeerDevices(heir: Heir, connection: ConnectionDraft): void {
  for (const device of connection.peerDevices) {
    heir.pass('peer_device_options', connection.peerDeviceOptions, device.options);
  }
  for (const end of connection.paths[0]?.ends ?? []) {
    for (const volume of end.host?.volumes ?? []) {
      const device = connection.peerDevices.find((candidate) => candidate.vnr === volume.vnr);
      if (device !== undefined) heir.pass('peer_device_options', volume.peerDeviceOptions, device.options);
    }
  }
}

/** What resource and hosts hand down to connections that have nothing of their own yet (steps 5 to 7). */
export function inheritConnections(
  heir: Heir,
  resource: ResourceDraft,
  connections: readonly ConnectionDraft[],
): void {
  const { net } = resource.options;
  const [only, second] = net;
  for (const connection of connections) {
    // An array made with its one member is smaller than one that grew.
    if (only !== undefined && second === undefined && connection.netOptions.length === 0)
      connection.netOptions = [inheritedCopy(only)];
    else heir.pass('show_net_options', net, connection.netOptions);
  }
  for (const connection of connections) inheritProxies(heir, resource, connection);
  for (const connection of connections) inheritPeerDevices(heir, connection);
}

/** True if no option is in the list twice. */
function areDifferent(options: readonly OptionSetting[]): boolean {
  return options.every(({ name }, at) => options.findIndex((other) => other.name === name) === at);
}

function areSame(options: readonly OptionSetting[], others: readonly OptionSetting[]): boolean {
  if (options.length !== others.length) return false;
  return options.every(({ name, value }, at) => others[at]?.name === name && others[at].value === value);
}

/** True if pending connections inherit nothing that contradicts itself: then they may stay pending. */
function inheritsQuietly(resource: ResourceDraft, hosts: readonly HostDraft[]): boolean {
  if (!areDifferent(resource.options.net)) return false;
  const [first] = hosts;
  if (first === undefined) return true;
  for (const [at, { peerDeviceOptions }] of first.volumes.entries()) {
    if (!areDifferent(peerDeviceOptions)) return false;
    for (const { volumes } of hosts) {
      if (!areSame(volumes[at]?.peerDeviceOptions ?? [], peerDeviceOptions)) return false;
    }
  }
  return true;
}

/** Hands options down everywhere: for every command but plain dump and dump-xml. */
export function inheritOptions(config: ConfigDraft, report: Reporter): void {
  config.inherited = true;
  for (const resource of config.resources) {
    const heir = new Heir(resource, report);
    completeVolumes(resource);
    const source = resource.template?.options ?? config.common?.options;
    if (source !== undefined) inheritSections(heir, source, resource);
    inheritVolumes(heir, resource);
    const { pending } = resource;
    if (pending !== undefined && inheritsQuietly(resource, pending.hosts)) pending.inherits = true;
    else inheritConnections(heir, resource, resource.connections);
  }
}
