import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drbdadm } from './run-drbdadm';

let directory = '';
beforeEach(() => (directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-rewrite-'))));
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function written(text: string, name = 'drbd.conf'): string {
  const file = path.join(directory, name);
  fs.writeFileSync(file, text);
  return file;
}

const old = 'common {\n    protocol C;\n}\n';
const fresh = 'common {\n    net {\n        protocol C;\n    }\n}\n';

test('migrate shows the new text, and tells what changed by line', async () => {
  const file = written(old);
  expect(await drbdadm('alpha', ['migrate', file])).toEqual({
    exit: 0,
    stdout: fresh,
    stderr: `${file}:2: 'protocol C;' is now 'net { protocol C; }'\n`,
  });
  expect(fs.readFileSync(file, 'latin1')).toBe(old);
});

test('without a file name it is the configuration of the host', async () => {
  const file = written(old);
  expect((await drbdadm('alpha', ['-c', file, 'migrate'])).stdout).toBe(fresh);
  expect((await drbdadm('alpha', ['migrate'], { UDRBD_CONFIG: file })).stdout).toBe(fresh);
});

test('migrate --write changes files where they are, links and permissions stay', async () => {
  const file = written(old);
  fs.chmodSync(file, 0o640);
  const link = path.join(directory, 'link.conf');
  fs.symlinkSync(file, link);
  const other = written('common { }\n', 'other.conf');
  const answer = await drbdadm('alpha', ['migrate', '--write', link, other]);
  expect(answer).toMatchObject({ exit: 0, stdout: '' });
  expect(fs.readFileSync(file, 'latin1')).toBe(fresh);
  expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
  expect(fs.statSync(file).mode & 0o777).toBe(0o640);
  expect(fs.readFileSync(other, 'latin1')).toBe('common {\n}\n');
  expect(fs.readdirSync(directory).sort()).toEqual(['drbd.conf', 'link.conf', 'other.conf']);
});

test('what somebody has to look at, or cannot be read, ends with 1', async () => {
  const file = written('common { syncer { bogus 1; } }\n');
  expect(await drbdadm('alpha', ['migrate', file])).toMatchObject({
    exit: 1,
    stderr: `${file}:1: look at 'syncer { bogus 1; }': DRBD 9 has no such option\n`,
  });
  const broken = written('common {\n net { timeout }\n}\n');
  expect(await drbdadm('alpha', ['migrate', '--write', broken])).toMatchObject({ exit: 1, stdout: '' });
  expect(fs.readFileSync(broken, 'latin1')).toContain('net { timeout }');
  for (const command of ['migrate', 'fmt']) {
    const answer = await drbdadm('alpha', [command, path.join(directory, 'missing')]);
    expect(answer).toMatchObject({ exit: 1, stdout: '' });
    expect(answer.stderr).toMatch(/^Can not open '.*missing': ENOENT/);
  }
});

test('several files are for --write only; unknown options are refused', async () => {
  const file = written(old);
  expect(await drbdadm('alpha', ['migrate', file, file])).toMatchObject({ exit: 1, stdout: '' });
  expect(await drbdadm('alpha', ['migrate', '--wirte', file])).toMatchObject({
    exit: 1,
    stderr: "drbdadm migrate: unknown option '--wirte'\n",
  });
  expect(await drbdadm('alpha', ['fmt', '--check=1', file])).toMatchObject({ exit: 1, stdout: '' });
});

test('migrate --write changes what a configuration includes, too: patterns, nested files and templates', async () => {
  fs.mkdirSync(path.join(directory, 'drbd.d'));
  const main = written('include "drbd.d/*.conf";\n' + old);
  written('include "r0.res";\ninclude "../drbd.conf";\n', 'drbd.d/all.conf');
  written('resource r0 {\n    protocol C;\n    template-file "t.tmpl";\n}\n', 'drbd.d/r0.res');
  written(old, 'drbd.d/t.tmpl');
  const seen = await drbdadm('alpha', ['migrate', main]);
  expect(seen).toMatchObject({ exit: 0, stdout: 'include "drbd.d/*.conf";\n' + fresh });
  const notes = ['drbd.conf:3', 'drbd.d/r0.res:2', 'drbd.d/t.tmpl:2'].map(
    (place) => `${directory}/${place}: 'protocol C;' is now 'net { protocol C; }'\n`,
  );
  expect(seen.stderr).toBe(notes.join(''));
  expect(await drbdadm('alpha', ['migrate', '--write', main])).toEqual({ ...seen, stdout: '' });
  const now = (name: string): string => fs.readFileSync(path.join(directory, name), 'latin1');
  expect(now('drbd.conf')).toBe(seen.stdout);
  expect(now('drbd.d/t.tmpl')).toBe(fresh);
  expect(now('drbd.d/r0.res')).toContain('    net {\n        protocol C;\n    }\n');
  expect(await drbdadm('alpha', ['migrate', '--write', main])).toEqual({ exit: 0, stdout: '', stderr: '' });
});

test('migrate --write changes nothing where one file is missing or broken', async () => {
  const main = written('include "other.conf";\n' + old);
  const missing = await drbdadm('alpha', ['migrate', '--write', main]);
  expect(missing.exit).toBe(1);
  expect(missing.stderr).toContain(`${main}:1: Can not open 'other.conf'\n`);
  written('resource { ', 'other.conf');
  const broken = await drbdadm('alpha', ['migrate', '--write', main]);
  expect(broken.stderr).toContain('other.conf: not migrated, it has a syntax error in line 1');
  expect(broken).toMatchObject({ exit: 1, stdout: '' });
  expect(fs.readFileSync(main, 'latin1')).toBe('include "other.conf";\n' + old);
});
