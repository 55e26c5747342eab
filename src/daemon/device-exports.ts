/**
 * Exports of the devices in the run directory: `drbdN.sock` for each minor, `by-res/RESOURCE/VOLUME.sock` links to it;
 * and, when asked for, all of them on one TCP port.
 */
import fs from 'node:fs';
import path from 'node:path';
import { socketPath } from '../control/channel/run-directory';
import { type ExportedDevice, type ExportListener } from '../engine/application-io';
import { type Log } from '../engine/ports';
import { type InputQueue } from './input-queue';
import { AllDevices, SingleDevice } from './nbd/device-directory';
import { NbdServer } from './nbd/nbd-server';
import { type OwnDevices } from './stacked-disks';

export const exportSocketName = (minor: number): string => `drbd${minor}.sock`;
const linkName = ({ resourceName, volume }: ExportedDevice): string =>
  path.join('by-res', resourceName, `${volume}.sock`);

interface Export {
  readonly device: ExportedDevice;
  readonly server: NbdServer;
  /** Full path of the symbolic link. */
  readonly link: string;
}

export class DeviceExports implements ExportListener {
  private readonly exports = new Map<number, Export>();
  private network: NbdServer | undefined;

  constructor(
    private readonly directory: string,
    private readonly queue: InputQueue,
    private readonly log: Log,
    private readonly blockDevices?: ExportListener,
  ) {}

  /** Serves all devices on a TCP address. Whoever reaches it may read and write: nobody is asked who he is. */
  listenTcp(host: string, port: number): void {
    const complain = (reason: string): void =>
      this.log.write('error', `drbd: cannot serve NBD on ${host}:${port} yet: ${reason}`);
    const devices = new AllDevices(() => [...this.exports.values()].map(({ device }) => device));
    this.network = new NbdServer(this.queue, this.queue, devices, complain);
    this.network.listenTcp(host, port);
  }

  /** What is exported, for those of this host that use it as a disk. */
  ownDevices(nodeDirectory: string): OwnDevices {
    return {
      device: (minor) => this.exports.get(minor)?.device,
      devices: () => [...this.exports.values()].map(({ device }) => device),
      nodeDirectory,
    };
  }

  /** Removes what a killed daemon has left. */
  removeStale(): void {
    for (const name of fs.readdirSync(this.directory)) {
      if (/^drbd\d+\.sock$/.test(name)) fs.rmSync(path.join(this.directory, name), { force: true });
    }
    fs.rmSync(path.join(this.directory, 'by-res'), { recursive: true, force: true });
  }

  onDeviceAppeared(device: ExportedDevice): void {
    this.endExport(device);
    this.blockDevices?.onDeviceAppeared(device);
    const name = exportSocketName(device.minor);
    const link = path.join(this.directory, linkName(device));
    const complain = (reason: string): void =>
      this.log.write('error', `drbd ${device.resourceName}: cannot export minor ${device.minor}: ${reason}`);
    const server = new NbdServer(this.queue, this.queue, new SingleDevice(device), complain);
    try {
      server.listenUnix(socketPath(this.directory, name));
      fs.mkdirSync(path.dirname(link), { recursive: true, mode: 0o700 });
      if (fs.lstatSync(link, { throwIfNoEntry: false }) !== undefined) fs.rmSync(link, { force: true });
      fs.symlinkSync(path.join('..', '..', name), link);
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error));
    }
    this.exports.set(device.minor, { device, server, link });
  }
  onDeviceResized(device: ExportedDevice): void {
    // NBD clients learn a size when they connect; connections look at the size as it is.
    this.blockDevices?.onDeviceResized(device);
  }
  onDeviceGone(device: ExportedDevice): void {
    this.endExport(device);
    this.blockDevices?.onDeviceGone(device);
  }
  private endExport(device: ExportedDevice): void {
    const present = this.exports.get(device.minor);
    if (present === undefined) return;
    this.exports.delete(device.minor);
    present.server.close();
    fs.rmSync(present.link, { force: true });
    for (const folder of [path.dirname(present.link), path.join(this.directory, 'by-res')]) {
      try {
        fs.rmdirSync(folder);
      } catch {
        // Others are still in there.
      }
    }
  }
  /** Ends the NBD exports; block devices go with their devices. */
  closeAll(): void {
    this.network?.close();
    for (const { device } of [...this.exports.values()]) this.endExport(device);
  }
}
