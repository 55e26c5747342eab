/**
 * One node of a recorded run is a whole engine, the others are their recorded packets: each is delivered when the
 * engine has said what the kernel had said before. Random numbers are those of the recording.
 */
import { type Packet } from '../../../src/wire/packets';
import { BEFORE_FEATURES, type WireContext } from '../../../src/wire/features';
import { packetBytes } from '../../../src/wire/encode';
import { type Stream } from '../../../src/wire/packet-table';
import { handleRequest } from '../../../src/engine/admin/handle-request';
import { type ExportedDevice, type IoWaiter, type Opener } from '../../../src/engine/application-io';
import { OFFER } from '../../../src/engine/connection/offer';
import { createHost } from '../../../src/engine/create-host';
import { type Host } from '../../../src/engine/host';
import {
  type ConnectWaiter,
  type Endpoint,
  Errno,
  type HelperWaiter,
  type IncomingWaiter,
  type Network,
  type Random,
} from '../../../src/engine/ports';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';
import { applyActivityLog, createMetadata } from '../../../src/simulation/metadata-tool';
import { World } from '../../../src/simulation/world/world';
import { deedsOf, type RecordedDeed } from './recorded-commands';
import { Said } from './said';
import { initial, ScriptStream } from './script-stream';
import { eventsFor } from './events-for-node';
import { type Mishap, type RecordedEvent, recordedEvents } from './recorded-events';
import { BlockIds, comparable, dropped, forEngine, randomNumbers } from './recorded-packets';

const MIB = 1 << 20;
const DISKS: Readonly<Record<string, number>> = { '/dev/vda': 16 * MIB, '/dev/vdb': 8 * MIB };
/** How long the engine may take to say what the kernel said, in milliseconds of the simulated clock. */
const PATIENCE = 1500;
const agreed: WireContext = { protocol: OFFER.protocolMax, features: OFFER.features };

/** It ends when the kernel has said something that the engine has not: that it began to sync, most likely. */
const SLOW_HELPER = 'before-resync-target';

export interface Replay {
  /** By `PEER data` and `PEER control`: what was said to whom. */
  readonly said: ReadonlyMap<string, Said>;
  /** Commands that ended otherwise, and sessions that did not come about. */
  readonly problems: readonly string[];
  readonly log: readonly string[];
}

export function replayOneSide(run: string, node: string): Replay {
  const player = new OneSidedPlayer(node, eventsFor(node, recordedEvents(run)));
  player.play();
  return player;
}

class OneSidedPlayer implements Replay, Network {
  readonly said = new Map<string, Said>();
  readonly problems: string[] = [];
  readonly log: string[] = [];
  private readonly world = new World(7);
  private readonly machine;
  private readonly random: Random;
  private host: Host;
  private readonly devices = new Map<number, ExportedDevice>();
  private readonly listeners = new Map<number, IncomingWaiter>();
  private readonly streams = new Map<string, ScriptStream>();
  private readonly ids = new BlockIds();
  private readonly deeds: RecordedDeed[] = [];
  private busy = false;
  private readonly sessions = new Map<string, number>();
  private flushSequence = 0;
  private readonly unreachable = new Set<string>();
  /** Programs that run. */
  private readonly helpers: HelperWaiter[] = [];
  private readonly ports = new Map<string, number>();

