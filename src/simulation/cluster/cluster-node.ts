import { type ControlReply, type ControlRequest } from '../../control/contract/requests';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type ExportedDevice } from '../../engine/application-io';
import { type PeerFault } from '../../engine/peer-fault';
import { logPrefix } from '../../engine/state/object-log';
import { INDEX_INTERNAL } from '../../metadata/layout';
import { DeviceFlag } from '../../metadata/superblock-flags';
import { type Superblock09 } from '../../metadata/superblock-09';
import { applyActivityLog, followLastKnownSize, type MetadataPlace, readSuperblock } from '../metadata-tool';
import { type SimulatedHost, type StopKind } from '../world/simulated-host';
import { Application } from './application';
import { type Cluster } from './cluster';
import { type EngineDoor, type PeerView } from './engine-door';
import { attachRequest, diskPath, type NodeAddress, upRequests } from './requests';
import { Violation } from './violation';

type SuperblockFinding = Readonly<Superblock09> | { readonly defect: string };
interface SuperblockRead {
  readonly version: number;
  readonly found: SuperblockFinding;
}

/** After so long without a cut link, ms, whoever does not answer is to blame himself. */
const QUIET = 30_000;

/** One DRBD host of the cluster: its machine, its engine while it runs, and what its operator asked for. */
export class ClusterNode implements NodeAddress {
  application: Application;
  /** Operator commands that were not answered yet. */
  pending = 0;
  /** The operator is in the middle of changing the role. */
  changingRole = false;
  private engine: EngineDoor | undefined;
  private exported: ExportedDevice | undefined;
  private superblockRead: SuperblockRead | undefined;
  /** Sizes that its disk had before, the last one first: there tools look for meta-data that did not follow. */
  private readonly formerSizes: number[] = [];

  constructor(
    private readonly cluster: Cluster,
    readonly nodeId: number,
    readonly host: SimulatedHost,
    readonly address: string,
  ) {
    this.application = new Application(cluster, this);
    host.onStopped = () => this.stopped();
  }
  get name(): string {
    return this.host.name;
  }
  get alive(): boolean {
    return this.host.alive;
  }
  /** It has no disk on purpose. */
  get isDiskless(): boolean {
    return this.cluster.settings.diskless.has(this.nodeId);
  }
  get metadata(): MetadataPlace {
    return { medium: this.host.medium(diskPath), index: INDEX_INTERNAL };
  }
  /** The superblock on the medium, or what is wrong with it. */
  get superblock(): SuperblockFinding {
    const { metadata } = this;
    const { version } = metadata.medium;
    if (this.superblockRead?.version !== version) {
      this.superblockRead = { version, found: this.findSuperblock() };
    }
    return this.superblockRead.found;
  }

  private findSuperblock(): SuperblockFinding {
    const { metadata } = this;
    let found = readSuperblock(metadata);
    for (const size of this.formerSizes) {
      if (!('defect' in found)) break;
      const former = readSuperblock(metadata, size);
      if (!('defect' in former)) found = former;
    }
    return found;
  }
  growDisk(bytes: number): void {
    const { medium } = this.metadata;
    this.formerSizes.unshift(medium.size);
    medium.grow(bytes);
  }

  // --- what its engine says

  get door(): EngineDoor | undefined {
    return this.alive ? this.engine : undefined;
  }
  get exportedDevice(): ExportedDevice | undefined {
    return this.alive ? this.exported : undefined;
  }
  get isPrimary(): boolean {
    return this.door?.role === Role.Primary;
  }
  get diskState(): DiskState {
    return this.door?.disk ?? DiskState.Diskless;
  }
  get diskIsUpToDate(): boolean {
    return this.diskState === DiskState.UpToDate;
  }
  viewOf(peer: ClusterNode): PeerView | undefined {
    return this.door?.peer(peer.nodeId);
  }
  /**
   * The generation of `peer`'s data is this node's, or one that this node remembers: nothing was begun there that this
   * node does not know.
   */
  knowsGenerationOf(peer: ClusterNode): boolean {
    const [own, other] = [this.superblock, peer.superblock];
    if ('defect' in own || 'defect' in other) return false;
    if ((other.flags & DeviceFlag.CONSISTENT) === 0) return true;
    const same = (one: bigint): boolean => (one & ~1n) === (other.currentUuid & ~1n);
    return (
      same(own.currentUuid) ||
      own.historyUuids.some(same) ||
      own.peers.some((slot) => slot.bitmapUuid !== 0n && same(slot.bitmapUuid))
    );
  }
  /** The current UUID on the medium, without its lowest bit (engine.md 0). */
  get currentUuid(): string | undefined {
    const { superblock } = this;
    return 'defect' in superblock ? undefined : (superblock.currentUuid & ~1n).toString(16);
  }
  /** Its disk is as it has to be if nothing is wrong. */
  get isWhole(): boolean {
    return this.isDiskless ? this.diskState === DiskState.Diskless : this.diskIsUpToDate;
  }
  /**
   * This node considers itself and `peer` connected, both UpToDate (or without a disk, if that is meant), and nothing
   * going on between them.
   */
  seesInSync(peer: ClusterNode): boolean {
    const wanted = peer.isDiskless ? DiskState.Diskless : DiskState.UpToDate;
    return this.hasLinkTo(peer) && this.viewOf(peer)?.pdsk === wanted && this.isWhole;
  }
  hasLinkTo(peer: ClusterNode): boolean {
    const view = this.viewOf(peer);
    return view?.cstate === ConnectionState.Connected && view.repl === ReplicationState.Established;
  }
  seesUpToDate(peer: ClusterNode): boolean {
    return this.viewOf(peer)?.pdsk === DiskState.UpToDate;
  }

