import { type ControlReply, type ControlRequest } from '../../src/control/contract/requests';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../src/control/contract/states';
import { type ExportListener, type IoWaiter, type OpenWaiter } from '../../src/engine/application-io';
import { type ByteStream, type Disk, type Endpoint, type EnginePorts, Errno } from '../../src/engine/ports';
import { INDEX_INTERNAL, superblockByte } from '../../src/metadata/layout';
import { decodeSuperblock09, encodeSuperblock09, type Superblock09 } from '../../src/metadata/superblock-09';
import { DeviceFlag } from '../../src/metadata/superblock-flags';
import { type EngineDoor, type PeerView } from '../../src/simulation/cluster/engine-door';

/** Deliberate bugs of the toy, to see whether the judge is awake. */
export const toyBugs = [
  'none',
  'ack-before-peer',
  'ack-before-disk',
  'forget-generation',
  'sync-stops-early',
  'flush-does-nothing',
  'two-primaries',
  'target-stays-consistent',
  'drops-a-write',
  'never-finishes',
  'reads-stale-buffer',
] as const;
export type ToyBug = (typeof toyBugs)[number];
export function isToyBug(text: string): text is ToyBug {
  return toyBugs.some((bug) => bug === text);
}

interface Message {
  readonly kind: 'hello' | 'write' | 'ack' | 'block' | 'end-of-sync' | 'synced' | 'ping' | 'pong';
  readonly generation?: number;
  readonly crashed?: boolean;
  readonly primary?: boolean;
  readonly consistent?: boolean;
  readonly id?: number;
  readonly offset?: number;
  /** Zeros of this length instead of bytes. */
  readonly zeros?: number;
}
interface Write {
  readonly offset: number;
  readonly length: number;
  readonly bytes: Uint8Array | undefined;
  readonly waiter: IoWaiter;
  local: boolean;
  remote: boolean;
}
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const none = new Uint8Array(0);

/**
 * A mirror of two nodes, as simple as one can be that survives what the simulation does: generations, full syncs and
 * written-through writes. It stands in for the engine where the simulation itself is tested.
 */
export class ToyMirror implements EngineDoor {
  role: Role = Role.Secondary;
  disk: DiskState = DiskState.Diskless;
  private device: Disk | undefined;
  private superblock: Superblock09 | undefined;
  private nodeId = 0;
  private dataBytes = 0;
  private crashed = false;
  private wanted = false;
  private stream: ByteStream | undefined;
  private received = none;
  private lastHeard = 0;
  private view: { cstate: ConnectionState; repl: ReplicationState; pdsk: DiskState } = {
    cstate: ConnectionState.StandAlone,
    repl: ReplicationState.Off,
    pdsk: DiskState.DUnknown,
  };
  private connectTo: (() => void) | undefined;
  private readonly waitingWrites: Write[] = [];
  private readonly inFlight = new Map<number, Write>();
  private busyLocally = 0;
  private nextId = 1;
  private blocked = false;
  private opened = false;
  /** A new generation is on its way to the disk. */
  private beginning = false;
  private readonly peerWrites = { pending: 0, whenIdle: [] as (() => void)[] };
  private syncBlocks = 0;
  private whenPeerAnswers: (() => void)[] = [];

  constructor(
    private readonly ports: EnginePorts,
    private readonly exports: ExportListener,
    private readonly bug: ToyBug,
  ) {}

  readonly suspendedByUser = false;
  get hasDisk(): boolean {
    return this.disk !== DiskState.Diskless;
  }
  get transferLogIsEmpty(): boolean {
    return this.inFlight.size === 0 && this.waitingWrites.length === 0;
  }
  peer(): PeerView | undefined {
    return this.connectTo === undefined
      ? undefined
      : { ...this.view, isPausedByUser: false, outOfSyncBits: 0, leastUnderWay: 0, mostUnderWay: 0 };
  }
  private later(delay: number, action: () => void): void {
    this.ports.scheduler.after(delay, { onTimer: action });
  }
  private soon(action: () => void): void {
    this.ports.scheduler.soon({ run: action });
  }

  // --- requests

