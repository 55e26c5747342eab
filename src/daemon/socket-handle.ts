/**
 * Node's own handle of a connected socket. A socket that is made anew around the handle reads into memory of ours
 * (`onread`), which accepted sockets cannot be told to do; and its descriptor takes a write without the detour through
 * Node's streams. None of this is documented, so everything here has a fallback (performance.md 4.3).
 */
import fs from 'node:fs';
import net from 'node:net';

export interface SocketReading {
  /** Where the next bytes go. */
  space(): Uint8Array;
  /** They are there. */
  onRead(length: number): void;
}

/** `socket` must not have read yet. The result is paused; it may be `socket` itself, emitting `data` then. */
export function readInto(socket: net.Socket, reading: SocketReading): net.Socket {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return readChunks(socket, reading);
  Reflect.set(socket, '_handle', null);
  const options = {
    handle,
    pauseOnCreate: true,
    allowHalfOpen: false,
    onread: {
      buffer: () => reading.space(),
      callback: (length: number) => {
        reading.onRead(length);
        return true;
      },
    },
  };
  return new net.Socket(options);
}
function readChunks(socket: net.Socket, reading: SocketReading): net.Socket {
  socket.pause();
  socket.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length;) {
      const space = reading.space();
      const length = Math.min(space.length, chunk.length - at);
      space.set(chunk.subarray(at, at + length));
      at += length;
      reading.onRead(length);
    }
  });
  return socket;
}

/** The descriptor of a connected or listening socket, -1 if it is not known. */
export function descriptorOf(socket: net.Socket | net.Server): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return -1;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' ? fd : -1;
}

/** Taken from the module once: a bundle looks up what is imported with every use. */
const files = fs;

/** Gives the kernel what it takes at once; returns how many bytes that were. Errors are left to the stream to find. */
export function writeNow(fd: number, pieces: readonly Uint8Array[]): number {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return writePartNow(fd, only, only.length);
  const limit = Error.stackTraceLimit;
  // EAGAIN is no surprise: an exception without a trace is cheap.
  Error.stackTraceLimit = 0;
  try {
    return files.writevSync(fd, pieces);
  } catch {
    return 0;
  } finally {
    Error.stackTraceLimit = limit;
  }
}
/** The same with the first `length` bytes of one piece. */
export function writePartNow(fd: number, piece: Uint8Array, length: number): number {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return files.writeSync(fd, piece, 0, length);
  } catch {
    return 0;
  } finally {
    Error.stackTraceLimit = limit;
  }
}
