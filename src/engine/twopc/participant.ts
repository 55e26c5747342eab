/** The side of a two-phase commit that is asked (engine.md 7.3). */
import { StateCode, stateCodeText } from '../../control/contract/codes';
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type PacketOf } from '../../wire/packets';
import { commitReachableNodes, commitResize, TWOPC_FLAG } from '../../wire/twopc';
import { applyAgreedSize, isDiskfulPrimary, maximumSize } from '../admin/cluster-resize';
import { complement, hasNode, NO_NODES, nodeBit, type NodeMask } from '../node-mask';
import { type Connection, directlyConnected, ownNode, type Resource } from '../objects';
import { type TimerHandle } from '../ports';
import { openersInShort } from '../roles/opener-texts';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { changedField, type ChangeWord, describeChange, inReceiversView } from './change-words';
import { type ClusterOutcome } from './twopc-state';
import { editRemoteChange, isOfferOfOtherData, type RemoteEdit } from './remote-edit';
import { resourceHasAccessibleData } from './resource-view';
import { anyVote, emptyOutcome, MAX_SEEN_ABORTS, type Vote, type Votes } from './twopc-state';

type Prepare = PacketOf<'P_TWOPC_PREPARE'>;
type PrepareResize = PacketOf<'P_TWOPC_PREP_RSZ'>;
type Verdict = PacketOf<'P_TWOPC_COMMIT'> | PacketOf<'P_TWOPC_ABORT'>;
type Reply = PacketOf<'P_TWOPC_YES'> | PacketOf<'P_TWOPC_NO'> | PacketOf<'P_TWOPC_RETRY'>;
type ReplyType = Reply['type'];

const keyOf = (packet: { initiatorNodeId: number; tid: number }): string =>
  `${packet.initiatorNodeId}/${packet.tid}`;

export class RemoteTransaction {
  readonly votes: Votes = new Map();
  readonly parents: Connection[] = [];
  readonly outcome: ClusterOutcome;
  readonly word: ChangeWord;
  timer: TimerHandle | undefined;
  /** Our own answer to the change; undefined while it is being found. */
  own: Vote = 'pending';
  answered: ReplyType | undefined;
  edit: RemoteEdit;
  isConnect: boolean;

  constructor(
    readonly resource: Resource,
    readonly packet: Prepare,
    parent: Connection,
    /** The direct, concerned connection to the initiator; undefined: far away. */
    readonly affected: Connection | undefined,
    /** A size is agreed on: `packet` then changes nothing. */
    readonly resize?: PrepareResize,
  ) {
    this.parents.push(parent);
    this.word = inReceiversView(packet);
    this.outcome = emptyOutcome(NO_NODES);
    this.isConnect =
      changedField(packet, 'conn') === ConnectionState.Connected && packet.volume === NO_VOLUME;
    this.edit = { resource, packet, word: this.word, affected, isConnect: this.isConnect };
  }

  /** Everybody below has answered, and for a connect aimed at us the handshake is through. */
  get ready(): boolean {
    if (this.own === 'pending') return false;
    if (this.own === 'retry' || anyVote(this.votes, 'retry')) return true;
    if (this.isConnect && this.affected !== undefined && this.own === 'yes') {
      const { link } = this.affected;
      if (link.handshakeRetry || link.handshakeDisconnect || link.sizesError) return true;
      if (anyVote(this.votes, 'no')) return true;
      return link.handshakeReady && !anyVote(this.votes, 'pending');
    }
    return !anyVote(this.votes, 'pending');
  }
  get verdict(): ReplyType {
    const link = this.isConnect ? this.affected?.link : undefined;
    if (this.own === 'retry' || anyVote(this.votes, 'retry') || link?.handshakeRetry) return 'P_TWOPC_RETRY';
    if (this.own === 'no' || anyVote(this.votes, 'no')) return 'P_TWOPC_NO';
    return link?.handshakeDisconnect || link?.sizesError ? 'P_TWOPC_NO' : 'P_TWOPC_YES';
  }
}

