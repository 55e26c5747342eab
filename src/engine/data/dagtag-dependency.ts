/** Which writes of a Primary a resync or verify request depends on (wire-protocol.md 12). */
import { ConnectionState, Role } from '../../control/contract/states';
import { FEATURE } from '../../wire/features';
import { type Connection, type PeerDevice } from '../objects';
import { logLine } from '../state/object-log';

export interface DagtagDependency {
  readonly nodeId: number;
  readonly dagtag: number;
}
const NONE: DagtagDependency = { nodeId: 0, dagtag: 0 };

/** The Primary whose writes a resync request depends on: node id and position in its stream. */
export function dagtagDependency(peerDevice: PeerDevice): DagtagDependency | 'several-primaries' {
  const { connection } = peerDevice;
  // The Primary itself has all that it ever wrote: it names no position before the stream of this connection began.
  if (isConnectedPrimary(connection) && !connection.receivedDagtag) return NONE;
  return positionSeen(peerDevice);
}
/** Where the one who verifies, or answers, stands in the stream of the Primary. */
export function verifiedPosition(peerDevice: PeerDevice): DagtagDependency {
  const found = positionSeen(peerDevice);
  return found === 'several-primaries' ? NONE : found;
}
function positionSeen({ resource, connection }: PeerDevice): DagtagDependency | 'several-primaries' {
  if ((connection.agreedFeatures & FEATURE.RESYNC_DAGTAG) === 0) return NONE;
  if (resource.now.role === Role.Primary) return { nodeId: resource.nodeId, dagtag: resource.dagtag };
  const primaries = resource.connections.filter(isConnectedPrimary);
  if (primaries.length > 1) return 'several-primaries';
  const [primary] = primaries;
  return primary ? { nodeId: primary.peerNodeId, dagtag: primary.lastDagtag } : NONE;
}

/**
 * The Primary was restarted: what we had of its stream in its former life may be more than it has written now. A source that we have
 * asked to wait for that would do so until the Primary has written as much: what it was asked for is asked anew.
 */
export function positionWentBack(primary: Connection): void {
  const { resource } = primary;
  for (const connection of resource.connections) {
    if (connection === primary || !isWaitedFor(connection)) continue;
    logLine(connection, 'info', `'${primary.name}' was restarted, asking again for what depends on it.`);
    resource.host.peerActions.failConnection(connection, ConnectionState.NetworkFailure);
  }
}
const isWaitedFor = ({ now, peerDevices }: Connection): boolean =>
  now.cstate === ConnectionState.Connected && peerDevices.some(({ io }) => (io.resync?.inFlight ?? 0) > 0);

const isConnectedPrimary = ({ now }: Connection): boolean =>
  now.cstate === ConnectionState.Connected && now.peerRole === Role.Primary;
