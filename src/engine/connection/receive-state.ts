/** P_STATE: the peer's view of one volume; the first one of a connection decides the handshake (engine.md 5.6). */
import { isSuccess, StateCode } from '../../control/contract/codes';
import {
  ConnectionState,
  DiskState,
  diskStateName,
  ReplicationState,
  Role,
} from '../../control/contract/states';
import { NO_VOLUME } from '../../wire/features';
import { type PacketOf } from '../../wire/packets';
import { stateFromWire, unpackState } from '../../wire/state-word';
import { UUID_FLAG } from '../../wire/uuids110';
import { disklessHandshake, staysOlder } from '../handshake/diskless';
import { type HandshakeResult, syncHandshake } from '../handshake/sync-handshake';
import { type Connection, type PeerDevice, type StagedPeerState } from '../objects';
import { isOtherThanExposed } from '../state/data-trust';
import { isSync, isSyncTarget } from '../state/derived';
import { logLine } from '../state/object-log';
import { changeState } from '../state/transaction';
import { asDiskState, asRole } from '../twopc/state-values';
import { answerIfReady } from '../twopc/participant';
import { type HandlerResult } from './packet-handler';

/** The peer's announcement, in our names. */
export interface PeerState {
  readonly role: Role;
  /** Its combined connection state. */
  readonly conn: number;
  readonly disk: DiskState;
  readonly quorum: boolean;
  readonly pausesResync: boolean;
}

function parse(connection: Connection, word: number): PeerState {
  const fields = unpackState(stateFromWire(word, connection.agreedProtocol));
  return {
    role: asRole(fields.role),
    conn: fields.conn,
    disk: asDiskState(fields.disk),
    quorum: fields.quorum === 1,
    pausesResync: fields.afterIsp === 1 || fields.userIsp === 1,
  };
}

/** Without a volume: a demotion. */
export function receiveRole(connection: Connection, packet: PacketOf<'P_STATE'>): HandlerResult {
  const { role } = parse(connection, packet.state);
  if (role === Role.Secondary && connection.now.cstate === ConnectionState.Connected) {
    changeState(connection.resource, { tag: 'peer-state', hard: true, verbose: true }, () => {
      connection.next.peerRole = Role.Secondary;
    });
  }
  return 'ok';
}

export function receiveState(peerDevice: PeerDevice, packet: PacketOf<'P_STATE'>): HandlerResult {
  const { connection, resource } = peerDevice;
  if (packet.volume === NO_VOLUME) return receiveRole(connection, packet);
  const connecting = connection.now.cstate < ConnectionState.Connected;
  if (connecting && !peerDevice.inHandshake) return 'ok';
  const announced = parse(connection, packet.state);
  if (announced.disk > DiskState.Diskless && !peerDevice.options.bitmap) {
    const name = diskStateName(announced.disk);
    logLine(peerDevice, 'warning', `The peer is configured to be diskless but presents ${name}`);
    resource.host.peerActions.giveUpConnection(connection);
    return 'handled-drop';
  }
  if (contradictsUs(peerDevice, announced)) {
    // The identifiers that each side compared had crossed on the way: a new handshake looks at the same ones.
    logLine(
      peerDevice,
      'warning',
      'Both sides wait for the same half of a bitmap exchange, connecting again.',
    );
    resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
    return 'handled-drop';
  }
  const state = settleNegotiating(peerDevice, announced);
  if (finishedByPeer(peerDevice, state)) return 'ok';
  const staged = decide(peerDevice, announced, state, connecting);
  peerDevice.lastReplState = announced.conn;
  peerDevice.peerQuorate = announced.quorum;
  peerDevice.considerResync = false;
  if (connecting) return stage(peerDevice, staged);
  if (staged === 'retry' || staged === 'disconnect' || staged === 'dry-run') {
    resource.host.peerActions.giveUpConnection(connection);
    return 'handled-drop';
  }
  return apply(peerDevice, staged, announced);
}

const contradictsUs = ({ now }: PeerDevice, { conn }: PeerState): boolean =>
  conn === now.repl && (conn === ReplicationState.WFBitMapT || conn === ReplicationState.WFBitMapS);

