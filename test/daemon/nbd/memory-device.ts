/** A device in memory, in place of the engine's. Completions come later, in any order if asked for. */
import { type ExportedDevice, type IoWaiter, type Opener } from '../../../src/engine/application-io';
import { type InputQueue } from '../../../src/daemon/input-queue';

export class MemoryDevice implements ExportedDevice {
  readonly resourceName = 'r0';
  readonly volume = 0;
  readonly blockSize = 512;
  readonly bytes: Buffer;
  /** Errno that opening for reading, or becoming a writer, gives. */
  openError = 0;
  writeOpenError = 0;
  openers = 0;
  writers = 0;
  promotions = 0;
  flushes = 0;
  fuaWrites = 0;
  inFlight = 0;
  mostInFlight = 0;
  /** Milliseconds each operation takes. */
  delay = 0;

  constructor(
    private readonly queue: InputQueue,
    public size: number,
    readonly minor = 7,
  ) {
    this.bytes = Buffer.alloc(size);
  }
  open(
    _identity: unknown,
    _write: boolean,
    _nonBlocking: boolean,
    waiter: { onOpened(opener: Opener): void; onOpenFailed(error: number): void },
  ): void {
    const error = this.openError;
    this.queue.later(() => {
      if (error !== 0) waiter.onOpenFailed(error);
      else {
        this.openers++;
        waiter.onOpened(new MemoryOpener(this));
      }
    });
  }
  done(waiter: IoWaiter, error: number, act: () => void): void {
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    const finish = (): void => {
      this.inFlight--;
      if (error === 0) act();
      waiter.onIoDone(error);
    };
    if (this.delay > 0) setTimeout(() => this.queue.input(finish), this.delay);
    else this.queue.later(finish);
  }
}

class MemoryOpener implements Opener {
  writable = false;
  private promoted = false;
  constructor(private readonly device: MemoryDevice) {}

  read(offset: number, into: Uint8Array, waiter: IoWaiter): void {
    this.device.done(waiter, 0, () => into.set(this.device.bytes.subarray(offset, offset + into.length)));
  }
  write(offset: number, from: Uint8Array, fua: boolean, waiter: IoWaiter): void {
    if (fua) this.device.fuaWrites++;
    this.device.done(waiter, this.promoted ? 0 : 5, () => this.device.bytes.set(from, offset));
  }
  flush(waiter: IoWaiter): void {
    this.device.flushes++;
    this.device.done(waiter, 0, () => undefined);
  }
  discard(offset: number, length: number, waiter: IoWaiter): void {
    this.zeroOut(offset, length, true, waiter);
  }
  zeroOut(offset: number, length: number, _mayUnmap: boolean, waiter: IoWaiter): void {
    this.device.done(waiter, this.promoted ? 0 : 5, () => this.device.bytes.fill(0, offset, offset + length));
  }
  becomeWriter(waiter: IoWaiter): void {
    this.device.promotions++;
    const error = this.device.writeOpenError;
    // As the engine's: a writer at once, and no more if it is refused. Writing before the answer fails.
    this.writable = true;
    const told: IoWaiter = {
      onIoDone: (result) => {
        this.writable = result === 0;
        this.promoted = result === 0;
        waiter.onIoDone(result);
      },
    };
    this.device.done(told, error, () => void this.device.writers++);
  }
  close(): void {
    this.device.openers--;
    if (this.promoted) this.device.writers--;
    this.writable = false;
  }
}
