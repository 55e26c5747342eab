/**
 * Scripts of Debian's drbd-utils over our tools: the bash completion of drbdadm (over our drbdadm), the init script (over
 * the real one), and the fence handler for Pacemaker as far as it goes without a cluster.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { runningPid } from '../../src/control/channel/run-directory';
import { hosts, TwoHosts, until, type Answer, type Host } from './two-hosts';

const completion = '/usr/share/bash-completion/completions/drbdadm';
const functions = '/usr/share/bash-completion/bash_completion';
const fencing = '/usr/lib/drbd/crm-fence-peer.9.sh';

/** Runs the tests if all files are there, says loudly which is not otherwise. */
function given(what: string, ...files: readonly string[]): jest.It {
  const missing = files.filter((file) => !fs.existsSync(file));
  if (missing.length === 0) return it;
  process.stderr.write(`SKIPPED: ${what}: no ${missing.join(', ')}\n`);
  return it.skip;
}

describe('scripts of drbd-utils', () => {
  let pair: TwoHosts;
  beforeAll(() => {
    pair = new TwoHosts(37_000 + (process.pid % 10_000));
    const bundle = path.join(pair.folder, 'dist/drbdadm.cjs');
    buildSync({
      absWorkingDir: path.join(__dirname, '../..'),
      entryPoints: ['src/drbdadm/main.ts'],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
    });
    // The completion knows no -c. In the dialect of 9.22 drbdmeta would take block devices only.
    const script = `#!/bin/sh\nunset UDRBD_COMPAT\nexec "${process.execPath}" "${bundle}" -c "${pair.configuration}" "$@"\n`;
    fs.writeFileSync(path.join(pair.folder, 'bin/drbdadm'), script, { mode: 0o755 });
  }, 240_000);
  afterAll(() => pair.remove());

  const bash = (script: string, ...args: readonly string[]): Answer =>
    pair.run('alpha', '/bin/bash', '--norc', '-c', script, 'bash', ...args);

  /** What the completion offers for the last of the words, which is being typed. */
  function offered(...words: readonly string[]): readonly string[] {
    const script = `. ${functions}; . ${completion}
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"
      _drbdadm; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = bash(script, 'drbdadm', ...words);
    return stdout.split('\n').filter((word) => word !== '');
  }

  given(
    'bash completion',
    completion,
    functions,
    '/usr/sbin/drbdadm',
  )(
    'bash completion offers commands, and the resources whose state a command is for',
    () => {
      expect(offered('sec')).toEqual(['secondary']);
      expect(pair.createMetaData('alpha').status).toBe(0);
      const adm = (...words: readonly string[]): Answer => pair.run('alpha', 'drbdadm', ...words);
      expect(adm('up', 'r0')).toMatchObject({ status: 0 });
      expect(offered('up', '')).toEqual(['r0', 'all']);
      expect([offered('primary', ''), offered('secondary', '')]).toEqual([['r0'], []]);
      expect([offered('detach', 'r'), offered('attach', 'r')]).toEqual([['r0'], []]);
      expect(adm('primary', '--force', 'r0')).toMatchObject({ status: 0 });
      expect([offered('primary', ''), offered('secondary', '')]).toEqual([[], ['r0']]);
      expect(adm('down', 'r0')).toMatchObject({ status: 0 });
      expect(offered('attach', '')).toEqual([]);
    },
    240_000,
  );

  const script = '/lib/drbd/scripts/drbd';
  const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0 && fs.existsSync('/etc/default');
  if (!mayMount) process.stderr.write('SKIPPED: the init script: no mount namespaces\n');

  /**
   * The init script reads its settings from /etc/default/drbd, which it gets for itself alone: the tools' names, the file
   * that stands in for /proc/drbd, and a program that starts our daemon in place of modprobe.
   */
  function init(host: Host, action: string): Answer {
    const bin = path.join(pair.folder, 'bin');
    const settings = path.join(pair.folder, `default-${host}`);
    fs.mkdirSync(settings, { recursive: true });
    fs.writeFileSync(
      path.join(bin, 'modprobe'),
      '#!/bin/sh\nsetsid drbdd >/dev/null 2>&1 &\nuntil [ -e "$UDRBD_RUN_DIR/proc-drbd" ]; do sleep 0.1; done\n',
      { mode: 0o755 },
    );
    fs.writeFileSync(
      path.join(settings, 'drbd'),
      `PATH=${bin}:/usr/sbin:/usr/bin:/sbin:/bin\nDRBDADM="drbdadm -c ${pair.configuration}"\n` +
        `MODPROBE=${bin}/modprobe\nPROC_DRBD="$UDRBD_RUN_DIR/proc-drbd"\nUDEV_TIMEOUT=0\n`,
    );
    const shell = 'mount --bind "$1" /etc/default && shift && exec "$@"';
    return pair.run(host, 'unshare', '-m', 'sh', '-c', shell, 'sh', settings, script, action);
  }

  (mayMount ? given('the init script', script, '/usr/sbin/drbdadm') : it.skip)(
    'the init script starts, reloads, shows and stops what is configured',
    async () => {
      // Our drbdadm is in the way of the real one, which has to be called by its bare name.
      fs.rmSync(path.join(pair.folder, 'bin/drbdadm'));
      for (const host of hosts) {
        expect(pair.createMetaData(host).status).toBe(0);
        expect(pair.run(host, 'drbdsetup', 'status').stdout).toBe('# No currently configured DRBD found.\n');
      }
      for (const host of hosts) {
        const pid = runningPid(path.join(pair.folder, host));
        if (pid !== undefined) process.kill(pid, 'SIGTERM');
      }
      await until('the daemons to end', () =>
        hosts.every((host) => runningPid(path.join(pair.folder, host)) === undefined),
      );
      expect(init('beta', 'status')).toMatchObject({ status: 3, stderr: 'drbd not loaded\n' });
      expect(pair.adm('beta', 'up', 'r0').status).toBe(0);
      const started = init('alpha', 'start');
      expect([started.status, started.stdout]).toEqual([
        0,
        expect.stringContaining('Starting DRBD resources'),
      ]);
      expect(started.stdout).toContain('adjust disk: r0');
      await until('the connection', () => pair.adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
      expect(init('alpha', 'status')).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('device status:\n'),
      });
      expect(init('alpha', 'reload').status).toBe(0);
      const stopped = init('alpha', 'stop');
      expect([stopped.status, stopped.stdout]).toEqual([
        0,
        expect.stringContaining('Stopping all DRBD resources'),
      ]);
      for (const host of hosts) {
        expect(pair.adm(host, 'down', 'r0').status).toBe(0);
        expect(pair.run(host, 'drbdsetup', 'status').stdout).toBe('# No currently configured DRBD found.\n');
      }
    },
    240_000,
  );

  given('the fence handler', fencing, '/bin/bash')(
    'crm-fence-peer.9.sh refuses to work without a cluster, with an exit status drbdadm knows',
    () => {
      const { status } = pair.runWith(
        { DRBD_RESOURCE: 'r0', DRBD_PEER_NODE_ID: '1', DRBD_MY_NODE_ID: '0', DRBD_CONF: pair.configuration },
        'alpha',
        fencing,
        '--timeout',
        '2',
      );
      expect(status).toBe(1);
    },
    240_000,
  );
});
