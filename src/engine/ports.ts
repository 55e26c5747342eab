/**
 * What the engine needs of a machine (design.md section 4). Two implementations exist: the daemon's and the
 * simulator's. Rules that hold for every port:
 *
 * - A completion is never called from within the call that asked for it; it comes as an input of its own.
 * - Inputs (completions, timers, received bytes, requests) never nest: while the engine handles one, the driver
 *   holds back the others. `Scheduler.soon` tasks run after the current input and before the next, first in first out.
 * - A callback is an object with a method, so that the data path can pass its own request objects and allocates nothing.
 */

import { type SocketAddress } from '../control/contract/snapshot';

/** 0 is success; anything else is a positive errno of `Errno`. */
export type ErrnoCode = number;

/** Linux errno values that cross a port. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  ENODATA: 61,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNRESET: 104,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EMEDIUMTYPE: 124,
  ENOTRECOVERABLE: 131,
  EOPNOTSUPP: 95,
} as const;

// --- time and chance

export interface TimerWaiter {
  onTimer(): void;
}
export interface TimerHandle {
  cancel(): void;
}
export interface Task {
  run(): void;
}
export interface Scheduler {
  /** Milliseconds, monotonic, of this host's life. May have a fraction. */
  now(): number;
  /** Milliseconds since 1970-01-01 UTC, for what people read. */
  wallClock(): number;
  /** Calls `waiter` once, `delay` milliseconds from now or later. */
  after(delay: number, waiter: TimerWaiter): TimerHandle;
  /** Runs `task` after the current input, before the next one. */
  soon(task: Task): void;
}
export interface Random {
  fill(bytes: Uint8Array): void;
  /** Uniform in 0 .. 2^64-1. */
  u64(): bigint;
  /** Uniform integer in 0 .. limit-1; limit at most 2^32. */
  below(limit: number): number;
}

// --- disks

export interface DiskWaiter {
  onDiskDone(error: ErrnoCode): void;
}
/**
 * An opened backing device or meta-data device. Offsets and lengths in bytes, multiples of 512.
 * Buffers stay with the disk until its completion. Operations may complete in any order; a flush covers every
 * operation that had *completed* before the flush was asked for.
 */
export interface Disk {
  readonly path: string;
  /** 512 or 4096: what is written at once. */
  readonly blockSize: number;
  /** Bytes; the size when opened or when last looked at with `refreshSize`. */
  readonly size: number;
  /** True if discarded ranges read back as zeros. */
  readonly discardZeroes: boolean;
  /** True if the disk passes discards on at all. */
  readonly canDiscard: boolean;
  /** Bytes; of a discard, only whole multiples of it that start at one are certain to be given back. */
  readonly discardGranularity: number;
  read(offset: number, into: Uint8Array, waiter: DiskWaiter): void;
  /** With `fua` the bytes are on stable storage when the waiter is called. */
  write(offset: number, from: Uint8Array, fua: boolean, waiter: DiskWaiter): void;
  flush(waiter: DiskWaiter): void;
  discard(offset: number, length: number, waiter: DiskWaiter): void;
  /** Afterwards the range reads as zeros; space may be given back if `mayUnmap`. */
  zeroOut(offset: number, length: number, mayUnmap: boolean, waiter: DiskWaiter): void;
  /** Looks at the size again (online growth); `onDiskDone` when `size` is up to date. */
  refreshSize(waiter: DiskWaiter): void;
  /** Nothing may be in flight. */
  close(waiter: DiskWaiter): void;
}
export type DiskOpenFailure =
  | { readonly kind: 'cannot-open'; readonly errno: ErrnoCode }
  | { readonly kind: 'not-a-disk' }
  | { readonly kind: 'claimed' };
export interface DiskOpenWaiter {
  onDiskOpened(disk: Disk): void;
  onDiskOpenFailed(failure: DiskOpenFailure): void;
}
export interface Disks {
  /**
   * Opens and claims `path`. `claim` names the owner: the same path may be opened twice only with the same claim
   * (data and internal meta-data of one minor; several minors on one indexed meta-data device share `claim`).
   */
  open(path: string, claim: string, waiter: DiskOpenWaiter): void;
}

// --- network

