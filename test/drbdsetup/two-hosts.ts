/**
 * Two hosts of ours on one machine, for unmodified programs of drbd-utils 9.22: our drbdsetup and drbdmeta come
 * first in PATH and print that release's dialect (UDRBD_COMPAT).
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { runningPid } from '../../src/control/channel/run-directory';

const root = path.join(__dirname, '../..');
const drbdadm = '/usr/sbin/drbdadm';

export type Host = 'alpha' | 'beta';
export const hosts: readonly Host[] = ['alpha', 'beta'];

export interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Waits for a condition, at most 60 s: CI shares two cores. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export class TwoHosts {
  /** Whether the real drbdadm is installed. */
  static readonly possible = fs.existsSync(drbdadm);

  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-clients-'));
  readonly configuration = path.join(this.folder, 'drbd.conf');

  /** `port`: of both hosts, each has an address of its own. */
  constructor(port: number) {
    this.buildPrograms();
    const sections = hosts.map((host, index) => {
      const image = this.image(host);
      fs.writeFileSync(image, '');
      fs.truncateSync(image, 16 * 1024 * 1024);
      return (
        `on ${host} { node-id ${index}; device /dev/drbd0 minor 0; disk ${image}; meta-disk internal; ` +
        `address 127.0.0.${index + 1}:${port}; }\n`
      );
    });
    const global = 'global { usage-count no; disable-ip-verification; }\n';
    fs.writeFileSync(
      this.configuration,
      `${global}resource r0 {\n  net { protocol C; }\n${sections.join('')}}\n`,
    );
  }

  image(host: Host): string {
    return path.join(this.folder, `${host}.img`);
  }

  environment(host: Host): NodeJS.ProcessEnv {
    return {
      PATH: `${path.join(this.folder, 'bin')}:${process.env.PATH ?? ''}`,
      HOME: this.folder,
      TERM: 'xterm-256color',
      LC_ALL: 'C.UTF-8',
      UDRBD_RUN_DIR: path.join(this.folder, host),
      UDRBD_DRBDD: path.join(this.folder, 'bin/drbdd'),
      UDRBD_USERMODE_HELPER: 'disabled',
      UDRBD_COMPAT: '9.22',
      __DRBD_NODE__: host,
      DRBD_DRIVER_VERSION_OVERRIDE: '9.1.0',
    };
  }

  runWith(extra: NodeJS.ProcessEnv, host: Host, program: string, ...args: readonly string[]): Answer {
    const { status, stdout, stderr } = spawnSync(program, args, {
      // With a slash in its name drbdadm would take the drbdsetup beside it instead of the first in PATH.
      argv0: path.basename(program),
      env: { ...this.environment(host), ...extra },
      encoding: 'utf8',
      timeout: 90_000,
    });
    return { status, stdout, stderr };
  }

  run(host: Host, program: string, ...args: readonly string[]): Answer {
    return this.runWith({}, host, program, ...args);
  }

  /** The real drbdadm, which takes drbdsetup and drbdmeta from PATH. */
  adm(host: Host, ...args: readonly string[]): Answer {
    return this.run(host, drbdadm, '-c', this.configuration, ...args);
  }

  /** drbdadm asks the kernel for the size of the block device after create-md: with a file it cannot. */
  createMetaData(host: Host): Answer {
    return this.run(host, 'drbdmeta', '--force', '0', 'v09', this.image(host), 'internal', 'create-md', '7');
  }

  /** Ends the daemons and removes everything. */
  remove(): void {
    for (const host of hosts) {
      const pid = runningPid(path.join(this.folder, host));
      if (pid !== undefined) process.kill(pid, 'SIGTERM');
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private buildPrograms(): void {
    buildSync({
      absWorkingDir: root,
      entryPoints: {
        drbdd: 'src/daemon/main.ts',
        drbdsetup: 'src/drbdsetup/main.ts',
        drbdmeta: 'src/drbdmeta/main.ts',
      },
      outdir: path.join(this.folder, 'dist'),
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
    });
    fs.mkdirSync(path.join(this.folder, 'bin'));
    for (const name of ['drbdd', 'drbdsetup', 'drbdmeta']) {
      // The real drbdmeta of 9.22 takes block devices only; ours shall take files here, in whatever dialect.
      const dialect = name === 'drbdmeta' ? 'unset UDRBD_COMPAT\n' : '';
      const bundle = path.join(this.folder, 'dist', `${name}.cjs`);
      const script = `#!/bin/sh\n${dialect}exec "${process.execPath}" "${bundle}" "$@"\n`;
      fs.writeFileSync(path.join(this.folder, 'bin', name), script, { mode: 0o755 });
    }
  }
}
