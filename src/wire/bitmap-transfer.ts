/**
 * A whole bitmap over the data stream (wire-protocol section 11): which packets a sender sends, which a
 * receiver must get, and the bookkeeping of both. Nothing else may come between on the data stream.
 *
 *     const sender = new BitmapSender(bits, { protocol: 124, useRle: true });
 *     for (let piece = sender.next(); piece !== null; piece = sender.next()) send({ ...piece, volume });
 *
 *     const receiver = new BitmapReceiver(bits, 124);
 *     receiver.take(packet) // 'more', 'done', or the reason for a protocol error
 */
import { decodeRuns, encodeRuns, type RunSink, type RunSource } from './bitmap-compression';
import { LIMIT } from './features';
import { headerSize } from './header';
import { type PacketOf } from './packets';

/** Bits to send. Bytes are as on the wire: bit i is bit i%8 of byte i/8. */
export interface BitmapSource extends RunSource {
  /** Fills `into` with the bytes from `byteOffset` on; zeroes behind the last bit. */
  readBytes(byteOffset: number, into: Uint8Array): void;
}

/** Where received bits go: merged by OR. */
export interface BitmapSink extends RunSink {
  /** Sets the bits that are set in `bytes`, which begin at `byteOffset`; ignores those behind the last. */
  mergeBytes(byteOffset: number, bytes: Uint8Array): void;
}

export type BitmapPiece =
  Omit<PacketOf<'P_BITMAP'>, 'volume'> | Omit<PacketOf<'P_COMPRESSED_BITMAP'>, 'volume'>;

/** Packets and bytes (with headers) so far, plain and compressed. */
export interface BitmapStatistics {
  plainPackets: number;
  plainBytes: number;
  rlePackets: number;
  rleBytes: number;
}

/** Position of a transfer, kept alike by sender and receiver. */
class Progress {
  readonly statistics: BitmapStatistics = { plainPackets: 0, plainBytes: 0, rlePackets: 0, rleBytes: 0 };
  bit = 0;
  word = 0;
  readonly words: number;

  constructor(
    readonly bits: number,
    private readonly header: number,
  ) {
    this.words = Math.ceil(bits / 64);
  }

  /** Bytes of the next plain packet: not for the sender to choose. */
  get plainBytes(): number {
    const room = Math.floor((LIMIT.BITMAP_PACKET - this.header) / 8);
    return Math.min(room, this.words - this.word) * 8;
  }

  afterRuns(next: number, payload: number): void {
    this.bit = next;
    this.word = Math.floor(next / 64);
    this.statistics.rlePackets++;
    this.statistics.rleBytes += this.header + payload;
  }

  /** The kernel's log line about the transfer; null if compression gained nothing. */
  describe(direction: 'send' | 'receive'): string | null {
    const { plainPackets, plainBytes, rlePackets, rleBytes } = this.statistics;
    const total = plainBytes + rleBytes;
    const room = LIMIT.BITMAP_PACKET - this.header;
    // As the kernel estimates it: it divides words by bytes.
    const plain = this.header * (Math.ceil(this.words / room) + 1) + this.words * 8;
    if (total === 0 || total >= plain) return null;
    const saved = 1000 - Math.floor((1000 * total) / plain);
    return (
      `${direction} bitmap stats [Bytes(packets)]: plain ${plainBytes}(${plainPackets}), ` +
      `RLE ${rleBytes}(${rlePackets}), total ${total}; compression: ${Math.floor(saved / 10)}.${saved % 10}%`
    );
  }

  afterPlain(bytes: number): void {
    this.word += bytes / 8;
    this.bit = Math.min(this.word * 64, this.bits);
    this.statistics.plainPackets++;
    this.statistics.plainBytes += this.header + bytes;
  }
}

export class BitmapSender {
  private readonly progress: Progress;
  private readonly room: number;
  private readonly rle: boolean;
  private done = false;

  /** `useRle`: the net option; without it, or below protocol 90, all goes plain. */
  constructor(
    private readonly source: BitmapSource,
    options: { readonly protocol: number; readonly useRle: boolean },
  ) {
    const header = headerSize(options.protocol);
    this.progress = new Progress(source.bits, header);
    this.room = LIMIT.BITMAP_PACKET - header - 1;
    this.rle = options.useRle && options.protocol >= 90;
  }

  get statistics(): Readonly<BitmapStatistics> {
    return this.progress.statistics;
  }

  /** Log line for after the transfer, or null: see Progress.describe. */
  describe(): string | null {
    return this.progress.describe('send');
  }

