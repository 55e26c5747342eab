/** What the engine of a replay writes to and reads from. */
import { type WireContext } from '../../../src/wire/features';
import { type Stream } from '../../../src/wire/packet-table';
import { type Packet } from '../../../src/wire/packets';
import { PacketReader } from '../../../src/wire/reader';
import { type ByteStream, type Endpoint, Errno, type StreamReceiver } from '../../../src/engine/ports';

/** One end of a stream in the engine's hands; what it writes is cut into packets. */
export class ScriptStream implements ByteStream {
  readonly localIsGreater = false;
  readonly queuedBytes = 0;
  ended = false;
  /** The engine has said something. */
  spoken = false;
  private receiver: StreamReceiver | undefined;
  private readonly reader: PacketReader;
  private readonly held: Uint8Array[] = [];
  constructor(
    readonly local: Endpoint,
    readonly remote: Endpoint,
    readonly kind: Stream,
    private readonly onPacket: (packet: Packet) => void,
  ) {
    this.reader = new PacketReader(kind);
  }
  setContext(context: WireContext): void {
    this.reader.setContext(context);
  }
  setReceiver(receiver: StreamReceiver): void {
    this.receiver = receiver;
    for (const bytes of this.held.splice(0)) receiver.onBytes(bytes);
  }
  write(bytes: Uint8Array): void {
    this.spoken = true;
    this.reader.push(bytes.slice());
    while (this.reader.next() === 'packet') {
      const packet = this.reader.packet();
      if (packet.type === 'fault') throw new Error(JSON.stringify(packet));
      this.onPacket(packet);
    }
    if (this.reader.fault !== null) throw new Error(JSON.stringify(this.reader.fault));
  }
  writeShared(bytes: Uint8Array): void {
    this.write(bytes);
  }
  pauseReading(): void {}
  resumeReading(): void {}
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.ended = true;
  }
  deliver(bytes: Uint8Array): void {
    if (this.ended) return;
    if (this.receiver) this.receiver.onBytes(bytes);
    else this.held.push(bytes);
  }
  close(reset: boolean): void {
    if (this.ended) return;
    this.ended = true;
    this.receiver?.onClosed(reset ? Errno.ECONNRESET : 0);
  }
}

/** The packet that begins a stream. */
export function initial(kind: Stream): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x83740267);
  view.setUint16(4, kind === 'data' ? 0xfff2 : 0xfff1);
  return bytes;
}
