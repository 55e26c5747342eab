/** A client end for tests: drives one connection of the server without sockets. */
import { InputQueue } from '../../../src/daemon/input-queue';
import { SingleDevice } from '../../../src/daemon/nbd/device-directory';
import { NbdConnection } from '../../../src/daemon/nbd/nbd-connection';
import { type ByteStream, type StreamReceiver } from '../../../src/engine/ports';
import { throwing } from '../port-waiters';
import { MemoryDevice } from './memory-device';

const endpoint = { family: 'ipv4', host: '0.0.0.0', port: 0 } as const;

class LooseStream implements ByteStream {
  readonly local = endpoint;
  readonly remote = endpoint;
  readonly localIsGreater = false;
  queuedBytes = 0;
  receiver: StreamReceiver | undefined;
  sent: Buffer[] = [];
  paused = false;
  ended = false;

  setReceiver(receiver: StreamReceiver): void {
    this.receiver = receiver;
  }
  write(bytes: Uint8Array): void {
    if (!this.ended) this.sent.push(Buffer.from(bytes));
  }
  writeShared(bytes: Uint8Array): void {
    this.write(bytes);
  }
  pauseReading(): void {
    this.paused = true;
  }
  resumeReading(): void {
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.ended = true;
  }
}

export class Session {
  readonly queue = new InputQueue(throwing);
  readonly stream = new LooseStream();
  readonly device: MemoryDevice;
  gone = false;
  private at = 0;

  constructor(size: number) {
    this.device = new MemoryDevice(this.queue, size);
    const connection = new NbdConnection(
      new SingleDevice(this.device),
      this.stream,
      () => (this.gone = true),
    );
    this.queue.input(() => connection.start());
  }
  /** Gives bytes to the server, if it still listens. */
  give(bytes: Uint8Array): void {
    if (this.stream.ended) return;
    this.queue.input(() => this.stream.receiver?.onBytes(Uint8Array.from(bytes)));
  }
  close(): void {
    this.queue.input(() => this.stream.receiver?.onClosed(0));
  }
  /** Everything the server has said and that was not taken yet. */
  take(): Buffer {
    const all = Buffer.concat(this.stream.sent);
    const fresh = all.subarray(this.at);
    this.at = all.length;
    return fresh;
  }
  /** Lets everything that is under way finish. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  }
}

export const clientFlags = Buffer.from([0, 0, 0, 3]);

export function option(code: number, data: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(16);
  header.write('IHAVEOPT', 'latin1');
  header.writeUInt32BE(code, 8);
  header.writeUInt32BE(data.length, 12);
  return Buffer.concat([header, data]);
}
const named = (name: string): Buffer => {
  const bytes = Buffer.from(name);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};
export const goOption = (name = ''): Buffer => option(7, Buffer.concat([named(name), Buffer.from([0, 0])]));
export const contextOption = (name: string, ...queries: readonly string[]): Buffer =>
  option(10, Buffer.concat([named(name), Buffer.from([0, 0, 0, queries.length]), ...queries.map(named)]));

export interface RequestFields {
  readonly command: number;
  readonly flags?: number;
  readonly cookie: number;
  readonly offset?: number;
  readonly length?: number;
  readonly data?: Uint8Array;
}
export function request(fields: RequestFields, extended = false): Buffer {
  const { command, flags = 0, cookie, offset = 0, length = fields.data?.length ?? 0, data } = fields;
  const header = Buffer.alloc(extended ? 32 : 28);
  header.writeUInt32BE(extended ? 0x21e41c71 : 0x25609513, 0);
  header.writeUInt16BE(flags, 4);
  header.writeUInt16BE(command, 6);
  header.writeUInt32BE(cookie, 12);
  header.writeBigUInt64BE(BigInt(offset), 16);
  if (extended) header.writeBigUInt64BE(BigInt(length), 24);
  else header.writeUInt32BE(length, 24);
  return data === undefined ? header : Buffer.concat([header, data]);
}
