/**
 * Cuts a received byte stream into packets, without copying where the bytes allow it.
 *
 *     const reader = new PacketReader('data');
 *     socket.on('data', (chunk) => {
 *       reader.push(chunk);
 *       for (;;) {
 *         const status = reader.next();
 *         if (status === 'more') break;
 *         if (status === 'fault') return drop(describeFault(reader.fault, 'data'));
 *         if (reader.command === PACKETS.P_DATA.number) {        // hot: no object, no copy
 *           readDataHead(reader.view, reader.payloadAt, head);
 *           write(head, reader.payload().subarray(24));
 *         } else handle(reader.packet());                        // everything else
 *       }
 *     });
 *
 * After both P_CONNECTION_FEATURES crossed call setContext(): it holds for the packets not yet taken by
 * next(), and next() looks at one packet at a time, so chunks that hold more than that are no problem.
 * Call it on the reader of the control stream too.
 *
 * Memory: a pushed chunk belongs to the reader (and to whoever took payload views) from then on; do not
 * reuse it, unless nobody takes payload views and `backlog` and moveTo() are heeded. Consecutive chunks that lie next to each other in one ArrayBuffer (reads into a slab) are
 * joined without copying; a packet whose bytes lie in several is copied once, and only when all of it
 * has arrived: no length a peer claims makes the reader allocate. A length above what the packet can
 * have in this context is a fault as soon as its header is there.
 */
import { payloadLimits } from './codec-table';
import { decodeChecked } from './decode';
import { BEFORE_FEATURES, type WireContext } from './features';
import { type WireFault } from './fault';
import { MAGIC_100, MAGIC_80, MAGIC_95 } from './header';
import { PACKET_NAMES, type PacketName, packetSpec, type Stream } from './packet-table';
import { type Packet } from './packets';

export type ReaderStatus = 'packet' | 'more' | 'fault';

/** Unread bytes above which push() asks for a pause. */
const BACKLOG_LIMIT = 4 << 20;
const NO_BYTES = new Uint8Array(0);

/** Many small chunks are joined in pieces of JOINT bytes, so that a peer cannot make us keep a million. */
const SMALL_CHUNK = 4096;
const MANY_CHUNKS = 32;
const JOINT = 64 << 10;

interface LengthLimit {
  readonly name: PacketName;
  readonly min: number;
  readonly max: number;
  readonly strict: boolean;
}

type Limits = ReadonlyMap<number, LengthLimit>;
/** Every connection asks twice a stream, for what is the same each time. */
const knownLimits = new Map<string, Limits>();

function limitsOf(stream: Stream, context: WireContext): Limits {
  const key = `${stream} ${context.protocol} ${context.features}`;
  const known = knownLimits.get(key);
  if (known !== undefined) return known;
  const limits = new Map<number, LengthLimit>();
  for (const name of PACKET_NAMES) {
    const spec = packetSpec(name);
    if (spec.stream !== stream && spec.stream !== 'both') continue;
    const { min, max } = payloadLimits(name, context);
    limits.set(spec.number, { name, min, max, strict: min === max });
  }
  // Peers choose: no more than a few are kept.
  if (knownLimits.size >= 32) knownLimits.clear();
  knownLimits.set(key, limits);
  return limits;
}

export class PacketReader {
  /** The current packet, valid after next() said 'packet' and until the next call of it. */
  command = 0;
  volume = 0;
  /** Bytes of payload. */
  length = 0;
  /** 80, 95 or 100: which header the packet had. */
  headerKind: 80 | 95 | 100 = 80;
  /** Over the whole ArrayBuffer that holds the current payload, which begins at `payloadAt`. */
  view: DataView = new DataView(NO_BYTES.buffer);
  payloadAt = 0;
  /** Why next() said 'fault'. */
  fault: WireFault | null = null;