function reply(
  to: Connection,
  packet: { tid: number; initiatorNodeId: number; volume: number },
  type: ReplyType,
  outcome?: ClusterOutcome,
): void {
  to.link.sendControl({
    type,
    volume: packet.volume,
    tid: packet.tid,
    initiatorNodeId: packet.initiatorNodeId,
    reachableNodes: outcome?.reachable ?? NO_NODES,
    primaryNodes: outcome?.primaryNodes ?? NO_NODES,
    weakNodes: outcome?.weakNodes ?? NO_NODES,
  });
}

// --- packets

/** A size change travels and is answered as every other transaction; only its contents differ (engine.md 7.5). */
export function onPrepareResize(from: Connection, packet: PrepareResize): void {
  onPrepare(from, { ...packet, type: 'P_TWOPC_PREPARE', mask: 0, value: 0 }, packet);
}

export function onPrepare(from: Connection, packet: Prepare, resize?: PrepareResize): void {
  const { resource } = from;
  const { twopc } = resource;
  const running = twopc.remote;
  if (running !== undefined) {
    if (keyOf(running.packet) === keyOf(packet)) return onDuplicate(running, from);
    return reject(from, packet, running.packet.tid);
  }
  const local = twopc.local;
  if (local?.preparing) {
    if (packet.initiatorNodeId > resource.nodeId) return reject(from, packet, local.tid);
    logLine(
      resource,
      'info',
      `Aborting local state change ${local.tid} to yield to remote state change ${packet.tid}.`,
    );
    local.yieldTo();
  }
  if (twopc.seenAborts.delete(keyOf(packet))) return;
  accept(from, packet, resize);
}

function reject(from: Connection, packet: Prepare, because: number): void {
  logLine(
    from,
    'info',
    `Rejecting concurrent remote state change ${packet.tid} because of state change ${because}`,
  );
  reply(from, packet, 'P_TWOPC_RETRY', emptyOutcome(directlyConnected(from.resource)));
}
function onDuplicate(running: RemoteTransaction, from: Connection): void {
  logLine(from, 'info', `Duplicate prepare for remote state change ${running.packet.tid}`);
  if (!running.parents.includes(from)) running.parents.push(from);
  if (running.answered !== undefined) return reply(from, running.packet, running.answered, running.outcome);
  running.votes.set(from, 'yes');
  answerIfReady(running);
}

export function onVerdict(from: Connection, packet: Verdict): void {
  const { resource } = from;
  const running = resource.twopc.remote;
  if (running === undefined || keyOf(running.packet) !== keyOf(packet)) {
    if (packet.type === 'P_TWOPC_ABORT') {
      if (running === undefined) rememberAbort(resource, keyOf(packet));
      forward(resource, packet, from);
    } else if (running !== undefined || resource.twopc.local?.preparing) {
      const current = running?.packet.tid ?? resource.twopc.local?.tid ?? 0;
      logLine(
        from,
        'info',
        `Ignoring ${packet.type} packet ${packet.tid} current processing state change ${current}`,
      );
    }
    return;
  }
  if (packet.type === 'P_TWOPC_ABORT') return abort(running, packet, from);
  commit(running, packet, from);
}
function rememberAbort(resource: Resource, key: string): void {
  const { seenAborts } = resource.twopc;
  if (seenAborts.size >= MAX_SEEN_ABORTS) seenAborts.clear();
  seenAborts.add(key);
}

export function onTwopcReply(from: Connection, packet: Reply): void {
  const { twopc } = from.resource;
  twopc.local?.onReply(from, packet);
  const running = twopc.remote;
  if (running === undefined || keyOf(running.packet) !== keyOf(packet)) return;
  if (running.votes.get(from) !== 'pending') return;
  const vote: Vote = packet.type === 'P_TWOPC_YES' ? 'yes' : packet.type === 'P_TWOPC_NO' ? 'no' : 'retry';
  running.votes.set(from, vote);
  if (vote === 'yes') {
    running.outcome.reachable |= packet.reachableNodes;
    running.outcome.primaryNodes |= packet.primaryNodes;
    if (running.resize === undefined) running.outcome.weakNodes |= packet.weakNodes;
    else if (packet.weakNodes < running.outcome.weakNodes) running.outcome.weakNodes = packet.weakNodes;
  }
  answerIfReady(running);
}

// --- taking part

