import { textOf, type Token } from '../language/tokens';
import {
  type ConnectionItem,
  type ConnectionNode,
  type MeshNode,
  type OptionsNode,
  type PairNode,
  type PathNode,
} from '../language/tree';
import {
  type ConnectionDraft,
  newConnection,
  newHost,
  newPath,
  newPathEnd,
  newPeerDevice,
  type PathDraft,
  type PathEndDraft,
  type ResourceDraft,
} from './drafts';
import { type OptionSetting } from './model';
import { bareInteger, readAddress } from './read-address';
import { listedRules, phrasedRules, readOptions, type SectionRules } from './read-options';
import { readProxy } from './read-proxy';
import { type Reading, statementOrigin, tokenOrigin } from './reading';
import { readSkip } from './read-skip';
import { reportSyntaxError } from './syntax-errors';

/** Rules of `net {}`. In `drbdsetup show` output `discard-my-data` may stand there; it is not stored. */
export function netRules(reading: Reading, list: OptionSetting[]): SectionRules {
  return {
    ...phrasedRules([{ context: 'show_net_options', list }], 'an option keyword'),
    section: 'net',
    special: (_node, name) => reading.showDialect && name === 'discard-my-data',
  };
}

function peerDeviceRules(list: OptionSetting[]): SectionRules {
  return listedRules([{ context: 'peer_device_options', list }], 'peer_device_options');
}

function invalid(reading: Reading, id: string, token: Token, text: string): void {
  const origin = statementOrigin(reading);
  reading.report.error(id, origin, `${origin.display}:${origin.line}: ${text}`, { token });
}

function readPair(reading: Reading, node: PairNode): PathEndDraft {
  const end = newPathEnd(tokenOrigin(reading, node.keyword));
  const keyword = textOf(node.keyword);
  if (node.name !== undefined) end.name = textOf(node.name);
  else if (keyword === 'address') end.byAddress = true;
  else end.name = keyword;
  if (node.address !== undefined) {
    end.address = readAddress(reading, node.address);
    end.addressWritten = true;
    end.portWritten = true;
  }
  if (node.port !== undefined) {
    end.portText = node.port.image;
    end.portWritten = true;
  }
  if (node.via?.kind === 'proxy') end.proxy = readProxy(reading, node.via);
  if (node.via?.kind === 'outside-address') end.outsideAddress = readAddress(reading, node.via.address);
  return end;
}

function addPair(reading: Reading, node: PairNode, path: PathDraft, where: string): void {
  const end = readPair(reading, node);
  if (path.ends.length >= 2) {
    invalid(reading, 'too-many-hosts', node.keyword, `only two 'host' keywords per ${where} allowed`);
    return;
  }
  path.ends.push(end);
}

function readPath(reading: Reading, node: PathNode, connection: ConnectionDraft): void {
  const path = newPath(tokenOrigin(reading, node.keyword), false);
  connection.paths.push(path);
  for (const item of node.items) {
    if (item.kind === 'pair') addPair(reading, item, path, 'path');
    else reportSyntaxError(reading, item);
  }
}

function readImplicitPair(reading: Reading, node: PairNode, connection: ConnectionDraft): void {
  let path = connection.paths[0];
  if (path === undefined) {
    path = newPath(connection.origin, true);
    connection.paths.push(path);
  }
  if (!path.implicit) {
    const origin = tokenOrigin(reading, node.keyword);
    const text = `${origin.display}:${origin.line}: Explicit and implicit paths not allowed`;
    reading.report.error('mixed-paths', origin, text, { token: node.keyword });
    readPair(reading, node);
    return;
  }
  addPair(reading, node, path, 'connection');
}

function readConnectionOptions(reading: Reading, node: OptionsNode, connection: ConnectionDraft): void {
  if (textOf(node.keyword) === 'disk') {
    readOptions(reading, node, peerDeviceRules(connection.peerDeviceOptions));
    return;
  }
  if (connection.netOptions.length > 0) {
    invalid(reading, 'second-net', node.keyword, "only one 'net' section per connection allowed");
  }
  connection.netOptions = [];
  readOptions(reading, node, netRules(reading, connection.netOptions));
}

function readItem(reading: Reading, item: ConnectionItem, connection: ConnectionDraft): void {
  switch (item.kind) {
    case 'pair':
      readImplicitPair(reading, item, connection);
      return;
    case 'path':
      readPath(reading, item, connection);
      return;
    case 'options':
      readConnectionOptions(reading, item, connection);
      return;
    case 'peer-volume': {
      const device = newPeerDevice(bareInteger(item.number), false, tokenOrigin(reading, item.keyword));
      connection.peerDevices.push(device);
      readOptions(reading, item.options, peerDeviceRules(device.options));
      return;
    }
    case 'show': {
      const value = textOf(item.value);
      if (textOf(item.keyword) === '_cstate') {
        connection.connectionState = value;
        return;
      }
      connection.peerNodeId = value;
      const peer = newHost('generated', tokenOrigin(reading, item.keyword));
      peer.nodeId = value;
      peer.names = ['_remote_host'];
      connection.peer = peer;
      return;
    }
    case 'skip':
      readSkip(reading, item);
      return;
    case 'error':
      reportSyntaxError(reading, item);
      return;
  }
}

/** `connection [NAME] { }`. */
export function readConnection(reading: Reading, node: ConnectionNode, resource: ResourceDraft): void {
  const connection = newConnection(tokenOrigin(reading, node.keyword), false);
  reading.config.modern = true;
  if (node.name !== undefined) {
    const origin = connection.origin;
    reading.report.warn(
      'connection-name',
      origin,
      `${origin.display}:${origin.line}: explicitly named connections are deprecated!\n` +
        `\tits name ('${textOf(node.name)}') will be ignored`,
      { token: node.name },
    );
  }
  resource.connections.push(connection);
  for (const item of node.items) readItem(reading, item, connection);
  if (connection.paths.length === 0 && !reading.showDialect) {
    invalid(reading, 'no-path', node.keyword, 'connection without a single path (maybe empty?) not allowed');
  }
}

/** `connection-mesh { hosts ...; net { } }`. */
export function readMesh(reading: Reading, node: MeshNode, resource: ResourceDraft): void {
  const mesh = {
    origin: tokenOrigin(reading, node.keyword),
    hosts: [] as string[],
    netOptions: [] as OptionSetting[],
  };
  reading.config.modern = true;
  resource.meshes.push(mesh);
  for (const item of node.items) {
    switch (item.kind) {
      case 'mesh-hosts':
        mesh.hosts = [...mesh.hosts, ...item.names.map(textOf)];
        break;
      case 'options':
        if (mesh.netOptions.length > 0) {
          invalid(reading, 'second-net', item.keyword, "only one 'net' section allowed");
        }
        mesh.netOptions = [];
        readOptions(reading, item, netRules(reading, mesh.netOptions));
        break;
      case 'error':
        reportSyntaxError(reading, item);
        break;
    }
  }
}
