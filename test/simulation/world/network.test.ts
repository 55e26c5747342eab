import {
  type ByteStream,
  type Endpoint,
  type EnginePorts,
  Errno,
  type StreamReceiver,
} from '../../../src/engine/ports';
import { World } from '../../../src/simulation/world/world';

const here: Endpoint = { family: 'ipv4', host: '10.0.0.1', port: 7000 };
const there: Endpoint = { family: 'ipv4', host: '10.0.0.2', port: 7000 };

class Reader implements StreamReceiver {
  text = '';
  length = 0;
  closed: number | undefined;
  drained = 0;
  onBytes(bytes: Uint8Array): void {
    this.length += bytes.length;
    if (bytes.length < 1000) this.text += Buffer.from(bytes).toString('latin1');
  }
  onClosed(error: number): void {
    this.closed = error;
  }
  onDrained(): void {
    this.drained++;
  }
}
class Pair {
  readonly world: World;
  readonly ports: EnginePorts;
  client: ByteStream | undefined;
  server: ByteStream | undefined;
  failed: number | undefined;
  readonly clientReader = new Reader();
  readonly serverReader = new Reader();

  constructor(seed: number, listen = true) {
    this.world = new World(seed);
    this.ports = this.world.addHost('alpha', [here.host]).start();
    const other = this.world.addHost('beta', [there.host]).start();
    if (listen) {
      other.network.listen(there, {
        onIncoming: (stream) => {
          this.server = stream;
          stream.setReceiver(this.serverReader);
        },
        onListenFailed: () => undefined,
      });
    }
  }
  connect(timeout = 1000): this {
    this.ports.network.connect(here, there, timeout, {
      onConnected: (stream) => {
        this.client = stream;
        stream.setReceiver(this.clientReader);
      },
      onConnectFailed: (error) => (this.failed = error),
    });
    this.world.run(50);
    return this;
  }
  clientWrites(text: string): void {
    this.world.host('alpha').input(() => this.client?.write(Buffer.from(text, 'latin1')));
  }
}

test('bytes arrive in order, in pieces of any size', () => {
  const pair = new Pair(1).connect();
  let sent = '';
  for (let i = 0; i < 300; i++) {
    const text = `${i};`;
    sent += text;
    pair.clientWrites(text);
    pair.world.run(0.05);
  }
  pair.world.run(100);
  expect(pair.serverReader.text).toBe(sent);
});

test('nobody listens: refused; nobody is there: timeout; not our address', () => {
  expect(new Pair(2, false).connect().failed).toBe(Errno.ECONNREFUSED);
  const pair = new Pair(2);
  pair.world.network.blackhole(here.host, there.host);
  expect(pair.connect(500).failed).toBeUndefined();
  pair.world.run(500);
  expect(pair.failed).toBe(Errno.ETIMEDOUT);
  const errors: number[] = [];
  pair.ports.network.connect(there, here, 10, {
    onConnected: () => undefined,
    onConnectFailed: (error) => errors.push(error),
  });
  pair.world.run(1);
  expect(errors).toEqual([Errno.EADDRNOTAVAIL]);
});

test('a second listener on one endpoint is refused until the first is closed', () => {
  const world = new World(3);
  const ports = world.addHost('alpha', [here.host]).start();
  const errors: number[] = [];
  const waiter = { onIncoming: (): void => undefined, onListenFailed: (error: number) => errors.push(error) };
  const first = ports.network.listen(here, waiter);
  ports.network.listen(here, waiter);
  world.run(1);
  expect(errors).toEqual([Errno.EADDRINUSE]);
  first.close();
  ports.network.listen(here, waiter);
  world.run(1);
  expect(errors).toHaveLength(1);
});

test('what a black hole swallowed arrives when it heals', () => {
  const pair = new Pair(4).connect();
  pair.world.network.blackhole(here.host, there.host);
  pair.clientWrites('late');
  pair.world.run(1000);
  expect(pair.serverReader.text).toBe('');
  pair.world.network.heal(here.host, there.host);
  pair.world.run(10);
  expect(pair.serverReader.text).toBe('late');
});

test('end sends what is queued and then closes', () => {
  const pair = new Pair(5).connect();
  pair.world.host('alpha').input(() => {
    pair.client?.write(Buffer.from('bye'));
    pair.client?.end();
  });
  pair.world.run(10);
  expect(pair.serverReader.text).toBe('bye');
  expect(pair.serverReader.closed).toBe(0);
  expect(pair.clientReader.closed).toBe(0);
});

test('a killed process closes its streams, a machine without power says nothing until it is back', () => {
  const killed = new Pair(6).connect();
  killed.world.crash('alpha', 'process-killed');
  killed.world.run(10);
  expect(killed.serverReader.closed).toBe(0);

  const dark = new Pair(6).connect();
  dark.world.crash('alpha', 'power-lost');
  dark.world.run(100);
  dark.world.host('beta').input(() => dark.server?.write(Buffer.from('hello?')));
  dark.world.run(1000);
  expect(dark.serverReader.closed).toBeUndefined();
  dark.world.host('alpha').start();
  dark.world.run(100);
  expect(dark.serverReader.closed).toBe(Errno.ECONNRESET);
});

test('a reset reaches both ends', () => {
  const pair = new Pair(7).connect();
  pair.world.network.resetStreams(here.host, there.host);
  pair.world.run(1);
  expect([pair.clientReader.closed, pair.serverReader.closed]).toEqual([Errno.ECONNRESET, Errno.ECONNRESET]);
});

test('a reader that pauses pushes back, and the writer hears when it drained', () => {
  const pair = new Pair(8).connect();
  pair.world.host('beta').input(() => pair.server?.pauseReading());
  for (let i = 0; i < 10; i++) {
    pair.world.host('alpha').input(() => pair.client?.write(new Uint8Array(100000)));
    pair.world.run(10);
  }
  expect(pair.client?.queuedBytes).toBeGreaterThan(500000);
  const drainedBefore = pair.clientReader.drained;
  pair.world.host('beta').input(() => pair.server?.resumeReading());
  pair.world.run(100);
  expect(pair.client?.queuedBytes).toBe(0);
  expect(pair.clientReader.drained).toBe(drainedBefore + 1);
  expect(pair.serverReader.length).toBe(1000000);
});

test('of two addresses exactly one is greater', () => {
  const pair = new Pair(9).connect();
  expect(pair.client?.localIsGreater).toBe(false);
});