  /** The next packet to send (with memory of its own), or null after the last. */
  next(): BitmapPiece | null {
    if (this.done) return null;
    const { progress } = this;
    const code = new Uint8Array(this.rle ? this.room : 0);
    const runs = this.rle ? encodeRuns(this.source, progress.bit, code) : null;
    if (runs !== null) {
      progress.afterRuns(runs.next, runs.bytes + 1);
      this.done = progress.bit >= progress.bits;
      return { type: 'P_COMPRESSED_BITMAP', encoding: runs.encoding, code: code.subarray(0, runs.bytes) };
    }
    const bytes = new Uint8Array(progress.plainBytes);
    if (bytes.length > 0) this.source.readBytes(progress.word * 8, bytes);
    progress.afterPlain(bytes.length);
    this.done = bytes.length === 0;
    return { type: 'P_BITMAP', bytes };
  }
}

export type BitmapReceived = 'more' | 'done' | { readonly reason: string };

export class BitmapReceiver {
  private readonly progress: Progress;

  constructor(
    private readonly sink: BitmapSink,
    protocol: number,
  ) {
    this.progress = new Progress(sink.bits, headerSize(protocol));
  }

  get statistics(): Readonly<BitmapStatistics> {
    return this.progress.statistics;
  }

  /** Log line for after the transfer, or null: see Progress.describe. */
  describe(): string | null {
    return this.progress.describe('receive');
  }

  /** Merges one packet. A reason is a protocol error: drop the connection. */
  take(piece: BitmapPiece): BitmapReceived {
    return piece.type === 'P_BITMAP'
      ? this.takePlain(piece.bytes)
      : this.takeRuns(piece.encoding, piece.code);
  }

  private takePlain(bytes: Uint8Array): BitmapReceived {
    const { progress } = this;
    const want = progress.plainBytes;
    if (bytes.length !== want)
      return { reason: `receive_bitmap_plain:want (${want}) != size (${bytes.length})` };
    if (want > 0) this.sink.mergeBytes(progress.word * 8, bytes);
    progress.afterPlain(want);
    return want === 0 ? 'done' : 'more';
  }

  private takeRuns(encoding: number, code: Uint8Array): BitmapReceived {
    const { progress } = this;
    const decoded = decodeRuns(encoding, code, progress.bit, this.sink);
    if (!decoded.ok) return { reason: decoded.reason };
    progress.afterRuns(decoded.next, code.length + 1);
    return progress.bit === progress.bits ? 'done' : 'more';
  }
}

/** Bits in bytes as on the wire. Scans 32 at a time. At most 2^32-1 bits (16 TiB of device). */
export class ByteBitmap implements BitmapSource, BitmapSink {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(readonly bits: number) {
    if (bits > 0xffffffff) throw new RangeError(`${bits} bits are too many for one array`);
    this.bytes = new Uint8Array(Math.ceil(bits / 64) * 8);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Position of the first bit at or after `from` that differs in `flip`ped words from 0. */
  private next(from: number, flip: number): number {
    let at = from;
    while (at < this.bits) {
      const word = (this.view.getUint32((at >>> 5) * 4, true) ^ flip) >>> (at & 31);
      if (word !== 0) return Math.min(at + 31 - Math.clz32(word & -word), this.bits);
      at += 32 - (at & 31);
    }
    return this.bits;
  }

  nextSet(from: number): number {
    return this.next(from, 0);
  }

  nextClear(from: number): number {
    return this.next(from, -1);
  }

  setRange(from: number, to: number): void {
    let at = from;
    while (at < to) {
      const word = (at >>> 5) * 4;
      const end = Math.min(to, at + 32 - (at & 31));
      const mask = end - at === 32 ? -1 : ((1 << (end - at)) - 1) << (at & 31);
      this.view.setUint32(word, this.view.getUint32(word, true) | mask, true);
      at = end;
    }
  }

  readBytes(byteOffset: number, into: Uint8Array): void {
    into.fill(0);
    into.set(this.bytes.subarray(byteOffset, byteOffset + into.length));
  }

  mergeBytes(byteOffset: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length && byteOffset + i < this.bytes.length; i++) {
      const valid = Math.min(8, this.bits - (byteOffset + i) * 8);
      if (valid <= 0) return;
      const byte = (bytes[i] ?? 0) & ((1 << valid) - 1);
      this.bytes[byteOffset + i] = (this.bytes[byteOffset + i] ?? 0) | byte;
    }
  }
}
