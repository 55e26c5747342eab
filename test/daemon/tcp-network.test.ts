import { InputQueue } from '../../src/daemon/input-queue';
import { ipv6Bytes, isGreaterAddress } from '../../src/daemon/raw-address';
import { type Slab, slabPool } from '../../src/daemon/receive-memory';
import { TcpNetwork } from '../../src/daemon/tcp-network';
import { Errno, type ByteStream, type Endpoint } from '../../src/engine/ports';
import { freePort, throwing } from './port-waiters';

const network = new TcpNetwork(new InputQueue(throwing));
const at = (host: string, port: number): Endpoint => ({ family: 'ipv4', host, port });

const connect = (local: Endpoint, remote: Endpoint, timeout = 2000): Promise<ByteStream | number> =>
  new Promise((resolve) =>
    network.connect(local, remote, timeout, { onConnected: resolve, onConnectFailed: resolve }),
  );

interface Received {
  bytes: Buffer;
  closed: number | undefined;
  drained: number;
  wait(until: () => boolean): Promise<void>;
}
function receive(stream: ByteStream): Received {
  const received: Received = {
    bytes: Buffer.alloc(0),
    closed: undefined,
    drained: 0,
    async wait(until) {
      for (let i = 0; i < 500 && !until(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(until()).toBe(true);
    },
  };
  stream.setReceiver({
    onBytes: (bytes) => (received.bytes = Buffer.concat([received.bytes, bytes])),
    onClosed: (error) => (received.closed = error),
    onDrained: () => received.drained++,
  });
  return received;
}

async function pair(): Promise<{ one: ByteStream; two: ByteStream; close(): void }> {
  const here = at('127.11.0.1', await freePort('127.11.0.1'));
  let accept: (stream: ByteStream) => void = () => undefined;
  const accepted = new Promise<ByteStream>((resolve) => (accept = resolve));
  const listener = network.listen(here, {
    onIncoming: (stream) => accept(stream),
    onListenFailed: (error) => throwing(new Error(`listen: ${error}`)),
  });
  const one = await connect(at('127.11.0.2', 7788), here);
  if (typeof one === 'number') throw new Error(`connect: ${one}`);
  const two = await accepted;
  return { one, two, close: () => [one.destroy(), two.destroy(), listener.close()] };
}

describe('a stream', () => {
  test('comes from the local address and knows both ends', async () => {
    const { one, two, close } = await pair();
    expect(two.remote).toMatchObject({ family: 'ipv4', host: '127.11.0.2' });
    expect(two.local.host).toBe('127.11.0.1');
    expect(one.local).toEqual(at('127.11.0.2', 7788));
    close();
  });
  test('carries what is written, in order, whatever the sizes; buffers may be reused at once', async () => {
    const { one, two, close } = await pair();
    const received = receive(two);
    receive(one);
    const expected: Buffer[] = [];
    const scratch = Buffer.alloc(200_000);
    for (let i = 0; i < 300; i++) {
      const length = [1, 40, 4096, 16384, 70_000, 131_072][i % 6] ?? 1;
      scratch.fill(i & 0xff);
      one.write(scratch.subarray(0, length));
      expected.push(Buffer.alloc(length, i & 0xff));
    }
    const all = Buffer.concat(expected);
    await received.wait(() => received.bytes.length === all.length);
    expect(received.bytes.equals(all)).toBe(true);
    expect(one.queuedBytes).toBe(0);
    close();
  });
  test('small writes keep their order while the socket takes them in parts, or not at all', async () => {
    const { one, two, close } = await pair();
    receive(one);
    const scratch = Buffer.alloc(4136);
    const expected: Buffer[] = [];
    const write = (from: number, to: number): void => {
      for (let i = from; i < to; i++) {
        // An odd length now and then: what the socket took ends anywhere.
        const length = i % 7 === 0 ? 41 + (i % 1000) : 4136;
        scratch.fill(i % 251, 0, length);
        scratch.writeUInt32BE(i);
        one.write(scratch.subarray(0, length));
        expected.push(Buffer.from(scratch.subarray(0, length)));
      }
    };
    // Nobody reads yet: first it fits, then the socket is full.
    for (let turn = 0; turn < 60; turn++) {
      write(turn * 40, turn * 40 + 40);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(one.queuedBytes).toBeGreaterThan(0);
    const chunks: Buffer[] = [];
    let arrived = 0;
    two.setReceiver({
      onBytes: (bytes) => {
        chunks.push(Buffer.from(bytes));
        arrived += bytes.length;
      },
      onClosed: () => undefined,
      onDrained: () => undefined,
    });
    for (let turn = 60; turn < 100; turn++) {
      write(turn * 40, turn * 40 + 40);
      await new Promise((resolve) => setTimeout(resolve, turn % 3));
    }
    const all = Buffer.concat(expected);
    for (let i = 0; i < 1000 && arrived < all.length; i++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(Buffer.concat(chunks).equals(all)).toBe(true);
    close();
  });
  test('what came before the receiver was set is not lost', async () => {
    const { one, two, close } = await pair();
    one.write(Buffer.from('early'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    const received = receive(two);
    await received.wait(() => received.bytes.toString() === 'early');
    close();
  });
  test('counts what the network did not take, pushes back, and tells when it drained', async () => {
    const { one, two, close } = await pair();
    const received = receive(two);
    const sender = receive(one);
    two.pauseReading();
    const megabyte = Buffer.alloc(1024 * 1024, 5);
    for (let i = 0; i < 16; i++) one.write(megabyte);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(one.queuedBytes).toBeGreaterThan(1024 * 1024);
    expect(sender.drained).toBe(0);
    two.resumeReading();
    await received.wait(() => received.bytes.length === 16 * megabyte.length);
    await sender.wait(() => sender.drained === 1);
    expect(one.queuedBytes).toBe(0);
    close();
  });
  describe('shared bytes that the network did not take', () => {
    const MIB = 1 << 20;
    /** Slabs of one user each, with a megabyte of their number in them. */
    function slabs(count: number): Slab[] {
      return Array.from({ length: count }, (_, index) => {
        const slab = slabPool.take(2 * MIB);
        slab.bytes.fill(index + 1, 0, MIB);
        return slab;
      });
    }
    const numbers = (count: number): Buffer =>
      Buffer.concat(Array.from({ length: count }, (_, i) => Buffer.alloc(MIB, i + 1)));

    test('stay in their slab until it takes them', async () => {
      const { one, two, close } = await pair();
      const used = slabs(24);
      for (const slab of used) one.writeShared(slab.bytes.subarray(0, MIB));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(one.queuedBytes).toBeGreaterThan(0);
      expect(used.some(({ users }) => users === 2)).toBe(true);
      const received = receive(two);
      await received.wait(() => received.bytes.length === 24 * MIB);
      expect(received.bytes.equals(numbers(24))).toBe(true);
      await received.wait(() => used.every(({ users }) => users === 1));
      expect(one.queuedBytes).toBe(0);
      for (const slab of used) slabPool.release(slab);
      close();
    });
    test('are let go when the stream ends', async () => {
      const { one, two, close } = await pair();
      const used = slabs(24);
      for (const slab of used) one.writeShared(slab.bytes.subarray(0, MIB));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(used.some(({ users }) => users === 2)).toBe(true);
      one.destroy();
      const received = receive(two);
      await received.wait(() => used.every(({ users }) => users === 1));
      for (const slab of used) slabPool.release(slab);
      close();
    });
    test('are copied where they lie in no slab', async () => {
      const { one, two, close } = await pair();
      const bytes = Buffer.alloc(MIB);
      for (let i = 0; i < 24; i++) {
        one.writeShared(bytes.fill(i + 1));
        // The inputs that are under way are handled: the owner does with them what he likes.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const received = receive(two);
      await received.wait(() => received.bytes.length === 24 * MIB);
      expect(received.bytes.equals(numbers(24))).toBe(true);
      close();
    });
  });
  test('end sends what is queued; the peer is told once, without error', async () => {
    const { one, two, close } = await pair();
    const received = receive(two);
    receive(one);
    one.write(Buffer.alloc(300_000, 1));
    one.end();
    one.write(Buffer.from('too late'));
    await received.wait(() => received.closed === 0);
    expect(received.bytes.length).toBe(300_000);
    close();
  });
  test('destroy tells the other side only', async () => {
    const { one, two, close } = await pair();
    const received = receive(two);
    const own = receive(one);
    one.destroy();
    await received.wait(() => received.closed !== undefined);
    expect(own.closed).toBeUndefined();
    close();
  });
});

describe('connecting and listening', () => {
  test('a port where nobody listens refuses', async () => {
    const port = await freePort('127.0.0.1');
    expect(await connect(at('127.0.0.1', 0), at('127.0.0.1', port))).toBe(Errno.ECONNREFUSED);
  });
  test('a local address that this machine does not have is EADDRNOTAVAIL', async () => {
    expect(await connect(at('192.0.2.1', 0), at('127.0.0.1', 1))).toBe(Errno.EADDRNOTAVAIL);
    const failed = new Promise<number>((resolve) =>
      network.listen(at('192.0.2.1', 7788), { onIncoming: () => undefined, onListenFailed: resolve }),
    );
    expect(await failed).toBe(Errno.EADDRNOTAVAIL);
  });
  test('a busy port is EADDRINUSE; closing frees it at once', async () => {
    const here = at('127.0.0.1', await freePort('127.0.0.1'));
    const quiet = { onIncoming: () => undefined, onListenFailed: () => undefined };
    const first = network.listen(here, quiet);
    const failed = await new Promise<number>((resolve) =>
      network.listen(here, { ...quiet, onListenFailed: resolve }),
    );
    expect(failed).toBe(Errno.EADDRINUSE);
    first.close();
    let second = 0;
    const again = network.listen(here, { ...quiet, onListenFailed: (error) => (second = error) });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(second).toBe(0);
    again.close();
  });
  test('unsupported families are refused by an error', async () => {
    expect(await connect({ family: 'sdp', host: '127.0.0.1', port: 1 }, at('127.0.0.1', 1))).toBe(97);
  });
  test('an attempt that is cancelled in the turn that asked for it never reaches the other side', async () => {
    const here = at('127.11.0.1', await freePort('127.11.0.1'));
    const incoming: ByteStream[] = [];
    const listener = network.listen(here, {
      onIncoming: (stream) => incoming.push(stream),
      onListenFailed: (error) => throwing(new Error(`listen: ${error}`)),
    });
    const said: unknown[] = [];
    const waiter = {
      onConnected: (stream: ByteStream) => said.push(stream),
      onConnectFailed: (error: number) => said.push(error),
    };
    network.connect(at('127.11.0.3', 7788), here, 2000, waiter).cancel();
    // The listener accepts in order: what comes after it would come before this one.
    const later = await connect(at('127.11.0.2', 7788), here);
    if (typeof later === 'number') throw new Error(`connect: ${later}`);
    while (incoming.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(incoming.map(({ remote }) => remote.host)).toEqual(['127.11.0.2']);
    expect(said).toEqual([]);
    for (const stream of [later, ...incoming]) stream.destroy();
    listener.close();
  });
  test('a cancelled attempt says nothing', async () => {
    const port = await freePort('127.0.0.1');
    let told = false;
    const attempt = network.connect(at('127.0.0.1', 0), at('127.0.0.1', port), 1000, {
      onConnected: () => (told = true),
      onConnectFailed: () => (told = true),
    });
    attempt.cancel();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(told).toBe(false);
  });
});

describe('raw addresses', () => {
  test('compare by port first, then by address', () => {
    expect(isGreaterAddress(at('10.0.0.1', 7789), at('10.0.0.2', 7788))).toBe(true);
    expect(isGreaterAddress(at('10.0.0.2', 7788), at('10.0.0.1', 7788))).toBe(true);
    expect(isGreaterAddress(at('10.0.0.1', 255), at('10.0.0.1', 256))).toBe(false);
  });
  test('understand shortened IPv6', () => {
    expect(ipv6Bytes('::1')).toEqual([...Array<number>(15).fill(0), 1]);
    expect(ipv6Bytes('fe80::1:2%eth0').slice(0, 2)).toEqual([0xfe, 0x80]);
    expect(ipv6Bytes('2001:db8::ffff')).toEqual([0x20, 1, 0xd, 0xb8, ...Array<number>(10).fill(0), 255, 255]);
    expect(ipv6Bytes('::ffff:1.2.3.4').slice(10)).toEqual([255, 255, 1, 2, 3, 4]);
  });
});
