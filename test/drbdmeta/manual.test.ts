import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { optionNames } from '../../src/drbdmeta/command-line';
import { COMMANDS } from '../../src/drbdmeta/command-table';

const root = path.join(__dirname, '../..');

describe('man/drbdmeta.8', () => {
  const page = fs.readFileSync(path.join(root, 'man/drbdmeta.8'), 'utf8').replaceAll('\\-', '-');

  it('names every command and every option', () => {
    const words = new Set(page.split(/[\s",|[\]]+/));
    for (const name of COMMANDS.keys()) expect([name, words.has(name)]).toEqual([name, true]);
    for (const name of optionNames) expect([name, words.has(`--${name}`)]).toEqual([name, true]);
    expect([COMMANDS.size, optionNames.length]).toEqual([19, 22]);
  });

  const groff = spawnSync('groff', ['--version']).status === 0;
  if (!groff) process.stderr.write('SKIPPED: no groff, man/drbdmeta.8 was not formatted\n');
  (groff ? it : it.skip)('is formatted without a warning', () => {
    const { stderr, status } = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8', 'man/drbdmeta.8'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});
