/** The side of a two-phase commit that wants the change (engine.md 7.2). */
import { ErrorCode, StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, Role } from '../../control/contract/states';
import { complement, hasNode, NO_NODES, nodeBit, nodesIn, type NodeMask } from '../node-mask';
import { type Connection, directlyConnected, ownNode, type Resource } from '../objects';
import { logLine } from '../state/object-log';
import { type TimerHandle } from '../ports';
import { resourceHasAccessibleData } from './resource-view';
import { changeState } from '../state/transaction';
import { type ChangeWord, changedField, describeChange, EMPTY_CHANGE } from './change-words';
import { isDiskfulPrimary, maximumSize } from '../admin/cluster-resize';
import { misses, roomOnDetachedDisks } from '../admin/device-size';
import { type ClusterChange, isClusterWide, localLast, type ResizePlan } from './cluster-change';
import { anyVote, type ClusterOutcome, emptyOutcome, type Vote, type Votes } from './twopc-state';
import { DDS, type PacketOf } from '../../wire/packets';
import { TWOPC_FLAG } from '../../wire/twopc';

export type ChangeDone = (code: number, infoTexts: readonly string[]) => void;

type Reply = PacketOf<'P_TWOPC_YES'> | PacketOf<'P_TWOPC_NO'> | PacketOf<'P_TWOPC_RETRY'>;

const hex = (mask: NodeMask): string => mask.toString(16).toUpperCase();

/** Queues a voluntary change; `done` comes when it was made, refused or found impossible. */
export function changeClusterWide(resource: Resource, change: ClusterChange, done: ChangeDone): void {
  const { twopc } = resource;
  twopc.queue.push(new LocalTransaction(resource, change, done));
  if (twopc.local === undefined) startNext(resource);
}

function startNext(resource: Resource): void {
  const { twopc } = resource;
  if (twopc.local !== undefined) return;
  const next = twopc.queue.shift();
  if (next === undefined) return;
  twopc.local = next;
  resource.host.ports.scheduler.soon({ run: () => next.begin() });
}

export class LocalTransaction {
  tid = 0;
  /** The PREPAREs are out and no verdict has been given. */
  preparing = false;
  private readonly votes: Votes = new Map();
  private outcome: ClusterOutcome;
  private word: ChangeWord = EMPTY_CHANGE;
  private timer: TimerHandle | undefined;
  private startedAt = 0;
  private retries = 0;
  private finished = false;
  private infoTexts: string[] = [];
  private waitingForStates = false;

  constructor(
    readonly resource: Resource,
    readonly change: ClusterChange,
    private readonly done: ChangeDone,
  ) {
    this.outcome = emptyOutcome(NO_NODES);
  }

  begin(): void {
    if (this.finished) return;
    const { twopc } = this.resource;
    if (this.change.resize !== undefined) {
      if (twopc.remote !== undefined) this.waitForRemote();
      else this.prepare();
      return;
    }
    let clusterWide = false;
    const { options } = this.change;
    const code = changeState(this.resource, { ...options, prepare: true }, () => {
      this.change.edit('prepare', undefined);
      clusterWide = isClusterWide(this.resource, this.change);
      this.word = this.change.word();
    });
    if (code < StateCode.Success) return this.finish(code);
    if (code === StateCode.NothingToDo && !clusterWide) return this.finish(code);
    if (!clusterWide) return this.commitLocally('local');
    if (twopc.remote !== undefined) return this.waitForRemote();
    this.prepare();
  }

  // --- preparing

  private waitForRemote(): void {
    const { ports } = this.resource.host;
    let waiting = true;
    const patience = this.resource.options.twopcTimeout * 100 + this.randomDelay();
    this.timer = ports.scheduler.after(patience, {
      onTimer: () => {
        if (!waiting) return;
        waiting = false;
        logLine(this.resource, 'info', 'Two-phase commit: not woken up in time');
        this.retryOrFinish(StateCode.ConcurrentStateChange, false);
      },
    });
    this.resource.twopc.remoteEndWaiters.push(() => {
      if (!waiting) return;
      waiting = false;
      this.timer?.cancel();
      ports.scheduler.soon({ run: () => this.begin() });
    });
  }

