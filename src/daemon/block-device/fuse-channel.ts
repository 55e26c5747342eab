/**
 * Reading requests from an open /dev/fuse within the event loop. libuv's pipe handle takes any descriptor that can be
 * polled; `net.Socket({fd})` refuses character devices. One read per wake-up is libuv's way, so what else waits is
 * read directly (performance.md 5.2).
 */
import fs from 'node:fs';
import net from 'node:net';
import { type Slab, SLAB_TURN, slabPool as slabs } from '../receive-memory';
import { REQUEST_BUFFER } from './fuse-codec';

/** Taken from the module once: a bundle looks up what is imported with every use. */
const files = fs;

/** Requests read in one go before others get their turn. */
const BURST = 16;
/** Bursts as long as expected before one request more is looked for: at first, and at most. */
const SHORTEST_WAIT = 2;
const LONGEST_WAIT = 64;

export interface RequestReader {
  /** Takes one request, `length` bytes at `from`. Who needs them longer adds a user to the slab, until `release`. */
  onRequest(slab: Slab, from: number, length: number): void;
  /** Runs `action`, which takes all requests that are there. */
  together(action: () => void): void;
}

interface PipeConstructor {
  new (type: number): { open(fd: number): number };
}
interface PipeBinding {
  readonly Pipe: PipeConstructor;
  readonly constants: { readonly SOCKET: number };
}
function isPipeBinding(value: unknown): value is PipeBinding {
  return typeof value === 'object' && value !== null && 'Pipe' in value && 'constants' in value;
}
/** Node's own binding: deprecated, and present up to Node 26 at least. */
function pipeBinding(): PipeBinding | undefined {
  const binding: unknown = Reflect.get(process, 'binding');
  if (typeof binding !== 'function') return undefined;
  try {
    const pipe: unknown = Reflect.apply(binding, process, ['pipe_wrap']);
    return isPipeBinding(pipe) ? pipe : undefined;
  } catch {
    return undefined;
  }
}
export const canReadInEventLoop = (): boolean => pipeBinding() !== undefined;

/**
 * How many requests to expect. To find none costs five times as much as to read one, so what is there behind as many
 * as last time is mostly left to the event loop, which finds it soon.
 */
export class BurstLength {
  expected = 1;
  private wait = SHORTEST_WAIT;
  private inARow = 0;
  private grew = false;

  /** `length` requests were read; `empty`: the next read found nothing. */
  was(length: number, empty: boolean): void {
    if (empty) {
      // Looked for one more in vain.
      this.wait = length === this.expected - 1 ? Math.min(this.wait * 2, LONGEST_WAIT) : SHORTEST_WAIT;
      this.expected = Math.max(1, length);
      this.inARow = 0;
      this.grew = false;
    } else if (length >= this.expected) {
      // The first one after it grew: there was more.
      if (this.inARow === 0 && this.grew) this.wait = SHORTEST_WAIT;
      this.grew = false;
      if (++this.inARow < this.wait || this.expected === BURST) return;
      this.expected++;
      this.inARow = 0;
      this.grew = true;
    }
  }
}

export class FuseChannel {
  private readonly socket: net.Socket;
  /** Requests lie one behind the other: none is copied, and a slab lasts for hundreds of small ones. */
  private slab = slabs.take(REQUEST_BUFFER);
  private at = 0;
  /** Length of the request that libuv has read. */
  private arrived = 0;
  /** Of the requests of one burst. */
  private readonly lengths: number[] = [];
  private readonly burst = new BurstLength();
  private over = false;

  /** Takes over the descriptor. */
  constructor(
    private readonly fd: number,
    private readonly reader: RequestReader,
  ) {
    const binding = pipeBinding();
    if (binding === undefined) throw new Error('this Node.js cannot read /dev/fuse in its event loop');
    const handle = new binding.Pipe(binding.constants.SOCKET);
    if (handle.open(fd) !== 0) throw new Error('cannot poll /dev/fuse');
    const options = {
      allowHalfOpen: false,
      handle,
      onread: {
        buffer: () => this.space(),
        callback: (length: number) => {
          this.arrived = length;
          reader.together(this.takeAll);
          return true;
        },
      },
    };
    this.socket = new net.Socket(options);
    // ENODEV: unmounted.
    this.socket.on('error', () => (this.over = true));
    this.socket.on('close', () => (this.over = true));
  }

  /** Room for the largest request. */
  private space(): Buffer {
    this.makeRoom();
    return this.slab.bytes.subarray(this.at, this.at + REQUEST_BUFFER);
  }
  private makeRoom(): void {
    const { slab } = this;
    if (slab.users === 1) this.at = 0;
    else if (this.at >= SLAB_TURN || slab.bytes.length - this.at < REQUEST_BUFFER) {
      slabs.release(slab);
      this.slab = slabs.take(REQUEST_BUFFER);
      this.at = 0;
    }
  }
  /** Reads what else is there, as far as the slab reaches, then hands over all of it. */
  private readonly takeAll = (): void => {
    const { slab, lengths } = this;
    let from = this.at;
    lengths.length = 0;
    lengths.push(this.arrived);
    this.at += this.arrived;
    this.readMore();
    for (const length of lengths) {
      this.reader.onRequest(slab, from, length);
      from += length;
    }
  };
  private readMore(): void {
    const { slab, lengths, burst } = this;
    let empty = false;
    const limit = Error.stackTraceLimit;
    // EAGAIN is no surprise: an exception without a trace is cheap.
    Error.stackTraceLimit = 0;
    while (
      lengths.length < burst.expected &&
      !empty &&
      !this.over &&
      slab.bytes.length - this.at >= REQUEST_BUFFER
    ) {
      const length = this.readNow();
      empty = length === 0;
      if (empty) break;
      lengths.push(length);
      this.at += length;
    }
    Error.stackTraceLimit = limit;
    burst.was(lengths.length, empty);
  }
  /** 0 if nothing is there. */
  private readNow(): number {
    try {
      return files.readSync(this.fd, this.slab.bytes, this.at, REQUEST_BUFFER, null);
    } catch {
      // EAGAIN; whatever else it is, the event loop will find it too.
      return 0;
    }
  }
  /** One user less. */
  release(slab: Slab): void {
    slabs.release(slab);
  }

  /** Writes one message; false if nobody waits for it any more. */
  write(pieces: readonly Uint8Array[]): boolean {
    if (this.over) return false;
    try {
      files.writevSync(this.fd, pieces);
      return true;
    } catch {
      // ENOENT: the request was given up meanwhile. ENODEV: unmounted.
      return false;
    }
  }
  writeOne(message: Uint8Array): boolean {
    if (this.over) return false;
    try {
      files.writeSync(this.fd, message);
      return true;
    } catch {
      // As above.
      return false;
    }
  }
  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    if (!this.over) this.socket.resume();
  }
  close(): void {
    this.over = true;
    slabs.forget(this.slab);
    this.socket.destroy();
  }
}
