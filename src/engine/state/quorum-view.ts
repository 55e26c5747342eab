/** Gathers what the quorum decision needs from the objects (engine.md 3.1). */
import { PeerFlag } from '../../metadata/superblock-flags';
import { DiskState, ReplicationState } from '../../control/contract/states';
import { complement, hasNode, MAX_NODES, NO_NODES, type NodeMask } from '../node-mask';
import { wantsBitmap } from '../objects';
import { decideQuorum, type QuorumDecision, type QuorumPeer } from './quorum';
import { type DeviceChange, type PeerDeviceChange, type Side } from './state-change';

const KNOWN_NODE = PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS | PeerFlag.DEVICE_SEEN;

function configuredPeer(peer: PeerDeviceChange, side: Side, slotFlags: number, lost: NodeMask): QuorumPeer {
  const { peerDevice } = peer;
  return {
    connected: peer[side].repl > ReplicationState.Off,
    pdsk: peer[side].pdsk,
    intentionalDiskless: !wantsBitmap(peerDevice),
    tiebreaker: peerDevice.options.peerTiebreaker,
    allowRemoteRead: peerDevice.connection.options.allowRemoteRead,
    slotOutdated: (slotFlags & PeerFlag.OUTDATED) !== 0,
    lost: hasNode(lost, peerDevice.peerNodeId),
    quorate: peerDevice.peerQuorate,
  };
}

function unconfiguredPeer(slotFlags: number, node: number, lost: NodeMask): QuorumPeer {
  return {
    connected: false,
    pdsk: DiskState.DUnknown,
    intentionalDiskless: (slotFlags & PeerFlag.DEVICE_SEEN) === 0,
    tiebreaker: true,
    allowRemoteRead: true,
    slotOutdated: (slotFlags & PeerFlag.OUTDATED) !== 0,
    lost: hasNode(lost, node),
    quorate: false,
  };
}

function peersByMetadata(node: DeviceChange, side: Side, lost: NodeMask): QuorumPeer[] {
  const { device } = node;
  const slots = device.backing?.superblock.peers ?? [];
  const peers: QuorumPeer[] = [];
  for (let id = 0; id < MAX_NODES; id++) {
    const flags = slots[id]?.flags ?? 0;
    if (id === device.resource.nodeId) continue;
    const peer = node.peers.find((candidate) => candidate.peerDevice.peerNodeId === id);
    // A node without a disk has no slot, and is a tiebreaker all the same.
    if (peer === undefined && (flags & KNOWN_NODE) === 0) continue;
    peers.push(peer ? configuredPeer(peer, side, flags, lost) : unconfiguredPeer(flags, id, lost));
  }
  return peers;
}

/** Computes the quorum of a device on one side of a change. */
export function computeQuorum(node: DeviceChange, side: Side): QuorumDecision {
  const { device } = node;
  const { resource } = device;
  const { disk } = node[side];
  const lost = device.now.haveQuorum ? complement(resource.members) : NO_NODES;
  return decideQuorum({
    quorum: resource.options.quorum,
    minimumRedundancy: resource.options.quorumMinimumRedundancy,
    disk,
    intentionalDiskless: device.options.intentionalDiskless,
    quorumNow: device.now.quorum,
    peers:
      disk > DiskState.Attaching
        ? peersByMetadata(node, side, lost)
        : node.peers.map((peer) => configuredPeer(peer, side, 0, lost)),
  });
}
