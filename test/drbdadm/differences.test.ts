import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drbdadm } from './run-drbdadm';

// Each test stands for a row of docs/differences.md.
let directory = '';
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-differences-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function configured(text: string): string {
  const file = path.join(directory, 'drbd.conf');
  fs.writeFileSync(file, `global { usage-count no; disable-ip-verification; }\n${text}`);
  return file;
}

const hosts = `on alpha { node-id 0; address 10.0.0.1:7789; } on beta { node-id 1; address 10.0.0.2:7789; }`;
const plain = `resource r0 { device minor 0; disk /dev/a; ${hosts} }\n`;

test('a peer may be named by the _name of its connection', async () => {
  const file = configured(
    `resource r0 { device minor 0; disk /dev/a; ${hosts} connection { host alpha; host beta; net { _name link1; } } }`,
  );
  expect(await drbdadm('alpha', ['-c', file, '-d', 'connect', 'r0:link1'])).toMatchObject({
    exit: 0,
    stdout: 'drbdsetup connect r0 1\n',
  });
});

test('a peer without address is an error, also with all', async () => {
  const file = configured(
    'resource r0 { device minor 0; disk /dev/a; on alpha { node-id 0; address 10.0.0.1:7789; } on beta { node-id 1; } }',
  );
  for (const command of ['up', 'connect', 'adjust', 'create-md']) {
    const answer = await drbdadm('alpha', ['-c', file, '-d', command, 'all'], {
      FAKE_DRBDSETUP_SHOW: '/dev/null',
    });
    expect({ command, ...answer }).toMatchObject({ exit: 10, stdout: '' });
    expect(answer.stderr).toContain("Missing statement 'host <PEER> '.");
  }
});

test('a peer named with one resource says nothing of the next one', async () => {
  const other =
    'resource r1 { device minor 1; disk /dev/b; on alpha { node-id 4; address 10.0.0.1:7790; } on beta { node-id 9; address 10.0.0.2:7790; } }';
  const file = configured(`${plain}${other}`);
  expect(await drbdadm('alpha', ['-c', file, '-d', 'disconnect', 'r1:beta', 'r0'])).toMatchObject({
    exit: 0,
    stdout: 'drbdsetup disconnect r1 9\ndrbdsetup disconnect r0 1\n',
  });
});

test('outdate without disk asks the kernel only', async () => {
  const file = configured(`resource r0 { device minor 0; disk none; ${hosts} }`);
  expect(await drbdadm('alpha', ['-c', file, '-d', 'outdate', 'r0'])).toMatchObject({
    exit: 0,
    stdout: 'drbdsetup outdate r0 0\n',
  });
});

test('addresses of 127.0.0.0/8 pass the IP check without being configured', async () => {
  const text = plain.replace('10.0.0.1', '127.77.0.1').replace('10.0.0.2', '127.77.0.2');
  const file = configured(text);
  fs.writeFileSync(file, text);
  const set = path.join(directory, 'drbdsetup');
  fs.writeFileSync(set, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  expect(await drbdadm('alpha', ['-c', file, '-s', set, 'connect', 'r0'])).toMatchObject({ exit: 0 });
  fs.writeFileSync(file, plain);
  expect(await drbdadm('alpha', ['-c', file, '-s', set, 'connect', 'r0'])).toMatchObject({
    exit: 10,
    stderr: `${fs.realpathSync(directory)}/drbd.conf: in resource r0, on alpha:\n\tIP 10.0.0.1 not found on this host.\n`,
  });
});

test('an error shows the place, what was expected and the nearest known word', async () => {
  const file = configured('resource r0 {\n  net { protocl C; }\n}\n');
  const answer = await drbdadm('alpha', ['-c', file, 'sh-nop'], {}, { excerpts: true });
  expect(answer.exit).toBe(10);
  expect(answer.stderr.split('\n')).toEqual(
    expect.arrayContaining([
      "\tbut got 'protocl'",
      '  3 |   net { protocl C; }',
      "  did you mean 'protocol'?",
    ]),
  );
});

test('create-md works on plain files', async () => {
  const disk = path.join(directory, 'disk');
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 16 << 20);
  const file = configured(plain.replace('/dev/a', disk));
  const run = { UDRBD_RUN_DIR: path.join(directory, 'run') };
  const answer = await drbdadm('alpha', ['-c', file, 'create-md', 'r0'], run);
  expect(answer).toMatchObject({ exit: 0 });
  expect(answer.stdout).toContain('New drbd meta data block successfully created.');
  const dump = await drbdadm('alpha', ['-c', file, 'dump-md', 'r0'], run);
  expect(dump).toMatchObject({ exit: 0 });
  expect(dump.stdout).toMatch(/version "v09";\n/);
  expect(dump.stdout).not.toContain('device-uuid 0x0000000000000000');
});

