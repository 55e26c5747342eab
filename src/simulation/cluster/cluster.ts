import { ConnectionState, DiskState, ReplicationState } from '../../control/contract/states';
import { DeviceFlag } from '../../metadata/superblock-flags';
import { createMetadata, diskSizeFor } from '../metadata-tool';
import { DiskPositions } from '../model/disk-positions';
import { samePosition, WriteHistory, type WriteRecord } from '../model/write-history';
import { type World } from '../world/world';
import { ClusterNode } from './cluster-node';
import { type ClusterSettings } from './cluster-settings';
import { type EngineFactory } from './engine-door';
import { Histogram } from './histogram';
import { judgeMedium, judgeMetadata } from './judge-disks';
import { diskPath } from './requests';
import { RivalPrimaries } from './rival-primaries';
import { Violation } from './violation';

/** Hosts with one replicated device, the model of what they must hold, and the checks after every event. */
export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly history = new WriteHistory();
  readonly positions = new DiskPositions(this.history);
  /** Nodes that wrote as Primary: a barrier ack says nothing about their own disks. */
  private readonly unflushed = new Set<string>();
  private readonly primaries = new Set<string>();
  /** Were Primary in this life and are not any more. */
  private readonly demoted = new Set<string>();
  private readonly rivals = new RivalPrimaries();
  /** Primaries whose disks failed. */
  private readonly withFailedDisk = new Set<string>();
  /** An operator asked to give up what their disks hold; until they are Inconsistent they hold it. */
  private readonly invalidating = new Set<ClusterNode>();

  constructor(
    readonly world: World,
    readonly settings: ClusterSettings,
    readonly makeEngine: EngineFactory,
    readonly histogram: Histogram = new Histogram(),
  ) {
    const size = diskSizeFor(settings.dataSectors, settings.hosts - 1);
    const random = world.random.split('garbage');
    this.nodes = Array.from({ length: settings.hosts }, (_, nodeId) => {
      const address = `10.0.0.${nodeId + 1}`;
      const host = world.addHost(`node${nodeId}`, [address]);
      host.addDisk(diskPath, size, settings.garbage ? random.u32() | 1 : 0);
      this.positions.add(host.name);
      const node = new ClusterNode(this, nodeId, host, address);
      createMetadata(node.metadata, Math.max(1, settings.hosts - 1));
      return node;
    });
    world.observer = () => this.observe();
  }
  peersOf(node: ClusterNode): ClusterNode[] {
    return this.nodes.filter((other) => other !== node);
  }
  get aliveNodes(): ClusterNode[] {
    return this.nodes.filter((node) => node.alive);
  }
  livesOfAll(): readonly number[] {
    return this.nodes.map((node) => (node.alive ? node.host.lives : 0));
  }
  /** The node whose disk answers reads of `node`: its own, else an UpToDate peer's. */
  dataSource(node: ClusterNode): string | undefined {
    if (node.diskIsUpToDate) return node.name;
    return this.peersOf(node).find((peer) => node.seesUpToDate(peer))?.name;
  }

  /** An application was told that its write is done: who must have it from now on? */
  writeAcknowledged(node: ClusterNode, record: WriteRecord, livesAtIssue: readonly number[]): void {
    this.observe();
    const rival = this.rivals.acknowledged(node.name, record);
    if (rival !== undefined) throw new Violation(`${node.name} and ${rival} are both Primary and both write`);
    const holders = node.diskIsUpToDate ? [node] : [];
    this.unflushed.add(node.name);
    const candidates = this.peersOf(node).filter((peer) => node.seesUpToDate(peer));
    const synchronous = this.settings.net.protocol === 'C';
    for (const peer of candidates) {
      // A disk that failed meanwhile refused the write: its node is about to say so.
      const sameLife = peer.diskIsUpToDate && peer.host.lives === livesAtIssue[peer.nodeId];
      // What it lacks is marked, and yet to be brought to it: until then it is bound to nothing.
      const whole = holders.every((holder) => marksNothing(holder, peer) || this.holdTheSame(holder, peer));
      if (sameLife && synchronous && whole) holders.push(peer);
    }
    if (holders.length === 0 && candidates.length > 0) {
      this.history.end(record);
      for (const peer of synchronous ? [] : candidates) this.positions.overtaken(node.name, peer.name);
      return;
    }
    const wrong = this.positions.acknowledge(
      record,
      holders.map(({ name }) => name),
    );
    if (wrong !== undefined) throw new Violation(`${node.name}: ${wrong}`);
  }
  private holdTheSame(one: ClusterNode, two: ClusterNode): boolean {
    return samePosition(this.positions.current(one.name), this.positions.current(two.name));
  }
  /** The tools that ran before an attach have flushed the disk. */
  nodeStarts(node: ClusterNode): void {
    this.unflushed.delete(node.name);
    this.positions.flushed(node.name, this.positions.current(node.name));
  }
  /** A host stopped: is its engine gone with or without its disk's cache? */
  nodeStopped(node: ClusterNode): void {
    const wasPrimary = this.primaries.delete(node.name);
    this.invalidating.delete(node);
    this.rivals.demoted(node.name);
    const wasDemoted = this.demoted.delete(node.name);
    judgeMetadata(node, 'after its host stopped');
    if (node.host.running) return;
    const { superblock } = node;
    const flags = 'defect' in superblock ? 0 : superblock.flags;
    // A demotion counts when the disk knows of it.
    const stillMarked = wasDemoted && (flags & DeviceFlag.CRASHED_PRIMARY) !== 0;
    this.positions.powerLost(node.name, wasPrimary || stillMarked);
    if ((flags & DeviceFlag.CONSISTENT) !== 0)
      judgeMedium(this, node, this.positions.durable(node.name), 'after it lost power');
  }

  /** Its operator has just detached the disk by force. */
  gaveUpDisk(node: ClusterNode): void {
    if (node.isPrimary && node.diskState === DiskState.Detaching) this.losesDisk(node);
  }
  /** What `node` holds is given up from the moment on when that begins. To be called with the answer. */
  invalidates(node: ClusterNode): () => void {
    this.invalidating.add(node);
    return () => this.invalidating.delete(node);
  }

  // --- after every event

  private observe(): void {
    for (const node of this.nodes) {
      this.observeRole(node);
      this.observeFailure(node);
      this.observeCounters(node);
    }
    for (const node of this.invalidating) {
      if (!node.alive || node.diskState !== DiskState.Inconsistent) continue;
      this.positions.invalidated(node.name);
      this.invalidating.delete(node);
    }
    for (let i = 0; i < this.nodes.length; i++) {
      for (let j = i + 1; j < this.nodes.length; j++) {
        const [one, two] = [this.nodes[i], this.nodes[j]];
        if (one !== undefined && two !== undefined && this.callThemselvesInSync(one, two)) {
          this.observePair(one, two);
        }
      }
    }
  }
  /**
   * Secondaries learn some time after the Primary that it goes on without one of them: they are told, or find out and
   * reconcile (engine.md 4.6, 5.13, 6.4). Until then only the Primary's word counts.
   */
  private callThemselvesInSync(one: ClusterNode, two: ClusterNode): boolean {
    if (hasCaughtUp(one, two) || hasCaughtUp(two, one)) return true;
    if (!seeEachOtherInSync(one, two) || !marksNothing(one, two)) return false;
    if (one.isPrimary || two.isPrimary) return true;
    if (!this.knowsItsPeers(one) || !this.knowsItsPeers(two)) return false;
    return this.aliveNodes.every((node) => !node.isPrimary || (writesTo(node, one) && writesTo(node, two)));
  }
  private knowsItsPeers(node: ClusterNode): boolean {
    return this.peersOf(node).every(
      (peer) =>
        node.viewOf(peer)?.cstate !== ConnectionState.Connected ||
        peer.viewOf(node)?.cstate === ConnectionState.Connected,
    );
  }
  private observeCounters(node: ClusterNode): void {
    for (const peer of this.nodes) {
      const view = peer === node ? undefined : node.viewOf(peer);
      if (view !== undefined && view.leastUnderWay < 0)
        throw new Violation(`${node.name} counts ${view.leastUnderWay} under way with ${peer.name}`);
    }
  }
  private observeRole(node: ClusterNode): void {
    const primary = node.isPrimary;
    if (primary === this.primaries.has(node.name)) return;
    if (!primary) {
      this.primaries.delete(node.name);
      this.rivals.demoted(node.name);
      this.demoted.add(node.name);
      return;
    }
    this.rivals.promoted(node.name, this.history.now);
    this.primaries.add(node.name);
    this.demoted.delete(node.name);
  }
  /** An error of its disk does not wait until the peers have everything, as a plain detach does. */
  private observeFailure(node: ClusterNode): void {
    const failed = node.isPrimary && node.diskState === DiskState.Failed;
    if (failed === this.withFailedDisk.has(node.name)) return;
    if (!failed) {
      this.withFailedDisk.delete(node.name);
      return;
    }
    this.withFailedDisk.add(node.name);
    this.losesDisk(node);
  }
  /** The disks that the Primary takes for UpToDate go on without this one. */
  private losesDisk(node: ClusterNode): void {
    const upToDate = this.peersOf(node).filter((peer) => node.seesUpToDate(peer));
    this.positions.failedUnderPrimary(
      node.name,
      upToDate.map(({ name }) => name),
    );
  }
  private observePair(one: ClusterNode, two: ClusterNode): void {
    if (one.isPrimary && two.isPrimary) {
      throw new Violation(`${one.name} and ${two.name} are connected and both Primary`);
    }
    if (one.isDiskless || two.isDiskless) return;
    const quiet = this.aliveNodes.every((node) => node.door?.transferLogIsEmpty === true);
    if (this.settings.net.protocol !== 'C' && !quiet) return;
    const meeting = this.positions.meet(one.name, two.name);
    if (meeting !== 'same')
      this.world.trace.line(() => `${one.name} and ${two.name} hold the same: ${meeting}`);
    if (meeting === 'split-brain') {
      throw new Violation(
        `${one.name} and ${two.name} hold different acknowledged writes and call it in sync`,
      );
    }
    if (quiet) this.observeStable();
  }
  /**
   * If all nodes are in sync and every write was confirmed by a barrier ack, the Secondaries have everything on stable
   * storage.
   */
  private observeStable(): void {
    if (this.settings.disk['disk-flushes'] === false) return;
    for (const one of this.nodes) {
      for (const two of this.nodes) if (one !== two && !one.seesInSync(two)) return;
    }
    for (const node of this.nodes) {
      if (node.isPrimary || node.isDiskless || this.unflushed.has(node.name)) continue;
      this.positions.flushed(node.name, this.positions.current(node.name));
    }
  }
}

