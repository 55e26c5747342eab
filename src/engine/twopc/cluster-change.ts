/** What a voluntary change is to the coordinator: how to edit the state, and what to tell the peers. */
import { ConnectionState, DiskState, ReplicationState, Role } from '../../control/contract/states';
import { type NodeMask } from '../node-mask';
import { type Connection, type Device, type Resource } from '../objects';
import { type ChangeOptions } from '../state/change-options';
import { type ChangeWord, changedField } from './change-words';
import { type ClusterOutcome } from './twopc-state';

/**
 * `prepare`: validated only. `local`: nobody else is concerned. `commit`: agreed; the outcome is known.
 */
export type ChangePhase = 'prepare' | 'local' | 'commit';

/** A size change (engine.md 7.5). Sizes in sectors. */
export interface ResizePlan {
  readonly device: Device;
  /** 0: as large as possible. */
  readonly userSize: number;
  readonly ddsFlags: number;
  /** Nobody is there to be asked. */
  alone(): void;
  agreed(size: number, diskfulPrimaries: NodeMask): void;
}

export interface ClusterChange {
  readonly kind: 'change' | 'connect' | 'disconnect' | 'empty' | 'primary-resume' | 'resize';
  /** With kind `resize`: a size is agreed on, no state is changed. */
  readonly resize?: ResizePlan;
  readonly options: Omit<ChangeOptions, 'prepare' | 'prepared' | 'twopc'>;
  /** Of the header; NO_VOLUME for what concerns the resource or a connection. */
  readonly volume: number;
  readonly target: Connection | undefined;
  edit(phase: ChangePhase, outcome: ClusterOutcome | undefined): void;
  /** Looked at after the edit, while `next` is valid. */
  word(): ChangeWord;
  /** Never ask the peers (7.1: HARD, LOCAL_ONLY, or nothing of 7.1 applies). */
  readonly localOnly?: boolean;
  /** A change to WFBitMapS or WFBitMapT is to be agreed (7.1). */
  readonly bitmapClusterWide?: boolean;
  /** Timeouts and collisions are the caller's to retry. */
  readonly dontRetry?: boolean;
}

/** Is this change, just edited into `next`, one that the cluster must agree to (engine.md 7.1)? */
export function isClusterWide(resource: Resource, change: ClusterChange): boolean {
  if (change.localOnly || change.options.hard) return false;
  if (change.kind === 'empty' || change.kind === 'primary-resume') return true;
  if (resource.next.role !== resource.now.role) return true;
  for (const connection of resource.connections) {
    const { now, next } = connection;
    if (now.cstate === next.cstate) continue;
    if (now.cstate === ConnectionState.Connecting && next.cstate === ConnectionState.Connected) return true;
    if (now.cstate === ConnectionState.Connected && next.cstate === ConnectionState.Disconnecting)
      return true;
  }
  return resource.devices.some((device) => {
    const { now, next } = device;
    if (now.disk === DiskState.Attaching && next.disk === DiskState.Negotiating) {
      const diskfulPeer = device.peerDevices.some(
        (peer) =>
          peer.connection.now.cstate === ConnectionState.Connected && peer.now.pdsk > DiskState.Diskless,
      );
      if (diskfulPeer) return true;
    }
    if (now.disk !== DiskState.Detaching && next.disk === DiskState.Detaching) {
      if (device.peerDevices.some((peer) => peer.now.repl >= ReplicationState.Established)) return true;
    }
    return device.peerDevices.some((peer) => isReplicationClusterWide(peer.now.repl, peer.next.repl, change));
  });
}

function isReplicationClusterWide(
  now: ReplicationState,
  next: ReplicationState,
  change: ClusterChange,
): boolean {
  if (now === next) return false;
  switch (next) {
    case ReplicationState.StartingSyncS:
    case ReplicationState.StartingSyncT:
      return now >= ReplicationState.Established;
    case ReplicationState.VerifyS:
    case ReplicationState.Off:
      return now === ReplicationState.Established;
    case ReplicationState.WFBitMapS:
    case ReplicationState.WFBitMapT:
      return change.bitmapClusterWide === true;
    default:
      return false;
  }
}

/** COMMIT is sent before the change is made here (engine.md 7.2 step 10). */
export function localLast(change: ClusterChange, word: ChangeWord): boolean {
  if (change.kind === 'disconnect' || change.kind === 'primary-resume') return true;
  if (changedField(word, 'role') === Role.Secondary && change.kind !== 'connect') return true;
  const disk = changedField(word, 'disk');
  if (disk !== undefined && changedField(word, 'role') !== Role.Primary) return true;
  const conn = changedField(word, 'conn');
  return conn === ReplicationState.WFBitMapS || conn === ReplicationState.VerifyS;
}