  private prepare(): void {
    const { resource, change } = this;
    const { ports } = resource.host;
    const { target } = change;
    if (
      target !== undefined &&
      change.kind !== 'connect' &&
      target.now.cstate !== ConnectionState.Connected
    ) {
      return this.finish(StateCode.NeedConnection);
    }
    do this.tid = ports.random.below(0x1_0000_0000);
    while (this.tid === 0);
    let reach = directlyConnected(resource);
    if (change.kind === 'connect' && target !== undefined) reach |= nodeBit(target.peerNodeId);
    this.startedAt = ports.scheduler.now();
    this.votes.clear();
    this.outcome = emptyOutcome(reach);
    if (change.kind === 'disconnect' && target !== undefined) {
      this.outcome.targetReachable = nodeBit(target.peerNodeId);
      this.outcome.reachable &= ~nodeBit(target.peerNodeId);
    }
    const peers = resource.connections.filter((connection) => hasNode(reach, connection.peerNodeId));
    if (peers.length === 0) return this.commitLocally('local', reach);
    this.logPreparing();
    this.preparing = true;
    if (target !== undefined) {
      target.link.handshakeReady = target.peerDevices.length === 0;
      target.link.handshakeRetry = false;
      target.link.handshakeDisconnect = false;
      target.link.sizesError = false;
    }
    for (const peer of peers) {
      this.votes.set(peer, 'pending');
      this.sendPrepare(peer, complement(reach));
      resource.host.peerActions.pingPeer(peer, () => undefined);
    }
    this.timer = ports.scheduler.after(resource.options.twopcTimeout * 100, {
      onTimer: () => this.conclude(StateCode.Timeout),
    });
    if (change.kind === 'connect' && target !== undefined) resource.host.peerActions.beginHandshake(target);
    this.evaluate();
  }

  private logPreparing(): void {
    const { resource, change, tid } = this;
    const plan = change.resize;
    if (plan === undefined) {
      const text = describeChange(resource.nodeId, change.target?.peerNodeId ?? -1, this.word);
      logLine(resource, 'info', `Preparing cluster-wide state change ${tid}: ${text}`);
      return;
    }
    const own = maximumSize(plan.device);
    this.outcome.weakNodes = BigInt(own);
    if (isDiskfulPrimary(plan.device)) this.outcome.primaryNodes = ownNode(resource);
    const sizes = `local_max_size = ${own / 2} KB, user_cap = ${plan.userSize / 2} KB`;
    logLine(plan.device, 'info', `Preparing cluster-wide size change ${tid} (${sizes})`);
  }
  private sendPrepare(peer: Connection, nodesToReach: NodeMask): void {
    const { resize } = this.change;
    const request = this.request(nodesToReach);
    if (resize === undefined) peer.link.sendData({ type: 'P_TWOPC_PREPARE', ...request, ...this.word });
    else {
      const { userSize, ddsFlags } = resize;
      peer.link.sendData({ type: 'P_TWOPC_PREP_RSZ', ...request, userSize, ddsFlags });
    }
  }
  private request(nodesToReach: NodeMask): {
    volume: number;
    tid: number;
    flags: number;
    initiatorNodeId: number;
    targetNodeId: number;
    nodesToReach: NodeMask;
  } {
    return {
      volume: this.change.volume,
      tid: this.tid,
      // A size travels where else the reachable nodes do.
      flags: TWOPC_FLAG.HAS_FLAGS | (this.change.resize ? 0 : TWOPC_FLAG.HAS_REACHABLE),
      initiatorNodeId: this.resource.nodeId,
      targetNodeId: this.change.target?.peerNodeId ?? -1,
      nodesToReach,
    };
  }

