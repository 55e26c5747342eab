import { type ControlReply, type ControlRequest } from '../../control/contract/requests';
import {
  type ConnectionState,
  type DiskState,
  type ReplicationState,
  type Role,
} from '../../control/contract/states';
import { type ExportListener } from '../../engine/application-io';
import { type PeerFault } from '../../engine/peer-fault';
import { type EnginePorts } from '../../engine/ports';

/** What a node says of its connection to one peer. */
export interface PeerView {
  readonly cstate: ConnectionState;
  readonly repl: ReplicationState;
  readonly pdsk: DiskState;
  /** `resync-suspended:user`. */
  readonly isPausedByUser: boolean;
  /** Set bits of the peer's slot of the bitmap. */
  readonly outOfSyncBits: number;
  /** The counters of what is under way between both (requests, answers, sectors): the lowest and the highest. */
  readonly leastUnderWay: number;
  readonly mostUnderWay: number;
}
/** What the simulation uses of an engine: requests go in, committed state is looked at. */
export interface EngineDoor {
  request(request: ControlRequest, done: (reply: ControlReply) => void): void;
  readonly role: Role;
  readonly disk: DiskState;
  /** A disk is attached, or on its way in or out. */
  readonly hasDisk: boolean;
  /** I/O is suspended by `suspend-io`. */
  readonly suspendedByUser: boolean;
  /** Undefined: no such connection, or no volume. */
  peer(nodeId: number): PeerView | undefined;
  /** No write waits for a barrier ack of a peer. */
  readonly transferLogIsEmpty: boolean;
}
export type EngineFactory = (
  ports: EnginePorts,
  nodeName: string,
  exportListener: ExportListener,
  /** A peer has broken the protocol. */
  onPeerFault: (fault: PeerFault) => void,
) => EngineDoor;
