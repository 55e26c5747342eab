/** One running host: engine, ports, exports and control server put together, and taken apart in order. */
import { ControlServer } from '../control/channel/server';
import { isSuccess } from '../control/contract/codes';
import { type ControlReply, type ControlRequest } from '../control/contract/requests';
import { handleRequest } from '../engine/admin/handle-request';
import { createHost } from '../engine/create-host';
import { type Host } from '../engine/host';
import { type Disk, type Disks } from '../engine/ports';
import { type BlockDeviceSettings } from './block-device/block-device-settings';
import { BlockDevices } from './block-device/block-devices';
import { type DaemonLog } from './daemon-log';
import { DeviceExports } from './device-exports';
import { enginePorts } from './engine-ports';
import { FaultParameters, FaultyDisks } from './fault-injection';
import { InputQueue } from './input-queue';
import { StackedDisks } from './stacked-disks';
import { type OwnHelper } from './usermode-helpers';

export interface DaemonSettings {
  readonly directory: string;
  readonly nodeName: string;
  readonly release: string;
  /** Usermode helper program, our own drbdadm, or `disabled`. */
  readonly helper: string | OwnHelper;
  readonly log: DaemonLog;
  /** Where to serve all devices over NBD, besides the unix sockets. */
  readonly nbdAddress?: { readonly host: string; readonly port: number } | undefined;
  /** Undefined: no block devices. */
  readonly blockDevices?: BlockDeviceSettings | undefined;
  /** Directory of the files that ask for faults (fault-injection.ts); undefined: none. */
  readonly faultDirectory?: string | undefined;
  /** An input of the engine threw: its state cannot be trusted any more. */
  readonly onFault: (error: unknown) => void;
}

/** Milliseconds that taking down one resource may take at the end. */
const DOWN_PATIENCE = 10_000;

export class Daemon {
  private constructor(
    private readonly settings: DaemonSettings,
    private readonly queue: InputQueue,
    private readonly host: Host,
    private readonly exports: DeviceExports,
    private readonly control: ControlServer,
    private readonly blockDevices: BlockDevices | undefined,
  ) {}

  /** Undefined if another daemon serves the run directory. Throws ControlError if that cannot be used. */
  static async start(settings: DaemonSettings): Promise<Daemon | undefined> {
    const { directory, nodeName, release, log } = settings;
    const queue = new InputQueue(settings.onFault);
    const blockDevices =
      settings.blockDevices &&
      new BlockDevices(directory, settings.blockDevices, queue, log, {
        backing: (minor) => host.minors.get(minor)?.backing?.dataDisk.path ?? '',
        canDiscard: (minor) => host.minors.get(minor)?.backing?.dataDisk.canDiscard ?? true,
        openCount: (minor) => host.minors.get(minor)?.openCount ?? 0,
      });
    const exports = new DeviceExports(directory, queue, log, blockDevices);
    const faults = settings.faultDirectory ? new FaultParameters(settings.faultDirectory) : undefined;
    const nodeDirectory = settings.blockDevices?.deviceDirectory ?? '/dev';
    const wrapDisks = (files: Disks): Disks => {
      const disks = new StackedDisks(files, exports.ownDevices(nodeDirectory), queue);
      return faults
        ? new FaultyDisks(disks, faults, queue, log, (...place) => isMetaData(host, ...place))
        : disks;
    };
    const host: Host = createHost(enginePorts(queue, log, settings.helper, wrapDisks), {
      nodeName,
      exportListener: exports,
    });
    let stopPublishing: (() => void) | undefined;
    const control: ControlServer | undefined = await ControlServer.listen(
      { directory, nodeName, release },
      {
        onRequest: (request, respond) => handle(host, queue, blockDevices, request, respond),
        snapshots: (scope) => host.snapshots(scope),
        // Events that nobody reads are not made.
        onFollowed: (followed) => {
          stopPublishing?.();
          stopPublishing = followed ? host.subscribe((event) => control?.publish(event)) : undefined;
        },
      },
    );
    if (control === undefined) return undefined;
    exports.removeStale();
    if (settings.nbdAddress) exports.listenTcp(settings.nbdAddress.host, settings.nbdAddress.port);
    await blockDevices?.removeStale();
    return new Daemon(settings, queue, host, exports, control, blockDevices);
  }

  /** Demotes, flushes and takes down everything: no resync is needed afterwards. Returns what could not be taken down. */
  async stop(): Promise<readonly string[]> {
    this.exports.closeAll();
    const stubborn: string[] = [];
    // What was made last may be stacked on what was made before.
    for (const resource of [...this.host.resources.keys()].reverse()) {
      if (!(await this.takeDown(resource))) stubborn.push(resource);
    }
    await this.blockDevices?.closeAll();
    await this.control.close();
    return stubborn;
  }
  private async takeDown(resource: string): Promise<boolean> {
    const reply = await this.request({ command: 'down', resource });
    if (reply !== undefined && isSuccess(reply.code)) return true;
    for (const text of reply?.infoTexts ?? ['no answer'])
      this.settings.log.write('warning', `drbd ${resource}: down at the end: ${text}`);
    await this.request({ command: 'secondary', resource, force: true });
    const second = await this.request({ command: 'down', resource });
    return second !== undefined && isSuccess(second.code);
  }
  private request(request: ControlRequest): Promise<ControlReply | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), DOWN_PATIENCE);
      handle(this.host, this.queue, this.blockDevices, request, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
    });
  }
}

/** A disk whose data the engine does not use yet is being attached: only meta-data are looked at. */
function isMetaData(host: Host, minor: number, disk: Disk, offset: number): boolean {
  const backing = host.minors.get(minor)?.backing;
  if (backing?.dataDisk !== disk) return true;
  if (backing.metaDisk !== disk) return false;
  const { alByte, bitmapByte, superblockByte } = backing.layout;
  return offset >= Math.min(alByte, bitmapByte, superblockByte);
}

/** Block devices look at their openers before the engine decides, and are there or gone before it is answered. */
function handle(
  host: Host,
  queue: InputQueue,
  blockDevices: BlockDevices | undefined,
  request: ControlRequest,
  respond: (reply: ControlReply) => void,
): void {
  const ask = (answer: (reply: ControlReply) => void): void =>
    queue.input(() => handleRequest(host, request, answer));
  if (blockDevices === undefined) ask(respond);
  else blockDevices.attend(request, respond, ask);
}
