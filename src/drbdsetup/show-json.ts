// `drbdsetup show --json`, with the layout and the oddities of the real tool (drbdsetup.md 5.2, 5.3).
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type DiskSnapshot,
  type PathSnapshot,
  type PeerDeviceSnapshot,
  type ResourceSnapshot,
  type SocketAddress,
} from '../control/contract/snapshot';
import { ConnectionState, connectionStateName, MetaIndex } from '../control/contract/states';
import { optionMembers, quoted, shownOptions, type ShowSettings } from './show-options';
import { resourceOverrides } from './show-text';
import { hostAndPort } from './state-words';

/** Elements of an object or a list, each possibly of several lines. */
type Elements = readonly string[];

function indent(text: string): string {
  // The real tool puts the comma after a fixed meta-data index on a line of its own, unindented.
  return text.replace(/^(?!,$)(?=.)/gm, '    ');
}

function enclose(open: string, elements: Elements, close: string): string {
  const body = elements.map((element) => `${indent(element)}`).join(',\n');
  return elements.length === 0 ? `${open}\n${close}` : `${open}\n${body}\n${close}`;
}
const object = (name: string, elements: Elements): string => enclose(`"${name}": {`, elements, '}');
const list = (name: string, elements: Elements): string => enclose(`"${name}": [`, elements, ']');
const item = (elements: Elements): string => enclose('{', elements, '}');
const optional = (name: string, elements: Elements): Elements =>
  elements.length === 0 ? [] : [object(name, elements)];

/** The configuration of the given resources in the given order. */
export function renderShowJson(resources: readonly ResourceSnapshot[], settings: ShowSettings): string {
  const shown = settings.dialect === 'current' ? { ...settings, showDefaults: true } : settings;
  return `${enclose(
    '[',
    resources.map((resource) => resourceItem(resource, shown)),
    ']',
  )}\n`;
}

function resourceItem(resource: ResourceSnapshot, settings: ShowSettings): string {
  const overrides = resourceOverrides(resource);
  const options = shownOptions('resource_options', resource.options, settings, overrides);
  const { connections } = resource;
  return item([
    `"resource": "${resource.name}"`,
    ...optional('options', optionMembers(options)),
    object('_this_host', [
      `"node-id": ${resource.nodeId}`,
      list(
        'volumes',
        resource.devices.map((device) => volumeItem(device, settings)),
      ),
    ]),
    ...(connections.length === 0
      ? []
      : [
          list(
            'connections',
            connections.map((connection) => connectionItem(connection, settings)),
          ),
        ]),
  ]);
}

function metaDiskElements(disk: DiskSnapshot, { dialect }: ShowSettings): Elements {
  switch (disk.metaIndex) {
    case MetaIndex.Internal:
    case MetaIndex.FlexInternal:
      return ['"meta-disk": "internal"'];
    case MetaIndex.FlexExternal:
      return [`"meta-disk": ${quoted(disk.metaDevice)}`];
    default:
      return dialect === '9.22'
        ? [`${quoted(disk.metaDevice)} : ${disk.metaIndex}`]
        : [`"meta-disk": ${quoted(disk.metaDevice)}`, `"meta-disk-index": ${disk.metaIndex}\n`];
  }
}

function volumeItem(device: DeviceSnapshot, settings: ShowSettings): string {
  const { disk } = device;
  const elements = [`"volume_nr": ${device.volume}`, `"device_minor": ${device.minor}`];
  if (disk !== undefined) {
    elements.push(`"backing-disk": ${quoted(disk.backingDevice)}`, ...metaDiskElements(disk, settings));
  } else if (device.info.intentionalDiskless === true) elements.push('"disk": "none"');
  const options = [
    ...(disk === undefined ? [] : shownOptions('attach', disk.options, settings)),
    ...shownOptions('device_options', device.options, settings),
  ];
  return item([...elements, ...optional('disk', optionMembers(options))]);
}

function addressObject(name: string, address: SocketAddress): string {
  return object(name, [
    `"address": "${address.host}"`,
    `"port": ${address.port}`,
    `"family": "${address.family}"`,
  ]);
}

function pathElements(paths: readonly PathSnapshot[], { dialect }: ShowSettings): Elements {
  if (dialect === 'current') {
    const items = paths.map((path) =>
      item([addressObject('this_host', path.local), addressObject('remote_host', path.remote)]),
    );
    return [list('paths', items)];
  }
  const word = (address: SocketAddress): string => `"${address.family} ${hostAndPort(address)}"`;
  return paths.map((path) =>
    object('path', [`"_this_host": ${word(path.local)}`, `"_remote_host": ${word(path.remote)}`]),
  );
}

function volumeItems(peerDevices: readonly PeerDeviceSnapshot[], settings: ShowSettings): Elements {
  return peerDevices.flatMap(({ volume, options }) => {
    const shown = optionMembers(shownOptions('peer_device_options', options, settings));
    return shown.length === 0 ? [] : [item([`"volume_nr": ${volume}`, object('disk', shown)])];
  });
}

function connectionItem(connection: ConnectionSnapshot, settings: ShowSettings): string {
  const state = connection.info.connection;
  const volumes = volumeItems(connection.peerDevices, settings);
  return item([
    ...pathElements(connection.paths, settings),
    ...(state === ConnectionState.StandAlone ? ['"_is_standalone": true'] : []),
    ...(settings.dialect === 'current' ? [`"_cstate": ${quoted(connectionStateName(state))}`] : []),
    ...optional('net', optionMembers(shownOptions('show_net_options', connection.options, settings))),
    ...(volumes.length === 0 ? [] : [list('volumes', volumes)]),
    `"_peer_node_id": ${connection.peerNodeId}`,
  ]);
}
