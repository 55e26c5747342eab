import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { withoutAnnouncement } from '../drbdadm/run-drbdadm';
import { realToolPresent } from './drbdadm-real';

const own = path.join(__dirname, '../../bin/drbdadm');

const config = `global { usage-count no; disable-ip-verification; cmd-timeout-short 1; }
common { startup { wfc-timeout 120; } handlers { split-brain "echo handler $DRBD_RESOURCE $DRBD_MINOR $DRBD_VOLUME $DRBD_LL_DISK $DRBD_MY_NODE_ID $DRBD_NODE_ID_1; exit 7"; } }
resource r0 {
  device minor 0; disk /dev/vg/r0; meta-disk internal;
  on alpha { node-id 0; address 10.0.0.1:7789; }
  on beta  { node-id 1; address 10.0.0.2:7789; }
}
resource r1 {
  volume 0 { device minor 10; disk /dev/vg/r1_0; meta-disk /dev/vg/md [3]; }
  volume 1 { device minor 11; disk /dev/vg/r1_1; disk { size 10G; } }
  on alpha { node-id 0; address 10.0.0.1:7790; }
  on beta  { node-id 1; address 10.0.0.2:7790; }
  on gamma { node-id 2; address 10.0.0.3:7790; volume 0 { disk none; } volume 1 { disk none; } }
  connection-mesh { hosts alpha beta gamma; }
}
`;

// A back end that says how it was called and fails where it is told to.
const fake = `#!/bin/sh
line="$(basename "$0") $*"
[ "$1" = show ] && exit 0
echo "run $line [$DRBD_RESOURCE]"
if [ -n "$FAIL" ] && echo "$line" | grep -Eq -- "$FAIL"; then
  echo "complaint of $line" >&2
  case "$RC" in KILL) kill -9 $$;; SLEEP) exec sleep 4;; *) exit "$RC";; esac
fi
exit 0
`;

interface Answer {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const present = realToolPresent('running back ends: exit codes and messages of the real drbdadm');
let directory = '';
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-running-'));
  fs.writeFileSync(path.join(directory, 'drbd.conf'), config);
  for (const name of ['drbdsetup', 'drbdmeta'])
    fs.writeFileSync(path.join(directory, name), fake, { mode: 0o755 });
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

function run(program: string, args: readonly string[], fail: string, rc: string): Answer {
  const tools = ['-s', path.join(directory, 'drbdsetup'), '-m', path.join(directory, 'drbdmeta')];
  const result = spawnSync(program, ['-c', 'drbd.conf', ...tools, ...args], {
    cwd: directory,
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: `${path.dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`,
      __DRBD_NODE__: 'alpha',
      DRBD_DRIVER_VERSION_OVERRIDE: '9.0.0',
      UDRBD_RUN_DIR: path.join(directory, 'run'),
      FAIL: fail,
      RC: rc,
    },
  });
  const without = (text: string): string =>
    text
      .split('\n')
      .filter((line) => !line.includes(' repair-md'))
      .join('\n');
  const stderr = withoutAnnouncement(without(result.stderr)).replace(/^sh: 1: modinfo: not found\n/, '');
  return { exit: result.status, stdout: without(result.stdout), stderr };
}

const failures: ReadonlyArray<readonly [string, string]> = [
  ['up all', 'new-minor r1 10'],
  ['up all', 'new-path r1'],
  ['up all', 'apply-al'],
  ['up all', 'connect r0'],
  ['dstate all', 'dstate'],
  ['dstate all', 'setup dstate'],
  ['invalidate r1', 'invalidate'],
  ['invalidate r1', 'setup invalidate'],
  ['outdate r1', 'setup outdate'],
  ['outdate r0', 'outdate'],
  ['show-gi r1', 'show-gi'],
  ['forget-peer r0', 'setup forget'],
  ['forget-peer r0', 'forget'],
  ['resize r1', 'setup resize'],
  ['resize r1', 'check-resize'],
  ['check-resize r1', 'resize'],
  ['role all', 'role r0'],
  ['status', 'status'],
  ['primary r0 r1', 'primary r0'],
  ['attach all', 'apply-al'],
  ['create-md r0', 'create-md'],
  ['wait-connect all', 'wait-connect'],
  ['-v down all', 'down r0'],
  ['split-brain r1', 'nothing'],
];

// All codes that mean something to drbdadm in the slow suite, two of them otherwise.
const codes = process.env.UDRBD_SUITE ? ['1', '5', '11', '17', '20', 'KILL'] : ['11', 'KILL'];

test('failing back ends: the same calls, messages and exit code as the real tool', () => {
  if (!present) return;
  let compared = 0;
  for (const [command, fail] of failures) {
    for (const rc of codes) {
      if (command === 'split-brain r1' && rc !== codes[0]) continue;
      const args = command.split(' ');
      const real = run('drbdadm', args, fail, rc);
      const ours = run(own, args, fail, rc);
      expect({ command, fail, rc, ...ours }).toEqual({ command, fail, rc, ...real });
      compared += 1;
    }
  }
  process.stderr.write(`running back ends: ${compared} failures handled as by the real drbdadm\n`);
  expect(compared).toBe((failures.length - 1) * codes.length + 1);
}, 120000);

test('a back end that does not end within its time ends drbdadm, unless its messages were suppressed', () => {
  if (!present) return;
  for (const [command, fail] of [
    ['connect r0', 'connect'],
    ['dstate r0', 'setup dstate'],
  ] as const) {
    const args = command.split(' ');
    const real = run('drbdadm', args, fail, 'SLEEP');
    expect(run(own, args, fail, 'SLEEP')).toEqual(real);
  }
}, 60000);
