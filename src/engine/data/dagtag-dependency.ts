/** Which writes of a Primary a resync or verify request depends on (wire-protocol.md 12). */
import { ConnectionState, Role } from '../../control/contract/states';
import { FEATURE } from '../../wire/features';
import { type Connection, type PeerDevice } from '../objects';

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
const isConnectedPrimary = ({ now }: Connection): boolean =>
  now.cstate === ConnectionState.Connected && now.peerRole === Role.Primary;