  constructor(
    readonly node: string,
    private readonly events: readonly RecordedEvent[],
  ) {
    this.machine = this.world.addHost(node, ['10.0.2.15']);
    for (const [path, size] of Object.entries(DISKS)) {
      this.machine.addDisk(path, size);
      // Operations end in the order in which they began.
      this.machine.faults(path).slowest = 0;
    }
    this.random = this.randomPort(this.world.random.split('engine'));
    this.host = this.boot();
  }
  private boot(): Host {
    const ports = this.machine.start();
    return createHost(
      {
        ...ports,
        network: this,
        random: this.random,
        helpers: {
          program: ports.helpers.program,
          run: (command, _resource, _environment, waiter) => {
            this.helpers.push(waiter);
            if (command !== SLOW_HELPER) this.world.later(0.02, () => this.endHelpers());
          },
        },
        log: {
          write: (level, line) => void this.log.push(`${this.world.now().toFixed(1)} ${level} ${line}`),
        },
      },
      {
        nodeName: this.node,
        exportListener: {
          onDeviceAppeared: (device) => void this.devices.set(device.minor, device),
          onDeviceResized: () => undefined,
          onDeviceGone: (device) => void this.devices.delete(device.minor),
        },
      },
    );
  }
  /** All that was not on the disks is gone; what the engine had not said it will never say. */
  private losePower(): void {
    this.machine.stop('process-killed');
    this.streams.clear();
    this.listeners.clear();
    this.devices.clear();
    this.helpers.length = 0;
    this.deeds.length = 0;
    this.busy = false;
  }
  private randomPort(real: Random): Random {
    const { tids, uuids, challenges } = randomNumbers(this.events, this.node);
    return {
      u64: () => uuids.shift() ?? real.u64(),
      below: (limit) => (limit === 0x1_0000_0000 ? (tids.shift() ?? real.below(limit)) : real.below(limit)),
      fill: (into) => {
        const challenge = challenges.shift();
        if (challenge?.length === into.length) into.set(challenge);
        else real.fill(into);
      },
    };
  }

  // --- Network: nobody answers, the recorded peers come to us

  listen(local: Endpoint, waiter: IncomingWaiter): { close(): void } {
    this.listeners.set(local.port, waiter);
    return { close: () => void this.listeners.delete(local.port) };
  }
  connect(_local: Endpoint, _remote: Endpoint, _timeout: number, waiter: ConnectWaiter): { cancel(): void } {
    let live = true;
    this.world.later(1, () => {
      if (live) this.machine.input(() => waiter.onConnectFailed(Errno.ECONNREFUSED));
    });
    return { cancel: () => void (live = false) };
  }

  // --- the recording

  play(): void {
    let clock = this.events[0]?.t ?? 0;
    for (const event of this.events) {
      this.pause(event.t - clock);
      clock = event.t;
      this.happen(event);
    }
    this.world.run(3000);
  }
  /** In pauses of the recording timers do their work, and programs end. */
  private pause(milliseconds: number): void {
    if (milliseconds <= 200) return;
    const end = this.world.now() + milliseconds;
    do this.endHelpers();
    while (this.world.step(end));
    this.world.run(end - this.world.now());
  }
  private happen(event: RecordedEvent): void {
    switch (event.kind) {
      case 'command':
        if (event.node === this.node) this.command(event.text);
        return;
      case 'mishap':
        this.mishap(event.node, event.what);
        return;
      case 'session':
        if (event.nodes.includes(this.node)) this.session(event.nodes.find((one) => one !== this.node) ?? '');
        return;
      case 'packet':
        if (event.by === this.node) this.expect(event.to, event.stream, event.packet);
        else if (event.to === this.node) this.deliver(event.by, event.stream, event.packet);
        return;
      case 'end':
        if (event.to === this.node) this.end(event.by, event.stream, event.reset);
        return;
    }
  }

  private mishap(node: string, what: Mishap): void {
    this.waitForAnswers();
    switch (what.kind) {
      case 'changed-bytes':
        if (node === this.node) this.changeBytes(what.disk, what.offset, what.length);
        return;
      case 'power-failure':
      case 'cut-off':
        this.unreachable.add(node);
        if (what.kind === 'power-failure' && node === this.node) this.losePower();
        return;
      case 'booted':
      case 'reachable':
        this.unreachable.delete(node);
        if (what.kind === 'booted' && node === this.node) this.host = this.boot();
        return;
    }
  }
  private changeBytes(disk: number, offset: number, length: number): void {
    const medium = this.machine.medium(Object.keys(DISKS)[disk] ?? '');
    const bytes = medium.readNow(offset, length);
    medium.writeNow(
      offset,
      bytes.map((byte) => byte ^ 0xff),
    );
  }

