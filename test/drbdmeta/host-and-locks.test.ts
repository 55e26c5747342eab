import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { realHost } from '../../src/drbdmeta/host';
import { runHere, ScratchHost } from './scratch-host';

jest.setTimeout(180_000);

const scratch = new ScratchHost();
afterAll(() => scratch.remove());
const argv = (...words: string[]) => ['--force', '7', 'v09', 'disk.img', 'internal', ...words];
const attached = (state: string) => ({ host: { ...scratch.host, diskState: async () => state } });

beforeAll(async () => {
  scratch.blank('disk.img', 2 ** 26);
  expect((await runHere(scratch, argv('create-md', '1'))).status).toBe(0);
});

test.each(['UpToDate', 'Inconsistent', 'Attaching', 'Failed/DUnknown'])(
  'a minor that is %s in the daemon is not modified, only read',
  async (state) => {
    for (const words of [
      ['create-md', '1'],
      ['apply-al'],
      ['wipe-md'],
      ['outdate'],
      ['invalidate'],
      ['check-resize'],
      ['repair-md'],
    ]) {
      const result = await runHere(scratch, argv(...words), attached(state));
      expect([words, result.status, result.stderr, result.changes]).toEqual([
        words,
        20,
        "Device '7' is configured!\n",
        0,
      ]);
    }
    const read = await runHere(scratch, argv('dstate'), attached(state));
    expect(read.status).toBe(0);
    expect(read.stderr).toContain('# Output might be stale, since minor 7 is attached\n');
    const tentative = await runHere(scratch, argv('repair-md', '--tentative'), attached(state));
    expect(tentative.status).toBe(0);
  },
);

test.each(['Diskless', 'Unconfigured'])('a minor that is %s may be modified', async (state) => {
  expect((await runHere(scratch, argv('invalidate'), attached(state))).status).toBe(0);
});

test('an answer that is no disk state ends the command', async () => {
  const result = await runHere(scratch, argv('dstate'), attached('Nonsense\n'));
  expect([result.status, result.stderr]).toEqual([20, 'Unexpected output from drbdsetup >Nonsense<\n']);
});

test('a minor that another process works on is refused after a second, a stale lock is not', async () => {
  const lock = path.join(scratch.host.lockFolder, 'drbd-147-7.udrbd');
  fs.mkdirSync(scratch.host.lockFolder, { recursive: true });
  fs.writeFileSync(lock, `${process.ppid}\n`);
  const started = Date.now();
  const busy = await runHere(scratch, argv('dstate'));
  expect(Date.now() - started).toBeGreaterThanOrEqual(1000);
  expect([busy.status, busy.stderr]).toEqual([
    20,
    `lock on ${path.join(scratch.host.lockFolder, 'drbd-147-7')} currently held by pid:${process.ppid}\n`,
  ]);
  fs.writeFileSync(lock, '4194304\n');
  expect((await runHere(scratch, argv('dstate'))).status).toBe(0);
  expect(fs.existsSync(lock)).toBe(false);
});

test('without a minor nothing is asked and nothing locked', async () => {
  const words = ['--force', '-', 'v09', 'disk.img', 'internal', 'dstate'];
  const result = await runHere(scratch, words, {
    host: {
      lockFolder: '/nonexistent/nowhere',
      foreignLockFolders: [],
      stateFolder: scratch.host.stateFolder,
      diskState: () => Promise.reject(new Error('asked')),
    },
  });
  expect(result.status).toBe(0);
});

test('a run directory of its own has locks and last-known sizes of its own; no daemon means not configured', async () => {
  const host = realHost({ UDRBD_RUN_DIR: scratch.folder });
  expect(host.lockFolder).toBe(path.join(scratch.folder, 'lock'));
  expect(host.stateFolder).toBe(path.join(scratch.folder, 'lib'));
  expect(await host.diskState(3)).toBeUndefined();
});

const reference = '/usr/sbin/drbdmeta';
const lockable = fs.existsSync(reference) && process.getuid?.() === 0;
if (!lockable)
  process.stderr.write(`SKIPPED: the lock of the reference is not tested: no ${reference} or not root\n`);

(lockable ? test : test.skip)('a minor that the reference has locked is refused', async () => {
  const minor = 200_000 + (process.pid % 800_000);
  // It holds its lock while it waits for somebody to write the dump that it shall verify.
  const pipe = scratch.file('pipe');
  spawnSync('mkfifo', [pipe]);
  const holder = spawn(reference, [
    String(minor),
    'v09',
    scratch.file('disk.img'),
    'internal',
    'verify-dump',
    pipe,
  ]);
  const ended = new Promise((resolve) => holder.once('exit', resolve));
  try {
    const lock = `/var/lock/drbd-147-${minor}`;
    const taken = () =>
      fs.existsSync(lock) && fs.readFileSync('/proc/locks', 'latin1').includes(`:${fs.statSync(lock).ino} `);
    for (let i = 0; i < 400 && !taken(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    expect(taken()).toBe(true);
    const words = ['--force', String(minor), 'v09', 'disk.img', 'internal', 'dstate'];
    const host = { ...scratch.host, foreignLockFolders: ['/var/lock'] };
    const result = await runHere(scratch, words, { host });
    expect([result.status, result.stderr]).toEqual([
      20,
      `lock on ${path.join(scratch.host.lockFolder, `drbd-147-${minor}`)} currently held by pid:${holder.pid}\n`,
    ]);
    holder.kill('SIGKILL');
    await ended;
    expect((await runHere(scratch, words, { host })).status).toBe(0);
    fs.rmSync(lock, { force: true });
  } finally {
    holder.kill('SIGKILL');
  }
});
