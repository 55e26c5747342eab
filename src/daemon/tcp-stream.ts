/** One TCP connection. What is written in a round of inputs is collected and leaves in one call. */
import { type Socket } from 'node:net';
import { type ByteStream, type Endpoint, type StreamReceiver } from '../engine/ports';
import { type InputQueue, type RoundEnd } from './input-queue';
import { errnoOf } from './os-error';
import { isGreaterAddress } from './raw-address';
import { ReceiveMemory, type Slab, type SlabPool } from './receive-memory';
import { descriptorOf, readInto, writeNow, writePartNow } from './socket-handle';

/** Small writes are joined in pieces of this many bytes, 16 writes of 4 KiB to a peer for one; larger ones get a piece of their own. */
const PIECE = 80 * 1024;
const LARGE = 16 * 1024;
/** Less than this waits for the end of the turn: acknowledgements leave together, after the disk operations. */
const URGENT = 256;
/** So much at once is a stream of data: to wait for more without sleeping would take time from those who process it. */
const BULK = 128 * 1024;
/**
 * So much leaves at once, although more may follow in this round: the peer begins with the first eight writes of 4 KiB
 * while the next ones are taken.
 */
const EAGER = 32 * 1024;
/** `onDrained` comes when the queue has shrunk to this many bytes. */
const LOW_MARK = 64 * 1024;
const SPARE_PIECES = 32;
/** Pieces in one system call (IOV_MAX is 1024). */
const MOST_PIECES = 512;

/** Memory of joined pieces, and those to be used again; all streams share them. */
const joined = new WeakSet<ArrayBufferLike>();
const spare: Buffer[] = [];
function takePiece(): Buffer {
  const piece = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE);
  joined.add(piece.buffer);
  return piece;
}
function giveBack({ buffer }: Uint8Array): void {
  if (spare.length < SPARE_PIECES && joined.has(buffer)) spare.push(Buffer.from(buffer));
}
/** What waits for the socket. */
interface Waiting {
  readonly bytes: Uint8Array;
  /** Holds them, unless they are ours. */
  readonly slab: Slab | undefined;
}

/** Headers and acknowledgements are copied faster in a loop than by a call. */
const FEW = 64;
function put(bytes: Uint8Array, into: Uint8Array, at: number): void {
  const { length } = bytes;
  if (length > FEW) into.set(bytes, at);
  else for (let i = 0; i < length; i++) into[at + i] = bytes[i] ?? 0;
}

export class TcpStream implements ByteStream, RoundEnd {
  private receiver: StreamReceiver | undefined;
  private closed = false;
  private ending = false;
  private told = false;
  /** Full or large pieces of this round, in order. */
  private pieces: Uint8Array[] = [];
  private tail: Buffer | undefined;
  private tailUsed = 0;
  private held = 0;
  /** What the socket has and will call back for, oldest first. */
  private readonly written: Waiting[] = [];
  private aboveLowMark = false;
  private asked = false;
  private urgent = false;
  private readonly socket: Socket;
  private readonly memory: ReceiveMemory;
  private readonly descriptor: number;
  private arrived = 0;
  private reading = false;

  /** `socket` must not have read yet. `slabs`: the receiver counts its views of what it is given there. */
  constructor(
    private readonly queue: InputQueue,
    socket: Socket,
    readonly local: Endpoint,
    readonly remote: Endpoint,
    private readonly slabs?: SlabPool,
  ) {
    const memory = new ReceiveMemory(slabs);
    this.memory = memory;
    this.socket = readInto(socket, {
      space: () => memory.space(),
      onRead: (length) => {
        this.arrived = length;
        queue.data(this.delivery, length < BULK);
      },
    });
    this.descriptor = descriptorOf(this.socket);
    this.socket.setNoDelay(true);
    this.socket.setKeepAlive(true, 30_000);
    this.socket.on('end', () => this.tellClosed(0));
    this.socket.on('error', (error) => this.tellClosed(errnoOf(error)));
    this.socket.on('close', () => this.tellClosed(0));
    this.socket.pause();
  }
  private readonly delivery = { run: () => this.deliver() };
  private deliver(): void {
    const { memory, receiver } = this;
    const bytes = memory.filled(this.arrived);
    if (this.closed) return;
    receiver?.onBytes(bytes);
    // One that came meanwhile knows nothing of what the other has kept.
    memory.makeRoom(receiver === this.receiver ? receiver?.window : undefined);
  }

  get localIsGreater(): boolean {
    return isGreaterAddress(this.local, this.remote);
  }
  get queuedBytes(): number {
    return this.written.length === 0 ? this.held : this.held + this.socket.writableLength;
  }
  setReceiver(receiver: StreamReceiver): void {
    const first = this.receiver === undefined;
    this.receiver = receiver;
    if (first && !this.closed) this.read(true);
  }
  private read(reading: boolean): void {
    // Asked for with every packet.
    if (reading === this.reading) return;
    this.reading = reading;
    if (reading) this.socket.resume();
    else this.socket.pause();
  }

