import { type ByteStream, type ErrnoCode, type StreamReceiver } from '../ports';
import { type Path } from '../objects';

/** What may be waiting on a stream before its reader starts: handshake packets only. */
const MAX_HELD_BYTES = 64 * 1024;

/** Gets the first 8-byte packet, or 'failed' when the stream ended or sent something else before it was complete. */
export type FirstPacketWaiter = (first: Uint8Array | 'failed') => void;

/**
 * A stream of the connect phase: keeps what arrives until the connection's reader takes over, and notices when the
 * peer has closed it (which is how a node learns that the peer preferred another stream, wire-protocol.md 4.2).
 */
export class HeldStream implements StreamReceiver {
  closed = false;
  private readonly chunks: Uint8Array[] = [];
  private held = 0;
  private firstPacket: FirstPacketWaiter | undefined;

  constructor(
    readonly stream: ByteStream,
    readonly path: Path,
  ) {
    stream.setReceiver(this);
  }

  /** For an accepted stream: `waiter` gets the initial packet, which is then taken out of what is held. */
  awaitFirstPacket(waiter: FirstPacketWaiter): void {
    this.firstPacket = waiter;
    this.deliverFirstPacket();
  }

  onBytes(bytes: Uint8Array): void {
    if (this.held + bytes.length > MAX_HELD_BYTES) {
      this.destroy();
      this.onClosed(0);
      return;
    }
    this.chunks.push(bytes);
    this.held += bytes.length;
    this.deliverFirstPacket();
  }
  onClosed(_error: ErrnoCode): void {
    this.closed = true;
    const waiter = this.firstPacket;
    this.firstPacket = undefined;
    waiter?.('failed');
  }
  onDrained(): void {}

  /** Hands the stream over: `receiver` gets what was held, then everything that follows. */
  handTo(receiver: StreamReceiver): void {
    this.stream.setReceiver(receiver);
    for (const chunk of this.chunks) receiver.onBytes(chunk);
    this.chunks.length = 0;
    if (this.closed) receiver.onClosed(0);
  }
  destroy(): void {
    this.firstPacket = undefined;
    this.stream.destroy();
  }

  private deliverFirstPacket(): void {
    if (this.firstPacket === undefined || this.held < 8) return;
    const all = new Uint8Array(this.held);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.chunks.length = 0;
    if (all.length > 8) this.chunks.push(all.slice(8));
    this.held -= 8;
    const waiter = this.firstPacket;
    this.firstPacket = undefined;
    waiter(all.slice(0, 8));
  }
}