  private context: WireContext = BEFORE_FEATURES;
  private limits: Limits = new Map();
  /** Unread part of the current window: offsets in `view`. */
  private at = 0;
  private end = 0;
  /** Received after the window; `queueHead` is the first unread one. */
  private queue: Uint8Array[] = [];
  private queueHead = 0;
  private unread = 0;
  /** Memory of the reader's own behind the last chunk of the queue. */
  private joint = NO_BYTES;
  /** The header of the current packet has been read, its payload has not. */
  private inPacket = false;

  constructor(
    readonly stream: Stream,
    context: WireContext = BEFORE_FEATURES,
  ) {
    this.setContext(context);
  }

  /** Bytes received and not yet taken. */
  get backlog(): number {
    return this.unread;
  }

  /** Bytes that the packet under way lacks; 0 if not even its header is there. */
  get missing(): number {
    return this.inPacket ? Math.max(0, this.length - this.unread) : 0;
  }

  /** The bytes not yet taken are at `bytes` from now on. */
  moveTo(bytes: Uint8Array): void {
    this.queue = [];
    this.queueHead = 0;
    this.adopt(bytes);
  }

  /** What was agreed; before that the reader takes any header and the longest packets. */
  setContext(context: WireContext): void {
    this.context = context;
    this.limits = limitsOf(this.stream, context);
  }

  /** Takes received bytes. False: the backlog is large, read no more until next() said 'more'. */
  push(chunk: Uint8Array): boolean {
    this.unread += chunk.length;
    if (chunk.length === 0) return this.unread <= BACKLOG_LIMIT;
    if (this.queueHead < this.queue.length) this.enqueue(chunk);
    else if (this.at === this.end) this.adopt(chunk);
    else if (chunk.buffer === this.view.buffer && chunk.byteOffset === this.end) this.end += chunk.length;
    else this.queue.push(chunk);
    return this.unread <= BACKLOG_LIMIT;
  }

  /** Advances to the next packet. After 'fault' it stays so. */
  next(): ReaderStatus {
    if (this.fault !== null) return 'fault';
    if (!this.inPacket) {
      const status = this.readHeader();
      if (status !== 'packet') return status;
      this.inPacket = true;
    }
    if (!this.ensure(this.length)) return 'more';
    this.payloadAt = this.at;
    this.take(this.length);
    this.inPacket = false;
    return 'packet';
  }

  /** The current payload, or what follows its first `from` bytes, as a view; stays valid as long as the pushed chunk's memory does. */
  payload(from = 0): Uint8Array {
    return new Uint8Array(this.view.buffer, this.payloadAt + from, this.length - from);
  }

  /** The current packet decoded. */
  packet(): Packet | WireFault {
    const { command, volume, view, payloadAt, length, context } = this;
    const name = this.limits.get(command)?.name;
    if (name === undefined) return { type: 'fault', fault: 'unexpected-command', command, length };
    return decodeChecked(name, volume, view, payloadAt, length, context);
  }

  private enqueue(chunk: Uint8Array): void {
    const last = this.queue[this.queue.length - 1];
    if (
      last === undefined ||
      chunk.length >= SMALL_CHUNK ||
      this.queue.length - this.queueHead < MANY_CHUNKS
    ) {
      this.queue.push(chunk);
      return;
    }
    const end = last.byteOffset + last.length;
    if (last.buffer === this.joint.buffer && end + chunk.length <= JOINT) {
      this.joint.set(chunk, end);
      this.queue[this.queue.length - 1] = this.joint.subarray(last.byteOffset, end + chunk.length);
    } else {
      this.joint = new Uint8Array(JOINT);
      this.joint.set(chunk);
      this.queue.push(this.joint.subarray(0, chunk.length));
    }
  }

  private adopt(chunk: Uint8Array): void {
    if (chunk.buffer !== this.view.buffer) this.view = new DataView(chunk.buffer);
    this.at = chunk.byteOffset;
    this.end = this.at + chunk.length;
  }

  private take(bytes: number): void {
    this.at += bytes;
    this.unread -= bytes;
  }

