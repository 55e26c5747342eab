/** Requests on connections and paths (engine.md 9.7). */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { ConnectionState, ReplicationState, Role } from '../../control/contract/states';
import {
  type ChangeNetOptions,
  type ChangePath,
  type Connect,
  type ForgetPeer,
  type NewPeer,
  type RemovePeer,
} from '../../control/contract/requests';
import { type SocketAddress } from '../../control/contract/snapshot';
import { type NetOptions as GivenNetOptions } from '../../options/option-values';
import { netOptions } from '../apply-options';
import { sendProtocol } from '../connection/agree';
import { type Host } from '../host';
import { type Connection, type Resource } from '../objects';
import { type NetOptions } from '../options';
import { afterDeferred, changeState } from '../state/transaction';
import { type Answer, findConnection, findResource, OK, refuse } from './answer';
import { freeSlot } from '../uuid/day-zero';
import { allocateBitmapSlots } from './bitmap-slots';
import { createConnection, createPath, destroyConnection, destroyPath } from './object-tree';
import { disconnect } from './disconnect';

interface Refusal {
  readonly code: number;
  readonly info?: string;
}
const refusal = (why: Refusal): ReturnType<typeof refuse> =>
  refuse(why.code, ...(why.info === undefined ? [] : [why.info]));

function checkName(resource: Resource, name: string): Refusal | undefined {
  const invalid = (info: string): Refusal => ({ code: ErrorCode.InvalidRequest, info });
  if (name === '') return invalid('name missing');
  // eslint-disable-next-line no-control-regex -- the rule itself speaks of control characters
  if (name.length > 63 || name === 'all' || /[\u0000-\u0020\u007f/]/.test(name)) {
    return invalid('invalid name (disallowed: ascii control, space, slash)');
  }
  if (resource.connections.some((other) => other.name === name)) return invalid('name already exists');
  return undefined;
}

/** Combinations the kernel refuses, here and in net-options (9.7). */
function checkNetOptions(host: Host, options: NetOptions, connection?: Connection): Refusal | undefined {
  if (connection !== undefined && !options.allowTwoPrimaries && connection.options.allowTwoPrimaries) {
    const both = connection.resource.now.role === Role.Primary && connection.now.peerRole === Role.Primary;
    if (both) return { code: ErrorCode.NeedAllowTwoPrimaries };
  }
  if (options.allowTwoPrimaries && options.protocol !== 'C') return { code: ErrorCode.NotProtocolC };
  if (options.protocol === 'A' && options.fencing === 'resource-and-stonith') {
    return { code: ErrorCode.StonithAndProtocolA };
  }
  if (options.onCongestion !== 'block') {
    if (options.protocol !== 'A') return { code: ErrorCode.CongestionNotProtocolA };
    return {
      code: ErrorCode.InvalidRequest,
      info: 'on-congestion other than block is not supported by this engine yet',
    };
  }
  const { digests } = host.ports;
  if (options.cramHmacAlg !== '' && !digests.hmac(options.cramHmacAlg, new Uint8Array(1))) {
    return {
      code: ErrorCode.AuthAlgorithm,
      info: `failed to allocate ${options.cramHmacAlg} for cram-hmac-alg`,
    };
  }
  const known = (algorithm: string): boolean => algorithm === '' || digests.hash(algorithm) !== undefined;
  if (!known(options.dataIntegrityAlg)) return { code: ErrorCode.IntegrityAlgorithm };
  if (!known(options.csumsAlg)) return { code: ErrorCode.CsumsAlgorithm };
  if (!known(options.verifyAlg)) return { code: ErrorCode.VerifyAlgorithm };
  if (options.tls) {
    return { code: ErrorCode.InvalidRequest, info: 'tls is not supported by this engine yet' };
  }
  return undefined;
}

export function newPeer(host: Host, request: NewPeer, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  const { peerNodeId } = request;
  if (peerNodeId < 0 || peerNodeId >= 32) {
    return answer(refuse(ErrorCode.InvalidRequest, 'peer node id out of range'));
  }
  if (peerNodeId === resource.nodeId) {
    return answer(refuse(ErrorCode.InvalidRequest, 'peer node id cannot be my own node id'));
  }
  if (resource.connectionTo(peerNodeId)) {
    const text = `Connection for peer node id ${peerNodeId} already exists`;
    return answer(refuse(ErrorCode.InvalidRequest, text));
  }
  const name = request.options._name ?? '';
  const options = netOptions(request.options);
  const wrong = checkName(resource, name) ?? checkTransport(options) ?? checkNetOptions(host, options);
  if (wrong !== undefined) return answer(refusal(wrong));
  createConnection(resource, peerNodeId, name, options);
  answer(OK);
}
function checkTransport(options: NetOptions): Refusal | undefined {
  return options.transport === '' || options.transport === 'tcp'
    ? undefined
    : { code: ErrorCode.CreateTransport };
}

