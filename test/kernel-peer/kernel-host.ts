/** A real kernel DRBD 9 in a virtual machine that a command given by the environment boots. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface KernelLab {
  /** Command that starts, enters and stops virtual machines. */
  readonly command: string;
  /** Folder with drbd.ko and drbd_transport_tcp.ko of DRBD 9 for the machine's kernel. */
  readonly modules: string;
}

/**
 * The lab that UDRBD_KERNEL_VM and UDRBD_KERNEL_MODULES name, and how to declare a test that wants it: without a lab
 * it is counted as skipped.
 */
export function onKernel(suite: string): { readonly lab: KernelLab | undefined; readonly test: jest.It } {
  const { UDRBD_KERNEL_VM: command, UDRBD_KERNEL_MODULES: modules } = process.env;
  if (command !== undefined && modules !== undefined) return { lab: { command, modules }, test };
  process.stderr.write(
    `SKIPPED (no UDRBD_KERNEL_VM and UDRBD_KERNEL_MODULES, docs/kernel-peer.md): ${suite}\n`,
  );
  return { lab: undefined, test: test.skip };
}

export class KernelHost {
  private constructor(
    private readonly lab: KernelLab,
    readonly name: string,
    /** The disk's image on this machine: what the guest's /dev/vda holds. */
    readonly disk: string,
    private readonly startWords: readonly string[],
  ) {}

  /** Boots a machine whose guest listens on `ports`, each forwarded from 127.0.0.1. */
  static async start(
    lab: KernelLab,
    name: string,
    disk: string,
    megabytes: number,
    ports: readonly number[],
  ): Promise<KernelHost> {
    const words = [
      'start',
      name,
      '--disk',
      `${disk}:${megabytes}M`,
      '--ttl',
      '1800',
      '--timeout',
      '170',
      '--modules',
      lab.modules,
    ];
    for (const port of ports) words.push('--forward', `${port}:${port}`);
    words.push('--load', 'drbd_transport_tcp');
    const host = new KernelHost(lab, name, disk, words);
    await host.boot();
    return host;
  }
  async boot(): Promise<void> {
    await this.command(this.startWords);
  }
  /** Output of a piece of shell that must succeed in the guest. */
  async sh(text: string): Promise<string> {
    return await this.command(['sh', this.name, '--timeout', '60', `set -e\n${text}`]);
  }
  /** Exit status and output of a piece of shell in the guest. */
  async ask(text: string): Promise<{ readonly status: number; readonly output: string }> {
    const output = await this.command([
      'sh',
      this.name,
      '--timeout',
      '60',
      `(${text}\n) 2>&1; echo "status=$?"`,
    ]);
    const match = /status=(\d+)\s*$/.exec(output);
    return { status: Number(match?.[1] ?? 125), output: output.slice(0, match?.index) };
  }
  log(): Promise<string> {
    return this.command(['dmesg', this.name]);
  }
  /** Power failure. */
  async kill(): Promise<void> {
    await this.command(['kill', this.name]);
  }
  async stop(): Promise<void> {
    await this.command(['stop', this.name]);
  }
  /** Pulls or plugs the network cable. */
  async link(state: 'up' | 'down'): Promise<void> {
    await this.command(['link', this.name, state]);
  }
  /** Freezes or thaws the whole machine. */
  async freeze(frozen: boolean): Promise<void> {
    await this.command([frozen ? 'pause' : 'cont', this.name]);
  }

  private async command(words: readonly string[]): Promise<string> {
    try {
      const { stdout } = await execute(this.lab.command, words, { maxBuffer: 1 << 26, encoding: 'utf8' });
      return stdout;
    } catch (error) {
      // execFile's errors name the command and its standard error.
      throw new Error(`kernel host ${this.name}: ${words.slice(0, 2).join(' ')}`, { cause: error });
    }
  }
}
