/**
 * The two streams of one connection: sending packets, cutting received bytes into packets, pausing the data stream.
 * What the packets mean is the business of receiver.ts and the handlers it calls.
 */
import { encodePacket, packetSize } from '../../wire/encode';
import { BEFORE_FEATURES, type WireContext } from '../../wire/features';
import { type Packet } from '../../wire/packets';
import { PacketReader } from '../../wire/reader';
import {
  type ByteStream,
  type ErrnoCode,
  type ReceiveWindow,
  type StreamReceiver,
  type TimerHandle,
} from '../ports';
import { type EstablishStreams } from './establish-streams';
import { type HeldStream } from './held-stream';

/** Where the life of the streams stands (engine.md 5.1-5.3). */
export type LinkPhase =
  | 'down'
  | 'establishing'
  | 'features'
  | 'challenge'
  | 'response'
  | 'running'
  /** Streams are being closed and the peer's work is being wound up (engine.md 6.1). */
  | 'cleanup';

/** What the link tells the receiver; set once per life of the streams. */
export interface LinkEvents {
  /** Sending is possible; nothing was read yet. */
  onAdopted(): void;
  onDataReadable(): void;
  onControlReadable(): void;
  onDataClosed(error: ErrnoCode): void;
  onControlClosed(error: ErrnoCode): void;
  onDataDrained(): void;
}

/** Bytes given to a stream since it exists, and those of them that the network has not taken. */
export interface StreamLevel {
  readonly accepted: number;
  readonly queued: number;
}

const SCRATCH_BYTES = 4096;

export class PeerLink {
  phase: LinkPhase = 'down';
  context: WireContext = BEFORE_FEATURES;
  establishing: EstablishStreams | undefined;
  dataReader = new PacketReader('data');
  controlReader = new PacketReader('control');

  // handshake, engine.md 5.3-5.4
  myChallenge: Uint8Array | undefined;
  handshakeReady = false;
  handshakeRetry = false;
  handshakeDisconnect = false;
  sizesError = false;
  lastConnectAttempt = 0;
  /** The next attempt waits a second: this one failed in a way that may repeat itself. */
  pauseBeforeRetry = false;
  connectTimer: TimerHandle | undefined;
  retryTimer: TimerHandle | undefined;
  /** The peer's parameters, from P_PROTOCOL and P_SYNC_PARAM89. */
  peerIntegrityAlg = '';
  peerVerifyAlg = '';
  peerDiscardsItsData = false;

  // keep-alive, engine.md 6.3
  pingPending = false;
  pingTimer: TimerHandle | undefined;
  readonly pingWaiters: (() => void)[] = [];
  /** Scheduler time by which something must come on the control stream. */
  controlDeadline = 0;
  dataReceiveTimer: TimerHandle | undefined;
  stallTimer: TimerHandle | undefined;
  koCount = 0;
  /** The reader stands at a data packet whose handler wants to see it again. */
  retryPacket = false;

  /** Bumped at each start: what was planned for an earlier attempt does not concern this one. */
  attempt = 0;
  /** Bumped whenever the streams are dropped: late callbacks compare it. */
  generation = 0;
  private data: ByteStream | undefined;
  private control: ByteStream | undefined;
  private dataBytes = 0;
  private controlBytes = 0;
  private dataPauses = 0;
  private scratch = new Uint8Array(SCRATCH_BYTES);
  private scratchView = new DataView(this.scratch.buffer);

  get up(): boolean {
    return this.data !== undefined;
  }
  /** Bytes the data stream has accepted and the network has not yet taken. */
  get queuedDataBytes(): number {
    return this.data?.queuedBytes ?? 0;
  }
  get dataLevel(): StreamLevel {
    return { accepted: this.dataBytes, queued: this.queuedDataBytes };
  }
  get controlLevel(): StreamLevel {
    return { accepted: this.controlBytes, queued: this.control?.queuedBytes ?? 0 };
  }
  get dataPaused(): boolean {
    return this.dataPauses > 0;
  }

