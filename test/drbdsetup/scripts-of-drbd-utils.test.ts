/**
 * Scripts of Debian's drbd-utils over our tools: the bash completion of drbdadm (over our drbdadm), and the
 * fence handler for Pacemaker as far as it goes without a cluster.
 */
import fs from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { TwoHosts, type Answer } from './two-hosts';

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
