/** What a decided resync does to the bitmap before it starts (engine.md 5.9 step 12). */
import { UUID_JUST_CREATED } from '../../metadata/superblock-flags';
import { UUID_FLAG } from '../../wire/uuids110';
import { type PeerDevice } from '../objects';
import { sameUuid } from '../state/data-trust';
import { isSync } from '../state/derived';
import { logLine } from '../state/object-log';
import { unusedBitmapIndex } from '../uuid/day-zero';
import { setBitmapUuidWithHistory } from '../uuid/generation';
import { slotsOfGeneration } from '../uuid/slots-of-generation';
import { type Strategy } from './strategy';

export function prepareBitmap(
  peerDevice: PeerDevice,
  strategy: Strategy,
  current: { readonly self: bigint; readonly peer: bigint },
): void {
  if (strategy.kind !== 'source' && strategy.kind !== 'target') return;
  const { device, bitmapSlot } = peerDevice;
  const { dataActions } = peerDevice.resource.host;
  if (bitmapSlot < 0) return;
  switch (strategy.how) {
    case 'if-both-failed':
    case 'use-bitmap':
      return;
    case 'set-bitmap':
      setBitmap(peerDevice, strategy.kind, current);
      break;
    case 'copy-other-bitmap': {
      const own = device.backing?.slotOf(strategy.node) ?? -1;
      // Nodes without a slot of their own count from day 0, as all slots that nobody has.
      const slot = own < 0 && device.backing ? unusedBitmapIndex(device.backing.superblock) : own;
      const alike = slotsOfGeneration(device, strategy.node, peerDevice.peerNodeId);
      if (own >= 0 && alike.some((other) => dataActions.isPartialSlot(device, other))) {
        const text = `Setting all bitmap bits, some were cleared for node_id=${strategy.node}`;
        logLine(peerDevice, 'info', text);
        dataActions.setSlot(device, bitmapSlot);
      } else if (slot >= 0) {
        const text = `Copying bitmap of peer node_id=${strategy.node} (bitmap_index=${slot})`;
        logLine(peerDevice, 'info', text);
        if (fellShortOfOurSlot(peerDevice)) dataActions.mergeSlot(device, slot, bitmapSlot);
        else dataActions.copySlot(device, slot, bitmapSlot);
        for (const other of alike) dataActions.mergeSlot(device, other, bitmapSlot);
      } else {
        logLine(
          peerDevice,
          'info',
          `Setting all bitmap bits, day0 bm not available node_id=${strategy.node}`,
        );
        dataActions.setSlot(device, bitmapSlot);
      }
      break;
    }
    case 'clear-bitmap':
      logLine(peerDevice, 'info', `Resync source provides bitmap (node_id=${strategy.node})`);
      if (!holdsOwnWritesOf(peerDevice, strategy.node)) dataActions.clearSlot(device, bitmapSlot);
      break;
  }
  dataActions.writeBitmap(device);
}

/**
 * Our slot for the peer counts from a generation that it has never reached: we had announced it when the connection broke, or there is
 * none yet. What is marked there are the last writes that were on their way to it, and the other node may have got them.
 */
function fellShortOfOurSlot({ device, peerNodeId, uuids }: PeerDevice): boolean {
  const counted = device.backing?.superblock.peers[peerNodeId]?.bitmapUuid ?? 0n;
  return counted === 0n || uuids === undefined || !uuids.historyUuids.some((uuid) => sameUuid(uuid, counted));
}

/**
 * That node has crashed as Primary. Its last writes may be here, and the source knows nothing of them: only the bits
 * that we have set for the source tell of them.
 */
function holdsOwnWritesOf({ device }: PeerDevice, node: number): boolean {
  const uuids = device.peerDevices.find((other) => other.peerNodeId === node)?.uuids;
  return uuids !== undefined && (uuids.flags & UUID_FLAG.CRASHED_PRIMARY) !== 0n;
}

function setBitmap(
  peerDevice: PeerDevice,
  side: 'source' | 'target',
  current: { readonly self: bigint; readonly peer: bigint },
): void {
  const { device, bitmapSlot } = peerDevice;
  const { dataActions } = peerDevice.resource.host;
  if (current.self === UUID_JUST_CREATED) {
    if (device.peerDevices.some((other) => other !== peerDevice && isSync(other.now.repl))) return;
    logLine(peerDevice, 'info', 'Setting and writing the whole bitmap, fresh node');
    dataActions.setAllSlots(device);
    return;
  }
  logLine(peerDevice, 'info', 'Setting and writing one bitmap slot, after drbd_sync_handshake');
  dataActions.setSlot(device, bitmapSlot);
  if (side === 'source' && current.peer !== UUID_JUST_CREATED) {
    // No other slot may remember the former one, and somebody may still be at it.
    setBitmapUuidWithHistory(device, peerDevice.peerNodeId, current.peer);
  }
}
