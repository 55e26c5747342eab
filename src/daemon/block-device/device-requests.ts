/**
 * The requests of one block device on their way to the engine. A loop device does not tell about open and close
 * (openers.ts), so the first request opens the device, for writing if somebody has it open for writing; a write
 * through a reader makes a writer of it (auto-promote). Requests wait meanwhile.
 */
import {
  type ExportedDevice,
  type IoWaiter,
  type Opener,
  type OpenerIdentity,
} from '../../engine/application-io';
import { Errno, type ErrnoCode } from '../../engine/ports';
import { type InputQueue } from '../input-queue';
import { type FileServer, type Transfer } from './fuse-session';
import { type Holder } from './openers';

const changesData = ({ kind }: Transfer): boolean => kind === 'write' || kind === 'punch' || kind === 'zero';

export interface RequestsOwner {
  /** Who has the block device open now. */
  findHolders(): readonly Holder[];
  /** Whether the disk below discards. Else only zeroes by name are served, and mkfs does not zero whole disks. */
  canDiscard(): boolean;
  onOpened(): void;
}

export class DeviceRequests implements FileServer {
  private opener: Opener | undefined;
  private identity: OpenerIdentity | undefined;
  private opening = false;
  private promoting = false;
  private readonly waiting: Transfer[] = [];
  private inFlight = 0;
  private gone = false;
  private inInput = false;
  /** Requests so far: tells whether there were any between two looks. */
  taken = 0;

  constructor(
    private readonly device: ExportedDevice,
    private readonly queue: InputQueue,
    private readonly owner: RequestsOwner,
  ) {}

  get size(): number {
    return this.device.size;
  }
  get blockSize(): number {
    return this.device.blockSize;
  }
  get isOpen(): boolean {
    return this.opener !== undefined;
  }
  get isWritable(): boolean {
    return this.opener?.writable === true;
  }
  get isQuiet(): boolean {
    return this.inFlight === 0 && this.waiting.length === 0 && !this.opening && !this.promoting;
  }

  transfer(request: Transfer): void {
    this.taken++;
    if (this.inInput) this.take(request);
    else this.queue.input(() => this.take(request));
  }
  together(action: () => void): void {
    this.queue.data({
      run: () => {
        this.inInput = true;
        action();
        this.inInput = false;
      },
    });
  }
  private take(request: Transfer): void {
    const error = this.objection(request);
    if (error !== 0) {
      request.answer(error);
      return;
    }
    if (this.opener === undefined || this.promoting) {
      this.waiting.push(request);
      if (this.opener === undefined) this.open(changesData(request));
    } else if (changesData(request) && !this.opener.writable) {
      this.waiting.push(request);
      this.promote(this.opener);
    } else this.start(this.opener, request);
  }
  private objection({ kind, offset, length }: Transfer): ErrnoCode {
    if (this.gone) return Errno.EIO;
    if (kind === 'flush') return 0;
    if (kind === 'punch' && !this.owner.canDiscard()) return Errno.EOPNOTSUPP;
    if (offset + length > this.device.size) return Errno.EIO;
    return offset % 512 === 0 && length % 512 === 0 ? 0 : Errno.EINVAL;
  }
  private start(opener: Opener, request: Transfer): void {
    const { kind, offset, length, data } = request;
    this.inFlight++;
    const waiter: IoWaiter = {
      onIoDone: (error) => {
        this.inFlight--;
        request.answer(error);
      },
    };
    if (kind === 'read' && data !== undefined) opener.read(offset, data, waiter);
    else if (kind === 'write' && data !== undefined) opener.write(offset, data, false, waiter);
    else if (kind === 'flush') opener.flush(waiter);
    // The loop driver asks for both discards and zeroes by punching holes: only zeroes serve both.
    else opener.zeroOut(offset, length, kind === 'punch', waiter);
  }

  /** Opens the device for a request, or for a holder that was found without one. */
  private open(write: boolean): void {
    if (this.opening) return;
    this.opening = true;
    const holders = this.owner.findHolders();
    const holder = holders.find((one) => one.write) ?? holders[0];
    this.identity = { command: holder?.command ?? 'loop', pid: holder?.pid ?? 0 };
    const promote = write || holder?.write === true;
    const atOnce = holder?.nonBlocking === true && !promote;
    this.device.open(this.identity, promote, atOnce, {
      onOpened: (opener) => {
        this.opening = false;
        if (this.gone) return;
        this.opener = opener;
        this.owner.onOpened();
        this.goOn();
      },
      onOpenFailed: (error) => {
        this.opening = false;
        this.refuseWaiting(error);
      },
    });
  }
  private promote(opener: Opener): void {
    this.promoting = true;
    opener.becomeWriter({
      onIoDone: (error) => {
        this.promoting = false;
        if (error !== 0) {
          for (const request of this.waiting.splice(0)) {
            if (changesData(request)) request.answer(error);
            else this.take(request);
          }
        } else this.goOn();
      },
    });
  }
  private goOn(): void {
    for (const request of this.waiting.splice(0)) this.take(request);
  }
  private refuseWaiting(error: ErrnoCode): void {
    for (const request of this.waiting.splice(0)) request.answer(error);
  }

  /** Somebody has the device open, perhaps without having read or written: counts as an opener from now on. */
  noticeHolder(write: boolean): void {
    if (this.gone || this.device.size === 0 || !this.isQuiet) return;
    if (this.opener === undefined) this.open(write);
    else if (write && !this.opener.writable) this.promote(this.opener);
  }
  /** Nobody has the device open any more. */
  close(): void {
    const { opener } = this;
    this.opener = undefined;
    opener?.close();
  }
  /** The engine has forgotten the device. */
  end(): void {
    this.gone = true;
    this.opener = undefined;
    this.refuseWaiting(Errno.EIO);
  }
}
