/** An NBD server: the unix socket of one device in the run directory, or a TCP port for all devices. */
import fs from 'node:fs';
import net from 'node:net';
import { type Endpoint, type Scheduler } from '../../engine/ports';
import { type InputQueue } from '../input-queue';
import { slabPool } from '../receive-memory';
import { TcpStream } from '../tcp-stream';
import { type DeviceDirectory } from './device-directory';
import { NbdConnection } from './nbd-connection';

const MAX_CONNECTIONS = 128;
/** Milliseconds a client may take to choose an export. */
const PATIENCE = 30_000;
/** Milliseconds until the next try of a TCP address that is not ours yet, or still another's. */
const RETRY = 500;
const nowhere: Endpoint = { family: 'ipv4', host: '0.0.0.0', port: 0 };

export class NbdServer {
  private readonly server = net.createServer({ pauseOnConnect: true });
  private readonly connections = new Set<NbdConnection>();
  private closed = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    private readonly queue: InputQueue,
    private readonly scheduler: Scheduler,
    private readonly devices: DeviceDirectory,
    private readonly onError: (message: string) => void,
  ) {
    this.server.on('connection', (socket) => this.accept(socket));
    this.server.on('error', (error) => this.onError(error.message));
  }

  /** Listens on a unix socket that only its owner may use; a stale one is removed. */
  listenUnix(path: string): void {
    // rmSync alone takes longer to find nothing.
    if (fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined) fs.rmSync(path, { force: true });
    const umask = process.umask(0o177);
    try {
      this.server.listen(path);
    } finally {
      process.umask(umask);
    }
  }
  /**
   * Listens on a TCP address: whoever reaches it may read and write. An address that this machine does not have, or
   * that somebody else listens on, is waited for: it may move here together with the role of the Primary.
   */
  listenTcp(host: string, port: number): void {
    const listen = (): void => void this.server.listen({ host, port, exclusive: true });
    let told = false;
    this.server.removeAllListeners('error');
    this.server.on('error', (error: NodeJS.ErrnoException) => {
      if (!told) this.onError(error.message);
      told = true;
      if (this.closed || !['EADDRINUSE', 'EADDRNOTAVAIL'].includes(error.code ?? '')) return;
      this.retry = setTimeout(listen, RETRY);
    });
    this.server.on('listening', () => (told = false));
    listen();
  }

  private accept(socket: net.Socket): void {
    socket.on('error', () => undefined);
    if (this.closed || this.connections.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    this.queue.input(() => {
      const stream = new TcpStream(this.queue, socket, nowhere, nowhere, slabPool);
      const onGone = (gone: NbdConnection): void => {
        patience.cancel();
        this.connections.delete(gone);
      };
      const connection = new NbdConnection(this.devices, stream, onGone, slabPool);
      const patience = this.scheduler.after(PATIENCE, {
        onTimer: () => {
          if (connection.negotiating) connection.end();
        },
      });
      this.connections.add(connection);
      connection.start();
    });
  }

  /** Clients that have the device open. */
  get users(): number {
    return [...this.connections].filter((connection) => !connection.negotiating).length;
  }
  /** Stops listening (which removes the socket) and ends all connections once what is in flight is answered. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.retry);
    this.server.close();
    for (const connection of [...this.connections]) connection.end();
  }
}
