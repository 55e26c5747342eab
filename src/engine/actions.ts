/**
 * What the parts of the engine ask of each other. The parts do not import one another's machines: they reach them
 * through `host.peerActions`, `host.dataActions` and `host.stateActions`, so that each can be tested with a recorder
 * in the others' place. All calls return at once; `done` callbacks come as later inputs or tasks, never from within.
 */
import { type NodeMask } from './node-mask';
import { type Connection, type Device, type PeerDevice, type Resource } from './objects';

/** Implemented by connection/ and twopc/: asked by state/ and data/. */
export interface PeerActions {
  /** StandAlone -> Unconnected was committed: begin to establish streams. */
  startReceiver(connection: Connection): void;
  /** -> Disconnecting or StandAlone was committed: close, clean up (engine.md 6.1), go StandAlone. */
  stopReceiver(connection: Connection): void;
  /** Connecting or better -> Timeout..TearDown was committed: clean up, go Unconnected, start again. */
  restartReceiver(connection: Connection): void;
  /** Connected -> less was committed (engine.md 7.4). */
  connectionDown(connection: Connection): void;

  /** P_UUIDS110, or P_CURRENT_UUID when diskless. `flags` are added to those that hold anyway (engine.md 4.10). */
  sendUuids(peerDevice: PeerDevice, flags: bigint, weakNodes?: NodeMask): void;
  /** P_CURRENT_UUID. */
  sendCurrentUuid(peerDevice: PeerDevice, uuid: bigint, weakNodes: NodeMask): void;
  /** `ddsFlags` of P_SIZES. */
  sendSizes(peerDevice: PeerDevice, ddsFlags: number): void;
  sendState(peerDevice: PeerDevice): void;
  /** P_STATE without a volume: only the role counts (after a demotion). */
  sendRole(connection: Connection): void;
  sendDagtag(connection: Connection, dagtag: number): void;

  /** Pings every Connected peer; `done` when each has answered or was declared dead (engine.md 6.3). */
  checkPeers(resource: Resource, done: () => void): void;
  pingPeer(connection: Connection, done: () => void): void;
  /** Drops the connection for an error on a stream: ProtocolError, NetworkFailure, ... (a ConnectionState). */
  failConnection(connection: Connection, reason: number): void;

  /** Schedules the empty two-phase commit of engine.md 6.4. */
  scheduleEmptyTransaction(resource: Resource, kind: 'lost-peer' | 'primary-resume'): void;
  /** `local-io-error`, `pri-lost`, ...; nothing is awaited unless `done` is given. */
  runHelper(command: string, on: Connection | Device | PeerDevice, done?: (exitCode: number) => void): void;
}
