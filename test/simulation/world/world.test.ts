import { type Endpoint, type EnginePorts, type StreamReceiver } from '../../../src/engine/ports';
import { World } from '../../../src/simulation/world/world';

const port = 7000;

/** A small program: writes a counter to its disk, sends it to everybody it can reach, writes down what it hears. */
class Gossip {
  private count = 0;

  constructor(
    private readonly ports: EnginePorts,
    address: string,
    peers: readonly string[],
  ) {
    const local: Endpoint = { family: 'ipv4', host: address, port };
    const receiver: StreamReceiver = {
      onBytes: (bytes) => this.remember(bytes[0] ?? 0),
      onClosed: () => undefined,
      onDrained: () => undefined,
    };
    ports.network.listen(local, {
      onIncoming: (stream) => stream.setReceiver(receiver),
      onListenFailed: () => undefined,
    });
    for (const peer of peers) {
      ports.network.connect(local, { family: 'ipv4', host: peer, port }, 100, {
        onConnected: (stream) => {
          stream.setReceiver(receiver);
          const tick = { onTimer: () => this.send(stream.write.bind(stream), tick) };
          tick.onTimer();
        },
        onConnectFailed: () => undefined,
      });
    }
  }
  private send(write: (bytes: Uint8Array) => void, tick: { onTimer(): void }): void {
    write(Uint8Array.of(++this.count & 255));
    this.ports.scheduler.after(this.ports.random.below(20), tick);
  }
  private remember(value: number): void {
    this.ports.log.write('info', `heard ${value}`);
    this.ports.scheduler.soon({ run: () => this.ports.log.write('debug', 'soon') });
  }
}

function gossip(seed: number): { hash: string; log: readonly string[] } {
  const world = new World(seed);
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  const start = (address: string): void => {
    const host = world.host(address);
    const ports = host.start();
    const peers = addresses.filter((other) => other !== address);
    host.input(() => new Gossip(ports, address, peers));
  };
  for (const address of addresses) world.addHost(address, [address]);
  for (const address of addresses) start(address);
  world.run(200);
  world.network.blackhole('10.0.0.1', '10.0.0.2');
  world.crash('10.0.0.3');
  world.run(200);
  start('10.0.0.3');
  world.network.heal('10.0.0.1', '10.0.0.2');
  world.run(200);
  return { hash: world.trace.hash, log: world.host('10.0.0.1').log.recent.map((entry) => entry.line) };
}

test('the same seed is the same run bit for bit, another seed is another run', () => {
  const first = gossip(1);
  expect(first.log.length).toBeGreaterThan(50);
  expect(gossip(1)).toEqual(first);
  expect(gossip(2).hash).not.toBe(first.hash);
});

test('a soon task runs after the input that asked for it and before the next', () => {
  const { log } = gossip(3);
  for (let i = 0; i + 1 < log.length; i += 2) {
    expect(log[i]).toMatch(/^heard/);
    expect(log[i + 1]).toBe('soon');
  }
});

test('inputs cannot nest', () => {
  const world = new World(4);
  const host = world.addHost('alpha', ['10.0.0.1']);
  host.start();
  expect(() => host.input(() => host.input(() => undefined))).toThrow(/nest/);
});

test('timers fire in order, not early, and not after they were cancelled or their host died', () => {
  const world = new World(5);
  const host = world.addHost('alpha', ['10.0.0.1']);
  const { scheduler } = host.start();
  const fired: number[] = [];
  const after = (delay: number): { cancel(): void } =>
    scheduler.after(delay, { onTimer: () => fired.push(delay) });
  after(30);
  after(10);
  after(20).cancel();
  after(500);
  world.run(9.9);
  expect(fired).toEqual([]);
  world.run(100);
  expect(fired).toEqual([10, 30]);
  world.crash('alpha');
  world.run(1000);
  expect(fired).toEqual([10, 30]);
});
