import { ConnectionState, DiskState, ReplicationState } from '../../../src/control/contract/states';
import { hasStableSource } from '../../../src/engine/state/stable-source';
import { committedDevice } from '../../../src/engine/state/state-change';
import { UUID_FLAG } from '../../../src/wire/uuids110';
import { attachBacking, buildResource, firstDevice, peerDeviceNamed, peerUuids, place, World } from './world';

const { Connected } = ConnectionState;
const { PausedSyncT, SyncTarget } = ReplicationState;

/** We sync from bob, who follows a Primary that we do not see; carol sees no Primary, and her turn is later. */
function withPausedSource(carolsDisk: DiskState): boolean {
  const resource = buildResource(new World(), { peers: ['bob', 'carol'] });
  const device = firstDevice(resource);
  attachBacking(device, DiskState.Inconsistent, 0x10n);
  const [bob, carol] = [peerDeviceNamed(resource, 'bob'), peerDeviceNamed(resource, 'carol')];
  bob.uuids = peerUuids(0x20n);
  bob.uuids.flags = 0n;
  place(bob, Connected, SyncTarget, DiskState.UpToDate);
  carol.uuids = peerUuids(0x20n);
  carol.uuids.flags = UUID_FLAG.STABLE;
  place(carol, Connected, PausedSyncT, carolsDisk);
  const node = committedDevice(device);
  const source = node.peers.find(({ peerDevice }) => peerDevice === bob);
  if (source === undefined) throw new Error('no bob');
  return hasStableSource(node, source, 'new');
}

test('another source that is stable and UpToDate makes up for one that is not stable', () => {
  expect(withPausedSource(DiskState.UpToDate)).toBe(true);
});
test('another source that is a target itself does not', () => {
  expect(withPausedSource(DiskState.Inconsistent)).toBe(false);
});