  /** A neighbour answered. */
  onReply(connection: Connection, reply: Reply): void {
    if (!this.preparing || reply.tid !== this.tid || reply.initiatorNodeId !== this.resource.nodeId) return;
    if (this.votes.get(connection) !== 'pending') return;
    const vote: Vote = reply.type === 'P_TWOPC_YES' ? 'yes' : reply.type === 'P_TWOPC_NO' ? 'no' : 'retry';
    this.votes.set(connection, vote);
    if (vote === 'yes') this.merge(connection, reply);
    if (vote === 'no') {
      this.infoTexts.push(
        `Declined by peer ${connection.name} (id: ${connection.peerNodeId}), see the kernel log there\n`,
      );
    }
    this.evaluate();
  }
  private merge(connection: Connection, reply: Reply): void {
    if (this.change.kind === 'disconnect' && connection === this.change.target) {
      this.outcome.targetReachable |= reply.reachableNodes;
    } else {
      this.outcome.reachable |= reply.reachableNodes;
    }
    this.outcome.primaryNodes |= reply.primaryNodes;
    if (this.change.resize === undefined) this.outcome.weakNodes |= reply.weakNodes;
    else if (reply.weakNodes < this.outcome.weakNodes) this.outcome.weakNodes = reply.weakNodes;
  }
  /** A neighbour that owed an answer is gone (engine.md 7.4). */
  onConnectionLost(connection: Connection): void {
    if (!this.preparing) return;
    if (this.votes.get(connection) === 'pending') this.votes.set(connection, 'retry');
    this.evaluate();
  }
  /** A node with a lower id wants a change too: it goes first (engine.md 7.3). */
  yieldTo(): void {
    if (this.preparing) this.conclude(StateCode.ConcurrentStateChange);
  }
  /** The per-volume handshake of a connect made progress. */
  onHandshakeProgress(): void {
    if (this.preparing) this.evaluate();
  }

  private evaluate(): void {
    const { change, votes } = this;
    if (!this.preparing) return;
    if (anyVote(votes, 'retry')) return this.conclude(StateCode.ConcurrentStateChange);
    if (change.kind === 'connect' && change.target !== undefined) {
      const { link } = change.target;
      if (link.handshakeRetry) return this.conclude(StateCode.HandshakeRetry);
      if (link.handshakeDisconnect || link.sizesError) return this.conclude(StateCode.HandshakeDisconnect);
      if (anyVote(votes, 'no')) return this.conclude(StateCode.RefusedByPeer);
      if (anyVote(votes, 'pending') || !link.handshakeReady) return;
      return this.conclude(StateCode.ClusterWideSuccess);
    }
    if (anyVote(votes, 'pending')) return;
    this.conclude(anyVote(votes, 'no') ? StateCode.RefusedByPeer : StateCode.ClusterWideSuccess);
  }

  // --- the verdict

  private conclude(proposed: number): void {
    if (!this.preparing || this.waitingForStates) return;
    this.preparing = false;
    this.timer?.cancel();
    let code = proposed;
    const { resize } = this.change;
    if (code === StateCode.ClusterWideSuccess && resize !== undefined) return this.concludeResize(resize);
    if (code === StateCode.ClusterWideSuccess) code = this.checkOutcome();
    if (code < StateCode.Success) {
      this.sendVerdict('P_TWOPC_ABORT');
      this.logAbort(code);
      this.retryOrFinish(code, true);
      return;
    }
    this.commitCluster();
  }
  /** The smallest of the maximum sizes counts, unless the operator wants less (engine.md 7.5). */
  private concludeResize(plan: ResizePlan): void {
    const { device, userSize } = plan;
    const maximum = this.largestSize(plan);
    const size = userSize > 0 ? Math.min(userSize, maximum) : maximum;
    const what = `cluster-wide size change ${this.tid} (${this.elapsed()}ms)`;
    if (size === device.size) {
      this.sendVerdict('P_TWOPC_ABORT');
      logLine(device, 'info', `Aborting ${what} size unchanged`);
      return this.finish(StateCode.NothingToDo);
    }
    if (size < device.size && userSize === 0) {
      this.sendVerdict('P_TWOPC_ABORT');
      logLine(device, 'warning', `Implicit shrink not allowed. Use --size=${size}s for explicit shrink.`);
      logLine(device, 'info', `Aborting ${what} rv = ${ErrorCode.ImplicitShrink}`);
      return this.finish(ErrorCode.ImplicitShrink);
    }
    logLine(device, 'info', `Committing ${what}`);
    this.outcome.reachable = BigInt(size);
    this.sendVerdict('P_TWOPC_COMMIT');
    plan.agreed(size, this.outcome.primaryNodes);
    this.finish(StateCode.ClusterWideSuccess);
  }
  /**
   * Where a disk is known that nobody reached, it may be too small for more, unless the operator knows better (9.9). Who
   * answered without its disk may attach it again.
   */
  private largestSize({ device, ddsFlags }: ResizePlan): number {
    const answered = Number(this.outcome.weakNodes);
    const bold = (ddsFlags & DDS.ASSUME_UNCONNECTED_PEER_HAS_SPACE) !== 0;
    const maximum = bold ? answered : Math.min(answered, Math.max(device.size, roomOnDetachedDisks(device)));
    const { backing } = device;
    if (backing === undefined || !misses(device, backing, this.outcome.reachable)) return maximum;
    if (bold && maximum > device.size) logLine(device, 'warning', 'Resize forced while not fully connected!');
    return bold || device.size === 0 ? maximum : Math.min(device.size, maximum);
  }
  private elapsed(): number {
    return Math.round(this.resource.host.ports.scheduler.now() - this.startedAt);
  }
  private logAbort(code: number): void {
    const text = `Aborting cluster-wide state change ${this.tid} (${this.elapsed()}ms) rv = ${code}`;
    logLine(this.resource, 'info', text);
  }

