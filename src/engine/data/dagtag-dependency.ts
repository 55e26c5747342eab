/** Which writes of a Primary a resync request depends on (wire-protocol.md 12). */
import { ConnectionState, Role } from '../../control/contract/states';
import { FEATURE } from '../../wire/features';
import { type Connection, type PeerDevice } from '../objects';

/** The Primary whose writes a resync request depends on: node id and position in its stream. */
export function dagtagDependency(
  peerDevice: PeerDevice,
): { readonly nodeId: number; readonly dagtag: number } | 'several-primaries' {
  const { resource, connection } = peerDevice;
  if ((connection.agreedFeatures & FEATURE.RESYNC_DAGTAG) === 0) return { nodeId: 0, dagtag: 0 };
  if (resource.now.role === Role.Primary) return { nodeId: resource.nodeId, dagtag: resource.dagtag };
  const primaries = resource.connections.filter(isConnectedPrimary);
  if (primaries.length > 1) return 'several-primaries';
  const [primary] = primaries;
  return primary ? { nodeId: primary.peerNodeId, dagtag: primary.lastDagtag } : { nodeId: 0, dagtag: 0 };
}
const isConnectedPrimary = ({ now }: Connection): boolean =>
  now.cstate === ConnectionState.Connected && now.peerRole === Role.Primary;
