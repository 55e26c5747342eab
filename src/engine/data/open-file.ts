/** An open device: the upper edge of the engine (engine.md 8.2, application-io.ts). */
import { DiskState } from '../../control/contract/states';
import { type IoWaiter, type Opener, type OpenerIdentity } from '../application-io';
import { type Device } from '../objects';
import { type DiskWaiter, Errno, type ErrnoCode, type Task } from '../ports';
import { handleFlushError } from './disk-errors';
import { ReadRequest, startRead } from './read-request';
import { startWrite, writeFlow } from './write-path';
import { sendOwedBarriers } from './transfer-log';
import { type WriteOperation, WriteRequest } from './write-request';

/** Bytes of one request: what fits into a packet. */
const MAX_DATA = 1 << 20;
const MAX_DISCARD = 128 << 20;

/** What an opener asks of the device as a whole; device-export.ts. */
export interface OpenFileOwner {
  becomeWriter(file: OpenFile, waiter: IoWaiter): void;
  closed(file: OpenFile): void;
}

export class OpenFile implements Opener {
  writable = false;
  open = true;
  readonly since: number;

  constructor(
    readonly device: Device,
    readonly identity: OpenerIdentity,
    private readonly owner: OpenFileOwner,
  ) {
    this.since = device.resource.host.ports.scheduler.wallClock();
  }

  read(offset: number, into: Uint8Array, waiter: IoWaiter): void {
    const io = this.begin(offset, into.length, waiter, true);
    if (io === undefined) return;
    const { device } = this;
    for (let at = 0; at < into.length; at += MAX_DATA) {
      const part = into.length <= MAX_DATA ? into : into.subarray(at, at + MAX_DATA);
      startRead(new ReadRequest(device, (offset + at) / 512, part.length / 512, part, io.add()));
    }
    io.started();
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: IoWaiter): void {
    const io = this.beginWrite(offset, from.length, waiter, true);
    if (io === undefined) return;
    for (let at = 0; at < from.length; at += MAX_DATA) {
      const data = from.length <= MAX_DATA ? from : from.subarray(at, at + MAX_DATA);
      const request = this.writeRequest('write', offset + at, data.length, io);
      request.data = data;
      request.fua = fua;
      startWrite(request);
    }
    io.started();
  }
  discard(offset: number, length: number, waiter: IoWaiter): void {
    this.withoutData('discard', offset, length, true, waiter);
  }
  zeroOut(offset: number, length: number, mayUnmap: boolean, waiter: IoWaiter): void {
    this.withoutData('zero-out', offset, length, mayUnmap, waiter);
  }
  private withoutData(
    operation: WriteOperation,
    offset: number,
    length: number,
    mayUnmap: boolean,
    waiter: IoWaiter,
  ): void {
    const io = this.beginWrite(offset, length, waiter, false);
    if (io === undefined) return;
    // Sizes are whole sectors; what does not fill one at the ends stays as it is for a discard.
    const first = operation === 'discard' ? Math.ceil(offset / 512) * 512 : offset;
    const end = operation === 'discard' ? Math.floor((offset + length) / 512) * 512 : offset + length;
    for (let at = first; at < end; at += MAX_DISCARD) {
      const request = this.writeRequest(operation, at, Math.min(MAX_DISCARD, end - at), io);
      request.mayUnmap = mayUnmap;
      startWrite(request);
    }
    io.started();
  }
  private writeRequest(operation: WriteOperation, offset: number, length: number, io: AppIo): WriteRequest {
    return new WriteRequest(writeFlow, this.device, operation, offset / 512, length / 512, io.add());
  }

  flush(waiter: IoWaiter): void {
    new AppFlush(this.device, waiter).start();
  }
  becomeWriter(waiter: IoWaiter): void {
    this.owner.becomeWriter(this, waiter);
  }
  close(): void {
    if (!this.open) return;
    this.open = false;
    this.owner.closed(this);
  }

  private begin(offset: number, length: number, waiter: IoWaiter, aligned: boolean): AppIo | undefined {
    const { device } = this;
    const block = device.options.blockSize;
    const io = new AppIo(device, waiter);
    const bad = aligned && (offset % block !== 0 || length % block !== 0);
    if (bad || offset < 0 || offset + length > device.size * 512 || !this.open) {
      io.fail(Errno.EIO);
      return undefined;
    }
    return io;
  }
  private beginWrite(offset: number, length: number, waiter: IoWaiter, aligned: boolean): AppIo | undefined {
    if (this.writable) return this.begin(offset, length, waiter, aligned);
    new AppIo(this.device, waiter).fail(Errno.EROFS);
    return undefined;
  }
}

/** One operation of the application: answered when all of its requests are. */
class AppIo implements IoWaiter, Task {
  private waitingFor = 1;
  private error: ErrnoCode = 0;
  constructor(
    private readonly device: Device,
    private readonly waiter: IoWaiter,
  ) {
    device.io.upperPending++;
  }
  add(): this {
    this.waitingFor++;
    return this;
  }
  started(): void {
    if (this.waitingFor === 1) this.fail(0);
    else this.waitingFor--;
  }
  /** Answers, in a task of its own. */
  fail(error: ErrnoCode): void {
    this.error = error;
    this.device.resource.host.ports.scheduler.soon(this);
  }
  run(): void {
    this.waitingFor = 1;
    this.onIoDone(this.error);
  }
  onIoDone(error: ErrnoCode): void {
    if (this.error === 0) this.error = error;
    if (--this.waitingFor > 0) return;
    this.device.io.upperPending--;
    this.waiter.onIoDone(this.error);
    becameQuiet(this.device);
  }
}

function becameQuiet({ io }: Device): void {
  if (io.upperPending > 0 || io.quietWaiters.length === 0) return;
  for (const waiter of io.quietWaiters.splice(0)) waiter.onIoDone(0);
}

/** Takes no place in the transfer log and does not wait for peers (engine.md 10.3). */
class AppFlush implements DiskWaiter {
  constructor(
    private readonly device: Device,
    private readonly waiter: IoWaiter,
  ) {}
  start(): void {
    const { device } = this;
    const backing = device.now.disk >= DiskState.Inconsistent ? device.backing : undefined;
    if (backing === undefined) {
      device.resource.host.ports.scheduler.soon({ run: () => this.onDiskDone(Errno.EIO) });
      return;
    }
    // Peers flush at barriers: those of completed writes are to be on their way.
    sendOwedBarriers(device.resource);
    backing.hold();
    backing.dataDisk.flush({
      onDiskDone: (error) => {
        handleFlushError(device, error);
        this.onDiskDone(error);
        backing.release();
      },
    });
  }
  onDiskDone(error: ErrnoCode): void {
    const elsewhere = this.device.peerDevices.some(({ now }) => now.pdsk === DiskState.UpToDate);
    this.waiter.onIoDone(error === 0 || elsewhere ? 0 : error);
  }
}
