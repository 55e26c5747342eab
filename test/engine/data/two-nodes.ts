/**
 * Hosts with real data paths and real state pipelines, joined by streams in memory. What other parts of the engine do
 * (handshake, P_STATE) is done by hand: states are imposed by tests.
 */
import { createHash } from 'node:crypto';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../../src/control/contract/states';
import { type PeerActions } from '../../../src/engine/actions';
import { createConnection, createDevice, createResource } from '../../../src/engine/admin/object-tree';
import { deviceOptions, diskOptions, netOptions, resourceOptions } from '../../../src/engine/apply-options';
import { type Opener } from '../../../src/engine/application-io';
import { HeldStream } from '../../../src/engine/connection/held-stream';
import { openBackingFor } from '../../../src/engine/data/attach-disk';
import { dataActions } from '../../../src/engine/data/data-actions';
import { dataConnectionHandlers, dataVolumeHandlers } from '../../../src/engine/data/packet-handlers';
import { Host } from '../../../src/engine/host';
import { type Connection, type Device, type PeerDevice, type Resource } from '../../../src/engine/objects';
import { type NetOptions } from '../../../src/engine/options';
import {
  type ByteStream,
  type Endpoint,
  type EnginePorts,
  type StreamReceiver,
} from '../../../src/engine/ports';
import { changeState } from '../../../src/engine/state/transaction';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';
import { PeerFlag } from '../../../src/metadata/superblock-flags';
import { FEATURE } from '../../../src/wire/features';
import { packetNameOf } from '../../../src/wire/packet-table';
import { type Packet } from '../../../src/wire/packets';
import { createMetaData, OneDisk } from './fake-backing';
import { type FakeClock, FakeDisk } from './fake-machine';

const FEATURES = FEATURE.TRIM | FEATURE.WSAME | FEATURE.WZEROES | FEATURE.RESYNC_DAGTAG | FEATURE.TWOPC_V2;
const NOWHERE: Endpoint = { family: 'ipv4', host: '127.0.0.1', port: 1 };

class MemoryStream implements ByteStream {
  readonly local = NOWHERE;
  readonly remote = NOWHERE;
  readonly localIsGreater = false;
  queuedBytes = 0;
  other: MemoryStream | undefined;
  private receiver: StreamReceiver | undefined;
  private readonly arriving: Uint8Array[] = [];
  private open = true;
  constructor(private readonly clock: FakeClock) {}
  setReceiver(receiver: StreamReceiver): void {
    this.receiver = receiver;
  }
  write(bytes: Uint8Array): void {
    const { other } = this;
    if (!this.open || !other) return;
    other.arriving.push(bytes.slice());
    this.clock.inputs.push(() => other.deliver());
  }
  writeShared(bytes: Uint8Array): void {
    this.write(bytes);
  }
  private deliver(): void {
    const bytes = this.arriving.shift();
    if (bytes && this.open) this.receiver?.onBytes(bytes);
  }
  pauseReading(): void {}
  resumeReading(): void {}
  end(): void {
    this.open = false;
  }
  destroy(): void {
    this.open = false;
    this.arriving.length = 0;
  }
}

export class Node {
  readonly host: Host;
  readonly resource: Resource;
  readonly device: Device;
  readonly disk: FakeDisk;
  readonly log: string[] = [];
  readonly received: Packet[] = [];
  readonly protocolErrors: string[] = [];
  /** The nodes this one can be connected to. */
  readonly others = new Map<number, Node>();