  request(request: ControlRequest, done: (reply: ControlReply) => void): void {
    const answer = (code: number): void => this.soon(() => done({ code, infoTexts: [] }));
    switch (request.command) {
      case 'new-resource':
        this.nodeId = request.nodeId ?? 0;
        return answer(101);
      case 'new-path': {
        const { local, remote } = request;
        this.connectTo = () => this.establish(local, remote);
        return answer(101);
      }
      case 'attach':
        return this.attach(request.backingDevice, answer);
      case 'connect':
        this.wanted = true;
        this.view.cstate = ConnectionState.Connecting;
        this.connectTo?.();
        return answer(101);
      case 'disconnect':
      case 'down':
        this.wanted = false;
        this.drop();
        return answer(101);
      case 'primary':
        return this.promote(request.force, answer);
      case 'secondary':
        return this.demote(answer);
      default:
        return answer(101);
    }
  }

  private attach(path: string, answer: (code: number) => void): void {
    this.ports.disks.open(path, 'toy', {
      onDiskOpenFailed: () => answer(104),
      onDiskOpened: (device) => {
        this.device = device;
        const bytes = new Uint8Array(4096);
        device.read(superblockByte(device.size, INDEX_INTERNAL), bytes, {
          onDiskDone: () => {
            const superblock = decodeSuperblock09(bytes);
            this.superblock = superblock;
            this.crashed = (superblock.flags & DeviceFlag.CRASHED_PRIMARY) !== 0;
            const consistent = (superblock.flags & DeviceFlag.CONSISTENT) !== 0;
            this.disk = consistent ? DiskState.UpToDate : DiskState.Inconsistent;
            this.dataBytes = superblockByte(device.size, INDEX_INTERNAL) + superblock.bmOffset * 512;
            superblock.effectiveSize = this.dataBytes / 512;
            const size = this.dataBytes / 512;
            this.exports.onDeviceAppeared({
              minor: 0,
              resourceName: 'toy',
              volume: 0,
              size,
              blockSize: 512,
              open: (_identity, _write, _nonBlocking, waiter) => this.open(waiter),
            });
            answer(101);
          },
        });
      },
    });
  }
  private get generation(): number {
    return Number((this.superblock?.currentUuid ?? 0n) >> 1n);
  }
  /** Writes the superblock and goes on when it is stable. */
  private persist(
    change: { generation?: number; consistent?: boolean; primary?: boolean },
    then: () => void,
  ): void {
    const { superblock, device } = this;
    if (superblock === undefined || device === undefined) return;
    if (change.generation !== undefined) superblock.currentUuid = BigInt(change.generation) << 1n;
    const set = (flag: number, on: boolean | undefined): void => {
      if (on === undefined) return;
      superblock.flags = on ? superblock.flags | flag : superblock.flags & ~flag;
    };
    set(DeviceFlag.CONSISTENT, change.consistent);
    set(DeviceFlag.CRASHED_PRIMARY, change.primary);
    const write = { onDiskDone: then };
    const bytes = encodeSuperblock09(superblock);
    const flushed = (): void => device.write(superblockByte(device.size, INDEX_INTERNAL), bytes, true, write);
    device.flush({ onDiskDone: flushed });
  }
  private promote(force: boolean, answer: (code: number) => void): void {
    if (this.disk !== DiskState.UpToDate && !force) return answer(-2);
    const connected = this.view.repl === ReplicationState.Established;
    if (!connected && this.view.cstate === ConnectionState.Connected && !force) return answer(-18);
    if (connected && !force) {
      // What a dead peer had sent must not arrive later.
      this.send({ kind: 'ping' });
      this.whenPeerAnswers.push(() => this.becomePrimary(answer));
    } else this.becomePrimary(answer);
  }
  private becomePrimary(answer: (code: number) => void): void {
    const connected = this.view.repl === ReplicationState.Established;
    const forced = this.disk !== DiskState.UpToDate;
    const generation = connected && !forced ? this.generation : this.newGeneration();
    this.persist({ generation, primary: true, consistent: true }, () => {
      // The peer was lost meanwhile: then this is a generation of its own.
      if (connected && this.view.repl !== ReplicationState.Established) return this.becomePrimary(answer);
      this.disk = DiskState.UpToDate;
      this.role = Role.Primary;
      if (forced) this.drop();
      answer(1);
    });
  }
  private newGeneration(): number {
    return this.bug === 'forget-generation'
      ? this.generation
      : this.generation + 1 + this.ports.random.below(5);
  }
  private demote(answer: (code: number) => void): void {
    if (this.opened || !this.transferLogIsEmpty) return answer(-12);
    this.persist({ primary: false }, () => {
      this.role = Role.Secondary;
      this.crashed = false;
      answer(1);
    });
  }