  // --- its life

  /** Boots: the tools check the meta-data, then everything is brought up as `drbdadm up` does. */
  start(done: () => void = () => undefined): void {
    if (!this.isDiskless) this.checkMetadata();
    this.cluster.nodeStarts(this);
    const ports = this.host.start();
    this.application = new Application(this.cluster, this);
    this.exported = undefined;
    this.pending = 0;
    this.changingRole = false;
    this.input(() => {
      const listener = {
        onDeviceAppeared: (device: ExportedDevice) => (this.exported = device),
        onDeviceResized: () => undefined,
        onDeviceGone: () => (this.exported = undefined),
      };
      const onPeerFault = (fault: PeerFault): void => this.accuse(fault);
      this.engine = this.cluster.makeEngine(ports, this.name, listener, onPeerFault);
    });
    this.run('up', upRequests(this.cluster.settings, this, this.cluster.peersOf(this)), done);
  }
  /**
   * Nothing the world does to hosts makes a peer send what it must not: a link that is cut or loses packets breaks a
   * stream, it leaves no gap in it.
   */
  private accuse({ kind, text, on }: PeerFault): void {
    const { world } = this.cluster;
    const isQuiet = world.now() - world.network.lastDisturbance > QUIET;
    // Who cannot be reached cannot answer.
    if (kind === 'no-answer' && !isQuiet) return;
    throw new Violation(`a peer broke the protocol (${kind}): ${logPrefix(on)}${text}`);
  }
  private checkMetadata(): void {
    this.followSize();
    const { superblock } = this;
    if ('defect' in superblock) throw new Violation(`meta-data of ${this.name}: ${superblock.defect}`);
    const applied = applyActivityLog(this.metadata);
    if ('defect' in applied) throw new Violation(`meta-data of ${this.name}: ${applied.defect}`);
    if (applied.hotExtents.length > 0) this.cluster.histogram.count('activity log applied');
  }
  /** As `drbdmeta check-resize` does. */
  private followSize(): void {
    const { metadata } = this;
    if (this.formerSizes.length === 0 || !('defect' in readSuperblock(metadata))) return;
    const last = this.formerSizes.find((size) => !('defect' in readSuperblock(metadata, size)));
    if (last !== undefined && followLastKnownSize(metadata, last))
      this.cluster.histogram.count('meta-data moved');
  }
  /** As `drbdadm attach` does: apply-al, then the request. */
  attach(): void {
    if (this.isDiskless || this.disksOpen > 0) return;
    this.checkMetadata();
    this.run('attach', [attachRequest(this.cluster.settings)], () => undefined);
  }
  private get disksOpen(): number {
    return this.host.openDisks;
  }
  stop(kind: StopKind): void {
    this.host.stop(kind);
  }
  private stopped(): void {
    this.application.hostStopped();
    this.cluster.nodeStopped(this);
    this.engine = undefined;
    this.exported = undefined;
  }

  // --- its operator

  /** One input of this node's engine. */
  input(action: () => void): void {
    this.host.input(action);
  }
  /** Sends the requests one after the other, each when the one before was answered, until one is refused. */
  run(name: string, requests: readonly ControlRequest[], done: (reply?: ControlReply) => void): void {
    const life = this.host.currentLife;
    const [first, ...rest] = requests;
    if (first === undefined) {
      done();
      return;
    }
    this.pending++;
    const answered = (reply: ControlReply): void => {
      this.pending--;
      const ok = reply.code === 101 || (reply.code >= 1 && reply.code <= 4);
      this.cluster.histogram.count(`${first.command}: ${ok ? 'done' : `code ${reply.code}`}`);
      this.cluster.world.trace.line(() => `${this.name} ${first.command} answered ${reply.code}`);
      // The answer comes from within an input: the operator acts on it in one of his own.
      this.cluster.world.later(0.01, () => {
        if (!life.alive) return;
        if (ok && rest.length > 0) this.run(name, rest, done);
        else done(reply);
      });
    };
    this.cluster.world.trace.line(() => `${this.name} operator: ${first.command}`);
    this.input(() => this.door?.request(first, answered));
  }
}