  private sayings(peer: string, stream: Stream): Said {
    const key = `${peer} ${stream}`;
    const found = this.said.get(key) ?? new Said();
    this.said.set(key, found);
    return found;
  }
  private expect(peer: string, stream: Stream, packet: Packet): void {
    if (dropped(packet)) return;
    const said = this.sayings(peer, stream);
    this.ids.kernelSaid(`${peer} ${stream} ${this.sessions.get(peer)}`, packet);
    said.kernelSays(comparable(packet));
  }
  /** Everything that the kernel had said before is said, or will not be. */
  private waitForAnswers(): void {
    const behind = (): boolean => [...this.said.values()].some(({ owed, missed }) => owed > missed);
    const end = this.world.now() + PATIENCE;
    if (behind()) this.world.run(1);
    // What the kernel says next may come after its helper.
    while (behind() && (this.endHelpers() || this.world.step(end)));
    for (const said of this.said.values()) said.missed = said.owed;
  }

  /** True if there were any. */
  private endHelpers(): boolean {
    const ended = this.helpers.splice(0);
    for (const waiter of ended) this.machine.input(() => waiter.onHelperDone(0, 0));
    return ended.length > 0;
  }

  private session(peer: string): void {
    this.waitForAnswers();
    this.endHelpers();
    this.sessions.set(peer, (this.sessions.get(peer) ?? 0) + 1);
    for (const stream of ['data', 'control'] as const) this.streams.get(`${peer} ${stream}`)?.close(true);
    const port = this.ports.get(peer);
    const listener = (): IncomingWaiter | undefined => this.listeners.get(port ?? 0);
    const end = this.world.now() + 8000;
    while (listener() === undefined && this.world.step(end));
    const waiter = listener();
    if (waiter === undefined) {
      this.problems.push(`nobody listens for ${peer}`);
      return;
    }
    const local = { family: 'ipv4' as const, host: '10.0.2.15', port: port ?? 0 };
    const remote = { family: 'ipv4' as const, host: '10.0.2.2', port: 40_000 };
    for (const kind of ['data', 'control'] as const) {
      const stream = new ScriptStream(local, remote, kind, (packet) => this.engineSaid(peer, kind, packet));
      this.streams.set(`${peer} ${kind}`, stream);
      this.machine.input(() => waiter.onIncoming(stream));
      this.machine.input(() => stream.deliver(initial(kind)));
      this.world.run(5);
    }
    // The engine looks whether the streams crossed, then it says its features.
    const data = this.streams.get(`${peer} data`);
    const patience = this.world.now() + 9000;
    while (data !== undefined && !data.spoken && !data.ended && this.world.step(patience));
  }
  private engineSaid(peer: string, kind: Stream, packet: Packet): void {
    if (packet.type === 'P_PING') this.answerPing(peer);
    if (packet.type === 'P_FLUSH_REQUESTS') this.flushSequence = packet.flushSequence;
    if (dropped(packet)) return;
    this.ids.engineSaid(`${peer} ${kind} ${this.sessions.get(peer)}`, packet);
    this.sayings(peer, kind).engineSays(comparable(packet));
  }
  private answerPing(peer: string): void {
    if (this.unreachable.has(peer) || this.unreachable.has(this.node)) return;
    const stream = this.streams.get(`${peer} control`);
    this.world.later(0.5, () => {
      const ack = packetBytes({ type: 'P_PING_ACK', volume: 0xffff }, agreed);
      this.machine.input(() => stream?.deliver(ack));
    });
  }
  private deliver(peer: string, kind: Stream, packet: Packet): void {
    this.waitForAnswers();
    const stream = this.streams.get(`${peer} ${kind}`);
    if (stream === undefined) return;
    const translated = forEngine(this.ids.translate(packet), this.flushSequence);
    if (translated === undefined) return;
    const before = packet.type === 'P_CONNECTION_FEATURES';
    const bytes = packetBytes(translated, before ? BEFORE_FEATURES : agreed);
    if (before) for (const one of ['data', 'control']) this.streams.get(`${peer} ${one}`)?.setContext(agreed);
    this.machine.input(() => stream.deliver(bytes));
    this.world.run(0.05);
  }
  private end(peer: string, kind: Stream, reset: boolean): void {
    this.waitForAnswers();
    const stream = this.streams.get(`${peer} ${kind}`);
    if (stream === undefined) return;
    this.machine.input(() => stream.close(reset));
    this.world.run(1);
  }

