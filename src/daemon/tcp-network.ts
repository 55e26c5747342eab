/** DRBD's TCP connections on a real machine. */
import net from 'node:net';
import {
  Errno,
  type ConnectAttempt,
  type ConnectWaiter,
  type Endpoint,
  type ErrnoCode,
  type IncomingWaiter,
  type Listener,
  type Network,
  type Retained,
} from '../engine/ports';
import { type InputQueue } from './input-queue';
import { errnoOf } from './os-error';
import { type Slab, slabPool } from './receive-memory';
import { TcpStream } from './tcp-stream';

const BACKLOG = 64;
const EAFNOSUPPORT = 97;

/** TCP over IP is what we have: neither SDP nor SuperSockets. */
const isSupported = (endpoint: Endpoint): boolean => endpoint.family === 'ipv4' || endpoint.family === 'ipv6';

const withoutMapping = (host: string): string => host.replace(/^::ffff:(?=\d+\.)/i, '');

class TcpListener implements Listener {
  private readonly server: net.Server;
  private closed = false;

  constructor(
    private readonly queue: InputQueue,
    private readonly local: Endpoint,
    private readonly waiter: IncomingWaiter,
  ) {
    this.server = net.createServer({ pauseOnConnect: true, noDelay: true });
    this.server.on('connection', (socket) => this.accept(socket));
    this.server.on('error', (error) => this.failed(errnoOf(error)));
    if (!isSupported(local)) {
      this.failed(EAFNOSUPPORT);
      return;
    }
    const { host, port, family } = local;
    this.server.listen({ host, port, backlog: BACKLOG, exclusive: true, ipv6Only: family === 'ipv6' });
  }
  private accept(socket: net.Socket): void {
    // Whatever happens to it before somebody takes it must not end the daemon.
    socket.on('error', () => undefined);
    const { remoteAddress, remotePort } = socket;
    if (this.closed || remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    const remote: Endpoint = {
      family: this.local.family,
      host: withoutMapping(remoteAddress),
      port: remotePort,
    };
    const stream = new TcpStream(this.queue, socket, this.local, remote, slabPool);
    this.queue.input(() => {
      if (this.closed) stream.destroy();
      else this.waiter.onIncoming(stream);
    });
  }
  private failed(error: ErrnoCode): void {
    this.queue.later(() => {
      if (!this.closed) this.waiter.onListenFailed(error);
    });
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.server.close();
  }
}

class TcpAttempt implements ConnectAttempt {
  private over = false;
  private socket: net.Socket | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly queue: InputQueue,
    private readonly local: Endpoint,
    private readonly remote: Endpoint,
    private readonly timeout: number,
    private readonly waiter: ConnectWaiter,
  ) {
    if (!isSupported(local) || !isSupported(remote)) queue.later(() => this.failed(EAFNOSUPPORT));
    // Who asked for many connections at once gets all answers before the first is tried.
    else setImmediate(() => this.open());
  }
  private open(): void {
    const { over, queue, local, remote, timeout } = this;
    if (over) return;
    try {
      this.socket = net.connect({
        host: remote.host,
        port: remote.port,
        localAddress: local.host,
        family: remote.family === 'ipv6' ? 6 : 4,
        autoSelectFamily: false,
        noDelay: true,
      });
    } catch (error) {
      queue.later(() => this.failed(errnoOf(error)));
      return;
    }
    this.socket.on('connect', () => queue.input(() => this.connected()));
    this.socket.on('error', (error) => queue.input(() => this.failed(errnoOf(error))));
    this.timer = setTimeout(() => queue.input(() => this.failed(Errno.ETIMEDOUT)), timeout);
  }
  private connected(): void {
    const { socket } = this;
    if (this.over || socket === undefined) return;
    this.finish();
    // Who opens which stream is decided by the configured addresses, not by the port the kernel chose.
    this.waiter.onConnected(new TcpStream(this.queue, socket, this.local, this.remote, slabPool));
  }
  private failed(error: ErrnoCode): void {
    if (this.over) return;
    this.finish();
    this.socket?.destroy();
    this.waiter.onConnectFailed(error);
  }
  private finish(): void {
    this.over = true;
    clearTimeout(this.timer);
  }
  cancel(): void {
    if (this.over) return;
    this.finish();
    this.socket?.destroy();
  }
}

class RetainedView implements Retained {
  constructor(private readonly slab: Slab) {}
  release(): void {
    slabPool.release(this.slab);
  }
}

export class TcpNetwork implements Network {
  constructor(private readonly queue: InputQueue) {}

  listen(local: Endpoint, waiter: IncomingWaiter): Listener {
    return new TcpListener(this.queue, local, waiter);
  }
  retain(bytes: Uint8Array): Retained | undefined {
    const slab = slabPool.hold(bytes);
    return slab && new RetainedView(slab);
  }
  connect(local: Endpoint, remote: Endpoint, timeout: number, waiter: ConnectWaiter): ConnectAttempt {
    return new TcpAttempt(this.queue, local, remote, timeout, waiter);
  }
}
