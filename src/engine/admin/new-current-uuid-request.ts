/** new-current-uuid (engine.md 4.11, 9.6). */
import { ErrorCode } from '../../control/contract/codes';
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type NewCurrentUuid } from '../../control/contract/requests';
import { UUID_JUST_CREATED } from '../../metadata/superblock-flags';
import { UUID_FLAG } from '../../wire/uuids110';
import { type Host } from '../host';
import { type Device, type PeerDevice } from '../objects';
import { logLine } from '../state/object-log';
import { afterDeferred, changeState } from '../state/transaction';
import { setBitmapUuid, setBitmapUuidWithHistory } from '../uuid/generation';
import { newCurrentUuidByAdmin } from '../uuid/new-current-uuid';
import { logOwnUuids } from '../uuid/uuid-log';
import { type Answer, findMinor, OK, refuse } from './answer';

export function newCurrentUuidRequest(host: Host, request: NewCurrentUuid, answer: Answer): void {
  const lookup = findMinor(host, request.minor);
  if ('reply' in lookup) return answer(lookup.reply);
  const device = lookup.found;
  const { superblock } = device.backing ?? {};
  if (superblock === undefined) return answer(refuse(ErrorCode.NoDisk));
  const { clearBitmap, forceResync } = request;
  const fresh = freshPeers(device, clearBitmap || forceResync);
  const others = device.peerDevices.filter((peer) => !fresh.includes(peer));
  if (others.some((peer) => peer.now.repl !== ReplicationState.Off))
    return answer(refuse(ErrorCode.Connected));
  const diskful = fresh.filter((peer) => peer.now.pdsk >= DiskState.Inconsistent);
  for (const peer of diskful) {
    logLine(peer, 'info', clearBitmap ? 'Preparing to skip initial sync' : 'Preparing to force initial sync');
  }
  superblock.peers.forEach((slot, node) => {
    if (node !== device.resource.nodeId && slot.bitmapUuid !== 0n) setBitmapUuidWithHistory(device, node, 0n);
  });
  newCurrentUuidByAdmin(device, () => afterRotation(device, request, fresh, diskful, answer));
}

/** Established peers while we have no generation of our own: they can be told to start from ours. */
function freshPeers(device: Device, wanted: boolean): PeerDevice[] {
  if (!wanted || device.backing?.superblock.currentUuid !== UUID_JUST_CREATED) return [];
  return device.peerDevices.filter((peer) => peer.now.repl === ReplicationState.Established);
}

function afterRotation(
  device: Device,
  request: NewCurrentUuid,
  fresh: readonly PeerDevice[],
  diskful: readonly PeerDevice[],
  answer: Answer,
): void {
  const { resource } = device;
  const { dataActions, peerActions } = resource.host;
  if (request.forceResync) {
    changeState(resource, { tag: 'new-c-uuid', verbose: true, hard: true }, () => {
      device.next.disk = DiskState.UpToDate;
    });
    for (const peer of fresh) {
      const resync = diskful.includes(peer);
      if (resync) {
        logLine(peer, 'info', 'Forcing resync');
        peer.considerResync = true;
      }
      peerActions.sendUuids(peer, resync ? UUID_FLAG.RESYNC : 0n);
      if (resync) peerActions.sendState(peer);
    }
  }
  if (request.clearBitmap) {
    dataActions.clearAllSlots(device);
    dataActions.writeBitmap(device);
    for (const peer of fresh) {
      setBitmapUuid(device, peer.peerNodeId, 0n);
      logOwnUuids(peer, 'cleared bitmap UUID');
      peerActions.sendUuids(peer, UUID_FLAG.SKIP_INITIAL_SYNC);
      if (peer.uuids) peer.uuids.currentUuid = device.backing?.superblock.currentUuid ?? 0n;
    }
    if (fresh.length > 0) {
      changeState(resource, { tag: 'new-c-uuid', verbose: true, hard: true }, () => {
        device.next.disk = DiskState.UpToDate;
        for (const peer of diskful) peer.next.pdsk = DiskState.UpToDate;
      });
    }
  }
  dataActions.syncMetadata(device, () => afterDeferred(resource, () => answer(OK)));
}
