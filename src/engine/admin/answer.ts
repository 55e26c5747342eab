/** Answers to control requests and the look-ups that refuse unknown objects (engine.md 2.8). */
import { ErrorCode } from '../../control/contract/codes';
import { type ControlReply } from '../../control/contract/requests';
import { type Host } from '../host';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';

export type Answer = (reply: ControlReply) => void;

export const OK: ControlReply = { code: ErrorCode.NoError, infoTexts: [] };
export const refuse = (code: number, ...infoTexts: string[]): ControlReply => ({ code, infoTexts });

/** Either the object or the reply that says why there is none. */
export type Found<T> = { readonly found: T } | { readonly reply: ControlReply };
const found = <T>(value: T): Found<T> => ({ found: value });
const missing = <T>(code: number, text: string): Found<T> => ({ reply: refuse(code, text) });

export function findResource(host: Host, name: string): Found<Resource> {
  const resource = host.resources.get(name);
  return resource ? found(resource) : missing(ErrorCode.ResourceNotKnown, 'unknown resource');
}
export function findMinor(host: Host, minor: number): Found<Device> {
  const device = host.minors.get(minor);
  return device ? found(device) : missing(ErrorCode.MinorInvalid, 'unknown minor');
}
export function findConnection(host: Host, name: string, peerNodeId: number): Found<Connection> {
  const resource = findResource(host, name);
  if ('reply' in resource) return resource;
  if (peerNodeId < 0 || peerNodeId >= 32) {
    return missing(ErrorCode.InvalidRequest, 'peer node id out of range');
  }
  if (peerNodeId === resource.found.nodeId) {
    return missing(ErrorCode.InvalidRequest, 'peer node id cannot be my own node id');
  }
  const connection = resource.found.connectionTo(peerNodeId);
  return connection ? found(connection) : missing(ErrorCode.InvalidRequest, 'unknown connection');
}
export function findPeerDevice(
  host: Host,
  name: string,
  peerNodeId: number,
  volume: number,
): Found<PeerDevice> {
  const connection = findConnection(host, name, peerNodeId);
  if ('reply' in connection) return connection;
  const peerDevice = connection.found.peerDevice(volume);
  return peerDevice ? found(peerDevice) : missing(ErrorCode.InvalidRequest, 'unknown volume');
}
