import { type ControlRequest } from '../../control/contract/requests';
import { type SocketAddress } from '../../control/contract/snapshot';
import { MetaIndex } from '../../control/contract/states';
import { type ResourceOptions } from '../../options/option-values';
import { type ClusterSettings } from './cluster-settings';

export const resourceName = 'r0';
export const minor = 0;
export const volume = 0;
export const diskPath = '/dev/sda';

export interface NodeAddress {
  readonly nodeId: number;
  readonly name: string;
  readonly address: string;
}
const resource = resourceName;

function socket(node: NodeAddress): SocketAddress {
  return { family: 'ipv4', host: node.address, port: 7788 };
}

export function attachRequest(settings: ClusterSettings): ControlRequest {
  return {
    command: 'attach',
    minor,
    backingDevice: diskPath,
    metaDevice: diskPath,
    metaIndex: MetaIndex.FlexInternal,
    options: settings.disk,
  };
}
export function connectRequest(peer: NodeAddress): ControlRequest {
  return { command: 'connect', resource, peerNodeId: peer.nodeId, tentative: false, discardMyData: false };
}
/** What `drbdadm up` sends, in its order. */
export function upRequests(
  settings: ClusterSettings,
  own: NodeAddress,
  peers: readonly NodeAddress[],
): ControlRequest[] {
  const diskless = settings.diskless.has(own.nodeId);
  const requests: ControlRequest[] = [
    { command: 'new-resource', resource, nodeId: own.nodeId, options: settings.resource },
    { command: 'new-minor', resource, minor, volume, options: diskless ? { diskless } : {} },
  ];
  for (const peer of peers) {
    const { nodeId: peerNodeId } = peer;
    const options = { ...settings.net, _name: peer.name };
    requests.push(
      { command: 'new-peer', resource, peerNodeId, options },
      { command: 'new-path', resource, peerNodeId, local: socket(own), remote: socket(peer) },
      {
        command: 'peer-device-options',
        resource,
        peerNodeId,
        volume,
        options: {
          ...settings.peerDevice,
          ...(settings.diskless.has(peerNodeId) ? { bitmap: false } : {}),
        },
        setDefaults: false,
      },
    );
  }
  if (!diskless) requests.push(attachRequest(settings));
  return [...requests, ...peers.map(connectRequest)];
}
export function roleRequest(role: 'primary' | 'secondary', force = false): ControlRequest {
  return { command: role, resource, force };
}
export function disconnectRequest(peer: NodeAddress): ControlRequest {
  return { command: 'disconnect', resource, peerNodeId: peer.nodeId, force: false };
}
export const detachRequest: ControlRequest = { command: 'detach', minor, force: false, diskless: false };
export const downRequest: ControlRequest = { command: 'down', resource };
export const forcedDetachRequest: ControlRequest = { command: 'detach', minor, force: true, diskless: false };
export const clearBitmapRequest: ControlRequest = {
  command: 'new-current-uuid',
  minor,
  clearBitmap: true,
  forceResync: false,
};
export function resourceOptionsRequest(options: ResourceOptions): ControlRequest {
  return { command: 'resource-options', resource, options, setDefaults: false };
}
export const resizeRequest: ControlRequest = {
  command: 'resize',
  minor,
  assumePeerHasSpace: false,
  assumeClean: false,
};
export const suspendRequest: ControlRequest = { command: 'suspend-io', minor };
export const resumeRequest: ControlRequest = { command: 'resume-io', minor };
export const invalidateRequest: ControlRequest = { command: 'invalidate', minor };
export function peerDeviceRequest(
  command: 'pause-sync' | 'resume-sync' | 'verify' | 'invalidate-remote',
  peer: NodeAddress,
): ControlRequest {
  return { command, resource, peerNodeId: peer.nodeId, volume };
}
/** Options that may be changed at any time. */
export function optionRequests(settings: ClusterSettings, peer: NodeAddress): ControlRequest[] {
  const { nodeId: peerNodeId } = peer;
  const changes = { setDefaults: false };
  return [
    { command: 'net-options', resource, peerNodeId, options: settings.net, ...changes },
    { command: 'disk-options', minor, options: settings.disk, ...changes },
    {
      command: 'peer-device-options',
      resource,
      peerNodeId,
      volume,
      options: settings.peerDevice,
      ...changes,
    },
  ];
}
