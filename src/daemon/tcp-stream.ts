/** One TCP connection. What is written in a round of inputs is collected and leaves in one call. */
import { type Socket } from 'node:net';
import { type ByteStream, type Endpoint, type StreamReceiver } from '../engine/ports';
import { type InputQueue, type RoundEnd } from './input-queue';
import { errnoOf } from './os-error';
import { isGreaterAddress } from './raw-address';

/** Small writes are joined in pieces of this many bytes; larger ones get a piece of their own. */
const PIECE = 64 * 1024;
const LARGE = 16 * 1024;
/** `onDrained` comes when the queue has shrunk to this many bytes. */
const LOW_MARK = 64 * 1024;
const SPARE_PIECES = 32;

/** Pieces to be used again; all streams share them. */
const spare: Buffer[] = [];

export class TcpStream implements ByteStream, RoundEnd {
  private receiver: StreamReceiver | undefined;
  private closed = false;
  private ending = false;
  private told = false;
  /** Full or large pieces of this round, in order. */
  private readonly pieces: Buffer[] = [];
  private tail: Buffer | undefined;
  private tailUsed = 0;
  private held = 0;
  /** What the socket has and will call back for, oldest first. */
  private readonly written: Buffer[] = [];
  private aboveLowMark = false;
  private asked = false;

  constructor(
    private readonly queue: InputQueue,
    private readonly socket: Socket,
    readonly local: Endpoint,
    readonly remote: Endpoint,
  ) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    socket.on('data', (bytes: Buffer) => {
      queue.input(() => {
        if (!this.closed) this.receiver?.onBytes(bytes);
      });
    });
    socket.on('end', () => this.tellClosed(0));
    socket.on('error', (error) => this.tellClosed(errnoOf(error)));
    socket.on('close', () => this.tellClosed(0));
    socket.pause();
  }

  get localIsGreater(): boolean {
    return isGreaterAddress(this.local, this.remote);
  }
  get queuedBytes(): number {
    return this.held + this.socket.writableLength;
  }
  setReceiver(receiver: StreamReceiver): void {
    const first = this.receiver === undefined;
    this.receiver = receiver;
    if (first && !this.closed) this.socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.closed || this.ending || bytes.length === 0) return;
    if (bytes.length >= LARGE) {
      this.closeTail();
      this.pieces.push(Buffer.from(bytes));
    } else this.append(bytes);
    this.held += bytes.length;
    if (this.asked) return;
    this.asked = true;
    this.queue.afterInputs(this);
  }
  private append(bytes: Uint8Array): void {
    if (this.tail !== undefined && this.tailUsed + bytes.length > PIECE) this.closeTail();
    if (this.tail === undefined) {
      this.tail = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE);
      this.tailUsed = 0;
    }
    this.tail.set(bytes, this.tailUsed);
    this.tailUsed += bytes.length;
  }
  private closeTail(): void {
    if (this.tail === undefined) return;
    this.pieces.push(this.tail.subarray(0, this.tailUsed));
    this.tail = undefined;
  }
  endRound(): void {
    this.asked = false;
    this.closeTail();
    if (this.closed) {
      this.pieces.length = 0;
      return;
    }
    const { socket, pieces } = this;
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) {
      this.written.push(piece);
      socket.write(piece, this.onWritten);
    }
    if (pieces.length > 1) socket.uncork();
    pieces.length = 0;
    this.held = 0;
    if (socket.writableLength > LOW_MARK) this.aboveLowMark = true;
    if (this.ending) socket.end();
  }
  private readonly onWritten = (): void => {
    const piece = this.written.shift();
    if (piece !== undefined && piece.buffer.byteLength === PIECE && spare.length < SPARE_PIECES)
      spare.push(Buffer.from(piece.buffer));
    if (!this.aboveLowMark || this.queuedBytes > LOW_MARK) return;
    this.aboveLowMark = false;
    this.queue.later(() => {
      if (!this.closed) this.receiver?.onDrained();
    });
  };

  pauseReading(): void {
    this.socket.pause();
  }
  resumeReading(): void {
    if (!this.closed && this.receiver !== undefined) this.socket.resume();
  }
  end(): void {
    if (this.closed || this.ending) return;
    this.ending = true;
    if (!this.asked) this.socket.end();
  }
  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.told = true;
    this.receiver = undefined;
    this.held = 0;
    this.socket.destroy();
  }

  private tellClosed(error: number): void {
    if (this.told) return;
    this.told = true;
    this.queue.input(() => {
      if (this.closed) return;
      this.closed = true;
      this.held = 0;
      this.receiver?.onClosed(error);
      // Nobody to read the rest, nobody to write to.
      if (!this.ending) this.socket.destroy();
    });
  }
}