  write(bytes: Uint8Array): void {
    if (this.closed || this.ending || bytes.length === 0) return;
    this.ask(bytes.length);
    if (bytes.length >= LARGE) this.push(new Uint8Array(bytes));
    else this.append(bytes);
  }
  writeShared(bytes: Uint8Array): void {
    if (bytes.length < LARGE) this.write(bytes);
    else if (!this.closed && !this.ending) {
      this.push(bytes);
      this.ask(bytes.length);
    }
  }
  private push(piece: Uint8Array): void {
    this.closeTail();
    this.pieces.push(piece);
  }
  private ask(length: number): void {
    this.held += length;
    if (this.held >= URGENT) {
      if (this.urgent) return;
      this.urgent = this.asked = true;
      this.queue.afterInputs(this);
    } else if (!this.asked) {
      this.asked = true;
      this.queue.afterTurn(this);
    }
  }
  private append(bytes: Uint8Array): void {
    if (this.tail !== undefined && this.tailUsed + bytes.length > this.tail.length) this.closeTail();
    if (this.tail === undefined) {
      this.tail = takePiece();
      this.tailUsed = 0;
    }
    put(bytes, this.tail, this.tailUsed);
    this.tailUsed += bytes.length;
    // What the socket does not take waits for the end of the round: it is full.
    if (this.tailUsed >= EAGER && this.pieces.length === 0 && !this.writeTail()) this.closeTail();
  }
  private closeTail(): void {
    if (this.tail === undefined) return;
    this.pieces.push(this.tail.subarray(0, this.tailUsed));
    this.tail = undefined;
  }
  endRound(): void {
    // What was first not urgent and then was has left already.
    if (!this.asked) return;
    this.asked = this.urgent = false;
    if (this.pieces.length === 0 && this.writeTail()) return;
    this.closeTail();
    const { pieces } = this;
    this.pieces = [];
    this.held = 0;
    if (this.closed) return;
    const { socket } = this;
    const rest = socket.writableLength === 0 ? this.writeDirectly(pieces) : pieces.map(this.own);
    if (rest.length > 1) socket.cork();
    for (const piece of rest) {
      this.written.push(piece);
      socket.write(piece.bytes, this.onWritten);
    }
    if (rest.length > 1) socket.uncork();
    if (socket.writableLength > LOW_MARK) this.aboveLowMark = true;
    if (this.ending) socket.end();
  }
  /** The usual case: one piece, which the kernel takes whole, so that it can be filled again. */
  private writeTail(): boolean {
    const { tail, tailUsed, socket, descriptor } = this;
    if (tail === undefined || this.closed || this.ending) return false;
    if (descriptor < 0 || socket.destroyed || socket.writableLength > 0) return false;
    const taken = writePartNow(descriptor, tail, tailUsed);
    if (taken === tailUsed) {
      this.held = 0;
      this.tail = undefined;
      if (spare.length < SPARE_PIECES) spare.push(tail);
      return true;
    }
    if (taken > 0) tail.copyWithin(0, taken, tailUsed);
    this.tailUsed -= taken;
    return false;
  }
  /** Shared bytes must not wait, for their owner will use them for something else; unless they lie in a slab. */
  private readonly own = (piece: Uint8Array): Waiting => {
    if (joined.has(piece.buffer)) return { bytes: piece, slab: undefined };
    const slab = this.slabs?.hold(piece);
    return { bytes: slab === undefined ? new Uint8Array(piece) : piece, slab };
  };
  /** Returns what the kernel did not take. */
  private writeDirectly(pieces: readonly Uint8Array[]): Waiting[] {
    if (this.descriptor < 0 || this.socket.destroyed) return pieces.map(this.own);
    let first = 0;
    while (first < pieces.length) {
      const batch = pieces.length <= MOST_PIECES ? pieces : pieces.slice(first, first + MOST_PIECES);
      let taken = writeNow(this.descriptor, batch);
      for (const piece of batch) {
        if (taken < piece.length) {
          return [piece.subarray(taken), ...pieces.slice(first + 1)].map(this.own);
        }
        taken -= piece.length;
        giveBack(piece);
        first++;
      }
    }
    return [];
  }
  private readonly onWritten = (): void => {
    const piece = this.written.shift();
    if (piece !== undefined) {
      giveBack(piece.bytes);
      if (piece.slab !== undefined) this.slabs?.release(piece.slab);
    }
    if (!this.aboveLowMark || this.queuedBytes > LOW_MARK) return;
    this.aboveLowMark = false;
    this.queue.later(() => {
      if (!this.closed) this.receiver?.onDrained();
    });
  };

  pauseReading(): void {
    this.read(false);
  }
  resumeReading(): void {
    if (!this.closed && this.receiver !== undefined) this.read(true);
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
    this.memory.close();
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
      this.memory.close();
    });
  }
}
