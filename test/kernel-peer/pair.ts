/** One resource of one volume between a kernel host (node id 1) and a host of ours (node id 0). */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DaemonHost } from './daemon-host';
import { KernelHost, type KernelLab } from './kernel-host';

export const MEGABYTES = 16;
/** Bytes of the volume's data: what precedes internal meta-data on a disk of 16 MiB. */
export const DATA_BYTES = 16344 * 1024;
const GUEST_PORT = 17788;
const OUR_PORT = 17789;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(
  what: () => string,
  holds: () => Promise<boolean> | boolean,
  ms = 60_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what()}`);
    await pause(200);
  }
}

export interface PairOptions {
  readonly net?: readonly string[];
  readonly peerDevice?: readonly string[];
  readonly ourNet?: readonly string[];
  readonly diskless?: 'kernel' | 'ours';
}

export class Pair {
  private constructor(
    readonly directory: string,
    readonly kernel: KernelHost,
    readonly ours: DaemonHost,
  ) {}

  /** Boots the kernel host. */
  static async start(lab: KernelLab): Promise<Pair> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-kernel-'));
    const disk = path.join(directory, 'kernel.img');
    const name = `udrbd-${process.pid}`;
    const kernel = await KernelHost.start(lab, name, disk, MEGABYTES, [GUEST_PORT]);
    return new Pair(directory, kernel, new DaemonHost(directory, 'ours'));
  }
  async end(): Promise<void> {
    await this.ours.stop();
    await this.kernel.stop();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  /** New meta-data on both, configured and connected; both Inconsistent at first. */
  async fresh(options: PairOptions = {}): Promise<void> {
    await this.ours.ask('drbdsetup', 'down', 'r0');
    await this.kernel.freeze(false);
    await this.kernel.link('up');
    await this.kernel.ask('drbdsetup secondary --force r0; drbdsetup down r0');
    if (options.diskless !== 'ours') await this.ours.createMetaData(MEGABYTES);
    if (options.diskless !== 'kernel')
      await this.kernel.sh(
        'dd if=/dev/zero of=/dev/vda bs=1M count=16 2>/dev/null; drbdmeta --force 0 v09 /dev/vda internal create-md 3 >/dev/null',
      );
    await this.kernelUp(options);
    await this.oursUp(options);
    await this.untilConnected();
  }
  async kernelUp(options: PairOptions = {}): Promise<void> {
    const net = ['--protocol=C', '--connect-int=2', '--ping-int=3', ...(options.net ?? [])].join(' ');
    await this.kernel.sh(`drbdsetup new-resource r0 1
      drbdsetup new-minor r0 0 0${options.diskless === 'kernel' ? ' --diskless' : ''}
      drbdsetup new-peer r0 0 --_name=ours ${net}
      ${(options.peerDevice ?? []).length === 0 ? '' : `drbdsetup peer-device-options r0 0 0 ${options.peerDevice?.join(' ')}`}
      drbdsetup new-path r0 0 ipv4:10.0.2.15:${GUEST_PORT} ipv4:10.0.2.2:${OUR_PORT}
      ${options.diskless === 'kernel' ? '' : 'drbdsetup attach 0 /dev/vda /dev/vda internal'}
      drbdsetup connect r0 0`);
  }
  async oursUp(options: PairOptions = {}): Promise<void> {
    const net = [
      '--protocol=C',
      '--connect-int=2',
      '--ping-int=3',
      ...(options.net ?? []),
      ...(options.ourNet ?? []),
    ];
    await this.ours.setup('new-resource', 'r0', '0');
    await this.ours.setup(
      'new-minor',
      'r0',
      '0',
      '0',
      ...(options.diskless === 'ours' ? ['--diskless'] : []),
    );
    await this.ours.setup('new-peer', 'r0', '1', '--_name=kernel', ...net);
    if ((options.peerDevice ?? []).length > 0)
      await this.ours.setup('peer-device-options', 'r0', '1', '0', ...(options.peerDevice ?? []));
    await this.ours.setup(
      'new-path',
      'r0',
      '1',
      `ipv4:127.0.0.1:${OUR_PORT}`,
      `ipv4:127.0.0.1:${GUEST_PORT}`,
    );
    if (options.diskless !== 'ours') await this.oursAttach();
    await this.ours.setup('connect', 'r0', '1');
  }
  /** What drbdadm does: the activity log is applied before the disk is attached. */
  async oursAttach(): Promise<void> {
    const { disk } = this.ours;
    const { status, stderr } = await this.ours.ask('drbdmeta', '0', 'v09', disk, 'internal', 'apply-al');
    if (status !== 0) throw new Error(`apply-al: ${status} ${stderr}`);
    await this.ours.setup('attach', '0', disk, disk, 'internal');
  }
  /** Both disks UpToDate with our (zero) data. */
  async ready(options: PairOptions = {}): Promise<void> {
    await this.fresh(options);
    await this.ours.setup('primary', 'r0', '--force');
    await this.ours.setup('secondary', 'r0');
    await this.untilDisks('UpToDate', 'UpToDate');
  }

  /** Our view: `ours/kernel` of dstate, and the kernel's own word for its disk. */
  async untilDisks(ours: string, kernel: string, ms?: number): Promise<void> {
    let last = '';
    await until(
      () => `disks ${ours}/${kernel}: ${last}\n${this.tail()}`,
      async () => {
        const mine = (await this.ours.ask('drbdsetup', 'dstate', '0')).stdout.trim();
        const its = (await this.kernel.ask('drbdsetup dstate 0')).output.trim();
        last = `ours says ${mine}, kernel says ${its}`;
        return mine === `${ours}/${kernel}` && its === `${kernel}/${ours}`;
      },
      ms,
    );
  }
  async untilConnected(): Promise<void> {
    await this.untilConnection('Connected');
  }
  async untilConnection(wanted: string, ms?: number): Promise<void> {
    let last = '';
    await until(
      () => `connection ${wanted}: ${last}\n${this.tail()}`,
      async () => {
        last = (await this.ours.ask('drbdsetup', 'cstate', 'r0', '1')).stdout.trim();
        return last === wanted;
      },
      ms,
    );
  }
  tail(): string {
    return this.ours.log().split('\n').slice(-40).join('\n');
  }
  /** Offset of the first byte in which the two disks' data differ; undefined if they are the same. */
  async difference(): Promise<number | undefined> {
    await this.kernel.sh('sync');
    const [mine, its] = [fs.readFileSync(this.ours.disk), fs.readFileSync(this.kernel.disk)];
    for (let at = 0; at < DATA_BYTES; at += 4096)
      if (mine.compare(its, at, at + 4096, at, at + 4096) !== 0) return at;
    return undefined;
  }
}