  /** Own contribution and local vetoes (engine.md 7.2 step 8). */
  private checkOutcome(): number {
    const { resource, outcome, change } = this;
    const roleChange = this.wordRole();
    const promoting = roleChange === Role.Primary && change.kind !== 'connect';
    const staysPrimary =
      resource.now.role === Role.Primary && (roleChange === undefined || change.kind === 'connect');
    if (promoting || staysPrimary) {
      outcome.primaryNodes |= ownNode(resource);
      if (resourceHasAccessibleData(resource)) {
        outcome.weakNodes |= complement(this.reachImmediately());
      }
    }
    const text = `State change ${this.tid}: primary_nodes=${hex(outcome.primaryNodes)}, weak_nodes=${hex(outcome.weakNodes)}`;
    logLine(resource, 'info', text);
    if (change.kind === 'disconnect' && change.target !== undefined) {
      if ((outcome.reachable & outcome.targetReachable) === NO_NODES) {
        logLine(change.target, 'info', 'Cluster is now split');
      } else {
        outcome.reachable |= outcome.targetReachable;
        outcome.targetReachable = outcome.reachable;
      }
    }
    if (promoting || change.kind === 'connect') return this.checkPrimaries();
    return StateCode.ClusterWideSuccess;
  }
  private wordRole(): number | undefined {
    return changedField(this.word, 'role');
  }
  private reachImmediately(): NodeMask {
    const mask = directlyConnected(this.resource);
    const { change } = this;
    if (change.kind === 'connect' && change.target) return mask | nodeBit(change.target.peerNodeId);
    return mask;
  }
  private checkPrimaries(): number {
    const { resource, outcome, change } = this;
    const readOnly = resource.devices.some((device) => device.openCount > 0 && !device.writable);
    if (change.kind === 'connect' && readOnly) {
      const refused = resource.connections.some(
        (peer) => !peer.options.allowTwoPrimaries && hasNode(outcome.primaryNodes, peer.peerNodeId),
      );
      if (refused) return StateCode.PrimaryReader;
    }
    const primaries = nodesIn(outcome.primaryNodes);
    if (primaries.length <= 1) return StateCode.ClusterWideSuccess;
    if (!resource.connections.some((connection) => connection.options.allowTwoPrimaries)) {
      return StateCode.TwoPrimaries;
    }
    if ((outcome.primaryNodes & outcome.weakNodes) === NO_NODES) return StateCode.ClusterWideSuccess;
    const servers = complement(outcome.weakNodes);
    if (servers === NO_NODES) return StateCode.WeaklyConnected;
    const diskful = resource.devices.some((device) => device.now.disk > DiskState.Diskless);
    if (hasNode(outcome.primaryNodes, resource.nodeId) && diskful) return StateCode.WeaklyConnected;
    const all = resource.connections
      .filter((connection) => hasNode(servers, connection.peerNodeId))
      .every((connection) => connection.options.allowTwoPrimaries);
    return all ? StateCode.ClusterWideSuccess : StateCode.TwoPrimaries;
  }

