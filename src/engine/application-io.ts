/**
 * The engine's upper edge: a DRBD device as the exports (NBD, block device), the simulator's workloads and a stacked
 * resource see it (engine.md 8.2 and 10.1). The completion rules of ports.ts hold here too, with the roles swapped:
 * the engine never calls a waiter from within the call.
 */
import { type ErrnoCode } from './ports';

export interface IoWaiter {
  /** 0 or an errno. For a read the buffer is filled when the error is 0. */
  onIoDone(error: ErrnoCode): void;
}
export interface OpenWaiter {
  onOpened(opener: Opener): void;
  /** EROFS, EMEDIUMTYPE, ENODATA, EAGAIN, EACCES, ENOTRECOVERABLE (engine.md 8.2). */
  onOpenFailed(error: ErrnoCode): void;
}
/** Who opened the device, for `held open by` texts. */
export interface OpenerIdentity {
  readonly command: string;
  readonly pid: number;
}
/** An open file on the device. Offsets and lengths are bytes, multiples of the device's block size. */
export interface Opener {
  readonly writable: boolean;
  /** The buffer stays with the engine until the completion. */
  read(offset: number, into: Uint8Array, waiter: IoWaiter): void;
  /** The buffer stays with the engine, unchanged, until the completion. */
  write(offset: number, from: Uint8Array, fua: boolean, waiter: IoWaiter): void;
  flush(waiter: IoWaiter): void;
  discard(offset: number, length: number, waiter: IoWaiter): void;
  zeroOut(offset: number, length: number, mayUnmap: boolean, waiter: IoWaiter): void;
  /**
   * Turns a read-only opener into a writer (an NBD connection's first write): the promotion rules of an open for
   * writing apply. The waiter gets 0 or the errno of the refused open.
   */
  becomeWriter(waiter: IoWaiter): void;
  close(): void;
}
export interface ExportedDevice {
  readonly minor: number;
  readonly resourceName: string;
  readonly volume: number;
  /** Bytes; 0 while no size is known. */
  readonly size: number;
  /** Logical block size in bytes: 512..4096. */
  readonly blockSize: number;
  /** `nonBlocking` is O_NDELAY. */
  open(identity: OpenerIdentity, write: boolean, nonBlocking: boolean, waiter: OpenWaiter): void;
}
/** Told by the engine; the daemon keeps its exports in step. */
export interface ExportListener {
  onDeviceAppeared(device: ExportedDevice): void;
  onDeviceResized(device: ExportedDevice): void;
  /** All openers are gone. */
  onDeviceGone(device: ExportedDevice): void;
}