  constructor(
    readonly clock: FakeClock,
    readonly id: number,
    bytes: number,
  ) {
    this.disk = new FakeDisk(clock, bytes, `/disk${id}`);
    createMetaData(this.disk, 3);
    this.host = new Host(this.ports(), { nodeName: `node${id}` }, this.peerActions(), dataActions);
    this.resource = createResource(this.host, 'r0', id, resourceOptions({}));
    this.device = createDevice(this.resource, 0, 0, deviceOptions({}));
  }
  private ports(): EnginePorts {
    const { clock } = this;
    const none = (): never => {
      throw new Error('not in this test');
    };
    return {
      scheduler: clock,
      random: {
        fill: (into) => void into.fill(7),
        u64: () => BigInt(clock.below(1e9)) * 4n + 0x1000n,
        below: (limit) => clock.below(limit),
      },
      disks: new OneDisk(this.disk),
      network: { listen: none, connect: none },
      digests: {
        hash: (algorithm) => ({
          size: algorithm === 'sha1' ? 20 : 16,
          digest: (data) => new Uint8Array(createHash(algorithm).update(data).digest()),
        }),
        hmac: () => undefined,
      },
      helpers: { program: 'disabled', run: none },
      log: { write: (_level, line) => void this.log.push(line) },
    };
  }
  private peerActions(): PeerActions {
    const soon = (call: () => void): void => this.clock.soon({ run: call });
    const nothing = (): void => undefined;
    return {
      startReceiver: nothing,
      stopReceiver: nothing,
      restartReceiver: nothing,
      connectionDown: nothing,
      sendUuids: nothing,
      sendCurrentUuid: nothing,
      sendSizes: nothing,
      sendState: (peerDevice) => this.tellState(peerDevice),
      sendRole: nothing,
      sendDagtag: nothing,
      sendSyncParameters: nothing,
      giveUpConnection: nothing,
      resumeReading: nothing,
      checkPeers: (_resource, done) => soon(done),
      fencePeers: (_resource, _tag, done) => soon(() => done(true)),
      pingPeer: (_connection, done) => soon(done),
      failConnection: nothing,
      beginHandshake: nothing,
      endHandshake: nothing,
      handshakeCommitted: nothing,
      scheduleEmptyTransaction: nothing,
      tryToGetResync: () => undefined,
      runHelper: (_command, _on, done) => done && soon(() => done(0)),
    };
  }
  /** A stand-in for P_STATE: in order with the data stream. */
  private tellState(peerDevice: PeerDevice): void {
    const peer = this.others.get(peerDevice.peerNodeId);
    if (peer === undefined) return;
    const { disk } = this.device.now;
    const { repl } = peerDevice.now;
    this.clock.inputs.push(() => peer.hearState(this.id, disk, repl));
  }
  private hearState(from: number, disk: DiskState, repl: ReplicationState): void {
    const mine = this.peer(from);
    if (mine.connection.now.cstate !== ConnectionState.Connected) return;
    const syncing = mine.now.repl >= ReplicationState.SyncSource;
    if (repl === ReplicationState.Established && syncing) {
      if (mine.now.repl === ReplicationState.SyncSource) dataActions.peerFinishedResync(mine, disk);
      else if (mine.now.repl === ReplicationState.VerifyT) dataActions.peerFinishedVerify(mine);
    } else if (repl >= ReplicationState.Established) this.impose(() => void (mine.next.pdsk = disk));
  }

  peer(id: number): PeerDevice {
    const peerDevice = this.device.peerDeviceOf(id);
    if (peerDevice === undefined) throw new Error(`no peer ${id}`);
    return peerDevice;
  }
  impose(edit: () => void): void {
    changeState(this.resource, { hard: true }, edit);
  }
  /** Opens the disk, loads the bitmap, takes slots for all peers. */
  attach(disk: DiskState, given: Parameters<typeof diskOptions>[0] = {}): void {
    const { device } = this;
    device.diskOptions = diskOptions({ 'al-extents': 67, ...given });
    openBackingFor(
      device,
      {
        command: 'attach',
        minor: 0,
        backingDevice: '/disk',
        metaDevice: '/disk',
        metaIndex: INDEX_INTERNAL,
        options: {},
      },
      {
        onAttachFailed: ({ code, info }) => {
          throw new Error(`attach: ${code} ${info}`);
        },
        onBackingOpened: (backing) => {
          device.backing = backing;
          for (const peerDevice of device.peerDevices) {
            const slot = backing.superblock.peers[peerDevice.peerNodeId];
            if (!slot) continue;
            slot.bitmapIndex = peerDevice.bitmapSlot = peerDevice.peerNodeId;
            slot.flags |= PeerFlag.HAVE_BITMAP | PeerFlag.NODE_EXISTS;
          }
          device.size = backing.maxSectors;
          backing.loadBitmap(device.size, { onDiskDone: () => undefined });
        },
      },
    );
    this.clock.settle();
    this.impose(() => void (device.next.disk = DiskState.Attaching));
    this.impose(() => void (device.next.disk = disk));
    this.clock.settle();
  }
  becomePrimary(): void {
    this.impose(() => void (this.resource.next.role = Role.Primary));
    for (const other of this.others.values())
      other.impose(() => {
        const mine = other.resource.connectionTo(this.id);
        if (mine) mine.next.peerRole = Role.Primary;
      });
    this.clock.settle();
  }
  open(): Opener {
    let opener: Opener | undefined;
    dataActions.exportedDevice(this.device).open({ command: 'test', pid: 1 }, true, false, {
      onOpened: (opened) => void (opener = opened),
      onOpenFailed: (error) => {
        throw new Error(`open: ${error}`);
      },
    });
    this.clock.settle();
    if (opener === undefined) throw new Error('not opened');
    return opener;
  }
  /** Handles what is there on one of the streams. */
  dispatch(connection: Connection, stream: 'data' | 'control'): void {
    const { link } = connection;
    const reader = stream === 'data' ? link.dataReader : link.controlReader;
    for (;;) {
      const status = reader.next();
      if (status === 'more') return;
      const name = packetNameOf(reader.command);
      if (status === 'fault' || name === undefined) throw new Error(`fault on ${stream}`);
      const packet = reader.packet();
      if (packet.type !== 'fault') this.received.push(packet);
      const peerDevice = connection.peerDevice(reader.volume);
      const result = peerDevice
        ? dataVolumeHandlers.get(name)?.(peerDevice, reader)
        : dataConnectionHandlers.get(name)?.(connection, reader);
      if (result !== 'ok') this.protocolErrors.push(`${name}: ${result}`);
    }
  }
  names(): string[] {
    return this.received.map(({ type }) => type);
  }
  /** Data area of the disk. */
  get data(): Uint8Array {
    return this.disk.bytes.subarray(0, this.device.size * 512);
  }
}