  private commitCluster(): void {
    const text = `Committing cluster-wide state change ${this.tid} (${this.elapsed()}ms)`;
    logLine(this.resource, 'info', text);
    const last = localLast(this.change, this.word);
    if (last) this.sendVerdict('P_TWOPC_COMMIT');
    const { options } = this.change;
    const code = changeState(
      this.resource,
      { ...options, prepared: true, reachable: this.outcome.reachable },
      () => this.change.edit('commit', this.outcome),
    );
    if (code < StateCode.Success && last) {
      logLine(this.resource, 'error', `FATAL: Local commit of already committed ${this.tid} failed! `);
    }
    if (!last) this.sendVerdict(code < StateCode.Success ? 'P_TWOPC_ABORT' : 'P_TWOPC_COMMIT');
    this.finish(code < StateCode.Success ? code : StateCode.ClusterWideSuccess);
  }
  private sendVerdict(type: 'P_TWOPC_COMMIT' | 'P_TWOPC_ABORT'): void {
    const { outcome, resource } = this;
    const capable = outcome.primaryNodes === NO_NODES || outcome.weakNodes !== NO_NODES;
    const request = this.request(complement(this.reachImmediately()));
    const { resize } = this.change;
    const flags = capable || resize ? request.flags : request.flags | TWOPC_FLAG.PRI_INCAPABLE;
    for (const [peer, vote] of this.votes) {
      if (vote === 'pending' && !peer.link.up) continue;
      const toTarget = this.change.kind === 'disconnect' && peer === this.change.target;
      peer.link.sendData({
        type,
        ...request,
        flags: flags >>> 0,
        primaryNodes: outcome.primaryNodes,
        reachableNodes:
          type === 'P_TWOPC_ABORT' ? NO_NODES : toTarget ? outcome.targetReachable : outcome.reachable,
      });
    }
    if (type === 'P_TWOPC_ABORT') resource.host.peerActions.endHandshake(this.change.target);
  }

  /** `reachable`: nobody else is; this node is alone from now on (engine.md 7.6). */
  private commitLocally(phase: 'local', reachable?: NodeMask): void {
    const { resize } = this.change;
    const options = { ...this.change.options, ...(reachable !== undefined && { reachable }) };
    if (resize !== undefined) {
      resize.alone();
      return this.finish(StateCode.Success);
    }
    const code = changeState(this.resource, options, () => this.change.edit(phase, undefined));
    this.finish(code);
  }

  // --- the end

  private randomDelay(): number {
    const { resource } = this;
    const links = resource.connections.filter(
      (connection) => connection.now.cstate >= ConnectionState.Connecting,
    ).length;
    const limit =
      resource.options.twopcRetryTimeout * 100 * Math.max(1, links) * 2 ** Math.min(this.retries, 5);
    return resource.host.ports.random.below(Math.max(1, limit));
  }
  private retryOrFinish(code: number, alreadyAborted: boolean): void {
    const transient = code === StateCode.Timeout || code === StateCode.ConcurrentStateChange;
    if (!transient || this.change.dontRetry) return this.finish(code);
    const delay = this.randomDelay();
    this.retries++;
    this.infoTexts = [];
    if (alreadyAborted) {
      logLine(this.resource, 'info', `Retrying cluster-wide state change after ${delay}ms`);
    }
    this.timer = this.resource.host.ports.scheduler.after(delay, { onTimer: () => this.begin() });
  }
  private finish(code: number): void {
    if (this.finished) return;
    this.finished = true;
    this.preparing = false;
    this.timer?.cancel();
    const { twopc } = this.resource;
    if (twopc.local === this) twopc.local = undefined;
    this.done(code, this.infoTexts);
    startNext(this.resource);
  }
}
