/**
 * Debian's unmodified clients of drbdsetup on two hosts of ours: drbdadm, drbdmon, the service scripts. They are of
 * release 9.22, so drbdsetup prints that release's dialect (UDRBD_COMPAT).
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { runningPid } from '../../src/control/channel/run-directory';

const root = path.join(__dirname, '../..');
const drbdadm = '/usr/sbin/drbdadm';
const present = fs.existsSync(drbdadm) && fs.existsSync(path.join(root, 'src/daemon/main.ts'));
if (!present) process.stderr.write('skipped: no /usr/sbin/drbdadm, no real client was run\n');

type Host = 'alpha' | 'beta';
const hosts: readonly Host[] = ['alpha', 'beta'];
interface Answer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
let configuration: string;

function environment(host: Host): NodeJS.ProcessEnv {
  return {
    PATH: `${path.join(folder, 'bin')}:${process.env.PATH ?? ''}`,
    HOME: folder,
    TERM: 'xterm-256color',
    LC_ALL: 'C.UTF-8',
    UDRBD_RUN_DIR: path.join(folder, host),
    UDRBD_DRBDD: path.join(folder, 'bin/drbdd'),
    UDRBD_USERMODE_HELPER: 'disabled',
    UDRBD_COMPAT: '9.22',
    __DRBD_NODE__: host,
    DRBD_DRIVER_VERSION_OVERRIDE: '9.1.0',
  };
}

function run(host: Host, program: string, ...args: string[]): Answer {
  const { status, stdout, stderr } = spawnSync(program, args, {
    // With a slash in its name drbdadm would take the drbdsetup beside it instead of the first in PATH.
    argv0: path.basename(program),
    env: environment(host),
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

/** The real drbdadm, which takes drbdsetup and drbdmeta from PATH. */
const adm = (host: Host, ...args: string[]): Answer => run(host, drbdadm, '-c', configuration, ...args);

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function buildPrograms(): void {
  buildSync({
    absWorkingDir: root,
    entryPoints: {
      drbdd: 'src/daemon/main.ts',
      drbdsetup: 'src/drbdsetup/main.ts',
      drbdmeta: 'src/drbdmeta/main.ts',
    },
    outdir: path.join(folder, 'dist'),
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'silent',
  });
  fs.mkdirSync(path.join(folder, 'bin'));
  for (const name of ['drbdd', 'drbdsetup', 'drbdmeta']) {
    // The real drbdmeta of 9.22 takes block devices only; ours shall take files here, in whatever dialect.
    const dialect = name === 'drbdmeta' ? 'unset UDRBD_COMPAT\n' : '';
    const script = `#!/bin/sh\n${dialect}exec "${process.execPath}" "${path.join(folder, 'dist', name)}.cjs" "$@"\n`;
    fs.writeFileSync(path.join(folder, 'bin', name), script, { mode: 0o755 });
  }
}

const hostSection = (host: Host, index: number): string =>
  `on ${host} { node-id ${index}; device /dev/drbd0 minor 0; disk ${folder}/${host}.img; meta-disk internal; ` +
  `address 127.0.0.${index + 1}:${17_000 + (process.pid % 10_000)}; }\n`;

