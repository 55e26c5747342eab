import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DaemonLog } from '../../src/daemon/daemon-log';
import { InputQueue } from '../../src/daemon/input-queue';
import { NodeDigests } from '../../src/daemon/node-digests';
import { errnoOf } from '../../src/daemon/os-error';
import { SecureRandom } from '../../src/daemon/secure-random';
import { type OwnHelper, UsermodeHelpers } from '../../src/daemon/usermode-helpers';
import { throwing } from './port-waiters';

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-ports-'))));
afterEach(() => fs.rmSync(folder, { recursive: true }));
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

describe('digests', () => {
  const digests = new NodeDigests();
  const text = Buffer.from('123456789');
  test('are the known ones', () => {
    expect(hex(digests.hash('md5')?.digest(text))).toBe('25f9e794323b453885f5181f1b624d0b');
    expect(hex(digests.hash('sha1')?.digest(text))).toBe('f7c3bc1d808e04732adf679965ccc34ca7ae3441');
    expect(digests.hash('sha256')?.size).toBe(32);
    expect(digests.hash('sha512')?.size).toBe(64);
  });
  test('crc32c is little endian and inverted', () => {
    expect(hex(digests.hash('crc32c')?.digest(text))).toBe('839206e3');
  });
  test('HMAC as in RFC 2202', () => {
    const hmac = digests.hmac('sha1', Buffer.from('Jefe'));
    expect(hex(hmac?.digest(Buffer.from('what do ya want for nothing?')))).toBe(
      'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
    );
  });
  test('unknown algorithms are undefined', () => {
    expect(digests.hash('nonsense')).toBeUndefined();
    expect(digests.hmac('crc32c', text)).toBeUndefined();
  });
});

describe('randomness', () => {
  test('stays in range', () => {
    const random = new SecureRandom();
    for (let i = 0; i < 100; i++) expect(random.below(3)).toBeLessThan(3);
    expect(random.below(1)).toBe(0);
    expect(random.u64()).toBeLessThan(1n << 64n);
    const bytes = new Uint8Array(64);
    random.fill(bytes);
    expect(bytes.some((byte) => byte !== 0)).toBe(true);
  });
});

describe('helper programs', () => {
  const queue = new InputQueue(throwing);
  const run = (
    program: string | OwnHelper,
    environment: Record<string, string> = {},
  ): Promise<[number, number]> =>
    new Promise((resolve) =>
      new UsermodeHelpers(queue, program).run('fence-peer', 'r0', environment, {
        onHelperDone: (exitCode, rawStatus) => resolve([exitCode, rawStatus]),
      }),
    );
  function script(body: string): string {
    const file = path.join(folder, 'helper');
    fs.writeFileSync(file, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return file;
  }
  test('get command and resource, exactly the given environment, and report their exit code', async () => {
    const out = path.join(folder, 'out');
    const program = script(`{ echo "$@"; env; } > ${out}; exit 7`);
    expect(await run(program, { DRBD_MINOR: '3', PATH: '/usr/bin:/bin' })).toEqual([7, 7 * 256]);
    const lines = fs.readFileSync(out, 'utf8').trim().split('\n');
    expect(lines[0]).toBe('fence-peer r0');
    const own = lines.slice(1).filter((line) => !/^(PWD|SHLVL|_|OLDPWD)=/.test(line));
    const node = path.dirname(process.execPath);
    const searched = node === '/usr/bin' || node === '/bin' ? '' : `:${node}`;
    expect(own.sort()).toEqual(['DRBD_MINOR=3', `PATH=/usr/bin:/bin${searched}`]);
  });
  test('find the Node of this daemon, wherever that is', async () => {
    const out = path.join(folder, 'out');
    const program = script(`command -v node > ${out}`);
    expect(await run(program, { PATH: folder })).toEqual([0, 0]);
    expect(fs.realpathSync(fs.readFileSync(out, 'utf8').trim())).toBe(process.execPath);
  });
  test('called by our own drbdadm find our tools before any others', async () => {
    const out = path.join(folder, 'out');
    const launcher = path.join(folder, 'drbdadm');
    fs.writeFileSync(launcher, `require('fs').writeFileSync('${out}', process.env.PATH)`);
    fs.writeFileSync(path.join(folder, 'drbd-resource-r0.conf'), '');
    const own = { launcher, runDirectory: folder, environment: {} };
    expect(await run(own, { PATH: '/sbin:/bin' })).toEqual([0, 0]);
    expect(fs.readFileSync(out, 'latin1')).toBe(`${folder}:/sbin:/bin:${path.dirname(process.execPath)}`);
  });
  test('one that cannot be started raises no objection', async () => {
    expect(await run(path.join(folder, 'missing'))).toEqual([0, 0]);
    expect(await run('disabled')).toEqual([0, 0]);
  });
  test('one that was killed has the signal as its raw status', async () => {
    expect(await run(script('kill -9 $$'))).toEqual([0, 9]);
  });
});

describe('the log', () => {
  test('goes to its file, keeps debug lines in the ring only', () => {
    const file = path.join(folder, 'log');
    const log = new DaemonLog({ file, toStandardError: false, verbose: false, clock: () => 0 });
    log.write('info', 'drbd r0: one');
    log.write('debug', 'drbd r0: two');
    expect(fs.readFileSync(file, 'utf8')).toBe('1970-01-01T00:00:00.000Z info: drbd r0: one\n');
    expect(log.recent()).toHaveLength(2);
  });
  test('does not drown in lines, but errors always pass', () => {
    const file = path.join(folder, 'log');
    let now = 0;
    const log = new DaemonLog({ file, toStandardError: false, verbose: false, clock: () => now });
    for (let i = 0; i < 10_000; i++) log.write('info', 'again');
    log.write('error', 'the disk is gone');
    now = 10_000;
    log.write('info', 'later');
    const lines = fs.readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.length).toBeLessThan(2100);
    expect(lines.slice(-3).join('\n')).toMatch(/8000 lines suppressed\n.* the disk is gone\n.* later$/);
  });
  test('a directory that is not there is no reason to fail', () => {
    const log = new DaemonLog({ file: '/nonexistent/log', toStandardError: false, verbose: false });
    expect(() => log.write('error', 'x')).not.toThrow();
  });
});

test('system errors become errno values', () => {
  try {
    fs.openSync(path.join(folder, 'none'), 'r');
  } catch (error) {
    expect(errnoOf(error)).toBe(2);
  }
  expect(errnoOf({ code: 'ENOSPC' })).toBe(28);
  expect(errnoOf('strange')).toBe(5);
});
