// `drbdsetup show` as text: a configuration that drbdadm reads back (drbdsetup.md 5.1, 5.3).
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type DiskSnapshot,
  type PathSnapshot,
  type ResourceSnapshot,
  type SocketAddress,
} from '../control/contract/snapshot';
import { ConnectionState, connectionStateName, MetaIndex } from '../control/contract/states';
import { optionLines, quoted, shownOptions, type DefaultOverrides, type ShowSettings } from './show-options';
import { hostAndPort } from './state-words';

type Lines = readonly string[];
const indented = (lines: Lines): Lines => lines.map((line) => (line === '' ? line : `    ${line}`));
const block = (head: string, lines: Lines): Lines => [`${head} {`, ...indented(lines), '}'];
const optionalBlock = (head: string, lines: Lines): Lines => (lines.length === 0 ? [] : block(head, lines));

/** Defaults that depend on the resource: 8.4 nodes never promoted by themselves. */
export function resourceOverrides(resource: ResourceSnapshot): DefaultOverrides {
  return resource.drbd8Compat ? { 'auto-promote': 'no' } : {};
}

/** The configuration of the given resources in the given order. */
export function renderShow(resources: readonly ResourceSnapshot[], settings: ShowSettings): string {
  return resources.map((resource) => `${resourceBlock(resource, settings).join('\n')}\n\n`).join('');
}

function resourceBlock(resource: ResourceSnapshot, settings: ShowSettings): Lines {
  const overrides = resourceOverrides(resource);
  const options = shownOptions('resource_options', resource.options, settings, overrides);
  return block(`resource ${quoted(resource.name)}`, [
    ...(resource.drbd8Compat ? ['# This resource is in drbd-8.4 compatibility mode!'] : []),
    ...optionalBlock('options', optionLines(options)),
    ...block('_this_host', [
      `node-id\t\t\t${resource.nodeId};`,
      ...resource.devices.flatMap((device) => volumeBlock(device, settings)),
    ]),
    ...resource.connections.flatMap((connection) => connectionBlock(connection, settings)),
  ]);
}

function metaDiskText(disk: DiskSnapshot): string {
  switch (disk.metaIndex) {
    case MetaIndex.Internal:
    case MetaIndex.FlexInternal:
      return 'internal';
    case MetaIndex.FlexExternal:
      return quoted(disk.metaDevice);
    default:
      return `${quoted(disk.metaDevice)} [ ${disk.metaIndex} ]`;
  }
}

function volumeBlock(device: DeviceSnapshot, settings: ShowSettings): Lines {
  const { disk } = device;
  const lines = [`device\t\t\tminor ${device.minor};`];
  if (disk !== undefined) {
    lines.push(`disk\t\t\t${quoted(disk.backingDevice)};`, `meta-disk\t\t\t${metaDiskText(disk)};`);
  } else if (device.info.intentionalDiskless === true) lines.push('disk\t\t\tnone;');
  const options = [
    ...(disk === undefined ? [] : shownOptions('attach', disk.options, settings)),
    ...shownOptions('device_options', device.options, settings),
  ];
  return block(`volume ${device.volume}`, [...lines, ...optionalBlock('disk', optionLines(options))]);
}

const addressText = (address: SocketAddress): string => `${address.family} ${hostAndPort(address)}`;

function pathBlock(path: PathSnapshot): Lines {
  return block('path', [
    `_this_host ${addressText(path.local)};`,
    `_remote_host ${addressText(path.remote)};`,
  ]);
}

function stateLines(state: ConnectionState, { dialect }: ShowSettings): Lines {
  if (dialect === 'current') return [`_cstate ${connectionStateName(state)};`];
  return state === ConnectionState.StandAlone ? ['_is_standalone;'] : [];
}

function connectionBlock(connection: ConnectionSnapshot, settings: ShowSettings): Lines {
  const volumes = connection.peerDevices.flatMap((peerDevice) => {
    const options = shownOptions('peer_device_options', peerDevice.options, settings);
    if (options.length === 0) return [];
    return block(`volume ${peerDevice.volume}`, block('disk', optionLines(options)));
  });
  return block('connection', [
    `_peer_node_id ${connection.peerNodeId};`,
    ...connection.paths.flatMap(pathBlock),
    ...stateLines(connection.info.connection, settings),
    ...optionalBlock('net', optionLines(shownOptions('show_net_options', connection.options, settings))),
    ...volumes,
  ]);
}