(present ? describe : describe.skip)('unmodified clients of DRBD 9.22', () => {
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-clients-'));
    configuration = path.join(folder, 'drbd.conf');
    buildPrograms();
    for (const host of hosts) fs.writeFileSync(path.join(folder, `${host}.img`), '');
    for (const host of hosts) fs.truncateSync(path.join(folder, `${host}.img`), 16 * 1024 * 1024);
    fs.writeFileSync(
      configuration,
      `global { usage-count no; disable-ip-verification; }\nresource r0 {\n  net { protocol C; }\n` +
        `${hosts.map(hostSection).join('')}}\n`,
    );
  }, 60_000);

  afterAll(() => {
    for (const host of hosts) {
      const pid = runningPid(path.join(folder, host));
      if (pid !== undefined) process.kill(pid, 'SIGTERM');
    }
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('drbdadm brings two hosts up, promotes one and finds nothing to adjust', async () => {
    for (const host of hosts) {
      // drbdadm asks the kernel for the size of the block device after create-md: with a file it cannot.
      const image = path.join(folder, `${host}.img`);
      expect(run(host, 'drbdmeta', '--force', '0', 'v09', image, 'internal', 'create-md', '7').status).toBe(
        0,
      );
      expect(adm(host, 'up', 'r0').status).toBe(0);
    }
    await until('the connection', () => adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
    expect(adm('alpha', 'dstate', 'r0').stdout).toBe('Inconsistent/Inconsistent\n');
    expect(adm('alpha', 'primary', '--force', 'r0').status).toBe(0);
    await until('the initial sync', () => adm('alpha', 'dstate', 'r0').stdout === 'UpToDate/UpToDate\n');
    expect(adm('alpha', 'status', 'r0').stdout).toBe(
      'r0 role:Primary\n  disk:UpToDate\n  beta role:Secondary\n    peer-disk:UpToDate\n\n',
    );
    for (const host of hosts)
      expect(adm(host, '-d', 'adjust', 'r0')).toMatchObject({ status: 0, stdout: '' });
    expect(adm('beta', 'primary', 'r0').status).toBe(11);
    expect(adm('alpha', 'get-gi', 'r0').stdout).toMatch(/^[0-9A-F]{16}:0{16}:/);
  }, 90_000);

  it('drbdadm adjust carries a changed option over', () => {
    const text = fs.readFileSync(configuration, 'utf8');
    fs.writeFileSync(
      configuration,
      text.replace('protocol C;', 'protocol C; max-buffers 4000; ping-timeout 9;'),
    );
    const planned = adm('beta', '-d', 'adjust', 'r0').stdout;
    expect(planned).toMatch(/^drbdsetup net-options r0 0 --set-defaults --_name=alpha .*--max-buffers=4000/m);
    for (const host of hosts) {
      expect(adm(host, 'adjust', 'r0').status).toBe(0);
      expect(adm(host, '-d', 'adjust', 'r0').stdout).toBe('');
    }
  }, 60_000);

  const tmux = spawnSync('tmux', ['-V']).status === 0 && fs.existsSync('/usr/sbin/drbdmon');
  if (!tmux) process.stderr.write('skipped: no tmux or no drbdmon\n');
  (tmux ? it : it.skip)(
    'drbdmon shows the resource and reacts to a change of role',
    async () => {
      const server = ['-L', `udrbd-${process.pid}`, '-f', '/dev/null'];
      const screen = (): string => run('alpha', 'tmux', ...server, 'capture-pane', '-p').stdout;
      run('alpha', 'tmux', ...server, 'new-session', '-d', '-x', '100', '-y', '24', '/usr/sbin/drbdmon');
      try {
        await until('the primary', () => /r0 .*Primary/.test(screen()));
        expect(screen()).toContain('beta');
        expect(adm('alpha', 'secondary', 'r0').status).toBe(0);
        await until('the secondary', () => /r0 .*Secondary/.test(screen()));
        expect(adm('alpha', 'primary', 'r0').status).toBe(0);
        await until('the primary again', () => /r0 .*Primary/.test(screen()));
      } finally {
        run('alpha', 'tmux', ...server, 'kill-server');
      }
    },
    60_000,
  );

  const waitPromotable = '/lib/drbd/scripts/drbd-wait-promotable.sh';
  const shim = '/lib/drbd/scripts/drbd-service-shim.sh';
  const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0;
  const haveScripts = mayMount && [waitPromotable, shim].every((script) => fs.existsSync(script));
  if (!haveScripts)
    process.stderr.write('skipped: no service scripts of drbd-utils, or no mount namespaces\n');
  (haveScripts ? it : it.skip)(
    'the service scripts of systemd promote, demote and wait',
    () => {
      // The shim calls /usr/sbin/drbdsetup by its path: ours is put there for this process alone.
      const ours = path.join(folder, 'bin/drbdsetup');
      const shimmed = (...args: string[]): Answer =>
        run(
          'alpha',
          'unshare',
          '-m',
          'sh',
          '-c',
          `mount --bind "${ours}" /usr/sbin/drbdsetup && exec "$@"`,
          'sh',
          shim,
          ...args,
        );
      expect(shimmed('secondary', 'r0')).toMatchObject({ status: 0 });
      expect(adm('alpha', 'role', 'r0').stdout).toBe('Secondary\n');
      // The script leaves its drbdsetup behind, which ends with the next event.
      expect(run('alpha', 'sh', '-c', `exec "${waitPromotable}" r0 >/dev/null 2>&1`).status).toBe(0);
      expect(shimmed('primary', 'r0')).toMatchObject({ status: 0 });
      expect(adm('alpha', 'role', 'r0').stdout).toBe('Primary\n');
      expect(shimmed('down', 'nosuch')).toMatchObject({ status: 0 });
    },
    60_000,
  );

  it('drbdadm disconnects, reconnects and takes the resource down', async () => {
    expect(adm('alpha', 'disconnect', 'r0').status).toBe(0);
    expect(adm('alpha', 'cstate', 'r0').stdout).toBe('StandAlone\n');
    expect(adm('alpha', '-d', 'adjust', 'r0').stdout).toContain('connect r0 1');
    expect(adm('alpha', 'adjust', 'r0').status).toBe(0);
    await until('the connection', () => adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
    expect(adm('alpha', 'wait-connect', 'r0').status).toBe(0);
    for (const host of hosts) {
      expect(adm(host, 'down', 'r0').status).toBe(0);
      expect(run(host, 'drbdsetup', 'status').stdout).toBe('# No currently configured DRBD found.\n');
    }
  }, 60_000);
});
