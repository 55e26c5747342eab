/**
 * One regular file served by FUSE: mounted over an empty file, so that a loop device can sit on it. Requests that move
 * data go to `FileServer`; the rest is answered here.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../../engine/ports';
import { type Slab } from '../receive-memory';
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
  type Unique,
  uniqueOf,
  writeReply,
} from './fuse-codec';
import { giveBack, pooledMemory } from '../../engine/data/buffer-pool';
import { runProgram } from './run-program';

const ENOSYS = 38;
/** Requests in flight at which no further one is read; the kernel gives 64 and those of synchronous readers. */
const MAX_IN_FLIGHT = 128;

export type TransferKind = 'read' | 'write' | 'flush' | 'punch' | 'zero';

/** A request of the kernel that moves or changes data. */
export interface Transfer {
  readonly kind: TransferKind;
  readonly offset: number;
  readonly length: number;
  /** What is written; for a read, what is to be filled. */
  readonly data: Uint8Array | undefined;
  /** 0 or a positive errno; once. */
  answer(error: number): void;
}
export interface FileServer {
  /** Bytes, as things are now. */
  readonly size: number;
  readonly blockSize: number;
  transfer(request: Transfer): void;
  /** Runs `action`, which calls `transfer` for all requests that were read in one go. */
  together(action: () => void): void;
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
    this.channel = new FuseChannel(fd, {
      onRequest: (slab, from, length) => this.onRequest(slab, from, length),
      together: (action) => server.together(action),
    });
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

  private onRequest(slab: Slab, from: number, length: number): void {
    const { request } = this;
    const { bytes } = slab;
    if (!decodeRequest(bytes, request, from, length)) {
      if (length >= 16) this.answer(uniqueOf(bytes, from), Errno.EINVAL);
      return;
    }
    const { size, blockSize } = this.server;
    switch (request.opcode) {
      case Opcode.READ:
      case Opcode.WRITE:
      case Opcode.FSYNC:
      case Opcode.FALLOCATE:
        this.begin(request, slab);
        break;
      case Opcode.INIT: {
        const reply = initReply(request, bytes.subarray(from, from + length));
        if (reply === undefined) this.answer(request, Errno.EIO);
        else this.channel.write([reply]);
        break;
      }
      case Opcode.GETATTR:
      case Opcode.SETATTR:
        this.channel.write([attributesReply(request, size)]);
        break;
      case Opcode.OPEN:
        this.channel.write([openReply(request)]);
        break;
      case Opcode.STATFS:
        this.channel.write([statfsReply(request, size, Math.max(blockSize, 4096))]);
        break;
      case Opcode.RELEASE:
      case Opcode.FLUSH:
      case Opcode.ACCESS:
      case Opcode.DESTROY:
        this.answer(request, 0);
        break;
      case Opcode.FORGET:
      case Opcode.BATCH_FORGET:
      case Opcode.INTERRUPT:
        break;
      default:
        this.answer(request, ENOSYS);
        break;
    }
  }
  answer(unique: Unique, error: number): void {
    this.channel.writeOne(replyHeader(unique, error, 0));
  }
  answerRead(unique: Unique, data: Uint8Array): void {
    this.channel.write([replyHeader(unique, 0, data.length), data]);
  }
  answerWrite(unique: Unique, length: number): void {
    this.channel.writeOne(writeReply(unique, length));
  }

  private begin(request: FuseRequest, slab: Slab): void {
    const { length } = request;
    const kind = kindOf(request);
    if (kind === undefined) {
      this.answer(request, Errno.EOPNOTSUPP);
      return;
    }
    let { data } = request;
    let wanted = length;
    if (kind === 'read') {
      // A read through the page cache may go beyond the end.
      wanted = Math.max(0, Math.min(length, this.server.size - request.offset));
      if (wanted === 0) {
        this.answerRead(request, Buffer.alloc(0));
        return;
      }
      data = pooledMemory(wanted);
    }
    this.inFlight++;
    if (this.inFlight >= MAX_IN_FLIGHT && !this.paused) {
      this.paused = true;
      this.channel.pause();
    }
    const kept = kind === 'write' ? slab : undefined;
    if (kept !== undefined) kept.users++;
    this.server.transfer(new FuseTransfer(this, request, kind, wanted, data, kept));
  }
  finished(kept: Slab | undefined): void {
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

class FuseTransfer implements Transfer, Unique {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly offset: number;

  /** `kept`: what holds the data of a write. */
  constructor(
    private readonly session: FuseSession,
    { uniqueLow, uniqueHigh, offset }: FuseRequest,
    readonly kind: TransferKind,
    readonly length: number,
    readonly data: Uint8Array | undefined,
    private readonly kept: Slab | undefined,
  ) {
    this.uniqueLow = uniqueLow;
    this.uniqueHigh = uniqueHigh;
    this.offset = offset;
  }
  answer(error: number): void {
    const { session, data } = this;
    if (this.kind === 'read' && data !== undefined) {
      if (error !== 0) session.answer(this, error);
      else {
        session.answerRead(this, data);
        giveBack(data);
      }
    } else if (this.kind === 'write' && error === 0) session.answerWrite(this, this.length);
    else session.answer(this, error);
    session.finished(this.kept);
  }
}
