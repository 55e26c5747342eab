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
