/** Blocks that are marked although no handshake asks for a resync of them. */
import { DiskState, ReplicationState, Role } from '../../control/contract/states';
import { PeerFlag } from '../../metadata/superblock-flags';
import { type PeerDevice } from '../objects';
import { type OpenPeerDeviceChange } from './state-change';

export const hasThirdNode = ({ device }: PeerDevice): boolean =>
  (device.backing?.superblock.peers ?? []).filter(({ flags }) => (flags & PeerFlag.HAVE_BITMAP) !== 0)
    .length > 1;

/**
 * Nothing told us to resync, and yet blocks are marked: with a third node in play they may stand for the last writes of a
 * Primary that one of us did not get (engine.md 5.8). A Primary among us knows better: what it did not mark is the same.
 */
export const mayDiffer = (marks: number, otherMarks: number, otherRole: Role): boolean =>
  marks > 0 && (otherRole !== Role.Primary || otherMarks > 0);

/**
 * Outdated, we may lack what is marked, although the generation is the peer's: a target that ended its resync unnoticed while its source
 * left it and wrote on. The marks are brought over first.
 */
export function waitsForMarks({ peerDevice, old, new: now, link }: OpenPeerDeviceChange): boolean {
  if (now.pdsk !== DiskState.UpToDate || peerDevice.connection.agreedProtocol < 120) return false;
  const marks = peerDevice.resource.host.dataActions.outOfSyncBits(peerDevice);
  if (old.repl >= ReplicationState.Established) return peerDevice.marksCount === 'theirs' && marks > 0;
  const theirs = peerDevice.uuids?.dirtyBits ?? 0;
  return hasThirdNode(peerDevice) && mayDiffer(marks, theirs, link.new.peerRole);
}