  // --- commands of this node, one after the other

  private command(text: string): void {
    this.waitForAnswers();
    this.deeds.push(...deedsOf(text));
    this.next();
    this.world.run(2);
  }
  private next(): void {
    if (this.busy) return;
    const deed = this.deeds.shift();
    if (deed === undefined) return;
    this.busy = true;
    const done = (): void => {
      this.busy = false;
      this.world.later(0.01, () => this.next());
    };
    switch (deed.kind) {
      case 'create-md':
        createMetadata({ medium: this.machine.medium(deed.disk), index: INDEX_INTERNAL }, deed.peers);
        return done();
      case 'request':
        return this.request(deed.request, done);
      case 'write':
        return this.write(deed, done);
      case 'read':
        return this.read(deed, done);
      case 'discard':
        return this.withOpener(deed.minor, done, (opener, waiter) =>
          opener.discard(deed.offset, deed.length, waiter),
        );
    }
  }
  private request(request: Extract<RecordedDeed, { kind: 'request' }>['request'], done: () => void): void {
    if (request.command === 'attach')
      applyActivityLog({ medium: this.machine.medium(request.backingDevice), index: INDEX_INTERNAL });
    if (request.command === 'new-path') {
      const name = this.host.resources.get('r0')?.connectionTo(request.peerNodeId)?.name ?? '';
      this.ports.set(name, request.local.port);
    }
    this.machine.input(() => handleRequest(this.host, request, done));
  }
  private write(deed: Extract<RecordedDeed, { kind: 'write' }>, done: () => void): void {
    let at = deed.offset;
    const pieces = [...deed.pieces];
    const step = (opener: Opener, waiter: IoWaiter): void => {
      const piece = pieces.shift();
      if (piece === undefined) return waiter.onIoDone(0);
      const offset = at;
      at += piece.length;
      opener.write(offset, piece, false, {
        onIoDone: (error) => {
          if (error === 0) step(opener, waiter);
          else waiter.onIoDone(error);
        },
      });
    };
    const all = (opener: Opener, waiter: IoWaiter): void => {
      let open = pieces.length;
      for (const piece of pieces.splice(0)) {
        opener.write(at, piece, false, { onIoDone: () => --open === 0 && waiter.onIoDone(0) });
        at += piece.length;
      }
    };
    this.withOpener(deed.minor, done, deed.together === true ? all : step);
  }
  private read(deed: Extract<RecordedDeed, { kind: 'read' }>, done: () => void): void {
    let at = deed.offset;
    const step = (opener: Opener, waiter: IoWaiter): void => {
      if (at === deed.offset + deed.length) return waiter.onIoDone(0);
      const offset = at;
      at += deed.block;
      opener.read(offset, new Uint8Array(deed.block), { onIoDone: () => step(opener, waiter) });
    };
    this.withOpener(deed.minor, done, step, false);
  }
  private withOpener(
    minor: number,
    done: () => void,
    use: (opener: Opener, waiter: IoWaiter) => void,
    writes = true,
  ): void {
    const device = this.devices.get(minor);
    if (device === undefined) return done();
    this.machine.input(() =>
      device.open({ command: 'dd', pid: 1 }, writes, false, {
        onOpened: (opener) =>
          use(opener, {
            onIoDone: () => {
              opener.close();
              done();
            },
          }),
        onOpenFailed: done,
      }),
    );
  }
}
