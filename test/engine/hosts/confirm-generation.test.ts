/** A diskless Primary answers writes of a new generation when a quorate partition holds them (engine.md 4.5). */
import { packetSpec } from '../../../src/wire/packet-table';
import { applyActivityLog } from '../../../src/simulation/metadata-tool';
import { World } from '../../../src/simulation/world/world';
import { placeOf } from './grown-disks';
import { TestHost } from './two-hosts';

class Client extends TestHost {
  override attach(): void {
    // It has no disk.
  }
}
const bytes = new Uint8Array(4096).fill(5);

function withClient(seed: number, resource: object): { world: World; a: TestHost; b: TestHost; c: TestHost } {
  const world = new World(seed);
  const a = new TestHost(world, 'alpha', 0, '10.0.0.1');
  const b = new TestHost(world, 'bravo', 1, '10.0.0.2');
  const c = new Client(world, 'charlie', 2, '10.0.0.3');
  const hosts = [a, b, c];
  for (const host of hosts) host.start();
  for (const host of hosts)
    host.up(
      hosts.filter((other) => other !== host),
      {},
      resource,
    );
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  a.secondary();
  world.run(1000);
  c.primary();
  return { world, a, b, c };
}
/** Keeps `alpha`'s barrier acks to `charlie` back until called. */
function holdBarrierAcks(a: TestHost): () => void {
  const link = a.engine.resources.get('r0')?.connectionTo(2)?.link;
  if (link === undefined) throw new Error('no link');
  const send = link.sendControlBytes.bind(link);
  const held: Uint8Array[] = [];
  link.sendControlBytes = (packet) => {
    const command = new DataView(packet.buffer, packet.byteOffset).getUint16(6);
    // They lie in memory that is used again.
    if (command === packetSpec('P_BARRIER_ACK').number) held.push(packet.slice());
    else send(packet);
  };
  return () => {
    link.sendControlBytes = send;
    for (const packet of held) send(packet);
  };
}

test('a write after the loss of a peer waits for the barrier ack of the other', () => {
  const { world, a, b, c } = withClient(1, { quorum: 'majority', 'on-no-quorum': 'suspend-io' });
  const file = c.open(true);
  c.write(file, 0, bytes);
  b.machine.stop('power-lost');
  world.run(30_000);
  const release = holdBarrierAcks(a);
  let answered: number | undefined;
  c.machine.input(() => file.write(4096, bytes, false, { onIoDone: (error) => (answered = error) }));
  world.run(5000);
  expect(c.kernelLog()).toContain('sending new current UUID: ');
  expect(answered).toBeUndefined();
  a.machine.input(release);
  expect(world.runUntil(() => answered !== undefined, 1000, 1)).toBe(true);
  expect(answered).toBe(0);
  expect(c.kernelLog()).toMatch(
    /rotated data generation confirmed durable in a quorate partition \(gen [0-9A-F]{16}\)/,
  );
  const later = holdBarrierAcks(a);
  expect(c.write(file, 8192, bytes)).toBe(0);
  a.machine.input(later);
});

test('with on-no-quorum io-error nothing is held back', () => {
  const { world, a, b, c } = withClient(2, { quorum: 'majority', 'on-no-quorum': 'io-error' });
  const file = c.open(true);
  c.write(file, 0, bytes);
  b.machine.stop('power-lost');
  world.run(30_000);
  holdBarrierAcks(a);
  expect(c.write(file, 4096, bytes)).toBe(0);
  expect(c.kernelLog()).not.toContain('confirmed durable');
});

test('a peer that got an unconfirmed generation and went is not in sync with what was written without it', () => {
  const options = { quorum: 'majority', 'on-no-quorum': 'suspend-io' };
  const { world, a, b, c } = withClient(3, options);
  const file = c.open(true);
  c.write(file, 0, bytes);
  const generations = (): number => c.kernelLog().split('sending new current UUID: ').length - 1;
  const atFirst = generations();
  const comeBack = (): void => {
    applyActivityLog(placeOf(b));
    b.up([a, c], {}, options);
    expect(world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)).toBe(true);
    world.run(2000);
  };
  c.must({ command: 'suspend-io', minor: 0 });
  b.must({ command: 'down', resource: 'r0' });
  comeBack();
  // Nothing is written in this one.
  c.must({ command: 'resume-io', minor: 0 });
  expect(generations()).toBe(atFirst + 1);
  world.run(1000);
  b.must({ command: 'down', resource: 'r0' });
  expect(c.write(file, 4096, bytes)).toBe(0);
  expect(generations()).toBe(atFirst + 2);
  comeBack();
  expect(Buffer.from(b.contents()).equals(Buffer.from(a.contents()))).toBe(true);
});
