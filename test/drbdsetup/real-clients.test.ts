/**
 * Debian's unmodified clients of drbdsetup on two hosts of ours: drbdadm, drbdmon, the service scripts.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { hosts, TwoHosts, until, type Answer } from './two-hosts';

if (!TwoHosts.possible) process.stderr.write('SKIPPED: no /usr/sbin/drbdadm, no real client was run\n');

(TwoHosts.possible ? describe : describe.skip)('unmodified clients of DRBD 9.22', () => {
  let pair: TwoHosts;
  beforeAll(() => {
    pair = new TwoHosts(17_000 + (process.pid % 10_000));
  }, 240_000);
  afterAll(() => pair.remove());

  it('drbdadm brings two hosts up, promotes one and finds nothing to adjust', async () => {
    for (const host of hosts) {
      expect(pair.createMetaData(host).status).toBe(0);
      expect(pair.adm(host, 'up', 'r0').status).toBe(0);
    }
    await until('the connection', () => pair.adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
    expect(pair.adm('alpha', 'dstate', 'r0').stdout).toBe('Inconsistent/Inconsistent\n');
    expect(pair.adm('alpha', 'primary', '--force', 'r0').status).toBe(0);
    await until('the initial sync', () => pair.adm('alpha', 'dstate', 'r0').stdout === 'UpToDate/UpToDate\n');
    expect(pair.adm('alpha', 'status', 'r0').stdout).toBe(
      'r0 role:Primary\n  disk:UpToDate\n  beta role:Secondary\n    peer-disk:UpToDate\n\n',
    );
    for (const host of hosts)
      expect(pair.adm(host, '-d', 'adjust', 'r0')).toMatchObject({ status: 0, stdout: '' });
    expect(pair.adm('beta', 'primary', 'r0').status).toBe(11);
    expect(pair.adm('alpha', 'get-gi', 'r0').stdout).toMatch(/^[0-9A-F]{16}:0{16}:/);
  }, 240_000);

  it('drbdadm adjust carries a changed option over', () => {
    const text = fs.readFileSync(pair.configuration, 'utf8');
    fs.writeFileSync(
      pair.configuration,
      text.replace('protocol C;', 'protocol C; max-buffers 4000; ping-timeout 9;'),
    );
    const planned = pair.adm('beta', '-d', 'adjust', 'r0').stdout;
    expect(planned).toMatch(/^drbdsetup net-options r0 0 --set-defaults --_name=alpha .*--max-buffers=4000/m);
    for (const host of hosts) {
      expect(pair.adm(host, 'adjust', 'r0').status).toBe(0);
      expect(pair.adm(host, '-d', 'adjust', 'r0').stdout).toBe('');
    }
  }, 240_000);

  it('drbdmeta asks our drbdsetup whether the minor is in use, and leaves it alone', () => {
    const meta = (...args: string[]): Answer =>
      pair.run(
        'alpha',
        '/usr/sbin/drbdmeta',
        '--force',
        '0',
        'v09',
        pair.image('alpha'),
        'internal',
        ...args,
      );
    expect(meta('wipe-md')).toMatchObject({ status: 20, stderr: "Device '0' is configured!\n" });
    const shown = meta('dump-md');
    expect([shown.status, shown.stderr]).toEqual([0, expect.stringContaining('minor 0 is attached')]);
    expect(pair.adm('alpha', 'role', 'r0').stdout).toBe('Primary\n');
  }, 240_000);

  const tmux = spawnSync('tmux', ['-V']).status === 0 && fs.existsSync('/usr/sbin/drbdmon');
  if (!tmux) process.stderr.write('SKIPPED: no tmux or no drbdmon\n');
  (tmux ? it : it.skip)(
    'drbdmon shows the resource and reacts to a change of role',
    async () => {
      const server = ['-L', `udrbd-${process.pid}`, '-f', '/dev/null'];
      const screen = (): string => pair.run('alpha', 'tmux', ...server, 'capture-pane', '-p').stdout;
      pair.run('alpha', 'tmux', ...server, 'new-session', '-d', '-x', '100', '-y', '24', '/usr/sbin/drbdmon');
      try {
        await until('the primary', () => /r0 .*Primary/.test(screen()));
        expect(screen()).toContain('beta');
        expect(pair.adm('alpha', 'secondary', 'r0').status).toBe(0);
        await until('the secondary', () => /r0 .*Secondary/.test(screen()));
        expect(pair.adm('alpha', 'primary', 'r0').status).toBe(0);
        await until('the primary again', () => /r0 .*Primary/.test(screen()));
      } finally {
        pair.run('alpha', 'tmux', ...server, 'kill-server');
      }
    },
    240_000,
  );

  const waitPromotable = '/lib/drbd/scripts/drbd-wait-promotable.sh';
  const shim = '/lib/drbd/scripts/drbd-service-shim.sh';
  const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0;
  const haveScripts = mayMount && [waitPromotable, shim].every((script) => fs.existsSync(script));
  if (!haveScripts)
    process.stderr.write('SKIPPED: no service scripts of drbd-utils, or no mount namespaces\n');
  (haveScripts ? it : it.skip)(
    'the service scripts of systemd promote, demote and wait',
    () => {
      // The shim calls /usr/sbin/drbdsetup by its path: ours is put there for this process alone.
      const ours = path.join(pair.folder, 'bin/drbdsetup');
      const shimmed = (...args: string[]): Answer =>
        pair.run(
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
      expect(pair.adm('alpha', 'role', 'r0').stdout).toBe('Secondary\n');
      // The script leaves its drbdsetup behind, which ends with the next event.
      expect(pair.run('alpha', 'sh', '-c', `exec "${waitPromotable}" r0 >/dev/null 2>&1`).status).toBe(0);
      expect(shimmed('primary', 'r0')).toMatchObject({ status: 0 });
      expect(pair.adm('alpha', 'role', 'r0').stdout).toBe('Primary\n');
      expect(shimmed('down', 'nosuch')).toMatchObject({ status: 0 });
    },
    240_000,
  );

  it('drbdadm disconnects, reconnects and takes the resource down', async () => {
    expect(pair.adm('alpha', 'disconnect', 'r0').status).toBe(0);
    expect(pair.adm('alpha', 'cstate', 'r0').stdout).toBe('StandAlone\n');
    expect(pair.adm('alpha', '-d', 'adjust', 'r0').stdout).toContain('connect r0 1');
    expect(pair.adm('alpha', 'adjust', 'r0').status).toBe(0);
    await until('the connection', () => pair.adm('alpha', 'cstate', 'r0').stdout === 'Connected\n');
    expect(pair.adm('alpha', 'wait-connect', 'r0').status).toBe(0);
    for (const host of hosts) {
      expect(pair.adm(host, 'down', 'r0').status).toBe(0);
      expect(pair.run(host, 'drbdsetup', 'status').stdout).toBe('# No currently configured DRBD found.\n');
    }
  }, 240_000);
});