  // --- the application's side

  private open(waiter: OpenWaiter): void {
    if (this.role !== Role.Primary) {
      this.soon(() => waiter.onOpenFailed(Errno.EROFS));
      return;
    }
    this.opened = true;
    const write = (offset: number, length: number, bytes: Uint8Array | undefined, from: IoWaiter): void => {
      this.waitingWrites.push({ offset, length, bytes, waiter: from, local: false, remote: false });
      this.startWrites();
    };
    this.soon(() =>
      waiter.onOpened({
        writable: true,
        read: (offset, into, from) => {
          const waiter = { onDiskDone: (error: number): void => from.onIoDone(error) };
          if (this.bug === 'reads-stale-buffer' && this.ports.random.below(20) === 0) offset = 0;
          this.device?.read(offset, into, waiter);
        },
        write: (offset, bytes, _fua, from) => write(offset, bytes.length, bytes, from),
        discard: (offset, length, from) => write(offset, length, undefined, from),
        zeroOut: (offset, length, _mayUnmap, from) => write(offset, length, undefined, from),
        flush: (from) => {
          const done = { onDiskDone: (error: number): void => from.onIoDone(error) };
          if (this.bug === 'flush-does-nothing') this.soon(() => from.onIoDone(0));
          else this.device?.flush(done);
        },
        becomeWriter: (from) => this.soon(() => from.onIoDone(0)),
        close: () => (this.opened = false),
      }),
    );
  }
  private startWrites(): void {
    while (!this.blocked) {
      const write = this.waitingWrites.shift();
      if (write === undefined) return;
      const id = this.nextId++;
      this.inFlight.set(id, write);
      this.busyLocally++;
      const done = {
        onDiskDone: (): void => {
          this.busyLocally--;
          write.local = true;
          this.finish(id, write);
        },
      };
      if (this.bug === 'ack-before-disk') {
        write.local = true;
        this.soon(() => this.finish(id, write));
      }
      this.writeDisk(write.offset, write.length, write.bytes, false, done);
      const lost = this.bug === 'drops-a-write' && id % 23 === 0;
      if (this.view.repl !== ReplicationState.Established || lost) write.remote = true;
      else {
        const message = { kind: 'write', id, offset: write.offset } as const;
        if (write.bytes === undefined) this.send({ ...message, zeros: write.length });
        else this.send(message, write.bytes);
        if (this.bug === 'ack-before-peer') write.remote = true;
      }
    }
  }
  private finish(id: number, write: Write): void {
    if (!write.local || !write.remote || this.blocked || !this.inFlight.delete(id)) return;
    if (this.bug === 'never-finishes' && id % 50 === 0) return;
    write.waiter.onIoDone(0);
  }
  private writeDisk(
    offset: number,
    length: number,
    bytes: Uint8Array | undefined,
    fua: boolean,
    waiter: { onDiskDone(error: number): void },
  ): void {
    if (bytes === undefined) this.device?.write(offset, new Uint8Array(length), fua, waiter);
    else this.device?.write(offset, bytes, fua, waiter);
  }

  // --- the connection

