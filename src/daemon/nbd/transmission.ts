/**
 * The transmission phase of one connection: requests to an opener, answers in the order in which they are ready. A
 * connection is a read-only opener until its first write, trim or zero (design.md section 5). What is in flight is
 * bounded; a client that does not read its answers is not read from.
 */
import { type IoWaiter, type Opener } from '../../engine/application-io';
import { type Slab, type SlabPool } from '../receive-memory';
import { type ByteReader } from './byte-reader';
import { type Agreement } from './negotiation';
import { Command, CommandFlag, MAX_PAYLOAD, nbdError, NbdError } from './protocol';
import { decodeRequest, ReplyEncoder, requestHeaderBytes, type RequestHeader } from './request-codec';

/** Bytes and requests in flight at which no further request is taken. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_REQUESTS = 512;
/** Unread answers at which no further request is taken. */
const MAX_UNREAD = 16 * 1024 * 1024;

export interface TransmissionTarget {
  readonly opener: Opener;
  /** Bytes, as things are now. */
  size(): number;
  readonly blockSize: number;
  /** The export `ro`. */
  readonly readOnly: boolean;
  /** What is received lies in there, and is used again when nobody holds it. */
  readonly slabs: SlabPool | undefined;
}
export interface TransmissionEvents {
  send(bytes: Uint8Array): void;
  /** As `send`, of bytes that nobody changes any more. */
  sendShared(bytes: Uint8Array): void;
  unreadBytes(): number;
  /** The client wants to go, or does not speak NBD: end the connection when nothing is in flight. */
  onEnd(): void;
  /** A request was answered: more may be taken. */
  onAnswered(): void;
}

class Request implements IoWaiter {
  command = 0;
  flags = 0;
  cookieHigh = 0;
  cookieLow = 0;
  offset = 0;
  length = 0;
  /** Payload of a write; what a read fills. */
  data: Uint8Array | undefined;
  /** Holds the payload. */
  slab: Slab | undefined;

  constructor(private readonly owner: Transmission) {}
  onIoDone(error: number): void {
    this.owner.answered(this, error);
  }
}

export class Transmission {
  inFlight = 0;
  private bytesInFlight = 0;
  private ended = false;
  /** Payload of a refused write that is still to be read past. */
  private skipping = 0;
  private readonly header: RequestHeader = {
    flags: 0,
    command: 0,
    cookieHigh: 0,
    cookieLow: 0,
    offset: 0,
    length: 0,
  };
  private headerTaken = false;
  private readonly free: Request[] = [];
  private readonly encoder: ReplyEncoder;
  private waitingForWriter: Request[] | undefined;

  constructor(
    private readonly target: TransmissionTarget,
    private readonly agreement: Agreement,
    private readonly events: TransmissionEvents,
  ) {
    this.encoder = new ReplyEncoder(agreement);
  }

  /** True while requests wait in the reader although more could not be taken. */
  get saturated(): boolean {
    return (
      this.bytesInFlight >= MAX_BYTES ||
      this.inFlight >= MAX_REQUESTS ||
      this.events.unreadBytes() >= MAX_UNREAD
    );
  }
  /** Takes requests until there are no more, or no more may be taken. */
  advance(reader: ByteReader): void {
    while (!this.ended && !this.saturated && this.step(reader));
  }
  private step(reader: ByteReader): boolean {
    if (this.skipping > 0) {
      this.skipping -= reader.skip(this.skipping);
      return this.skipping === 0;
    }
    const { header } = this;
    if (!this.headerTaken) {
      const bytes = requestHeaderBytes(this.agreement);
      if (!reader.gather(bytes)) return false;
      if (!decodeRequest(reader.bytes, reader.position, this.agreement.extended, header)) return this.end();
      reader.skip(bytes);
      this.headerTaken = true;
    }
    let payload: Uint8Array | undefined;
    if (header.command === Command.WRITE) {
      // More than an export's largest block was never allowed; beyond reason the stream is not worth reading.
      if (header.length > 0xffffffff) return this.end();
      if (header.length <= MAX_PAYLOAD) {
        payload = reader.take(header.length);
        if (payload === undefined) return false;
      } else this.skipping = header.length;
    } else if (this.agreement.extended && (header.flags & CommandFlag.PAYLOAD_LEN) !== 0) {
      // A payload we do not know is read past.
      if (header.length > 0xffffffff) return this.end();
      this.skipping = header.length;
    }
    this.headerTaken = false;
    this.begin(payload, reader);
    return true;
  }
  private end(): false {
    this.ended = true;
    this.events.onEnd();
    return false;
  }

