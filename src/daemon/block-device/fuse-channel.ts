/**
 * Reading requests from an open /dev/fuse within the event loop. libuv's pipe handle takes any descriptor that can be
 * polled; `net.Socket({fd})` refuses character devices. One read per wake-up is libuv's way, so what else waits is
 * read directly (performance.md 5.2).
 */
import fs from 'node:fs';
import net from 'node:net';
import { REQUEST_BUFFER } from './fuse-codec';

/** Requests read in one go before others get their turn. */
const BURST = 16;
const SPARE_BUFFERS = 4;

/** Takes one request; true if the buffer is kept until `release`. */
export type RequestReader = (bytes: Buffer) => boolean;

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

export class FuseChannel {
  private readonly socket: net.Socket;
  private buffer: Buffer = Buffer.allocUnsafeSlow(REQUEST_BUFFER);
  private readonly spare: Buffer[] = [];
  private over = false;
  private paused = false;

  /** Takes over the descriptor. */
  constructor(
    private readonly fd: number,
    private readonly onRequest: RequestReader,
  ) {
    const binding = pipeBinding();
    if (binding === undefined) throw new Error('this Node.js cannot read /dev/fuse in its event loop');
    const handle = new binding.Pipe(binding.constants.SOCKET);
    if (handle.open(fd) !== 0) throw new Error('cannot poll /dev/fuse');
    const options = {
      allowHalfOpen: false,
      handle,
      onread: {
        buffer: () => this.buffer,
        callback: (length: number, bytes: Uint8Array) => {
          this.take(length, bytes);
          this.drain();
          return true;
        },
      },
    };
    this.socket = new net.Socket(options);
    // ENODEV: unmounted.
    this.socket.on('error', () => (this.over = true));
    this.socket.on('close', () => (this.over = true));
  }

  private take(length: number, bytes: Uint8Array): void {
    const whole = this.buffer;
    if (bytes.buffer !== whole.buffer) throw new Error('a request in a foreign buffer');
    if (this.onRequest(whole.subarray(0, length)))
      this.buffer = this.spare.pop() ?? Buffer.allocUnsafeSlow(REQUEST_BUFFER);
  }
  private drain(): void {
    for (let i = 0; i < BURST && !this.over && !this.paused; i++) {
      const length = this.readNow();
      if (length === 0) return;
      this.take(length, this.buffer);
    }
  }
  /** 0 if nothing is there. */
  private readNow(): number {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    try {
      return fs.readSync(this.fd, this.buffer, 0, REQUEST_BUFFER, null);
    } catch {
      // EAGAIN; whatever else it is, the event loop will find it too.
      return 0;
    } finally {
      Error.stackTraceLimit = limit;
    }
  }
  /** A buffer that was kept; a view into it will do. */
  release(bytes: Buffer): void {
    if (this.spare.length < SPARE_BUFFERS) this.spare.push(Buffer.from(bytes.buffer));
  }

  /** Writes one message; false if nobody waits for it any more. */
  write(pieces: readonly Buffer[]): boolean {
    if (this.over) return false;
    try {
      fs.writevSync(this.fd, pieces);
      return true;
    } catch {
      // ENOENT: the request was given up meanwhile. ENODEV: unmounted.
      return false;
    }
  }
  pause(): void {
    this.paused = true;
    this.socket.pause();
  }
  resume(): void {
    this.paused = false;
    if (!this.over) this.socket.resume();
  }
  close(): void {
    this.over = true;
    this.socket.destroy();
  }
}
