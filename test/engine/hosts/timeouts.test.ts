/** Peers and disks that stop answering (engine.md 6.3, 10.12). */
import { ConnectionState, DiskState } from '../../../src/control/contract/states';
import { type World } from '../../../src/simulation/world/world';
import { twoHosts, type TestHost } from './two-hosts';

const DISK = '/dev/sda';
const bytes = new Uint8Array(4096).fill(7);

function inSync(seed: number, net: object): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  a.up([b], net);
  b.up([a], net);
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  return { world, a, b };
}
const connectionOf = (host: TestHost) => host.engine.resources.get('r0')?.connections[0];
const hangs = (host: TestHost, hang: boolean): void => {
  host.machine.faults(DISK).slowest = hang ? 1e9 : 0.4;
};
/** Begins I/O and returns its result, undefined as long as there is none. */
function began(host: TestHost, start: (done: (error: number) => void) => void): () => number | undefined {
  let result: number | undefined;
  host.machine.input(() => start((error) => (result = error)));
  return () => result;
}

test('a peer that does not finish a write within ko-count * timeout is dropped', () => {
  const { world, a, b } = inSync(1, { 'ko-count': 3, timeout: 10, 'ping-timeout': 5 });
  const file = a.open(true);
  world.run(5000);
  hangs(b, true);
  const result = began(a, (done) => file.write(0, bytes, false, { onIoDone: done }));
  world.run(2800);
  expect(result()).toBeUndefined();
  expect(connectionOf(a)?.now.cstate).toBe(ConnectionState.Connected);
  expect(world.runUntil(() => result() !== undefined, 1500)).toBe(true);
  expect(result()).toBe(0);
  expect(a.kernelLog()).toContain(
    'Remote failed to finish a request within 3000ms > ko-count (3) * timeout (10 * 0.1s)',
  );
  expect(a.kernelLog()).toContain('conn( Connected -> Timeout ) peer( Secondary -> Unknown ) [timeout]');
});

test('with ko-count 0 the peer may take as long as it likes', () => {
  const { world, a, b } = inSync(2, { 'ko-count': 0, timeout: 10, 'ping-timeout': 5 });
  const file = a.open(true);
  hangs(b, true);
  const result = began(a, (done) => file.write(0, bytes, false, { onIoDone: done }));
  world.run(60_000);
  expect(result()).toBeUndefined();
  expect(connectionOf(a)?.now.cstate).toBe(ConnectionState.Connected);
});

test('a data stream that takes nothing is given up after ko-count looks', () => {
  const { world, a, b } = inSync(3, { 'ko-count': 3, timeout: 10, 'ping-timeout': 5, protocol: 'A' });
  const file = a.open(true);
  world.run(3000);
  b.machine.input(() => connectionOf(b)?.link.pauseData());
  for (let i = 0; i < 64; i++) {
    const piece = new Uint8Array(256 * 1024).fill(i);
    began(a, (done) => file.write(i * 256 * 1024, piece, false, { onIoDone: done }));
  }
  expect(world.runUntil(() => a.kernelLog().includes('Connected -> Timeout'), 20_000)).toBe(true);
  const looks = a.log.filter((line) => line.includes('sending time expired'));
  expect(looks.map((line) => line.replace(/.*\[/, '['))).toEqual([
    '[drbd_s_r0/0] sending time expired, ko = 2',
    '[drbd_s_r0/0] sending time expired, ko = 1',
  ]);
});

test('a disk that does not answer within disk-timeout is given up; the application goes on with the peer', () => {
  const { world, a } = inSync(4, {});
  const options = { 'disk-timeout': 20 };
  a.must({ command: 'disk-options', minor: 0, setDefaults: false, options });
  const file = a.open(true);
  a.write(file, 0, bytes);
  world.run(5000);
  hangs(a, true);
  const into = new Uint8Array(4096);
  const read = began(a, (done) => file.read(0, into, { onIoDone: done }));
  const written = began(a, (done) => file.write(4096, bytes, false, { onIoDone: done }));
  world.run(1500);
  expect([read(), written()]).toEqual([undefined, undefined]);
  expect(world.runUntil(() => read() !== undefined && written() !== undefined, 2500)).toBe(true);
  expect([read(), written()]).toEqual([0, 0]);
  expect(into).toEqual(bytes);
  expect(a.disk).toBe(DiskState.Failed);
  expect(a.kernelLog()).toContain('Local backing device failed to meet the disk-timeout');
  expect(a.kernelLog()).toContain('Local IO failed in request_timer_fn. Detaching...');
  expect(a.read(file, 4096, 4096)).toEqual(bytes);
});