/** Step 1 of "Accept": the direct connection to the initiator, if the change concerns it. */
function affectedConnection(resource: Resource, packet: Prepare): Connection | undefined {
  const direct = resource.connectionTo(packet.initiatorNodeId);
  if (direct === undefined) return undefined;
  const { targetNodeId } = packet;
  if (targetNodeId !== -1 && targetNodeId !== resource.nodeId) return undefined;
  const conn = changedField(packet, 'conn');
  if (direct.now.cstate < ConnectionState.Connected && conn === undefined) return undefined;
  if (conn === ConnectionState.Connected && packet.volume === NO_VOLUME && !direct.link.up) return undefined;
  return direct;
}

function accept(from: Connection, packet: Prepare, resize?: PrepareResize): void {
  const { resource } = from;
  const affected = affectedConnection(resource, packet);
  const remote = new RemoteTransaction(resource, packet, from, affected, resize);
  resource.twopc.remote = remote;
  remote.timer = resource.host.ports.scheduler.after(resource.options.twopcTimeout * 100, {
    onTimer: () => {
      if (resource.twopc.remote !== remote) return;
      logLine(resource, 'info', `Two-phase commit ${packet.tid} timeout`);
      dropRemote(remote);
    },
  });
  let reachable = directlyConnected(resource);
  // With whomever it connects; and from whomever it goes, it counts itself.
  if (changedField(packet, 'conn') === ConnectionState.Connected)
    reachable |= nodeBit(packet.initiatorNodeId);
  if (changedField(packet, 'conn') === ConnectionState.Disconnecting) {
    reachable &= ~nodeBit(packet.initiatorNodeId);
    if (affected && packet.targetNodeId === resource.nodeId) affected.disconnectExpected = true;
  }
  remote.outcome.reachable = reachable;
  if (resource.now.role === Role.Primary) {
    remote.outcome.primaryNodes |= ownNode(resource);
    if (resourceHasAccessibleData(resource)) remote.outcome.weakNodes |= complement(reachable);
  }
  if (resize !== undefined) {
    lookAtDisks(remote, () => {
      prepareResize(remote, from);
      judge(remote, from);
    });
    return;
  }
  const text = describeChange(packet.initiatorNodeId, packet.targetNodeId, packet);
  logLine(resource, 'info', `Preparing remote state change ${packet.tid}: ${text}`);
  if (remote.isConnect && affected !== undefined) {
    affected.link.handshakeReady = affected.peerDevices.length === 0;
    affected.link.handshakeRetry = false;
    affected.link.handshakeDisconnect = false;
    affected.link.sizesError = false;
    resource.host.peerActions.beginHandshake(affected);
  }
  judge(remote, from);
}
function judge(remote: RemoteTransaction, from: Connection): void {
  remote.own = validate(remote);
  if (remote.own === 'retry') return answerIfReady(remote);
  forwardPrepare(remote, from);
  answerIfReady(remote);
}

/** How large the device may become depends on what its disks are now. */
function lookAtDisks(remote: RemoteTransaction, next: () => void): void {
  const { resource, packet } = remote;
  const device = resource.volume(packet.volume);
  if (device?.backing === undefined) return next();
  resource.host.dataActions.followDisks(device, { sectors: device.size }, () => {
    if (resource.twopc.remote === remote) next();
  });
}
/** The answer carries our maximum size and, in place of the Primaries, those with a disk (wire-protocol.md 13.2). */
function prepareResize(remote: RemoteTransaction, from: Connection): void {
  const { resource, packet, outcome } = remote;
  const device = resource.volume(packet.volume);
  const maximum = device === undefined ? undefined : maximumSize(device);
  outcome.weakNodes = BigInt(maximum ?? 0);
  outcome.primaryNodes = device && isDiskfulPrimary(device) ? ownNode(resource) : NO_NODES;
  const text = `Preparing remote state change ${packet.tid} (local_max_size = ${(maximum ?? 0) / 2} KiB)`;
  logLine(from, 'info', text);
}
function voteOnResize({ resource, packet }: RemoteTransaction): Vote {
  const device = resource.volume(packet.volume);
  if (device === undefined) return 'no';
  return device.peerDevices.some((peer) => peer.now.repl > ReplicationState.Established) ? 'no' : 'yes';
}
function commitAgreedSize(remote: RemoteTransaction, packet: Verdict, from: Connection): void {
  const { resource, resize } = remote;
  const device = resource.volume(packet.volume);
  const agreed = commitResize(packet);
  if (device === undefined || agreed === null || resize === undefined) return;
  const maximum = maximumSize(device);
  if (agreed.exposedSize > maximum) {
    logLine(
      device,
      'error',
      `Refusing a size of ${agreed.exposedSize} sectors: ${maximum} are the most possible here`,
    );
    return;
  }
  applyAgreedSize(device, {
    size: agreed.exposedSize,
    userSize: resize.userSize,
    ddsFlags: resize.ddsFlags,
    diskfulPrimaries: agreed.diskfulPrimaryNodes,
    isTowardsInitiator: (peerDevice) => peerDevice.connection === from,
  });
}