/** A disk that is being attached over there counts as what it will be (5.6 step 2). */
function settleNegotiating(peerDevice: PeerDevice, announced: PeerState): PeerState {
  if (announced.disk !== DiskState.Negotiating) return announced;
  const inconsistent = ((peerDevice.uuids?.flags ?? 0n) & UUID_FLAG.INCONSISTENT) !== 0n;
  const disk = inconsistent ? DiskState.Inconsistent : DiskState.Consistent;
  logLine(peerDevice, 'info', `real peer disk state = ${diskStateName(disk)}`);
  return { ...announced, disk };
}

/** The peer tells that its resync or verify is over (5.6 steps 3 and 4). */
function finishedByPeer(peerDevice: PeerDevice, state: PeerState): boolean {
  const { now, lastReplState, device, resource } = peerDevice;
  const wasTarget =
    lastReplState === ReplicationState.SyncTarget || lastReplState === ReplicationState.PausedSyncT;
  const incomplete = now.pdsk === DiskState.Inconsistent || now.pdsk === DiskState.Consistent;
  if (
    wasTarget &&
    incomplete &&
    now.repl > ReplicationState.Established &&
    device.now.disk >= DiskState.Inconsistent &&
    state.conn === ReplicationState.Established
  ) {
    peerDevice.lastReplState = state.conn;
    if (now.repl === ReplicationState.WFBitMapS) {
      peerDevice.resyncFinishedPdsk = state.disk;
      return true;
    }
    resource.host.dataActions.peerFinishedResync(peerDevice, state.disk);
    return true;
  }
  if (now.repl !== ReplicationState.VerifyT || state.conn !== ReplicationState.Established) return false;
  peerDevice.lastReplState = state.conn;
  resource.host.dataActions.peerFinishedVerify(peerDevice);
  // Who is not UpToDate any more says more than that. The kernel module, Outdated itself, verifies on for ever.
  return device.now.disk === DiskState.UpToDate && state.disk === DiskState.UpToDate;
}

type Staged = StagedPeerState | 'retry' | 'disconnect' | 'dry-run';

function decide(peerDevice: PeerDevice, announced: PeerState, state: PeerState, connecting: boolean): Staged {
  const { now, device, resource } = peerDevice;
  let { repl } = now;
  let pdsk = state.disk;
  let disk: DiskState | undefined;
  if (now.repl === ReplicationState.Established && now.pdsk === DiskState.UpToDate) {
    if (state.disk === DiskState.Inconsistent && state.conn > ReplicationState.SyncSource) {
      pdsk = DiskState.UpToDate;
    }
  }
  if (repl === ReplicationState.Off) repl = ReplicationState.Established;
  if (announced.conn === ReplicationState.Ahead) repl = ReplicationState.Behind;
  const bothHaveDisks =
    peerDevice.uuidsReceived &&
    announced.disk >= DiskState.Negotiating &&
    device.now.disk >= DiskState.Negotiating;
  if (connecting && isOtherThanExposed(peerDevice, state.disk)) {
    logLine(peerDevice, 'warning', 'Peer has not the data that we work on, connecting again later.');
    return 'retry';
  }
  if (bothHaveDisks && wantsHandshake(peerDevice, announced, connecting)) {
    const attach =
      !connecting && (device.now.disk === DiskState.Negotiating || announced.disk === DiskState.Negotiating);
    const result: HandshakeResult = syncHandshake(peerDevice, state.disk, announced.role, attach);
    if (result.kind !== 'go-on') return refusal(peerDevice, announced, result.kind, attach);
    repl = result.repl;
    if (attach && device.now.disk === DiskState.Negotiating) {
      peerDevice.negotiationResult = result.repl;
      repl = now.repl;
    }
  } else if (device.now.disk === DiskState.Diskless && connecting) {
    const verdict = disklessHandshake(peerDevice, state.disk);
    if (verdict === 'retry' || verdict === 'disconnect') return verdict;
    pdsk = verdict;
  } else if (staysOlder(peerDevice, state.disk)) {
    pdsk = DiskState.Outdated;
  } else if (announced.disk === DiskState.Diskless && connecting) {
    const uuid = peerDevice.uuids?.currentUuid ?? 0n;
    logLine(peerDevice, 'info', `peer's exposed UUID: ${uuid.toString(16).toUpperCase().padStart(16, '0')}`);
  }
  if (device.now.disk === DiskState.Negotiating && resource.now.role === Role.Unknown) disk = undefined;
  return { repl, pdsk, disk, resyncSuspPeer: announced.pausesResync, peerRole: announced.role };
}