export function changeNetOptions(host: Host, request: ChangeNetOptions, answer: Answer): void {
  const lookup = findConnection(host, request.resource, request.peerNodeId);
  if ('reply' in lookup) return answer(lookup.reply);
  const connection = lookup.found;
  const base = request.setDefaults ? undefined : connection.options;
  const given: GivenNetOptions = { ...request.options, transport: connection.options.transport };
  const options = netOptions(given, base);
  const wrong = checkNetOptions(host, options, connection) ?? checkRunning(connection, options);
  if (wrong !== undefined) return answer(refusal(wrong));
  connection.options = options;
  if (connection.now.cstate >= ConnectionState.Connected) {
    sendProtocol(connection, true);
    for (const peerDevice of connection.peerDevices) host.peerActions.sendSyncParameters(peerDevice);
  }
  answer(OK);
}
function checkRunning(connection: Connection, options: NetOptions): Refusal | undefined {
  const repls = connection.peerDevices.map((peerDevice) => peerDevice.now.repl);
  const resyncing = repls.some(
    (repl) => repl === ReplicationState.SyncSource || repl === ReplicationState.SyncTarget,
  );
  if (resyncing && options.csumsAlg !== connection.options.csumsAlg) {
    return { code: ErrorCode.CsumsResyncRunning };
  }
  const verifying = repls.some(
    (repl) => repl === ReplicationState.VerifyS || repl === ReplicationState.VerifyT,
  );
  if (verifying && options.verifyAlg !== connection.options.verifyAlg)
    return { code: ErrorCode.VerifyRunning };
  return undefined;
}

export function removePeer(host: Host, request: RemovePeer, answer: Answer): void {
  const lookup = findConnection(host, request.resource, request.peerNodeId);
  if ('reply' in lookup) return answer(lookup.reply);
  const connection = lookup.found;
  const deleting = request.command === 'del-peer';
  const finish = (): void => {
    if (deleting) destroyConnection(connection);
    answer(OK);
  };
  disconnect(connection, { force: request.force, tag: request.command }, (code, infoTexts) => {
    if (!isSuccess(code)) return answer(refuse(code, ...infoTexts));
    if (deleting && connection.now.cstate !== ConnectionState.StandAlone) {
      return answer(refuse(StateCode.InTransientState));
    }
    finish();
  });
}

const same = (a: SocketAddress, b: SocketAddress): boolean =>
  a.family === b.family && a.host === b.host && a.port === b.port;

export function changePath(host: Host, request: ChangePath, answer: Answer): void {
  const lookup = findConnection(host, request.resource, request.peerNodeId);
  if ('reply' in lookup) return answer(lookup.reply);
  const connection = lookup.found;
  const { local, remote } = request;
  const existing = connection.paths.find((path) => same(path.local, local) && same(path.remote, remote));
  if (request.command === 'del-path') {
    if (existing === undefined) return answer(refuse(ErrorCode.InvalidRequest, 'no such path'));
    if (connection.paths.length === 1 && connection.now.cstate >= ConnectionState.Connecting) {
      return answer(refuse(ErrorCode.InvalidRequest, 'Can not delete last path, use disconnect first!'));
    }
    destroyPath(connection, existing);
    return answer(OK);
  }
  const wrong = checkPath(host, connection, local, remote);
  if (wrong !== undefined) return answer(refusal(wrong));
  createPath(connection, { local, remote, established: false });
  answer(OK);
}
function checkPath(
  host: Host,
  own: Connection,
  local: SocketAddress,
  remote: SocketAddress,
): Refusal | undefined {
  for (const resource of host.resources.values()) {
    for (const connection of resource.connections) {
      for (const path of connection.paths) {
        const sameLocal = same(path.local, local);
        const sameRemote = same(path.remote, remote);
        if (sameLocal && sameRemote) return { code: ErrorCode.LocalAndPeerAddress };
        if (resource === own.resource) continue;
        if (sameLocal) return { code: ErrorCode.LocalAddress };
        if (sameRemote) return { code: ErrorCode.PeerAddress };
      }
    }
  }
  return undefined;
}

export function connect(host: Host, request: Connect, answer: Answer): void {
  const lookup = findConnection(host, request.resource, request.peerNodeId);
  if ('reply' in lookup) return answer(lookup.reply);
  const connection = lookup.found;
  const { resource } = connection;
  if (connection.now.cstate !== ConnectionState.StandAlone) return answer(refuse(ErrorCode.NetConfigured));
  if (connection.paths.length === 0) {
    return answer(refuse(ErrorCode.InvalidRequest, 'connection endpoint(s) missing'));
  }
  if (request.discardMyData && resource.now.role === Role.Primary) {
    return answer(refuse(ErrorCode.DiscardImpossible));
  }
  for (const peerDevice of connection.peerDevices) {
    // Peers that came after the disk have no slot yet.
    const failure = allocateBitmapSlots(peerDevice.device, peerDevice);
    if (failure !== undefined) return answer(refusal(failure));
  }
  connection.discardMyData = request.discardMyData;
  for (const peerDevice of connection.peerDevices) peerDevice.discardMyData = request.discardMyData;
  connection.dryRun = request.tentative;
  const code = changeState(resource, { tag: 'connect', verbose: true }, () => {
    connection.next.cstate = ConnectionState.Unconnected;
  });
  afterDeferred(resource, () => answer(isSuccess(code) ? OK : refuse(code)));
}

export function forgetPeer(host: Host, request: ForgetPeer, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  if (resource.connectionTo(request.peerNodeId)) return answer(refuse(ErrorCode.NetConfigured));
  if (request.peerNodeId < 0 || request.peerNodeId >= 32) return answer(refuse(ErrorCode.InvalidPeerNodeId));
  for (const device of resource.devices) {
    const slot = device.backing?.superblock.peers[request.peerNodeId];
    if (slot === undefined || slot.bitmapIndex < 0) return answer(refuse(ErrorCode.InvalidPeerNodeId));
    freeSlot(device, slot);
    slot.flags = 0;
    host.dataActions.writeBitmap(device);
    host.dataActions.markMetadataDirty(device);
    host.dataActions.syncMetadata(device);
  }
  answer(OK);
}