  adopt(data: HeldStream, control: HeldStream, events: LinkEvents): void {
    this.context = BEFORE_FEATURES;
    this.dataReader = new PacketReader('data');
    this.controlReader = new PacketReader('control');
    this.dataPauses = 0;
    this.retryPacket = false;
    this.data = data.stream;
    this.control = control.stream;
    const generation = ++this.generation;
    const live = (): boolean => generation === this.generation;
    events.onAdopted();
    control.handTo(
      this.receiverFor(
        this.controlReader,
        control.stream,
        live,
        events.onControlReadable,
        events.onControlClosed,
      ),
    );
    if (!live()) return;
    data.handTo({
      ...this.receiverFor(this.dataReader, data.stream, live, events.onDataReadable, events.onDataClosed),
      onDrained: () => {
        if (live()) events.onDataDrained();
      },
    });
  }

  setContext(context: WireContext): void {
    this.context = context;
    this.dataReader.setContext(context);
    this.controlReader.setContext(context);
  }

  sendData(packet: Packet): void {
    this.send(this.data, packet);
  }
  sendControl(packet: Packet): void {
    this.send(this.control, packet);
  }
  /** Ready-made bytes (header and payload) of hot packets; copied before the call returns. */
  sendDataBytes(bytes: Uint8Array): void {
    this.dataBytes += bytes.length;
    this.data?.write(bytes);
  }
  /** As `sendDataBytes`; `bytes` stay as they are until the inputs under way are handled. */
  sendSharedData(bytes: Uint8Array): void {
    this.dataBytes += bytes.length;
    this.data?.writeShared(bytes);
  }
  sendControlBytes(bytes: Uint8Array): void {
    this.controlBytes += bytes.length;
    this.control?.write(bytes);
  }

  /** The next data packet waits until as many `resumeData` calls came. */
  pauseData(): void {
    this.dataPauses++;
    if (this.dataPauses === 1) this.data?.pauseReading();
  }
  /** The caller (receiver.ts) goes on reading afterwards if true. */
  resumeData(): boolean {
    if (this.dataPauses === 0) return false;
    this.dataPauses--;
    if (this.dataPauses > 0) return false;
    this.data?.resumeReading();
    return true;
  }

  /** Lets what is queued leave, then closes; used when the peer is to read the last packet. */
  closeGently(): void {
    this.generation++;
    // The control stream first: to the peer the loss of that one is a network failure, which is what it is told.
    this.control?.end();
    this.data?.end();
    this.forget();
  }
  close(): void {
    this.generation++;
    this.control?.destroy();
    this.data?.destroy();
    this.forget();
  }
  cancelTimers(): void {
    for (const timer of [
      this.connectTimer,
      this.pingTimer,
      this.dataReceiveTimer,
      this.stallTimer,
      this.retryTimer,
    ])
      timer?.cancel();
    this.connectTimer = undefined;
    this.pingTimer = undefined;
    this.dataReceiveTimer = undefined;
    this.stallTimer = undefined;
    this.retryTimer = undefined;
  }

  private forget(): void {
    this.data = undefined;
    this.control = undefined;
    this.dataPauses = 0;
  }
  private send(stream: ByteStream | undefined, packet: Packet): void {
    if (stream === undefined) return;
    const size = packetSize(packet, this.context);
    if (size > this.scratch.length) {
      this.scratch = new Uint8Array(size);
      this.scratchView = new DataView(this.scratch.buffer);
    }
    const end = encodePacket(packet, this.context, this.scratchView, 0);
    if (stream === this.data) this.dataBytes += end;
    else this.controlBytes += end;
    stream.write(this.scratch.subarray(0, end));
  }
  private receiverFor(
    reader: PacketReader,
    stream: ByteStream,
    live: () => boolean,
    readable: () => void,
    closed: (error: ErrnoCode) => void,
  ): StreamReceiver {
    const retryPending = (): boolean => this.retryPacket;
    const window: ReceiveWindow = {
      // A packet that is to be handled again has been taken: its payload must stay as well.
      get kept() {
        return retryPending() ? Infinity : reader.backlog;
      },
      get missing() {
        return reader.missing;
      },
      moveTo: (bytes) => reader.moveTo(bytes),
    };
    return {
      window,
      onBytes: (bytes) => {
        if (!live()) return;
        if (!reader.push(bytes)) stream.pauseReading();
        readable();
        if (live() && !(reader === this.dataReader && this.dataPaused) && reader.backlog < 1 << 16)
          stream.resumeReading();
      },
      onClosed: (error) => {
        if (live()) closed(error);
      },
      onDrained: () => undefined,
    };
  }
}