function wantsHandshake(peerDevice: PeerDevice, announced: PeerState, connecting: boolean): boolean {
  const { now, device } = peerDevice;
  if (connecting || peerDevice.considerResync) return true;
  const established = now.repl === ReplicationState.Established;
  const { conn } = announced;
  if (established && (conn === ReplicationState.StartingSyncS || conn === ReplicationState.StartingSyncT)) {
    return true;
  }
  const crashed = ((peerDevice.uuids?.flags ?? 0n) & UUID_FLAG.CRASHED_PRIMARY) !== 0n;
  // A state that was sent before our resync began comes late, or says what both sides decided on in the handshake: what
  // it asks for is under way.
  const underWay = isSync(now.repl) || now.repl === ReplicationState.WFBitMapS;
  if (conn === ReplicationState.WFBitMapT && crashed && !underWay) return true;
  if (!established) return now.repl === ReplicationState.Off;
  if (device.now.disk === DiskState.Negotiating || announced.disk === DiskState.Negotiating) return true;
  // Both attached at the same moment: neither had anybody to negotiate with.
  return now.pdsk === DiskState.Diskless;
}

function refusal(
  peerDevice: PeerDevice,
  announced: PeerState,
  kind: 'retry' | 'disconnect' | 'dry-run',
  attach: boolean,
): Staged {
  if (!attach) return kind;
  if (peerDevice.device.now.disk === DiskState.Negotiating) peerDevice.negotiationResult = 'no-result';
  const { now } = peerDevice;
  const pdsk = announced.disk === DiskState.Negotiating ? DiskState.Negotiating : announced.disk;
  return {
    repl: now.repl,
    pdsk,
    disk: undefined,
    resyncSuspPeer: announced.pausesResync,
    peerRole: announced.role,
  };
}

/** Inside the connect transaction: kept until its commit (5.4). */
function stage(peerDevice: PeerDevice, staged: Staged): HandlerResult {
  const { connection, resource } = peerDevice;
  const { link } = connection;
  peerDevice.initialStateReceived = true;
  if (staged === 'retry') link.handshakeRetry = true;
  else if (staged === 'disconnect' || staged === 'dry-run') link.handshakeDisconnect = true;
  else peerDevice.staged = staged;
  link.handshakeReady = connection.peerDevices.every((peer) => peer.initialStateReceived);
  resource.twopc.local?.onHandshakeProgress();
  if (resource.twopc.remote !== undefined) answerIfReady(resource.twopc.remote);
  return 'ok';
}

function apply(peerDevice: PeerDevice, staged: StagedPeerState, announced: PeerState): HandlerResult {
  const { connection, resource } = peerDevice;
  const attaching = announced.disk === DiskState.Negotiating;
  const forceRecalc = peerDevice.peerAttaching !== attaching;
  peerDevice.peerAttaching = attaching;
  const code = changeState(resource, { tag: 'peer-state', verbose: true, hard: false, forceRecalc }, () => {
    peerDevice.next.repl = staged.repl;
    peerDevice.next.pdsk = staged.pdsk;
    peerDevice.next.resyncSuspPeer = staged.resyncSuspPeer;
    if (!isSyncTarget(staged.repl) || announced.role !== Role.Unknown) {
      connection.next.peerRole = announced.role;
    }
  });
  if (isSuccess(code) || code === StateCode.NothingToDo) {
    tellPeerOfResync(peerDevice, announced);
    return 'ok';
  }
  resource.host.peerActions.giveUpConnection(connection);
  return 'handled-drop';
}

/** We want a resync that the peer has not decided on yet: it has to compare as well. */
function tellPeerOfResync(peerDevice: PeerDevice, announced: PeerState): void {
  const undecided =
    announced.conn <= ReplicationState.Established && announced.disk !== DiskState.Negotiating;
  if (peerDevice.now.repl <= ReplicationState.Established || !undecided) return;
  const { peerActions } = peerDevice.resource.host;
  peerActions.sendUuids(peerDevice, 0n);
  peerActions.sendState(peerDevice);
}
