/** The flush before the end of a resync (wire-protocol.md 10.7). */
import { ReplicationState } from '../../../src/control/contract/states';
import { type Packet } from '../../../src/wire/packets';
import { World } from '../../../src/simulation/world/world';
import { TestHost } from './two-hosts';

interface Sent {
  readonly from: string;
  readonly to: string;
  readonly packet: Packet;
}

function threeInSync(seed: number): { world: World; hosts: [TestHost, TestHost, TestHost]; sent: Sent[] } {
  const world = new World(seed);
  const hosts: [TestHost, TestHost, TestHost] = [
    new TestHost(world, 'alpha', 0, '10.0.0.1'),
    new TestHost(world, 'bravo', 1, '10.0.0.2'),
    new TestHost(world, 'charlie', 2, '10.0.0.3'),
  ];
  for (const host of hosts) host.start();
  for (const host of hosts) host.up(hosts.filter((other) => other !== host));
  world.run(15_000);
  hosts[0].primary(true);
  const all = (): boolean =>
    hosts.every((host) => hosts.every((other) => other === host || host.inSyncWith(other)));
  if (!world.runUntil(all, 120_000)) throw new Error(hosts.map((host) => host.kernelLog()).join('\n---\n'));
  const sent: Sent[] = [];
  for (const host of hosts)
    for (const { link, name } of host.engine.resources.get('r0')?.connections ?? []) {
      const note = (packet: Packet): void => {
        if (packet.type.includes('FLUSH')) sent.push({ from: host.name, to: name, packet });
      };
      const [data, control] = [link.sendData.bind(link), link.sendControl.bind(link)];
      link.sendData = (packet) => (note(packet), data(packet));
      link.sendControl = (packet) => (note(packet), control(packet));
    }
  return { world, hosts, sent };
}
function isolate(host: TestHost, command: 'disconnect' | 'connect', peers: readonly TestHost[]): void {
  for (const { nodeId: peerNodeId } of peers)
    if (command === 'disconnect') host.must({ command, resource: 'r0', peerNodeId, force: false });
    else host.must({ command, resource: 'r0', peerNodeId, tentative: false, discardMyData: false });
}

test('the target asks the Primary, which answers and lets its peer answer', () => {
  const { world, hosts, sent } = threeInSync(1);
  const [a, b, c] = hosts;
  const file = a.open(true);
  isolate(c, 'disconnect', [a, b]);
  for (let i = 0; i < 8; i++) a.write(file, i << 20, new Uint8Array(65536).fill(i));
  isolate(c, 'connect', [a, b]);
  expect(world.runUntil(() => c.inSyncWith(a) && c.inSyncWith(b), 60_000)).toBe(true);
  const ways = sent.map(({ from, to, packet }) => `${from} ${to} ${packet.type}`);
  expect(new Set(ways)).toEqual(
    new Set([
      'charlie alpha P_FLUSH_REQUESTS',
      'alpha charlie P_FLUSH_REQUESTS_ACK',
      'alpha bravo P_FLUSH_FORWARD',
      'bravo charlie P_FLUSH_REQUESTS_ACK',
    ]),
  );
  for (const { packet } of sent) expect(packet).toMatchObject({ volume: 0xffff });
  const acks = sent.filter(({ packet }) => packet.type === 'P_FLUSH_REQUESTS_ACK');
  for (const { packet } of acks) expect(packet).toMatchObject({ primaryNodeId: 0 });
});

test('the resync does not end while writes that began before it are under way', () => {
  const { world, hosts } = threeInSync(2);
  const [a, b, c] = hosts;
  const file = a.open(true);
  isolate(c, 'disconnect', [a, b]);
  for (let i = 0; i < 8; i++) a.write(file, i << 20, new Uint8Array(65536).fill(i));
  b.machine.faults('/dev/sda').slowest = 1e9;
  let answered = false;
  a.machine.input(() =>
    file.write(9 << 20, new Uint8Array(4096).fill(9), false, { onIoDone: () => (answered = true) }),
  );
  isolate(c, 'connect', [a]);
  world.run(20_000);
  expect(c.replication(a)).toBe(ReplicationState.SyncTarget);
  expect(answered).toBe(false);
  b.machine.stop('power-lost');
  expect(world.runUntil(() => c.inSyncWith(a), 30_000)).toBe(true);
  expect(answered).toBe(true);
  expect(Buffer.from(a.contents()).equals(Buffer.from(c.contents()))).toBe(true);
});
