/**
 * The block devices of a host. They follow the engine's devices, one step after the other for each minor, and the
 * answers to requests wait for them: when `drbdadm up` returns the nodes are there, when `down` returns they are gone.
 */
import { type ControlReply, type ControlRequest } from '../../control/contract/requests';
import { type ExportedDevice, type ExportListener } from '../../engine/application-io';
import { type Log } from '../../engine/ports';
import { type InputQueue } from '../input-queue';
import { type BlockDevice } from './block-device';
import { type BlockDeviceSettings } from './block-device-settings';
import { DeviceNode } from './device-node';
import { DeviceRequests } from './device-requests';
import { FuseBlockDevice } from './fuse-block-device';
import { findHolders, type Holder } from './openers';
import { fileDirectory, fuseFile, removeStaleDevices } from './stale-devices';

/** Milliseconds between two looks at the holders of open devices; longer ones when nothing changes. */
const LOOK = 100;
const LONGEST_LOOK = 400;
/** Milliseconds that a request or its answer waits for block devices at most. */
const PATIENCE = 10_000;
const CLOSE_PATIENCE = 2_000;
const CLOSE_STEP = 5;

/** What is asked of the engine beyond what an ExportedDevice tells. */
export interface DeviceFacts {
  /** Path of the disk below, '' without one. */
  backing(minor: number): string;
  canDiscard(minor: number): boolean;
  openCount(minor: number): number;
}

interface Entry {
  readonly device: ExportedDevice;
  readonly requests: DeviceRequests;
  readonly block: BlockDevice;
  readonly node: DeviceNode;
  holder: Holder | undefined;
  takenAtLastLook: number;
  /** The steps so far. */
  chain: Promise<void>;
}

/** Requests that an opener may stand in the way of. */
const usersMatter = (request: ControlRequest): boolean =>
  ['secondary', 'down', 'detach', 'del-minor', 'disconnect', 'primary'].includes(request.command);

export class BlockDevices implements ExportListener {
  private readonly entries = new Map<number, Entry>();
  /** Minors on their way out; a new device of the same number waits for them. */
  private readonly leaving = new Map<number, Promise<void>>();
  private steps = 0;
  private cleaning = false;
  private readonly stepWaiters: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private pause = LOOK;

  constructor(
    private readonly runDirectory: string,
    private readonly settings: BlockDeviceSettings,
    private readonly queue: InputQueue,
    private readonly log: Log,
    private readonly facts: DeviceFacts,
  ) {}

  async removeStale(): Promise<void> {
    const problems = await removeStaleDevices(this.runDirectory, this.settings.deviceDirectory);
    for (const problem of problems)
      this.log.write('warning', `block devices of an earlier daemon: ${problem}`);
  }

  onDeviceAppeared(device: ExportedDevice): void {
    const { minor, resourceName, volume } = device;
    const file = fuseFile(this.runDirectory, minor);
    const node = new DeviceNode(this.settings.deviceDirectory, minor, fileDirectory(this.runDirectory));
    const requests = new DeviceRequests(device, this.queue, {
      findHolders: () => this.holdersOf(entry),
      canDiscard: () => this.facts.canDiscard(minor),
      onOpened: () => this.lookSoon(),
    });
    const block = new FuseBlockDevice(file, requests, node);
    const entry: Entry = {
      device,
      requests,
      block,
      node,
      holder: undefined,
      takenAtLastLook: 0,
      chain: this.leaving.get(minor) ?? Promise.resolve(),
    };
    this.entries.set(minor, entry);
    this.step(entry, async () => {
      await block.start();
      node.linkResource(resourceName, volume);
      await this.follow(entry);
    });
  }
  onDeviceResized(device: ExportedDevice): void {
    const entry = this.entries.get(device.minor);
    if (entry !== undefined) this.step(entry, () => this.follow(entry));
  }
  private async follow({ block, node, device }: Entry): Promise<void> {
    if (block.loop === undefined) return;
    await block.adoptSize();
    const backing = this.facts.backing(device.minor);
    if (backing !== '') node.linkDisk(backing);
  }
  onDeviceGone(device: ExportedDevice): void {
    const { minor } = device;
    const entry = this.entries.get(minor);
    if (entry === undefined) return;
    this.entries.delete(minor);
    entry.requests.end();
    this.step(entry, () => entry.block.stop());
    this.leaving.set(minor, entry.chain);
    void entry.chain.then(() => {
      if (this.leaving.get(minor) === entry.chain) this.leaving.delete(minor);
    });
  }

