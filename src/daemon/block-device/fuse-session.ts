/**
 * One regular file served by FUSE: mounted over an empty file, so that a loop device can sit on it. Requests that move
 * data go to `FileServer`; the rest is answered here.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../../engine/ports';
import { FuseChannel } from './fuse-channel';
import {
  attributesChanged,
  attributesReply,
  decodeRequest,
  emptyRequest,
  FallocateMode,
  type FuseRequest,
  initReply,
  Opcode,
  openReply,
  replyHeader,
  statfsReply,
  writeReply,
} from './fuse-codec';
import { runProgram } from './run-program';

const ENOSYS = 38;
/** Requests in flight at which no further one is read; the kernel gives 64 and those of synchronous readers. */
const MAX_IN_FLIGHT = 128;
/** Larger payloads stay in the buffer they were read into; smaller ones are copied. */
const LARGE = 64 * 1024;

export type TransferKind = 'read' | 'write' | 'flush' | 'punch' | 'zero';

/** A request of the kernel that moves or changes data. */
export interface Transfer {
  readonly kind: TransferKind;
  readonly offset: number;
  readonly length: number;
  /** What is written; for a read, what is to be filled. */
  readonly data: Buffer | undefined;
  /** 0 or a positive errno; once. */
  answer(error: number): void;
}
export interface FileServer {
  /** Bytes, as things are now. */
  readonly size: number;
  readonly blockSize: number;
  transfer(request: Transfer): void;
}

export class FuseSession {
  private readonly request = emptyRequest();
  private readonly channel: FuseChannel;
  private inFlight = 0;
  private paused = false;

  private constructor(
    fd: number,
    readonly file: string,
    private readonly server: FileServer,
  ) {
    this.channel = new FuseChannel(fd, (bytes) => this.onRequest(bytes));
  }

  /** Mounts over `file`, which is made if need be. Rejects with what mount(8) says. */
  static async mount(file: string, server: FileServer): Promise<FuseSession> {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.closeSync(fs.openSync(file, 'a', 0o600));
    const fd = fs.openSync('/dev/fuse', 'r+');
    // The kernel ties the mount to the open file, not to the process that mounts (performance.md 5.2).
    const options = `fd=3,rootmode=100600,user_id=0,group_id=0`;
    try {
      await runProgram('mount', ['-i', '-t', 'fuse', '-o', options, 'udrbd', file], fd);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    return new FuseSession(fd, file, server);
  }

  private onRequest(bytes: Buffer): boolean {
    const { request } = this;
    if (!decodeRequest(bytes, request)) {
      if (bytes.length >= 16) this.answer(bytes.readBigUInt64LE(8), Errno.EINVAL);
      return false;
    }
    const { unique } = request;
    const { size, blockSize } = this.server;
    switch (request.opcode) {
      case Opcode.READ:
      case Opcode.WRITE:
      case Opcode.FSYNC:
      case Opcode.FALLOCATE:
        return this.begin(request);
      case Opcode.INIT: {
        const reply = initReply(unique, bytes);
        if (reply === undefined) this.answer(unique, Errno.EIO);
        else this.channel.write([reply]);
        break;
      }
      case Opcode.GETATTR:
      case Opcode.SETATTR:
        this.channel.write([attributesReply(unique, size)]);
        break;
      case Opcode.OPEN:
        this.channel.write([openReply(unique)]);
        break;
      case Opcode.STATFS:
        this.channel.write([statfsReply(unique, size, Math.max(blockSize, 4096))]);
        break;
      case Opcode.RELEASE:
      case Opcode.FLUSH:
      case Opcode.ACCESS:
      case Opcode.DESTROY:
        this.answer(unique, 0);
        break;
      case Opcode.FORGET:
      case Opcode.BATCH_FORGET:
      case Opcode.INTERRUPT:
        break;
      default:
        this.answer(unique, ENOSYS);
        break;
    }
    return false;
  }
  answer(unique: bigint, error: number): void {
    this.channel.write([replyHeader(unique, error, 0)]);
  }
  answerRead(unique: bigint, data: Buffer): void {
    this.channel.write([replyHeader(unique, 0, data.length), data]);
  }
  answerWrite(unique: bigint, length: number): void {
    this.channel.write([writeReply(unique, length)]);
  }

  private begin(request: FuseRequest): boolean {
    const { unique, length } = request;
    const kind = kindOf(request);
    if (kind === undefined) {
      this.answer(unique, Errno.EOPNOTSUPP);
      return false;
    }
    let { data } = request;
    const kept = data !== undefined && data.length >= LARGE;
    if (data !== undefined && !kept) data = Buffer.from(data);
    let wanted = length;
    if (kind === 'read') {
      // A read through the page cache may go beyond the end.
      wanted = Math.max(0, Math.min(length, this.server.size - request.offset));
      if (wanted === 0) {
        this.answerRead(unique, Buffer.alloc(0));
        return false;
      }
      data = Buffer.allocUnsafe(wanted);
    }
    this.inFlight++;
    if (this.inFlight >= MAX_IN_FLIGHT && !this.paused) {
      this.paused = true;
      this.channel.pause();
    }
    this.server.transfer(new FuseTransfer(this, unique, kind, request.offset, wanted, data, kept));
    return kept;
  }
  finished(kept: Buffer | undefined): void {
    this.inFlight--;
    if (kept !== undefined) this.channel.release(kept);
    if (!this.paused || this.inFlight >= MAX_IN_FLIGHT / 2) return;
    this.paused = false;
    this.channel.resume();
  }

  /** Lets the kernel ask again for the file's size; resolves when it knows it. */
  async announceSize(): Promise<void> {
    this.channel.write([attributesChanged()]);
    await fs.promises.stat(this.file);
  }
  /** Unmounts; at once if nobody uses the file, else when the last user is gone. */
  async unmount(): Promise<void> {
    try {
      await runProgram('umount', ['-i', this.file]);
    } catch {
      await runProgram('umount', ['-i', '-l', this.file]);
    }
    fs.rmSync(this.file, { force: true });
  }
  /** Breaks the connection: whoever still uses the file gets errors. */
  close(): void {
    this.channel.close();
  }
}

function kindOf({ opcode, mode }: FuseRequest): TransferKind | undefined {
  switch (opcode) {
    case Opcode.READ:
      return 'read';
    case Opcode.WRITE:
      return 'write';
    case Opcode.FSYNC:
      return 'flush';
    default: {
      // Without KEEP_SIZE the file would grow; plain allocation has no meaning here.
      if ((mode & FallocateMode.KEEP_SIZE) === 0) return undefined;
      if ((mode & FallocateMode.PUNCH_HOLE) !== 0) return 'punch';
      return (mode & FallocateMode.ZERO_RANGE) === 0 ? undefined : 'zero';
    }
  }
}

class FuseTransfer implements Transfer {
  constructor(
    private readonly session: FuseSession,
    private readonly unique: bigint,
    readonly kind: TransferKind,
    readonly offset: number,
    readonly length: number,
    readonly data: Buffer | undefined,
    private readonly kept: boolean,
  ) {}
  answer(error: number): void {
    const { session, unique, data } = this;
    if (error !== 0) session.answer(unique, error);
    else if (this.kind === 'read' && data !== undefined) session.answerRead(unique, data);
    else if (this.kind === 'write') session.answerWrite(unique, this.length);
    else session.answer(unique, 0);
    session.finished(this.kept ? data : undefined);
  }
}