  private begin(payload: Uint8Array | undefined, reader: ByteReader): void {
    const { header } = this;
    if (header.command === Command.DISC) {
      this.end();
      return;
    }
    const request = this.free.pop() ?? new Request(this);
    request.command = header.command;
    request.flags = header.flags;
    request.cookieHigh = header.cookieHigh;
    request.cookieLow = header.cookieLow;
    request.offset = header.offset;
    request.length = header.length;
    request.data = payload;
    request.slab = payload && this.target.slabs?.hold(reader);
    this.inFlight++;
    this.bytesInFlight += payload?.length ?? 0;
    const error = this.objection(request);
    if (error !== 0) this.answered(request, error);
    else this.start(request);
  }
  /** An NBD error for what cannot be done, 0 for what may be tried. */
  private objection(request: Request): number {
    const { command, flags } = request;
    const allowed = allowedFlags(command, this.agreement);
    if (allowed === undefined || (flags & ~allowed) !== 0) return NbdError.EINVAL;
    if (command === Command.FLUSH) return request.offset === 0 && request.length === 0 ? 0 : NbdError.EINVAL;
    const writes = command === Command.WRITE || command === Command.TRIM || command === Command.WRITE_ZEROES;
    if (writes && this.target.readOnly) return NbdError.EPERM;
    const { offset, length } = request;
    const moves = command === Command.READ || command === Command.WRITE;
    if (length === 0 || (moves && length > MAX_PAYLOAD)) return NbdError.EINVAL;
    if (offset + length > this.target.size())
      return command === Command.WRITE || command === Command.WRITE_ZEROES
        ? NbdError.ENOSPC
        : NbdError.EINVAL;
    const { blockSize } = this.target;
    if (offset % blockSize !== 0 || length % blockSize !== 0) return NbdError.EINVAL;
    if (command === Command.BLOCK_STATUS && !this.agreement.allocation) return NbdError.EINVAL;
    // No disk below us promises that zeroing is faster than writing.
    if ((flags & CommandFlag.FAST_ZERO) !== 0) return NbdError.ENOTSUP;
    return 0;
  }
  private start(request: Request): void {
    switch (request.command) {
      case Command.READ:
        request.data = Buffer.allocUnsafe(request.length);
        this.bytesInFlight += request.length;
        this.target.opener.read(request.offset, request.data, request);
        break;
      case Command.WRITE:
      case Command.TRIM:
      case Command.WRITE_ZEROES:
        // An opener counts as a writer from the moment it asks: what matters is the answer.
        if (this.waitingForWriter !== undefined) this.waitingForWriter.push(request);
        else if (this.target.opener.writable) this.write(request);
        else this.becomeWriter(request);
        break;
      case Command.FLUSH:
        this.target.opener.flush(request);
        break;
      case Command.CACHE:
        // A hint; the page cache keeps its own counsel.
        this.answered(request, 0);
        break;
      default:
        this.answerBlockStatus(request);
        break;
    }
  }
  private write(request: Request): void {
    const { opener } = this.target;
    const { offset, length, flags, data } = request;
    const fua = (flags & CommandFlag.FUA) !== 0;
    if (request.command === Command.WRITE && data !== undefined) opener.write(offset, data, fua, request);
    else {
      const waiter = fua ? this.thenFlush(request) : request;
      if (request.command === Command.TRIM) opener.discard(offset, length, waiter);
      else opener.zeroOut(offset, length, (flags & CommandFlag.NO_HOLE) === 0, waiter);
    }
  }
  private thenFlush(request: Request): IoWaiter {
    return {
      onIoDone: (error) => {
        if (error === 0) this.target.opener.flush(request);
        else this.answered(request, error);
      },
    };
  }
  /** The first write promotes; writes that come meanwhile wait for the outcome. */
  private becomeWriter(request: Request): void {
    const waiting = [request];
    this.waitingForWriter = waiting;
    this.target.opener.becomeWriter({
      onIoDone: (error) => {
        this.waitingForWriter = undefined;
        for (const one of waiting) {
          if (error === 0) this.write(one);
          else this.answered(one, error);
        }
      },
    });
  }

  private answerBlockStatus(request: Request): void {
    const { cookieHigh, cookieLow, offset } = request;
    const length = Math.min(request.length, this.agreement.extended ? Infinity : 0xffffffff);
    this.events.send(this.encoder.allAllocated(cookieHigh, cookieLow, offset, length));
    this.forget(request);
  }
  answered(request: Request, error: number): void {
    const { encoder, events } = this;
    const { cookieHigh, cookieLow, offset, data } = request;
    // Trim is advice: a device that does not know it has followed it.
    const known = request.command === Command.TRIM && error === NbdError.ENOTSUP ? 0 : nbdError(error);
    if (request.command === Command.READ && known === 0 && data !== undefined) {
      events.send(encoder.readHeader(cookieHigh, cookieLow, offset, data.length));
      events.sendShared(data);
    } else events.send(encoder.done(known, cookieHigh, cookieLow, offset));
    this.forget(request);
  }
  private forget(request: Request): void {
    this.inFlight--;
    this.bytesInFlight -= request.data?.length ?? 0;
    request.data = undefined;
    if (request.slab !== undefined) this.target.slabs?.release(request.slab);
    request.slab = undefined;
    if (this.free.length < MAX_REQUESTS) this.free.push(request);
    this.events.onAnswered();
  }
}

/** Flags a command may carry; undefined for an unknown command. */
function allowedFlags(command: number, agreement: Agreement): number | undefined {
  const payload = agreement.extended ? CommandFlag.PAYLOAD_LEN : 0;
  switch (command) {
    case Command.READ:
      return CommandFlag.FUA | (agreement.structured ? CommandFlag.DF : 0);
    case Command.WRITE:
      return CommandFlag.FUA | payload;
    case Command.FLUSH:
    case Command.CACHE:
      return CommandFlag.FUA;
    case Command.TRIM:
      return CommandFlag.FUA;
    case Command.WRITE_ZEROES:
      return CommandFlag.FUA | CommandFlag.NO_HOLE | CommandFlag.FAST_ZERO;
    case Command.BLOCK_STATUS:
      return agreement.structured ? CommandFlag.FUA | CommandFlag.REQ_ONE : undefined;
    default:
      return undefined;
  }
}
