import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drbdadm, withoutAnnouncement } from '../drbdadm/run-drbdadm';
import { realToolPresent, runReal, withoutNewCommands } from './drbdadm-real';

const legacy = fs.readFileSync(path.join(__dirname, '../../fixtures/drbdadm/walkthrough.conf'), 'latin1');
const modern = legacy.replace('syncer { rate 100M; }', 'disk { resync-rate 100M; }');

const commands = [
  'up r0',
  'down r0',
  'create-md r0',
  'create-md --force r0',
  'dump-md r0',
  'attach r0',
  'detach r0',
  'connect r0',
  'disconnect r0',
  'primary r0',
  'primary --force r0',
  'secondary r0',
  'status',
  'status r0',
  'role r0',
  'dstate r0',
  'cstate r0',
  'sh-resources',
  'sh-dev all',
  'invalidate r0',
  'wait-connect r0',
  'verify r0',
  'primary --force all',
];

test('the old form of a forced promotion means what it says, unlike in the real tool, which drops the words', async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-old-form-'));
  const file = path.join(directory, 'drbd.conf');
  fs.writeFileSync(file, modern);
  const answer = await drbdadm('node1', [
    '-c',
    file,
    '-d',
    '--',
    '--overwrite-data-of-peer',
    'primary',
    'all',
  ]);
  expect(answer.stdout).toBe('drbdsetup primary r0 --force\n');
  expect(answer.stderr).toContain("use 'drbdadm primary --force' instead");
  fs.rmSync(directory, { recursive: true, force: true });
});

const present = realToolPresent('walkthrough: drbdadm -d against the real tool');

test('the walkthrough in its legacy form plans what the real tool plans for the modern form', async () => {
  if (!present) return;
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-walkthrough-'));
  const ours = path.join(directory, 'legacy.conf');
  fs.writeFileSync(ours, legacy);
  fs.writeFileSync(path.join(directory, 'drbd.conf'), modern);
  const lines: string[] = [];
  let compared = 0;
  for (const node of ['node1', 'node2']) {
    for (const command of commands) {
      const words = ['-d', ...command.split(' ')];
      const real = runReal(directory, node, ['-c', 'drbd.conf', ...words]);
      const own = await drbdadm(node, ['-c', ours, ...words]);
      compared += 1;
      expect(withoutAnnouncement(own.stderr)).toBe(
        `${ours}:2: Warning: 'syncer { rate 100M; }' is deprecated, write 'disk { resync-rate 100M; }'.\n`,
      );
      lines.push(`${node} ${command}`);
      expect({ command, exit: own.exit, stdout: withoutNewCommands(own.stdout) }).toEqual({
        command,
        exit: real.exit,
        stdout: withoutNewCommands(real.stdout),
      });
    }
  }
  fs.rmSync(directory, { recursive: true, force: true });
  process.stderr.write(`walkthrough: ${compared} dry runs equal to the real drbdadm\n`);
  expect(compared).toBe(46);
});