/** Would the change be possible here? (engine.md 7.3 step 5) */
function validate(remote: RemoteTransaction): Vote {
  const { resource, affected } = remote;
  if (remote.resize !== undefined) return voteOnResize(remote);
  if (affected === undefined && isFarPromotion(remote)) {
    if (resource.now.role !== Role.Primary) return 'yes';
    const twoPrimaries = resource.connections.some((connection) => connection.options.allowTwoPrimaries);
    const diskful = resource.devices.some((device) => device.now.disk > DiskState.Diskless);
    const code = !twoPrimaries
      ? StateCode.TwoPrimaries
      : diskful
        ? StateCode.WeaklyConnected
        : StateCode.Success;
    return vote(remote, code);
  }
  if (affected !== undefined && isOfferOfOtherData(remote.edit, affected)) return 'no';
  const code = changeState(
    resource,
    { tag: affected ? 'remote' : 'far-away', prepare: true, ignOutdFail: affected !== undefined },
    () => editRemoteChange(remote.edit, 'prepare', undefined),
  );
  return vote(remote, code);
}
const isFarPromotion = (remote: RemoteTransaction): boolean =>
  changedField(remote.packet, 'role') === Role.Primary && !remote.isConnect;

function vote(remote: RemoteTransaction, code: number): Vote {
  if (code >= StateCode.Success) return 'yes';
  const { resource } = remote;
  logLine(resource, 'info', `State change failed: ${stateCodeText(code)} (${code})`);
  if (code === StateCode.NoUpToDateDisk || code === StateCode.PrimaryReader)
    for (const device of resource.devices)
      if (device.openCount > 0) logLine(device, 'info', `Held open by${openersInShort(device)}`);
  return code === StateCode.InTransientState ? 'retry' : 'no';
}

function forwardPrepare(remote: RemoteTransaction, from: Connection): void {
  const { resource, packet } = remote;
  const next = neighboursToReach(resource, packet.nodesToReach).filter((connection) => connection !== from);
  const rest = restToReach(resource, packet.nodesToReach, next);
  for (const connection of next) {
    remote.votes.set(connection, 'pending');
    connection.link.sendData({ ...(remote.resize ?? packet), nodesToReach: rest });
    resource.host.peerActions.pingPeer(connection, () => undefined);
  }
}
const neighboursToReach = (resource: Resource, nodesToReach: NodeMask): Connection[] =>
  resource.connections.filter(
    (connection) =>
      connection.now.cstate === ConnectionState.Connected && hasNode(nodesToReach, connection.peerNodeId),
  );
function restToReach(resource: Resource, nodesToReach: NodeMask, taken: readonly Connection[]): NodeMask {
  let rest = nodesToReach & ~ownNode(resource);
  for (const connection of taken) rest &= ~nodeBit(connection.peerNodeId);
  return BigInt.asUintN(64, rest);
}
function forward(resource: Resource, packet: Verdict, from: Connection): void {
  const next = neighboursToReach(resource, packet.nodesToReach).filter((connection) => connection !== from);
  const rest = restToReach(resource, packet.nodesToReach, next);
  for (const connection of next) connection.link.sendData({ ...packet, nodesToReach: rest });
}

/** Also called when the handshake of a connect made progress. */
export function answerIfReady(remote: RemoteTransaction): void {
  if (remote.answered !== undefined || !remote.ready) return;
  remote.answered = remote.verdict;
  for (const parent of remote.parents) {
    if (!remote.votes.has(parent) || remote.votes.get(parent) === 'yes') {
      reply(parent, remote.packet, remote.answered, remote.outcome);
    }
  }
  if (remote.answered === 'P_TWOPC_RETRY' && remote.own === 'retry' && remote.votes.size === 0)
    dropRemote(remote);
}

