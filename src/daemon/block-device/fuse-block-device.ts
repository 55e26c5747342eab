/** One `/dev/drbdN` made of a FUSE file, a loop device with direct I/O over it, and a node with the loop's number. */
import { type BlockDevice } from './block-device';
import { type DeviceNode } from './device-node';
import { FuseSession, type FileServer } from './fuse-session';
import { adoptFileSize, attachLoop, detachLoop, setLoopBlockSize } from './loop-device';

export class FuseBlockDevice implements BlockDevice {
  private session: FuseSession | undefined;
  private attached: number | undefined;
  /** Bytes; of the loop device. */
  private blockSize = 0;
  private isEmpty = true;

  /** `file`: where the FUSE file is to be. */
  constructor(
    private readonly file: string,
    private readonly server: FileServer,
    private readonly node: DeviceNode,
  ) {}

  get loop(): number | undefined {
    return this.attached;
  }
  async start(): Promise<void> {
    const objection = this.node.objection();
    if (objection !== undefined) throw new Error(objection);
    try {
      this.session = await FuseSession.mount(this.file, this.server);
      this.blockSize = this.server.blockSize;
      this.isEmpty = this.server.size === 0;
      this.attached = await attachLoop(this.file, this.blockSize);
      await this.node.create(this.attached);
    } catch (error) {
      await this.stop().catch(() => undefined);
      throw error;
    }
  }
  async adoptSize(): Promise<void> {
    if (this.session === undefined || this.attached === undefined) return;
    // Only now the disk's sectors are known; nobody uses what has no size.
    if (this.isEmpty && this.server.blockSize !== this.blockSize) {
      this.blockSize = this.server.blockSize;
      await setLoopBlockSize(this.attached, this.blockSize);
    }
    this.isEmpty = this.server.size === 0;
    await this.session.announceSize();
    await adoptFileSize(this.attached);
  }
  async stop(): Promise<void> {
    const { session, attached } = this;
    this.session = undefined;
    this.attached = undefined;
    const problems: unknown[] = [];
    const attempt = (step: Promise<unknown>): Promise<void> =>
      step.then(
        () => undefined,
        (error: unknown) => void problems.push(error),
      );
    if (attached !== undefined) {
      this.node.remove();
      await attempt(detachLoop(attached));
    }
    if (session !== undefined) {
      await attempt(session.unmount());
      // Whoever still holds on to the loop device gets errors, as the device is gone for him anyway.
      session.close();
    }
    if (problems.length > 0) throw problems[0];
  }
}
