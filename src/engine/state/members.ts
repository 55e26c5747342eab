/** The partition this node was last part of (engine.md 7.6). */
import { ConnectionState } from '../../control/contract/states';
import { hasNode, nodeBit, type NodeMask } from '../node-mask';
import { ownNode, type Resource } from '../objects';
import { type ChangeOptions } from './change-options';
import { persistForQuorum } from './metadata-flags';
import { type StateChange } from './state-change';

export function setMembers(resource: Resource, members: NodeMask): void {
  const before = resource.members;
  if (before === members) return;
  resource.members = members;
  for (const device of resource.devices) {
    if (device.backing === undefined) continue;
    device.backing.superblock.members = members;
    resource.host.dataActions.markMetadataDirty(device);
    if (before === ownNode(resource)) persistForQuorum(device);
  }
}

/** Step 6 of the pipeline (engine.md 2.2): the coordinator knows the members, everybody adds who has just connected. */
export function updateMembers(change: StateChange, options: ChangeOptions): void {
  const { resource } = change;
  let members = (options.twopc === true ? undefined : options.reachable) ?? resource.members;
  for (const link of change.links) {
    if (link.old.cstate < ConnectionState.Connected && link.new.cstate === ConnectionState.Connected) {
      members |= nodeBit(link.connection.peerNodeId);
    }
  }
  setMembers(resource, members);
}

/**
 * A participant's COMMIT names the reachable nodes, before the change itself is looked at: they become the members if
 * this node is quorate on all devices, or a neighbour that is quorate on all volumes is among them.
 */
export function adoptMembers(resource: Resource, reachable: NodeMask): void {
  const quorate = resource.devices.every((device) => device.now.haveQuorum);
  const quorateNeighbour = resource.connections.some(
    (connection) =>
      hasNode(reachable, connection.peerNodeId) &&
      connection.now.cstate === ConnectionState.Connected &&
      connection.peerDevices.length > 0 &&
      connection.peerDevices.every((peerDevice) => peerDevice.peerQuorate),
  );
  if (quorate || quorateNeighbour) setMembers(resource, reachable);
}
