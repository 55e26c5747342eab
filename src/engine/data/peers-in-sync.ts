/** P_PEERS_IN_SYNC: telling nodes which areas are the same everywhere (wire-protocol.md 10.6). */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { hasNode, NO_NODES, nodeBit, type NodeMask, nodesIn } from '../node-mask';
import { type Device, type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { isSync } from '../state/derived';
import { AL_EXTENT_SECTORS, extentOfSector } from './activity-log';
import { APP_WRITES, IntervalKind } from './interval-set';
import { writeBitmapLazily } from './lazy-bitmap';
import { isConnected } from './packet-sender';
import { flushPeerAck } from './transfer-log';

const ACTIVE = APP_WRITES | IntervalKind.PeerWrite | IntervalKind.ResyncWrite;

/** The bits towards this peer tell the truth about it. */
function isComparable(peerDevice: PeerDevice): boolean {
  const { now, bitmapSlot, connection } = peerDevice;
  if (bitmapSlot < 0 || !isConnected(connection)) return false;
  if (isSync(now.repl)) return true;
  const { Established } = ReplicationState;
  return now.repl === Established && now.pdsk === DiskState.UpToDate && !isElsewhere(peerDevice);
}
const isElsewhere = (peerDevice: PeerDevice): boolean => peerDevice.tookOtherData || isAhead(peerDevice);

/** It holds a generation that we have never heard of: its bits count from that, ours do not. */
function isAhead({ device, uuids }: PeerDevice): boolean {
  const { superblock } = device.backing ?? {};
  if (superblock === undefined || uuids === undefined) return false;
  const { currentUuid } = uuids;
  return (
    !sameUuid(currentUuid, superblock.currentUuid) &&
    !superblock.peers.some(({ bitmapUuid }) => bitmapUuid !== 0n && sameUuid(bitmapUuid, currentUuid)) &&
    !superblock.historyUuids.some((uuid) => sameUuid(uuid, currentUuid))
  );
}

/**
 * The range may have become clean towards `about`: it and all other peers for which it is clean are told of each other.
 * Nobody is told of us: towards us they know themselves.
 */
export function announceInSync(about: PeerDevice, sector: number, sectors: number): void {
  const { device } = about;
  const { peerActions } = device.resource.host;
  // A peer that has crashed since we last heard of it may have lost what we take it to have.
  const others = device.peerDevices.filter((peer) => peer !== about && isComparable(peer));
  let silent = others.length;
  for (const { connection } of others) {
    peerActions.pingPeer(connection, () => {
      if (--silent === 0) announceRange(about, sector, sectors);
    });
  }
  if (others.length === 0) announceRange(about, sector, sectors);
}

/** All of the device, if there is a third node to tell of it. */
export function announceNeighbour(about: PeerDevice): void {
  const { device, connection, resource } = about;
  if (!device.peerDevices.some((peer) => peer !== about && isComparable(peer))) return;
  // The connection is new, perhaps: an answer means that the peer takes part.
  resource.host.peerActions.pingPeer(connection, () => {
    if (isComparable(about)) announceInSync(about, 0, device.backing?.bitmap.sectors ?? 0);
  });
}

function announceRange(about: PeerDevice, sector: number, sectors: number): void {
  const { device } = about;
  const end = Math.min(sector + sectors, device.backing?.bitmap.sectors ?? 0);
  for (let at = sector; at < end;) {
    const next = Math.min(end, (extentOfSector(at) + 1) * AL_EXTENT_SECTORS);
    announceExtent(about, at, next - at);
    at = next;
  }
}

function announceExtent(about: PeerDevice, sector: number, sectors: number): void {
  const { device, bitmapSlot } = about;
  const { backing } = device;
  if (backing === undefined || bitmapSlot < 0) return;
  if (about.now.repl === ReplicationState.Established && isElsewhere(about)) return;
  const { bitmap, activityLog } = backing;
  // Who has a write in flight, and which slots its bits go to, is known when its extent is released.
  if (activityLog.inUse(sector, sectors) || device.io.intervals.find(sector, sectors, ACTIVE)) {
    postpone(about, extentOfSector(sector));
    return;
  }
  if (bitmap.anyInRange(bitmapSlot, sector, sectors)) return;
  const others = device.peerDevices.filter(
    (peer) => peer !== about && isComparable(peer) && !bitmap.anyInRange(peer.bitmapSlot, sector, sectors),
  );
  const told = isConnected(about.connection) ? [about, ...others] : others;
  const mask: NodeMask = others.reduce(
    (nodes, { peerNodeId }) => nodes | nodeBit(peerNodeId),
    nodeBit(about.peerNodeId),
  );
  // A peer ack that is put off would set again what is cleared now.
  flushPeerAck(device.resource);
  for (const { connection } of told)
    connection.link.sendControl({
      type: 'P_PEERS_IN_SYNC',
      volume: device.vnr,
      sector,
      size: sectors * 512,
      mask,
    });
}

function postpone(about: PeerDevice, extent: number): void {
  const { announcementsDue } = about.device.io;
  const due = announcementsDue.get(extent);
  if (due === undefined) announcementsDue.set(extent, new Set([about]));
  else due.add(about);
}

/** No write holds the extent any more: what could not be announced because of that. */
export function announceDue(device: Device, extent: number): void {
  const due = device.io.announcementsDue.get(extent);
  if (due === undefined) return;
  device.io.announcementsDue.delete(extent);
  for (const about of due) announceInSync(about, extent * AL_EXTENT_SECTORS, AL_EXTENT_SECTORS);
}

/**
 * The nodes of the mask hold the same in this range, we too if we are among those told: as far as the sender knows. Where
 * we have a mark for the sender itself it does not know us.
 */
export function peersInSync(peerDevice: PeerDevice, mask: NodeMask, sector: number, bytes: number): void {
  const { device, bitmapSlot } = peerDevice;
  const { backing } = device;
  if (backing === undefined) return;
  let cleared = 0;
  backing.superblock.peers.forEach(({ bitmapIndex }, nodeId) => {
    if (bitmapIndex >= 0 && hasNode(mask, nodeId))
      cleared += backing.bitmap.clearRangeWhereClear(bitmapIndex, bitmapSlot, sector, bytes / 512);
  });
  if (cleared > 0) {
    // A mark that a power cut brings back looks like a difference.
    writeBitmapLazily(device);
    announceUnmarked(device);
  }
  // A source passes on what its target says; without news it would go round for ever.
  if (cleared > 0 || peerDevice.now.repl === ReplicationState.SyncSource)
    announceInSync(peerDevice, sector, bytes / 512);
}

/** The last mark for a node has gone, which kept others from taking it for in sync with us. */
export function announceUnmarked(device: Device): void {
  const { backing, announcedAsMarked } = device;
  if (backing === undefined || announcedAsMarked === NO_NODES) return;
  for (const node of nodesIn(announcedAsMarked))
    if (backing.bitmap.count(backing.slotOf(node)) === 0) device.announcedAsMarked &= ~nodeBit(node);
  if (device.announcedAsMarked === announcedAsMarked) return;
  for (const peer of device.peerDevices)
    if (peer.now.repl >= ReplicationState.Established) device.resource.host.peerActions.sendUuids(peer, 0n);
}
