/** A small NBD client: enough to fill a device, read it back and change a little. */
import net from 'node:net';

const OPTION_MAGIC = 0x49484156454f5054n;
const REPLY_MAGIC = 0x67446698;
const GO = 7;
const ACK = 1;
const INFO = 3;
const READ = 0;
const WRITE = 1;
const DISCONNECT = 2;
const FLUSH = 3;
/** Bytes of one request. */
export const PIECE = 1024 * 1024;

/** Bytes as they come, taken in portions. */
class Incoming {
  private chunks: Buffer[] = [];
  private held = 0;
  private wanted: { length: number; resolve(bytes: Buffer): void; reject(error: Error): void } | undefined;
  private failure: Error | undefined;

  constructor(socket: net.Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.held += chunk.length;
      this.deliver();
    });
    const fail = (error: Error): void => {
      this.failure ??= error;
      this.wanted?.reject(this.failure);
      this.wanted = undefined;
    };
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the NBD server closed the connection')));
  }
  take(length: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.failure !== undefined && this.held < length) reject(this.failure);
      else {
        this.wanted = { length, resolve, reject };
        this.deliver();
      }
    });
  }
  private deliver(): void {
    const { wanted } = this;
    if (wanted === undefined || this.held < wanted.length) return;
    const all = Buffer.concat(this.chunks);
    this.wanted = undefined;
    this.chunks = all.length > wanted.length ? [all.subarray(wanted.length)] : [];
    this.held = all.length - wanted.length;
    wanted.resolve(all.subarray(0, wanted.length));
  }
}

export class NbdClient {
  private constructor(
    private readonly socket: net.Socket,
    private readonly incoming: Incoming,
    /** Bytes. */
    readonly size: number,
  ) {}

  /** Opens the default export of a unix socket. Throws with the server's reason if it refuses. */
  static async open(path: string): Promise<NbdClient> {
    const socket = net.connect(path);
    const incoming = new Incoming(socket);
    const greeting = await incoming.take(18);
    if (greeting.readBigUInt64BE(8) !== OPTION_MAGIC) throw new Error(`${path} does not speak NBD`);
    const request = Buffer.alloc(4 + 16 + 6);
    request.writeUInt32BE(3, 0);
    request.writeBigUInt64BE(OPTION_MAGIC, 4);
    request.writeUInt32BE(GO, 12);
    request.writeUInt32BE(6, 16);
    socket.write(request);
    let size = 0;
    for (;;) {
      const head = await incoming.take(20);
      const data = await incoming.take(head.readUInt32BE(16));
      const type = head.readUInt32BE(12);
      if (type === INFO && data.readUInt16BE(0) === 0) size = Number(data.readBigUInt64BE(2));
      else if (type === ACK) return new NbdClient(socket, incoming, size);
      else if (type !== INFO) {
        socket.destroy();
        throw new Error(`the device cannot be opened: ${data.toString('utf8')}`);
      }
    }
  }
  private async request(command: number, offset: number, length: number, data?: Uint8Array): Promise<void> {
    const header = Buffer.alloc(28);
    header.writeUInt32BE(0x25609513, 0);
    header.writeUInt16BE(command, 6);
    header.writeBigUInt64BE(BigInt(offset), 16);
    header.writeUInt32BE(length, 24);
    this.socket.write(header);
    if (data !== undefined) this.socket.write(data);
    const reply = await this.incoming.take(16);
    const error = reply.readUInt32BE(4);
    if (reply.readUInt32BE(0) !== REPLY_MAGIC) throw new Error('not an NBD reply');
    if (error !== 0) throw new Error(`I/O error ${error} at byte ${offset}`);
  }
  async read(offset: number, length: number): Promise<Buffer> {
    await this.request(READ, offset, length);
    return this.incoming.take(length);
  }
  write(offset: number, data: Uint8Array): Promise<void> {
    return this.request(WRITE, offset, data.length, data);
  }
  flush(): Promise<void> {
    return this.request(FLUSH, 0, 0);
  }
  /** The server closes the device before it closes the connection: afterwards the device is not open any more. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    const header = Buffer.alloc(28);
    header.writeUInt32BE(0x25609513, 0);
    header.writeUInt16BE(DISCONNECT, 6);
    this.socket.write(header);
    await closed;
  }
}