test('without a driver version in the environment the driver is ours', async () => {
  const answer = await drbdadm('alpha', ['--version'], { DRBD_DRIVER_VERSION_OVERRIDE: '' });
  expect(answer.stdout).toContain('DRBD_KERNEL_VERSION=9.3.0\n');
});

test('a resource given up after a failure is told once, not on every pass', async () => {
  const set = path.join(directory, 'drbdsetup');
  fs.writeFileSync(set, '#!/bin/sh\n[ "$1" = new-minor ] && kill -9 $$\nexit 0\n', { mode: 0o755 });
  const file = configured(plain);
  const answer = await drbdadm('alpha', ['-c', file, '-s', set, '-m', '/bin/true', 'up', 'r0']);
  const told = answer.stderr.split('\n').filter((line) => line.includes('skipped due to earlier error'));
  expect(new Set(told).size).toBe(told.length);
  expect(answer.exit).toBe(0);
});

test.each([
  [
    'an address without host section',
    plain.replace(hosts, `${hosts} connection { address 10.0.0.9:1; address 10.0.0.8:1; }`),
  ],
  ['_unknown with an unknown name', plain.replace('device', 'options { _unknown bogus; } device')],
  [
    'size at two levels',
    `common { disk { size 1G; } } ${plain.replace('disk /dev/a;', 'disk /dev/a; volume 0 { disk { size 2G; } }')}`,
  ],
])('inputs that crash the reference are errors: %s', async (_what, text) => {
  const answer = await drbdadm('alpha', ['-c', configured(text), '-d', 'up', 'all']);
  expect(answer).toMatchObject({ exit: 10, stdout: '' });
  expect(answer.stderr).not.toBe('');
});

test('a resource name may hold conversions of printf', async () => {
  const file = configured(plain.replace('resource r0', 'resource "r%s%n"'));
  expect(await drbdadm('alpha', ['-c', file, '-d', 'down', 'all'])).toEqual({
    exit: 0,
    stdout: 'drbdsetup down r%s%n\n',
    stderr: '',
  });
});

test('help explains more than the reference, behind its text; a complaint comes last', async () => {
  const all = await drbdadm('alpha', []);
  expect(all.stdout).toMatch(
    /^\nUSAGE: [^]*\nGIT-hash: .*\n\nCOMMANDS FOR CONFIGURATIONS:\n[^]*\n\nNo command specified\n$/,
  );
  const bin = path.join(__dirname, '../../bin');
  const one = await drbdadm('alpha', ['help', 'attach'], {}, { ownDirectory: bin });
  expect(one.exit).toBe(0);
  expect(one.stdout).toMatch(
    /\nGIT-hash: .*\n\nattach: attach the configured disks[^]*\n {2}--size .*\n {6}[A-Z]/,
  );
  for (const words of [
    ['help', 'migrate'],
    ['migrate', '--help'],
  ])
    expect((await drbdadm('alpha', words)).stdout).toContain('migrate [--write] [FILE...]');
});

test('nobody is told about the installation, whatever usage-count says', async () => {
  for (const usage of [
    '',
    'global { usage-count ask; disable-ip-verification; }',
    'global { usage-count yes; }',
  ]) {
    const file = path.join(directory, 'drbd.conf');
    fs.writeFileSync(file, `${usage}\n${plain}`);
    const answer = await drbdadm('alpha', ['-c', file, 'sh-nop'], {}, { terminal: true });
    expect(answer).toEqual({ exit: 0, stdout: '', stderr: '' });
  }
});

test('the registry of configurations is in the run directory; handlers find their file by it', async () => {
  const set = path.join(directory, 'drbdsetup');
  fs.writeFileSync(set, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const file = configured(`common { handlers { split-brain "echo $DRBD_CONF $DRBD_RESOURCE"; } }\n${plain}`);
  const run = path.join(directory, 'run');
  const environment = { UDRBD_RUN_DIR: run, PATH: '/usr/bin:/bin' };
  const up = ['-c', file, '-s', set, '-m', '/bin/true', 'up', 'r0'];
  expect(await drbdadm('alpha', up, environment)).toMatchObject({ exit: 0 });
  const links = ['drbd-minor-0.conf', 'drbd-resource-r0.conf'];
  expect(fs.readdirSync(run).sort()).toEqual(links);
  expect(links.map((name) => fs.readlinkSync(path.join(run, name)))).toEqual([
    fs.realpathSync(file),
    fs.realpathSync(file),
  ]);
  for (const name of ['r0', 'minor-0']) {
    const answer = await drbdadm('alpha', ['-d', 'split-brain', name], environment);
    expect(answer).toMatchObject({ exit: 0, stderr: '' });
    expect(answer.stdout).toContain('echo');
  }
  expect((await drbdadm('alpha', ['-d', 'split-brain', 'r9'], environment)).stderr).toContain(
    "Don't know which config file belongs to resource r9, trying default ones...",
  );
});
