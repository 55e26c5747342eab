import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { commands } from '../../src/drbdadm/command-table';
import { extraCommands } from '../../src/drbdadm/extra-commands';
import { type OptionContext, optionsInContext } from '../../src/options/catalogue';
import { drbdadm } from './run-drbdadm';

const file = path.join(__dirname, '../../man/drbdadm.8');
const page = fs.readFileSync(file, 'utf8').replaceAll('\\-', '-');
const root = path.join(__dirname, '../..');

test('the manual page names every command, and our own', () => {
  const listed = commands.map((command) => command.name);
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

test('every id of an error is documented', () => {
  const folder = path.join(root, 'src/config');
  const files = fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'));
  const call =
    /(?:report\.(?:error|warn|fatal|complain)|stop|invalid)\(\s*(?:report,\s*|reading,\s*)?'([a-z-]+)'/g;
  const ids = files.flatMap((name) =>
    [...fs.readFileSync(path.join(folder, name), 'utf8').matchAll(call)].map(([, id]) => id ?? ''),
  );
  expect(new Set(ids).size).toBeGreaterThanOrEqual(40);
  // Legacy forms are one entry; the remark on includes belongs to -v, not to check.
  const others = ids.filter((id) => !id.startsWith('legacy-') && id !== 'include-empty');
  expect(others.filter((id) => !page.includes(`\\fB${id}\\fR`))).toEqual([]);
});

test.each(['drbdadm.8', 'drbd.conf.5'])('groff has nothing to say about %s', (name) => {
  const groff = spawnSync('groff', ['-man', '-ww', '-z', '-Tutf8', path.join(root, 'man', name)], {
    encoding: 'utf8',
  });
  if (groff.error !== undefined) {
    process.stderr.write(`SKIPPED: ${name} through groff: there is no groff\n`);
    return;
  }
  expect({ status: groff.status, stderr: groff.stderr }).toEqual({ status: 0, stderr: '' });
});

describe('drbd.conf.5', () => {
  const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
  const text = read('man/drbd.conf.5');
  const plain = text.replaceAll('\\-', '-').replace(/\\f[BIR]/g, '');

  test('is what its generator makes of the option catalogue', () => {
    const generator: {
      generate(document: unknown, descriptions: unknown): string;
    } = require('../../scripts/generate-drbd-conf-man.cjs');
    const document = JSON.parse(read('grammar/options.json'));
    expect(text).toBe(generator.generate(document, JSON.parse(read('man/option-descriptions.json'))));
  });

  test('every option that a section takes has an entry', () => {
    const contexts = [
      ...['resource_options', 'show_net_options', 'attach', 'peer_device_options'],
      ...['device_options', 'startup_options', 'handlers', 'proxy_options'],
    ] as const;
    const missing = contexts
      .flatMap((context) => optionsInContext(context as OptionContext))
      .filter(({ name }) => !plain.includes(`.TP\n${name} value\n`));
    expect(missing.map(({ id }) => id)).toEqual([]);
  });

  test('every keyword of the grammar is there', () => {
    const keywords = [...read('grammar/drbd.conf.ebnf').matchAll(/"([a-z][a-z-]+)"/g)].map(
      ([, word]) => word ?? '',
    );
    expect(keywords.length).toBeGreaterThan(40);
    // Those of 8.4 with an underscore are of `drbdsetup show`; sci is another name of ssocks.
    const known = ['sci', 'flexible-meta-disk', 'ignore-on', 'minor', 'resource'];
    expect(keywords.filter((word) => !plain.includes(word) && !known.includes(word))).toEqual([]);
  });

  test('its examples are configurations without problems', async () => {
    const examples = [...plain.matchAll(/\.nf\n([^]*?)\.fi/g)]
      .map(([, example]) => example ?? '')
      .filter((example) => example.startsWith('resource'));
    expect(examples.length).toBe(2);
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-manual-'));
    for (const example of examples) {
      const file = path.join(directory, 'drbd.conf');
      fs.writeFileSync(file, example);
      expect(await drbdadm('alpha', ['check', file])).toMatchObject({
        exit: 0,
        stdout: '0 errors, 0 warnings\n',
      });
    }
    fs.rmSync(directory, { recursive: true });
  });
});