/** As on the command line: numeric host without brackets. */
export type Endpoint = SocketAddress;
/** What a receiver says of the bytes it was given, so that the port can use their memory again. */
export interface ReceiveWindow {
  /** Bytes at the end of what was given that are still needed; nobody looks at those before them any more. */
  readonly kept: number;
  /** Bytes that the unit under way lacks; 0 if that is not known. */
  readonly missing: number;
  /** The kept bytes are at `bytes` now: what follows will be put behind them. */
  moveTo(bytes: Uint8Array): void;
}
export interface StreamReceiver {
  /** Without a window, `bytes` belongs to the receiver from now on: the port does not write there again. */
  onBytes(bytes: Uint8Array): void;
  readonly window?: ReceiveWindow;
  /** The peer closed its side (errno 0) or the stream broke. Called once; no further bytes. */
  onClosed(error: ErrnoCode): void;
  /** `queuedBytes` went down to or below the low mark after it had been above it. */
  onDrained(): void;
}
/** One TCP connection. Writes of one turn leave together. */
export interface ByteStream {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** The raw comparison of socket addresses of engine.md 5.2: true if our own address compares greater. */
  readonly localIsGreater: boolean;
  /** Bytes accepted by `write` and not yet taken by the network. */
  readonly queuedBytes: number;
  setReceiver(receiver: StreamReceiver): void;
  /** Takes a copy: the caller may reuse `bytes` when the call returns. */
  write(bytes: Uint8Array): void;
  /** As `write`, but the caller leaves `bytes` unchanged until the inputs that are under way are handled. */
  writeShared(bytes: Uint8Array): void;
  /** Stops `onBytes` until `resumeReading`; what the network holds then pushes back on the peer. */
  pauseReading(): void;
  resumeReading(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once; `onClosed` is not called any more. */
  destroy(): void;
}
export interface IncomingWaiter {
  onIncoming(stream: ByteStream): void;
  /** The listener could not be opened or broke. */
  onListenFailed(error: ErrnoCode): void;
}
export interface Listener {
  close(): void;
}
export interface ConnectWaiter {
  onConnected(stream: ByteStream): void;
  onConnectFailed(error: ErrnoCode): void;
}
export interface ConnectAttempt {
  /** Afterwards the waiter is not called any more. */
  cancel(): void;
}
/** Received bytes that are used after the input they came with. */
export interface Retained {
  release(): void;
}
export interface Network {
  /** One listener per local endpoint is kept open and shared by all paths with that local endpoint. */
  listen(local: Endpoint, waiter: IncomingWaiter): Listener;
  /** `bytes`, a view of what a stream gave, stay as they are until `release`. Undefined: they have to be copied. */
  retain?(bytes: Uint8Array): Retained | undefined;
  /** Connects from `local`'s host (port 0) to `remote`. `timeout` in milliseconds. */
  connect(local: Endpoint, remote: Endpoint, timeout: number, waiter: ConnectWaiter): ConnectAttempt;
}

// --- the rest

export interface Digest {
  /** Bytes. */
  readonly size: number;
  digest(data: Uint8Array): Uint8Array;
}
export interface Digests {
  /** Undefined if this machine does not know the algorithm (`sha1`, `md5`, `crc32c`, `sha256`, ...). */
  hash(algorithm: string): Digest | undefined;
  /** Keyed, for cram-hmac-alg. Undefined if unknown. */
  hmac(algorithm: string, key: Uint8Array): Digest | undefined;
}
export interface HelperWaiter {
  /** Exit code 0..255; a program that could not be started counts as 0 (engine.md 13.1). `rawStatus` as of wait(2). */
  onHelperDone(exitCode: number, rawStatus: number): void;
}
export interface Helpers {
  /** Runs `PROGRAM COMMAND RESOURCE` with exactly `environment`. */
  run(
    command: string,
    resourceName: string,
    environment: Readonly<Record<string, string>>,
    waiter: HelperWaiter,
  ): void;
  /** `disabled` means that every helper is skipped. */
  readonly program: string;
}
export type LogLevel = 'alert' | 'error' | 'warning' | 'notice' | 'info' | 'debug';
export interface Log {
  /** `line` is complete with its prefix (engine.md 15.1), without a newline. */
  write(level: LogLevel, line: string): void;
}

export interface EnginePorts {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly disks: Disks;
  readonly network: Network;
  readonly digests: Digests;
  readonly helpers: Helpers;
  readonly log: Log;
}
