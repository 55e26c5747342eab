/** Hosts for end-to-end tests: the lab's, driven by the built programs. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { daemonOf } from '../../src/lab/daemons';
import { createLab, destroyLab, type Lab } from '../../src/lab/lab';
import { hostNames, labConfiguration } from '../../src/lab/lab-configuration';
import { type LabHost } from '../../src/lab/lab-host';
import { makeReady } from '../../src/lab/ready-cluster';
import { ask, type Answer } from '../../src/lab/run-on-host';

const MiB = 1024 * 1024;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  ms = 30_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await pause(50);
  }
}

export class Cluster {
  private constructor(readonly lab: Lab) {}

  /** Hosts with empty disks; nothing runs yet. */
  static async create(
    hosts: number,
    configuration: (hosts: readonly LabHost[]) => string = labConfiguration,
  ): Promise<Cluster> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-e2e-'));
    const names = hostNames(hosts);
    return new Cluster(await createLab({ directory, names, size: 16 * MiB, configuration }));
  }
  /** Connected hosts with up-to-date disks. */
  static async ready(hosts: number): Promise<Cluster> {
    const cluster = await Cluster.create(hosts);
    try {
      await makeReady(cluster.lab);
      return cluster;
    } catch (error) {
      process.stderr.write(cluster.logs());
      await cluster.destroy();
      throw error;
    }
  }
  host(index: number): LabHost {
    const host = this.lab.hosts[index];
    if (host === undefined) throw new Error(`no host ${index}`);
    return host;
  }
  ask(index: number, ...words: readonly string[]): Promise<Answer> {
    return ask(this.host(index), this.lab.configFile, words);
  }
  /** Output of a command that must succeed. */
  async run(index: number, ...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.ask(index, ...words);
    if (exitCode !== 0)
      throw new Error(`${words.join(' ')}: exit code ${exitCode}\n${stdout}${stderr}${this.logs()}`);
    return stdout;
  }
  /** Waits until `drbdadm dstate` says so on that host. */
  async untilDisks(index: number, wanted: string): Promise<void> {
    let last = '';
    try {
      await until(wanted, async () => {
        last = (await this.ask(index, 'drbdadm', 'dstate', 'r0')).stdout.trim();
        return last === wanted;
      });
    } catch {
      throw new Error(`${this.host(index).name}: disks are ${last}, not ${wanted}\n${this.logs()}`);
    }
  }
  /** The daemon's process id. */
  daemon(index: number): number {
    const pid = daemonOf(this.host(index));
    if (pid === undefined) throw new Error(`${this.host(index).name} has no daemon`);
    return pid;
  }
  /** The last `lines` lines of every daemon. */
  logs(lines = 30): string {
    return this.lab.hosts
      .map(({ name, runDirectory }) => {
        const file = path.join(runDirectory, 'drbdd.log');
        const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trimEnd() : '';
        return `--- ${name}\n${text.split('\n').slice(-lines).join('\n')}\n`;
      })
      .join('');
  }
  destroy(): Promise<void> {
    return destroyLab(this.lab);
  }
}

/** Process ids of daemons that serve a directory below `directory`. */
export function daemonsBelow(directory: string): readonly number[] {
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0)
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`UDRBD_RUN_DIR=${directory}`);
      } catch {
        return false;
      }
    });
}
