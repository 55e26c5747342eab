/** Two kernel hosts (node ids 1 and 2) and one of ours (node id 0), each connected to both others. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DaemonHost } from './daemon-host';
import { KernelHost, type KernelLab } from './kernel-host';
import { DATA_BYTES, MEGABYTES, until } from './pair';

/** The port on which host `id` listens for host `peer`, the same in the guest and on this machine. */
const port = (id: number, peer: number): number => 17800 + 10 * id + peer;
const others = (id: number): readonly number[] => [0, 1, 2].filter((other) => other !== id);

export class Trio {
  private constructor(
    readonly directory: string,
    /** Kernel hosts, node ids 1 and 2. */
    readonly kernels: readonly [KernelHost, KernelHost],
    readonly ours: DaemonHost,
  ) {}

  static async start(lab: KernelLab): Promise<Trio> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-kernels-'));
    const boot = (id: number): Promise<KernelHost> =>
      KernelHost.start(
        lab,
        `udrbd-${process.pid}-${id}`,
        path.join(directory, `kernel${id}.img`),
        MEGABYTES,
        others(id).map((peer) => port(id, peer)),
      );
    const first = await boot(1);
    const second = await boot(2);
    return new Trio(directory, [first, second], new DaemonHost(directory, 'ours'));
  }
  async end(): Promise<void> {
    await this.ours.stop();
    for (const kernel of this.kernels) await kernel.stop();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
  kernel(id: number): KernelHost {
    const host = this.kernels[id - 1];
    if (host === undefined) throw new Error(`no kernel host ${id}`);
    return host;
  }

  /** All three UpToDate with empty disks, nobody Primary. */
  async ready(options: readonly string[] = []): Promise<void> {
    await this.ours.ask('drbdsetup', 'down', 'r0');
    for (const kernel of this.kernels) await kernel.ask('drbdsetup secondary --force r0; drbdsetup down r0');
    await this.ours.createMetaData(MEGABYTES);
    for (const id of [1, 2]) {
      await this.kernel(id).sh(
        'dd if=/dev/zero of=/dev/vda bs=1M count=16 2>/dev/null; drbdmeta --force 0 v09 /dev/vda internal create-md 3 >/dev/null',
      );
      await this.kernelUp(id, options);
    }
    await this.oursUp(options);
    await this.untilStatus(0, /^( {2}\S+ role:Secondary[^]*){2}/m);
    await this.ours.setup('new-current-uuid', '--clear-bitmap', '0');
    await this.untilAllUpToDate();
  }
  async kernelUp(id: number, options: readonly string[] = []): Promise<void> {
    const peers = others(id).map(
      (peer) => `drbdsetup new-peer r0 ${peer} --_name=node${peer} --protocol=C --connect-int=2 --ping-int=3
        drbdsetup new-path r0 ${peer} ipv4:10.0.2.15:${port(id, peer)} ipv4:10.0.2.2:${port(peer, id)}`,
    );
    await this.kernel(id).sh(`drbdsetup new-resource r0 ${id} ${options.join(' ')}
      drbdsetup new-minor r0 0 0
      ${peers.join('\n')}
      drbdmeta 0 v09 /dev/vda internal apply-al
      drbdsetup attach 0 /dev/vda /dev/vda internal
      ${others(id)
        .map((peer) => `drbdsetup connect r0 ${peer}`)
        .join('\n')}`);
  }
  async oursUp(options: readonly string[] = []): Promise<void> {
    await this.ours.setup('new-resource', 'r0', '0', ...options);
    await this.ours.setup('new-minor', 'r0', '0', '0');
    for (const peer of [1, 2]) {
      const net = ['--protocol=C', '--connect-int=2', '--ping-int=3'];
      await this.ours.setup('new-peer', 'r0', `${peer}`, `--_name=node${peer}`, ...net);
      const [own, theirs] = [`ipv4:127.0.0.1:${port(0, peer)}`, `ipv4:127.0.0.1:${port(peer, 0)}`];
      await this.ours.setup('new-path', 'r0', `${peer}`, own, theirs);
    }
    const { disk } = this.ours;
    await this.ours.ask('drbdmeta', '0', 'v09', disk, 'internal', 'apply-al');
    await this.ours.setup('attach', '0', disk, disk, 'internal');
    for (const peer of [1, 2]) await this.ours.setup('connect', 'r0', `${peer}`);
  }
  async status(id: number): Promise<string> {
    if (id === 0) return (await this.ours.ask('drbdsetup', 'status', 'r0')).stdout;
    return (await this.kernel(id).ask('drbdsetup status r0')).output;
  }
  async untilStatus(id: number, wanted: RegExp, ms = 60_000): Promise<void> {
    let last = '';
    await until(
      () => `node${id} ${String(wanted)}: ${last}\n${this.ours.log().split('\n').slice(-60).join('\n')}`,
      async () => wanted.test((last = await this.status(id))),
      ms,
    );
  }
  async untilAllUpToDate(): Promise<void> {
    for (const id of [0, 1, 2]) await this.untilStatus(id, /disk:UpToDate[^]*(peer-disk:UpToDate[^]*){2}/);
  }
  /** Offset of the first byte in which a kernel's data differ from ours; undefined if all are the same. */
  async difference(): Promise<string | undefined> {
    const mine = fs.readFileSync(this.ours.disk);
    for (const id of [1, 2]) {
      await this.kernel(id).sh('sync');
      const its = fs.readFileSync(this.kernel(id).disk);
      for (let at = 0; at < DATA_BYTES; at += 4096)
        if (mine.compare(its, at, at + 4096, at, at + 4096) !== 0) return `byte ${at} of node${id}`;
    }
    return undefined;
  }
}