  private step(entry: Entry, action: () => Promise<void>): void {
    this.steps++;
    entry.chain = entry.chain.then(action).then(
      () => this.stepDone(),
      (error: unknown) => {
        const { resourceName, minor } = entry.device;
        const reason = error instanceof Error ? error.message : String(error);
        this.log.write('error', `drbd ${resourceName}: block device of minor ${minor}: ${reason}`);
        this.stepDone();
      },
    );
  }
  private stepDone(): void {
    if (--this.steps > 0) return;
    for (const waiter of this.stepWaiters.splice(0)) waiter();
  }
  /** Calls `action` when no step is under way, at once if none is. */
  private whenSettled(action: () => void): void {
    if (this.steps === 0) {
      action();
      return;
    }
    let done = false;
    const once = (): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      action();
    };
    const timer = setTimeout(once, PATIENCE);
    this.stepWaiters.push(once);
  }
  settled(): Promise<void> {
    return new Promise((resolve) => this.whenSettled(resolve));
  }

  /** Lets `handle` handle a request when openers are known as they are, and holds its answer until nodes are. */
  attend(
    request: ControlRequest,
    respond: (reply: ControlReply) => void,
    handle: (respond: (reply: ControlReply) => void) => void,
  ): void {
    const go = (): void => handle((reply) => this.whenSettled(() => respond(reply)));
    if (this.cleaning) this.whenSettled(() => this.attend(request, respond, handle));
    else if (usersMatter(request)) this.refreshOpeners(go);
    else go();
  }

  // --- who has the devices open

  private holdersOf({ block, device }: Entry): readonly Holder[] {
    const { loop } = block;
    return loop === undefined ? [] : (findHolders([{ loop, name: `drbd${device.minor}` }]).get(loop) ?? []);
  }
  /** Remembers a holder of each entry; looks through /proc once if any of them has to be searched. */
  private findAll(entries: readonly Entry[], afresh: boolean): void {
    // Behind a remembered reader there may be a writer.
    const search = entries.filter(
      ({ holder, requests }) =>
        afresh || holder?.stillThere() !== true || (requests.isWritable && !holder.write),
    );
    const wanted = search.flatMap(({ block: { loop }, device }) =>
      loop === undefined ? [] : [{ loop, name: `drbd${device.minor}` }],
    );
    if (wanted.length === 0) return;
    const found = findHolders(wanted);
    for (const entry of search) {
      const holders = found.get(entry.block.loop ?? -1) ?? [];
      entry.holder = holders.find(({ write }) => write) ?? holders[0];
    }
  }
  private lookSoon(): void {
    this.pause = LOOK;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), this.pause);
  }
  /** Closes devices that nobody holds any more and that were quiet since the last look. */
  private look(): void {
    const open = [...this.entries.values()].filter(({ requests }) => requests.isOpen);
    const quiet = open.filter(({ requests, takenAtLastLook }) => requests.taken === takenAtLastLook);
    for (const entry of open) entry.takenAtLastLook = entry.requests.taken;
    const before = open.map(({ holder }) => holder);
    this.adjust(quiet, false, () => {
      const busy = quiet.length < open.length;
      const changed = busy || open.some(({ holder }, index) => holder !== before[index]);
      if (![...this.entries.values()].some(({ requests }) => requests.isOpen)) return;
      this.pause = changed ? LOOK : Math.min(this.pause * 1.5, LONGEST_LOOK);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), this.pause);
    });
  }
  /** Openers as they are at this moment; then `action`, when the engine has taken notice. */
  private refreshOpeners(action: () => void): void {
    this.adjust([...this.entries.values()], true, action);
  }
  /**
   * Closes what nobody holds; what only readers hold is opened anew, because an opener that was a writer stays one.
   * Those who hold a device without having used it are noticed.
   */
  private adjust(candidates: readonly Entry[], afresh: boolean, action: () => void): void {
    const entries = candidates.filter(({ block, requests }) => block.loop !== undefined && requests.isQuiet);
    this.findAll(entries, afresh);
    const closed = entries.map(({ requests, holder, device }) => {
      const unused = holder === undefined || (requests.isWritable && !holder.write);
      if (!requests.isOpen || !unused) return () => true;
      const before = this.facts.openCount(device.minor);
      this.queue.input(() => requests.close());
      return () => this.facts.openCount(device.minor) < before;
    });
    waitFor(closed, () => {
      const held = entries.filter(({ holder }) => holder !== undefined);
      for (const { requests, holder } of held)
        this.queue.input(() => requests.noticeHolder(holder?.write === true));
      waitFor(
        held.map(
          ({ requests }) =>
            () =>
              requests.isQuiet,
        ),
        action,
      );
    });
  }

  /** At the end: nothing is left behind, not even if the engine still has devices. */
  async closeAll(): Promise<void> {
    clearTimeout(this.timer);
    for (const { device } of [...this.entries.values()]) this.onDeviceGone(device);
    await this.settled();
  }
}

/** Calls `action` when all conditions hold, at once if they do, and after CLOSE_PATIENCE at the latest. */
function waitFor(conditions: readonly (() => boolean)[], action: () => void): void {
  const deadline = Date.now() + CLOSE_PATIENCE;
  const wait = (): void => {
    if (conditions.every((holds) => holds()) || Date.now() > deadline) action();
    else setTimeout(wait, CLOSE_STEP);
  };
  wait();
}