// --- the verdict

function commit(remote: RemoteTransaction, packet: Verdict, from: Connection): void {
  const { resource } = remote;
  if (remote.resize !== undefined) {
    forward(resource, packet, from);
    commitAgreedSize(remote, packet, from);
    return endRemote(remote);
  }
  logLine(
    from,
    'info',
    `Committing remote state change ${packet.tid} (primary_nodes=${packet.primaryNodes.toString(16).toUpperCase()})`,
  );
  const reachable = commitReachableNodes(packet);
  const outcome: ClusterOutcome = {
    reachable: reachable ?? remote.outcome.reachable,
    targetReachable: NO_NODES,
    primaryNodes: packet.primaryNodes,
    weakNodes: NO_NODES,
  };
  remote.edit.primariesIncapable = (packet.flags & TWOPC_FLAG.PRI_INCAPABLE) !== 0;
  const code = changeState(
    resource,
    {
      tag: remote.affected ? 'remote' : 'far-away',
      prepared: true,
      twopc: true,
      ignOutdFail: remote.affected !== undefined,
      ...(reachable !== null && { reachable }),
    },
    () => editRemoteChange(remote.edit, 'commit', outcome),
  );
  const failed = code < StateCode.Success;
  if (failed) logLine(resource, 'error', `FATAL: Local commit of prepared ${packet.tid} failed! `);
  forward(resource, packet, from);
  endRemote(remote);
  if (!remote.isConnect || remote.affected === undefined) return;
  const { peerActions } = resource.host;
  // The peer is Connected now. The kernel module leaves it at that; only a new handshake brings both together.
  if (failed) peerActions.failConnection(remote.affected, ConnectionState.NetworkFailure);
  else peerActions.handshakeCommitted(remote.affected);
}

function abort(remote: RemoteTransaction, packet: Verdict, from: Connection): void {
  const { resource } = remote;
  logLine(from, 'info', `Aborting remote state change ${packet.tid}`);
  forward(resource, packet, from);
  endRemote(remote);
  if (remote.affected) remote.affected.disconnectExpected = false;
  if (remote.isConnect) resource.host.peerActions.endHandshake(remote.affected);
}
function endRemote(remote: RemoteTransaction): void {
  remote.timer?.cancel();
  remote.resource.twopc.remoteEnded();
}
/** The verdict can no longer come: forget the transaction and tell those that were asked (engine.md 6.1 step 4). */
function dropRemote(remote: RemoteTransaction): void {
  const { packet, resource } = remote;
  for (const connection of remote.votes.keys()) {
    if (connection.now.cstate !== ConnectionState.Connected) continue;
    connection.link.sendData({
      type: 'P_TWOPC_ABORT',
      volume: packet.volume,
      tid: packet.tid,
      flags: packet.flags,
      initiatorNodeId: packet.initiatorNodeId,
      targetNodeId: packet.targetNodeId,
      nodesToReach: packet.nodesToReach,
      primaryNodes: NO_NODES,
      reachableNodes: NO_NODES,
    });
  }
  endRemote(remote);
  if (remote.isConnect) resource.host.peerActions.endHandshake(remote.affected);
}

/** A connection is being cleaned up: which transactions can no longer be carried out? (engine.md 6.1 step 4, 7.4) */
export function twopcConnectionLost(connection: Connection): void {
  const { resource } = connection;
  const { twopc } = resource;
  twopc.local?.onConnectionLost(connection);
  const remote = twopc.remote;
  if (remote === undefined) return;
  const parentIndex = remote.parents.indexOf(connection);
  if (parentIndex >= 0) remote.parents.splice(parentIndex, 1);
  const concerned = remote.isConnect && remote.affected === connection;
  if (remote.parents.length === 0 || concerned) {
    logLine(resource, 'info', `Aborting remote state change ${remote.packet.tid} commit not possible`);
    dropRemote(remote);
    return;
  }
  if (remote.votes.get(connection) === 'pending') {
    remote.votes.set(connection, 'retry');
    answerIfReady(remote);
  }
}
