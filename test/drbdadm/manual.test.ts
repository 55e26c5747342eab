import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { commands } from '../../src/drbdadm/command-table';
import { extraCommands } from '../../src/drbdadm/extra-commands';

const file = path.join(__dirname, '../../man/drbdadm.8');
const page = fs.readFileSync(file, 'utf8').replaceAll('\\-', '-');

test('the manual page names every command that help lists, and our own', () => {
  const listed = commands.filter((command) => command.level === 'normal').map((command) => command.name);
  const missing = [...listed, ...extraCommands.map(({ name }) => name)].filter(
    (name) => !page.includes(name),
  );
  expect(missing).toEqual([]);
});

test('every warning of check is documented', () => {
  const source = fs.readFileSync(path.join(__dirname, '../../src/drbdadm/review.ts'), 'utf8');
  const ids = [...source.matchAll(/warning\(\s*'([a-z-]+)'/g)].map((match) => match[1] ?? '');
  expect(ids.length).toBeGreaterThanOrEqual(8);
  expect(ids.filter((id) => !page.includes(`\\fB${id}\\fR`))).toEqual([]);
});

test('groff has nothing to say about it', () => {
  const groff = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8', file], { encoding: 'utf8' });
  if (groff.error !== undefined) {
    process.stderr.write('SKIPPED: drbdadm.8 through groff: there is no groff\n');
    return;
  }
  expect({ status: groff.status, stderr: groff.stderr }).toEqual({ status: 0, stderr: '' });
});
