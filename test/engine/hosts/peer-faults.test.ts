/** A packet that breaks the protocol is one typed event, and ends the connection (engine.md 5.1 ProtocolError). */
import { type Packet } from '../../../src/wire/packets';
import { type World } from '../../../src/simulation/world/world';
import { type PeerLink } from '../../../src/engine/connection/peer-link';
import { NO_VOLUME } from '../../../src/wire/features';
import { type TestHost, twoHosts } from './two-hosts';

const linkOf = (host: TestHost, peer: number): PeerLink => {
  const link = host.engine.resources.get('r0')?.connectionTo(peer)?.link;
  if (link === undefined) throw new Error('no link');
  return link;
};
function inSync(): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts();
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  return { world, a, b };
}
const id = { volume: 0, sector: 8, size: 4096, idHigh: 7, idLow: 7 };
const wrong: readonly (readonly [what: string, packet: Packet, stream: 'data' | 'control', fault: string])[] =
  [
    [
      'an acknowledgement of a write that was not sent',
      { type: 'P_WRITE_ACK', ...id, sequence: 1 },
      'control',
      'unknown-request: failed to find request 0x7, sector 8s',
    ],
    [
      'an acknowledgement of a resync that does not run',
      { type: 'P_RS_WRITE_ACK', ...id, sequence: 1 },
      'control',
      'unknown-request: Unexpected resync reply at 8+8',
    ],
    [
      'a barrier ack without an epoch',
      { type: 'P_BARRIER_ACK', volume: NO_VOLUME, barrier: 77, setSize: 1 },
      'control',
      'wrong-confirmation: BAD! BarrierAck #77 received, but no epoch in tl!?',
    ],
    [
      'a peer ack of nothing',
      { type: 'P_PEER_ACK', volume: NO_VOLUME, mask: 3n, dagtag: 99 },
      'control',
      'wrong-confirmation: peer request with dagtag 99 not found',
    ],
    [
      'a request beyond the end',
      { type: 'P_RS_DATA_REQUEST', ...id, sector: 1_000_000 },
      'data',
      'bad-range: peer request: sector: 1000000s, size: 4096',
    ],
  ];
test.each(wrong)('%s', (_what, packet, stream, fault) => {
  const { world, a, b } = inSync();
  a.machine.input(() => {
    if (stream === 'data') linkOf(a, 1).sendData(packet);
    else linkOf(a, 1).sendControl(packet);
  });
  world.run(50);
  expect(b.peerFaults).toEqual([fault]);
  expect(b.kernelLog()).toContain(fault.replace(/^[a-z-]+: /, ''));
  expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 30_000)).toBe(true);
});
