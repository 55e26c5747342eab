/**
 * A crashed Primary comes back as the target of a resync. The state that says so may come when the resync was decided on
 * long ago: comparing once more would end it, and the connection with it (engine.md 5.6 step 8).
 */
import { ConnectionState, ReplicationState } from '../../../src/control/contract/states';
import { receiveState } from '../../../src/engine/connection/receive-state';
import { type PeerDevice } from '../../../src/engine/objects';
import { CONN, DISK, packState, ROLE } from '../../../src/wire/state-word';
import { type TestHost, twoHosts } from './two-hosts';

function peerDeviceOf(host: TestHost, peer: TestHost): PeerDevice {
  const found = host.engine.minors.get(0)?.peerDeviceOf(peer.nodeId);
  if (found === undefined) throw new Error(`no peer device of ${peer.name}`);
  return found;
}

const comparisons = (host: TestHost): number => host.kernelLog().match(/drbd_sync_handshake:/g)?.length ?? 0;

const { WFBitMapS, SyncSource } = ReplicationState;

test.each([
  ['the exchange of bitmaps', WFBitMapS],
  ['the resync', SyncSource],
])('a late state of a crashed Primary does not disturb %s', (_what, stage) => {
  const { world, a, b } = twoHosts(31);
  const net = { protocol: 'C', 'max-buffers': 32 };
  a.up([b], net);
  b.up([a], net);
  world.run(15_000);
  a.primary(true);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(a.write(a.open(true), 0, new Uint8Array(4096).fill(1))).toBe(0);
  a.machine.stop('power-lost');
  world.run(30_000);
  b.primary();
  const opener = b.open(true);
  expect(b.write(opener, 65_536, new Uint8Array(65_536).fill(2))).toBe(0);
  a.start();
  a.up([b], net);
  const peerDevice = peerDeviceOf(b, a);
  expect(world.runUntil(() => peerDevice.now.repl === stage, 60_000, 0.01)).toBe(true);
  const before = comparisons(b);
  const roles = { role: ROLE.Secondary, peer: ROLE.Primary, peerDisk: DISK.UpToDate };
  const said = [packState({ ...roles, conn: CONN.WFBitMapT, disk: DISK.Outdated })];
  if (stage === SyncSource)
    said.push(packState({ ...roles, conn: CONN.SyncTarget, disk: DISK.Inconsistent }));
  b.machine.input(() => {
    for (const state of said)
      expect(receiveState(peerDevice, { type: 'P_STATE', volume: 0, state })).toBe('ok');
  });
  expect(peerDevice.now.repl).toBe(stage);
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
  expect(b.kernelLog()).not.toMatch(/-> StandAlone|Split-Brain|unexpected repl_state/);
  expect(peerDevice.connection.now.cstate).toBe(ConnectionState.Connected);
  expect(Buffer.compare(a.contents(), b.contents())).toBe(0);
  expect(comparisons(b)).toBe(before);
});