const seeEachOtherInSync = (one: ClusterNode, two: ClusterNode): boolean =>
  one.seesInSync(two) && two.seesInSync(one);
/**
 * Both disks are UpToDate and of one generation: still what is marked may differ (engine.md 16.4, the first invariant). One of both
 * took the data of a crashed Primary, say, and is about to bring them to the other.
 */
const marksNothing = (one: ClusterNode, two: ClusterNode): boolean =>
  (one.viewOf(two)?.outOfSyncBits ?? 0) === 0 && (two.viewOf(one)?.outOfSyncBits ?? 0) === 0;
/**
 * A target has the source's data when it says so (engine.md 4.7), whether the source lives to hear of it or not. A source
 * is one only when its target has answered with its own bitmap, so that this resync has begun and ended. A Primary that
 * goes on without both does not change that, nor does the source that meets one and turns Outdated just then.
 */
const hasCaughtUp = (target: ClusterNode, source: ClusterNode): boolean =>
  target.seesInSync(source) &&
  source.diskState >= DiskState.Outdated &&
  source.viewOf(target)?.repl === ReplicationState.SyncSource;
/** With a disk of its own or without one (engine.md 10.3, 10.10). */
const writesTo = (primary: ClusterNode, node: ClusterNode): boolean =>
  seeEachOtherInSync(primary, node) ||
  (primary.diskState === DiskState.Diskless &&
    primary.hasLinkTo(node) &&
    node.hasLinkTo(primary) &&
    primary.seesUpToDate(node) &&
    node.diskIsUpToDate);