  private shift(): Uint8Array | undefined {
    const chunk = this.queue[this.queueHead];
    if (chunk === undefined) return undefined;
    this.queueHead++;
    if (this.queueHead === this.queue.length) {
      this.queue = [];
      this.queueHead = 0;
    }
    return chunk;
  }

  /** Makes the next `bytes` bytes contiguous in the window; false if they have not all arrived. */
  private ensure(bytes: number): boolean {
    if (this.end - this.at >= bytes) return true;
    if (this.unread < bytes) return false;
    if (this.at === this.end) {
      const chunk = this.shift();
      if (chunk !== undefined) this.adopt(chunk);
      if (this.end - this.at >= bytes) return true;
    }
    this.gather(bytes);
    return true;
  }

  /** Copies the rest of the window and as much of the queue as needed into a window of `bytes` bytes. */
  private gather(bytes: number): void {
    const joined = new Uint8Array(bytes);
    joined.set(new Uint8Array(this.view.buffer, this.at, this.end - this.at));
    let filled = this.end - this.at;
    while (filled < bytes) {
      const chunk = this.shift();
      if (chunk === undefined) break;
      const part = Math.min(chunk.length, bytes - filled);
      joined.set(chunk.subarray(0, part), filled);
      filled += part;
      if (part === chunk.length) continue;
      const rest = chunk.subarray(part);
      if (this.queueHead > 0) this.queue[--this.queueHead] = rest;
      else this.queue.unshift(rest);
    }
    this.adopt(joined);
  }

  private fail(fault: WireFault): ReaderStatus {
    this.fault = fault;
    return 'fault';
  }

  /** May this kind of header come now? The control stream takes any (wire-protocol 2.1, gotcha B). */
  private kindFits(kind: 80 | 95 | 100): boolean {
    const { protocol } = this.context;
    return this.stream === 'control' || protocol === 0 || (kind === 100) === protocol >= 100;
  }

  private headerKindHere(): 80 | 95 | 100 | 0 {
    const magic = this.view.getUint32(this.at);
    if (magic === MAGIC_100) return 100;
    if (magic === MAGIC_80) return 80;
    return magic >>> 16 === MAGIC_95 ? 95 : 0;
  }

  private readHeader(): ReaderStatus {
    if (!this.ensure(8)) return 'more';
    const kind = this.headerKindHere();
    if (kind === 0 || !this.kindFits(kind)) {
      const { protocol } = this.context;
      const magic = this.view.getUint32(this.at);
      const headerVersion = kind === 0 ? -22 : kind;
      return this.fail({ type: 'fault', fault: 'bad-magic', magic, protocol, headerVersion });
    }
    if (kind === 100 && !this.ensure(16)) return 'more';
    this.headerKind = kind;
    return this.takeHeader(kind);
  }

  private takeHeader(kind: 80 | 95 | 100): ReaderStatus {
    const { view, at } = this;
    if (kind === 100) {
      this.volume = view.getUint16(at + 4);
      this.command = view.getUint16(at + 6);
      this.length = view.getUint32(at + 8);
      if (view.getUint32(at + 12) !== 0) return this.fail({ type: 'fault', fault: 'bad-padding' });
    } else {
      this.volume = 0;
      this.command = view.getUint16(at + (kind === 80 ? 4 : 2));
      this.length = kind === 80 ? view.getUint16(at + 6) : view.getUint32(at + 4);
    }
    this.take(kind === 100 ? 16 : 8);
    return this.checkLimits();
  }

  private checkLimits(): ReaderStatus {
    const { command, length } = this;
    const limit = this.limits.get(command);
    if (limit === undefined)
      return this.fail({ type: 'fault', fault: 'unexpected-command', command, length });
    if (length >= limit.min && length <= limit.max) return 'packet';
    return this.fail({
      type: 'fault',
      fault: 'bad-length',
      command,
      expected: limit.min,
      received: length,
      strict: limit.strict,
    });
  }
}
