/** Sending and receiving a slot of the bitmap before a resync (engine.md 12.1). */
import { DiskState, ReplicationState, replicationStateName } from '../../control/contract/states';
import {
  type BitmapPiece,
  BitmapReceiver,
  BitmapSender,
  type BitmapSink,
  type BitmapSource,
  type BitmapStatistics,
} from '../../wire/bitmap-transfer';
import { type HandlerResult } from '../connection/packet-handler';
import { type PeerDevice } from '../objects';
import { peerFault } from '../peer-fault';
import { logLine } from '../state/object-log';
import { type DeviceBitmap } from './device-bitmap';
import { WhenDone } from './meta-data-target';
import { isConnected } from './packet-sender';
import { startResync } from './resync-start';

/** One slot as the wire codecs see it. */
class SlotView implements BitmapSource, BitmapSink {
  constructor(
    private readonly bitmap: DeviceBitmap,
    private readonly slot: number,
  ) {}
  get bits(): number {
    return this.bitmap.bits;
  }
  nextSet(from: number): number {
    const bit = this.bitmap.findNext(this.slot, from);
    return bit < 0 ? this.bits : bit;
  }
  nextClear(from: number): number {
    return this.bitmap.findNextClear(this.slot, from);
  }
  setRange(from: number, to: number): void {
    this.bitmap.setBits(this.slot, from, to);
  }
  /** Offsets are multiples of 8. */
  readBytes(byteOffset: number, into: Uint8Array): void {
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    for (let at = 0; at + 4 <= into.length; at += 4)
      view.setUint32(at, this.bitmap.slotWord(this.slot, (byteOffset + at) / 4), true);
  }
  mergeBytes(byteOffset: number, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.length; at += 4)
      this.bitmap.orSlotWord(this.slot, (byteOffset + at) / 4, view.getUint32(at, true));
  }
}

const slotView = ({ device, bitmapSlot }: PeerDevice): SlotView | undefined =>
  device.backing && bitmapSlot >= 0 ? new SlotView(device.backing.bitmap, bitmapSlot) : undefined;

function logStatistics(
  peerDevice: PeerDevice,
  direction: 'send' | 'receive',
  s: Readonly<BitmapStatistics>,
): void {
  const total = s.plainBytes + s.rleBytes;
  const packets = Math.ceil((slotView(peerDevice)?.bits ?? 0) / 64 / 510) + 1;
  const plain = packets * 16 + ((slotView(peerDevice)?.bits ?? 0) + 7) / 8;
  const saved = total < plain ? Math.max(0, Math.floor(1000 - (1000 * total) / plain)) : 0;
  logLine(
    peerDevice,
    'info',
    `${direction} bitmap stats [Bytes(packets)]: plain ${s.plainBytes}(${s.plainPackets}), ` +
      `RLE ${s.rleBytes}(${s.rlePackets}), total ${total}; ` +
      `compression: ${Math.floor(saved / 10)}.${saved % 10}%`,
  );
}

/** Sends the whole slot; nothing else comes between on the data stream. */
export function sendBitmap(peerDevice: PeerDevice): void {
  const { connection, device } = peerDevice;
  const source = slotView(peerDevice);
  if (source === undefined || !isConnected(connection)) return;
  const options = { protocol: connection.agreedProtocol, useRle: connection.options.useRle };
  const sender = new BitmapSender(source, options);
  for (let piece = sender.next(); piece !== null; piece = sender.next())
    connection.link.sendData({ ...piece, volume: device.vnr });
  logStatistics(peerDevice, 'send', sender.statistics);
}

/** One packet of the peer's bitmap. */
export function receiveBitmapPiece(peerDevice: PeerDevice, piece: BitmapPiece): HandlerResult {
  const { io, connection, device } = peerDevice;
  if (device.backing === undefined || device.now.disk < DiskState.Negotiating) {
    // It was sent to a disk that has failed meanwhile; the peer is about to hear of that.
    io.bitmapReceiver = undefined;
    return 'ok';
  }
  const sink = slotView(peerDevice);
  if (sink === undefined)
    return peerFault(peerDevice, 'bad-bitmap', 'No bitmap allocated in receive_bitmap()!');
  io.bitmapReceiver ??= new BitmapReceiver(sink, connection.agreedProtocol);
  const receiver = io.bitmapReceiver;
  const result = receiver.take(piece);
  if (result === 'more') return 'ok';
  io.bitmapReceiver = undefined;
  if (result !== 'done') return peerFault(peerDevice, 'bad-bitmap', result.reason);
  logStatistics(peerDevice, 'receive', receiver.statistics);
  received(peerDevice);
  return 'ok';
}

function received(peerDevice: PeerDevice): void {
  const { io, now } = peerDevice;
  if (io.bitmapReceived) {
    logLine(peerDevice, 'info', 'Received bitmap more than once; ignoring');
    return;
  }
  if (now.repl === ReplicationState.WFBitMapS) {
    io.bitmapReceived = true;
    startResync(peerDevice, 'source');
  } else if (now.repl === ReplicationState.WFBitMapT) {
    io.bitmapReceived = true;
    persistThenAnswer(peerDevice);
  } else
    logLine(
      peerDevice,
      'info',
      `unexpected repl_state (${replicationStateName(now.repl)}) in receive_bitmap`,
    );
}

/**
 * What the source knows to be owed must survive a crash of ours before the first block is overwritten and acknowledged:
 * the merged bitmap is written before the answer.
 */
function persistThenAnswer(peerDevice: PeerDevice): void {
  const { device, connection } = peerDevice;
  const { backing } = device;
  const { life } = connection.io;
  if (backing === undefined) return;
  backing.writeAll(
    new WhenDone((error) => {
      if (error !== 0 || life !== connection.io.life) return;
      if (peerDevice.now.repl !== ReplicationState.WFBitMapT) return;
      sendBitmap(peerDevice);
      startResync(peerDevice, 'target');
    }),
  );
}

/** StartingSyncS/T: all bits of the slot (source) or of every slot (target), on disk, then the resync: no exchange. */
export function startFullSync(peerDevice: PeerDevice): void {
  const { device, bitmapSlot } = peerDevice;
  const { backing } = device;
  if (backing === undefined) return;
  const asSource = peerDevice.now.repl === ReplicationState.StartingSyncS;
  if (!asSource) backing.bitmap.setEverything();
  else if (bitmapSlot >= 0) backing.bitmap.setAll(bitmapSlot);
  const starting = peerDevice.now.repl;
  backing.writeAll(
    new WhenDone((error) => {
      if (error !== 0 || peerDevice.now.repl !== starting) return;
      startResync(peerDevice, asSource ? 'source' : 'target');
    }),
  );
}