export class Cluster {
  readonly nodes: Node[];
  constructor(
    readonly clock: FakeClock,
    count: number,
    options: Partial<NetOptions> = {},
    bytes = 24 << 20,
  ) {
    this.nodes = Array.from({ length: count }, (_, id) => new Node(clock, id, bytes));
    for (const a of this.nodes)
      for (const b of this.nodes) {
        if (a === b) continue;
        createConnection(a.resource, b.id, `node${b.id}`, { ...netOptions({}), ...options });
        a.others.set(b.id, b);
      }
  }
  /** Streams between two nodes, and both sides Connected with the given replication states. */
  connect(a: Node, b: Node, replA: ReplicationState, replB: ReplicationState): void {
    const pair = (): [MemoryStream, MemoryStream] => {
      const one = new MemoryStream(this.clock);
      const two = new MemoryStream(this.clock);
      one.other = two;
      two.other = one;
      return [one, two];
    };
    const data = pair();
    const control = pair();
    this.adopt(a, b, data[0], control[0]);
    this.adopt(b, a, data[1], control[1]);
    this.enter(a, b, replA);
    this.enter(b, a, replB);
    this.clock.settle();
  }
  private adopt(node: Node, other: Node, data: MemoryStream, control: MemoryStream): void {
    const connection = node.resource.connectionTo(other.id);
    if (connection === undefined) throw new Error('no connection');
    const path = { local: NOWHERE, remote: NOWHERE, established: true };
    connection.link.adopt(new HeldStream(data, path), new HeldStream(control, path), {
      onAdopted: () => undefined,
      onDataReadable: () => node.dispatch(connection, 'data'),
      onControlReadable: () => node.dispatch(connection, 'control'),
      onDataClosed: () => undefined,
      onControlClosed: () => undefined,
      onDataDrained: () => undefined,
    });
    connection.agreedProtocol = 122;
    connection.agreedFeatures = FEATURES;
    connection.link.setContext({ protocol: 122, features: FEATURES });
  }
  private enter(node: Node, other: Node, repl: ReplicationState): void {
    const connection = node.resource.connectionTo(other.id);
    if (connection === undefined) throw new Error('no connection');
    if (connection.now.cstate === ConnectionState.StandAlone)
      node.impose(() => void (connection.next.cstate = ConnectionState.Unconnected));
    node.impose(() => void (connection.next.cstate = ConnectionState.Connecting));
    node.impose(() => {
      connection.next.cstate = ConnectionState.Connected;
      connection.next.peerRole = other.resource.now.role;
      const mine = node.peer(other.id);
      mine.next.repl = repl;
      mine.next.pdsk = other.device.now.disk;
    });
  }
  /** The network breaks; both sides clean up. */
  disconnect(a: Node, b: Node): void {
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const connection = node.resource.connectionTo(other.id);
      if (connection === undefined) continue;
      connection.link.close();
      node.impose(() => void (connection.next.cstate = ConnectionState.NetworkFailure));
      dataActions.drainConnection(connection, () =>
        node.impose(() => void (connection.next.cstate = ConnectionState.Unconnected)),
      );
    }
  }
}
