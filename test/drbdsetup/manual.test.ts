import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { drbdsetupCommandNames } from '../../src/options/catalogue';

const root = path.join(__dirname, '../..');
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');

describe('man/drbdsetup.8', () => {
  it('is what its generator makes of the option catalogue', () => {
    const generator: {
      generate(document: unknown, descriptions: unknown): string;
    } = require('../../scripts/generate-drbdsetup-man.cjs');
    const document = JSON.parse(read('grammar/options.json'));
    expect(read('man/drbdsetup.8')).toBe(
      generator.generate(document, JSON.parse(read('man/option-descriptions.json'))),
    );
  });

  it('names every command', () => {
    const page = read('man/drbdsetup.8').replaceAll('\\-', '-');
    for (const name of drbdsetupCommandNames()) expect(page).toContain(`.TP\n\\fB${name}\\fR`);
  });

  const groff = spawnSync('groff', ['--version']).status === 0;
  if (!groff) process.stderr.write('SKIPPED: no groff, the manual page was not formatted\n');
  (groff ? it : it.skip)('is formatted without a warning', () => {
    const { stderr, status } = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8', 'man/drbdsetup.8'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
  });
});

describe('docs/drbdsetup.md', () => {
  it('lists every command with a test that exists', () => {
    const table = read('docs/drbdsetup.md');
    for (const name of drbdsetupCommandNames())
      expect(table).toMatch(new RegExp(`^\\| \`${name}\` \\|`, 'm'));
    for (const [, file = ''] of table.matchAll(/`(test\/[^`]*)`/g))
      expect([file, fs.existsSync(path.join(root, file))]).toEqual([file, true]);
  });
});