  private establish(local: Endpoint, remote: Endpoint): void {
    if (this.nodeId === 0) {
      const attempt = (): void => {
        if (!this.wanted || this.stream !== undefined || this.disk === DiskState.Diskless) return;
        this.ports.network.connect(local, remote, 1000, {
          onConnected: (stream) => this.adopt(stream),
          onConnectFailed: () => this.later(200, attempt),
        });
      };
      this.connectTo = attempt;
      attempt();
      return;
    }
    this.connectTo = () => undefined;
    this.ports.network.listen(local, {
      onIncoming: (stream) => {
        if (!this.wanted || this.peerWrites.pending > 0) stream.destroy();
        else {
          if (this.stream !== undefined) this.drop();
          this.adopt(stream);
        }
      },
      onListenFailed: () => undefined,
    });
  }
  private adopt(stream: ByteStream): void {
    if (this.stream !== undefined || !this.wanted || this.beginning) {
      stream.destroy();
      if (this.beginning) this.later(200, () => this.connectTo?.());
      return;
    }
    this.stream = stream;
    this.received = none;
    this.lastHeard = this.ports.scheduler.now();
    this.view.cstate = ConnectionState.Connecting;
    stream.setReceiver({
      onBytes: (bytes) => this.receive(stream, bytes),
      onClosed: () => this.drop(stream),
      onDrained: () => undefined,
    });
    const { generation, crashed } = this;
    const consistent = this.disk === DiskState.UpToDate;
    this.blocked = true;
    this.whenIdle(() =>
      this.send({ kind: 'hello', generation, crashed, consistent, primary: this.role === Role.Primary }),
    );
    const beat = (): void => {
      if (this.stream !== stream) return;
      if (this.ports.scheduler.now() - this.lastHeard > 1500) this.drop(stream);
      else {
        this.send({ kind: 'ping' });
        this.later(400, beat);
      }
    };
    beat();
  }
  private whenIdle(action: () => void): void {
    if (this.peerWrites.pending === 0) action();
    else this.peerWrites.whenIdle.push(action);
  }
  private drop(stream = this.stream): void {
    if (stream !== this.stream) return;
    stream?.destroy();
    this.stream = undefined;
    const wasTogether = this.view.repl === ReplicationState.Established;
    this.view = {
      cstate: this.wanted ? ConnectionState.Connecting : ConnectionState.StandAlone,
      repl: ReplicationState.Off,
      pdsk: DiskState.DUnknown,
    };
    if (this.wanted) this.later(200 + this.ports.random.below(200), () => this.connectTo?.());
    for (const action of this.whenPeerAnswers.splice(0)) action();
    if (this.role !== Role.Primary || !wasTogether) {
      this.unblock();
      return;
    }
    this.blocked = true;
    this.beginning = true;
    this.persist({ generation: this.newGeneration() }, () => {
      this.beginning = false;
      this.unblock();
    });
  }
  private unblock(): void {
    this.blocked = false;
    if (this.view.repl !== ReplicationState.Established) {
      for (const write of this.inFlight.values()) write.remote = true;
    }
    for (const [id, write] of [...this.inFlight]) this.finish(id, write);
    this.startWrites();
  }
  private send(message: Message, payload: Uint8Array = none): void {
    const header = encoder.encode(JSON.stringify(message));
    const bytes = new Uint8Array(8 + header.length + payload.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, header.length);
    view.setUint32(4, payload.length);
    bytes.set(header, 8);
    bytes.set(payload, 8 + header.length);
    this.stream?.write(bytes);
  }
  private receive(stream: ByteStream, bytes: Uint8Array): void {
    this.lastHeard = this.ports.scheduler.now();
    const joined = new Uint8Array(this.received.length + bytes.length);
    joined.set(this.received);
    joined.set(bytes, this.received.length);
    this.received = joined;
    while (this.stream === stream && this.received.length >= 8) {
      const view = new DataView(this.received.buffer, this.received.byteOffset);
      const end = 8 + view.getUint32(0);
      const length = end + view.getUint32(4);
      if (this.received.length < length) return;
      const message = this.received.subarray(0, length);
      this.received = this.received.subarray(length);
      const header: Message = JSON.parse(decoder.decode(message.subarray(8, end)));
      this.handle(header, message.slice(end));
    }
  }
  private handle(message: Message, payload: Uint8Array): void {
    const { stream } = this;
    switch (message.kind) {
      case 'hello':
        this.view.cstate = ConnectionState.Connected;
        return this.whenLocallyIdle(stream, () => this.compare(message));
      case 'ack': {
        const write = this.inFlight.get(message.id ?? 0);
        if (write === undefined) return;
        write.remote = true;
        return this.finish(message.id ?? 0, write);
      }
      case 'write':
      case 'block':
        return this.writeForPeer(message, payload);
      case 'end-of-sync':
        return this.whenIdle(() => this.endSync(message.generation ?? 0));
      case 'synced':
        return this.together();
      case 'ping':
        return this.send({ kind: 'pong' });
      case 'pong':
        for (const action of this.whenPeerAnswers.splice(0)) action();
        return;
    }
  }
  /** The hello of the peer is looked at when no write of before is under way. */
  private whenLocallyIdle(stream: ByteStream | undefined, action: () => void): void {
    if (this.stream !== stream) return;
    if (this.busyLocally > 0) this.later(1, () => this.whenLocallyIdle(stream, action));
    else action();
  }
  private compare(hello: Message): void {
    const mine = this.disk === DiskState.UpToDate;
    const theirs = hello.consistent === true;
    const generation = hello.generation ?? 0;
    if (this.role === Role.Primary && hello.primary === true && this.bug !== 'two-primaries') {
      this.wanted = false;
      return this.drop();
    }
    let direction = mine === theirs ? Math.sign(this.generation - generation) : mine ? 1 : -1;
    if (direction === 0 && mine && this.crashed !== (hello.crashed === true))
      direction = this.crashed ? 1 : -1;
    if (direction === 0 && this.crashed) direction = this.nodeId === 0 ? 1 : -1;
    if (direction === 0 && mine) return this.together();
    if (direction < 0 && this.role === Role.Primary) {
      this.wanted = false;
      return this.drop();
    }
    if (direction > 0) {
      this.view.repl = ReplicationState.SyncSource;
      this.view.pdsk = DiskState.Inconsistent;
      this.sendBlock(0, this.stream);
    } else if (direction < 0) {
      this.view.repl = ReplicationState.SyncTarget;
      this.view.pdsk = DiskState.UpToDate;
      const stays = this.bug === 'target-stays-consistent';
      if (!stays) this.disk = DiskState.Inconsistent;
      this.persist({ consistent: stays }, () => undefined);
    } else this.view.repl = ReplicationState.Established;
  }
  private together(): void {
    this.view.repl = ReplicationState.Established;
    this.view.pdsk = DiskState.UpToDate;
    this.crashed = false;
    if (this.role === Role.Secondary) this.persist({ primary: false }, () => this.unblock());
    else this.unblock();
  }
  private sendBlock(offset: number, stream: ByteStream | undefined): void {
    if (this.stream !== stream) return;
    if (offset >= this.dataBytes) return this.send({ kind: 'end-of-sync', generation: this.generation });
    const bytes = new Uint8Array(Math.min(32768, this.dataBytes - offset));
    const early = this.bug === 'sync-stops-early' && ++this.syncBlocks % 7 === 0;
    this.device?.read(offset, bytes, {
      onDiskDone: () => {
        if (this.stream !== stream) return;
        if (!early) this.send({ kind: 'block', offset }, bytes);
        this.sendBlock(offset + bytes.length, stream);
      },
    });
  }
  private writeForPeer(message: Message, payload: Uint8Array): void {
    const { stream } = this;
    this.peerWrites.pending++;
    const zero = message.zeros;
    const bytes = zero === undefined ? payload : undefined;
    const write = (): void =>
      this.writeDisk(message.offset ?? 0, zero ?? payload.length, bytes, message.kind === 'write', {
        onDiskDone: () => {
          if (message.kind === 'write' && this.stream === stream)
            this.send({ kind: 'ack', id: message.id ?? 0 });
          if (--this.peerWrites.pending > 0) return;
          for (const action of this.peerWrites.whenIdle.splice(0)) action();
        },
      });
    write();
  }
  private endSync(generation: number): void {
    const { stream } = this;
    this.persist({ generation, consistent: true, primary: false }, () => {
      this.disk = DiskState.UpToDate;
      if (this.stream !== stream) return;
      this.send({ kind: 'synced' });
      this.together();
    });
  }
}
