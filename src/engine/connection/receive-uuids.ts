/** P_UUIDS110 and P_CURRENT_UUID from the wire to uuid/ (wire-protocol.md 7.6). */
import { type PacketOf } from '../../wire/packets';
import { MAX_NODES } from '../node-mask';
import { type PeerDevice } from '../objects';
import { peerFault } from '../peer-fault';
import { resyncAfterUnstable } from '../handshake/resync-after-unstable';
import { uuidsOfPacket } from '../uuid/peer-uuids';
import { receiveCurrentUuid } from '../uuid/receive-new-current';
import { receiveUuids } from '../uuid/receive-uuids';
import { type HandlerResult } from './packet-handler';

function bitsIn(mask: bigint): number {
  let count = 0;
  for (let node = 0; node < MAX_NODES; node++) if ((mask >> BigInt(node)) & 1n) count++;
  return count;
}

export function onUuids(peerDevice: PeerDevice, packet: PacketOf<'P_UUIDS110'>): HandlerResult {
  const mask = packet.bitmapUuidsMask;
  if (mask >> BigInt(MAX_NODES) !== 0n || bitsIn(mask) > packet.otherUuids.length)
    return peerFault(peerDevice, 'malformed', `Bitmap UUIDs of nodes 0x${mask.toString(16)} missing`);
  const next = receiveUuids(peerDevice, uuidsOfPacket(packet));
  if (next !== 'nothing') resyncAfterUnstable(peerDevice, next === 'resync-diskless-primary');
  return 'ok';
}

export function onCurrentUuid(peerDevice: PeerDevice, packet: PacketOf<'P_CURRENT_UUID'>): HandlerResult {
  receiveCurrentUuid(peerDevice, packet.uuid, packet.weakNodes);
  peerDevice.resource.host.notices.peerDeviceChanged(peerDevice);
  return 'ok';
}
