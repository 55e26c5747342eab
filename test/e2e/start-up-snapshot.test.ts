/** bin/drbdadm starts out of a snapshot where one fits, and nobody can tell but by the clock. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

jest.setTimeout(300_000);

const root = path.resolve(__dirname, '../..');
const launcher = path.join(root, 'bin/drbdadm');
const sample = path.join(root, 'fixtures/config/start-up.conf');
let folder: string;
/** A `node` that says how it was called: the launcher starts the real one itself once it has a snapshot. */
let log: string;
let env: Record<string, string>;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-snapshot-'));
  log = path.join(folder, 'log');
  fs.mkdirSync(path.join(folder, 'bin'));
  const script = `#!/bin/sh\necho "$*" >>${log}\nexec ${process.execPath} "$@"\n`;
  fs.writeFileSync(path.join(folder, 'bin/node'), script, { mode: 0o755 });
  env = {
    PATH: `${folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: folder,
    XDG_CACHE_HOME: path.join(folder, 'cache'),
    __DRBD_NODE__: 'alpha',
    UDRBD_RUN_DIR: path.join(folder, 'run'),
  };
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const inCache = (name: string): string => path.join(folder, 'cache/udrbd', name);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether `node` of PATH was asked to run drbdadm: there was no snapshot. */
  readonly plain: boolean;
}

function run(words: readonly string[], extra: Record<string, string> = {}, program = launcher): Outcome {
  fs.rmSync(log, { force: true });
  const result = spawnSync(program, words, { env: { ...env, ...extra }, encoding: 'latin1' });
  const called = fs.existsSync(log) ? fs.readFileSync(log, 'latin1').split('\n') : [];
  const plain = called.some((line) => line.includes('drbdadm') && !line.includes('build-snapshot'));
  return { status: result.status, stdout: result.stdout, stderr: result.stderr, plain };
}

/** `drbdadm-run` holds the back ends, too: for commands that run them. */
type Kind = 'drbdadm' | 'drbdadm-run';

function stateOfSnapshot(kind: Kind = 'drbdadm'): string {
  const file = inCache(`${kind}.state`);
  return fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : '';
}

/** Waits until whoever builds is done; `before`: what there was of an earlier snapshot. */
async function awaitBuild(before = '', kind: Kind = 'drbdadm'): Promise<void> {
  for (let i = 0; i < 600; i++) {
    const settled = stateOfSnapshot(kind) !== before || fs.existsSync(inCache(`${kind}.failed`));
    if (settled && !fs.existsSync(inCache(`${kind}.lock`))) return;
    await pause(50);
  }
  throw new Error('no snapshot was made');
}

const shown = ['-c', sample, 'sh-resources'];
async function withSnapshot(): Promise<void> {
  expect(run(shown)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: true });
  await awaitBuild();
  expect(run(shown)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: false });
}

const running = ['-c', '/none', 'up', 'all'];
async function withBackEnds(): Promise<void> {
  expect(run(running)).toMatchObject({ status: 20, plain: true });
  await awaitBuild('', 'drbdadm-run');
  expect(run(running)).toMatchObject({ status: 20, plain: false });
}

test('the first call makes a snapshot, later ones start out of it and say the same', async () => {
  await withSnapshot();
  await withBackEnds();
  expect(fs.statSync(inCache('')).mode & 0o777).toBe(0o700);
  expect(
    fs.readdirSync(inCache('')).filter((name) => !/^drbdadm(-run-|-)[^.]+\.blob|\.state$/.test(name)),
  ).toEqual([]);
  const image = path.join(folder, 'disk.img');
  const blank = (): void => {
    fs.writeFileSync(image, '');
    fs.truncateSync(image, 2 ** 24);
  };
  const conf = path.join(folder, 'drbd.conf');
  fs.writeFileSync(conf, fs.readFileSync(sample, 'latin1').replaceAll('/dev/vg/r1', image));
  fs.writeFileSync(path.join(folder, 'bad.conf'), 'resource r0 {\n  on\n');
  const commands = [
    [],
    ['--version'],
    ['help', 'up'],
    ['-c', sample, 'dump'],
    ['-c', sample, 'dump-xml'],
    ['-c', sample, '-d', 'up', 'all'],
    ['-c', sample, '-d', 'adjust', 'all'],
    ['-c', sample, 'check'],
    ['-c', path.join(folder, 'bad.conf'), 'dump'],
    ['-c', conf, 'role', 'r1'],
    ['-c', conf, '--', '--force', 'create-md', 'r1'],
    ['-c', conf, 'dump-md', 'r1'],
    ['-c', sample, '--drbdsetup=/bin/false', 'primary', 'r0'],
  ];
  const stable = ({ status, stdout, stderr }: Outcome): unknown => [
    status,
    stdout.replace(/^# .*$|^.*uuid.*$/gm, ''),
    stderr,
  ];
  for (const words of commands) {
    if (words.includes('create-md')) blank();
    const fast = run(words);
    if (words.includes('create-md')) blank();
    const slow = run(words, { UDRBD_SNAPSHOT: 'no' });
    expect([fast.plain, slow.plain]).toEqual([false, true]);
    expect([words, stable(fast)]).toEqual([words, stable(slow)]);
  }
});

test('back ends out of a snapshot start the daemon and bring up a disk', async () => {
  await withBackEnds();
  const image = path.join(folder, 'disk.img');
  fs.writeFileSync(image, '');
  fs.truncateSync(image, 2 ** 24);
  const conf = path.join(folder, 'drbd.conf');
  const host = (name: string, id: number): string =>
    `on ${name} { node-id ${id}; device minor 0; disk ${image}; meta-disk internal; address 127.0.0.1:${1234 + id}; }\n`;
  fs.writeFileSync(
    conf,
    `global { usage-count no; }\nresource r0 {\n${host('alpha', 0)}${host('beta', 1)}}\n`,
  );
  const command = (...words: string[]): Outcome => run(['-c', conf, ...words], { UDRBD_BLOCK_DEVICES: 'no' });
  expect(command('--', '--force', 'create-md', 'r0')).toMatchObject({ status: 0 });
  try {
    expect(command('up', 'all')).toMatchObject({ status: 0, stdout: '', plain: false });
    expect(command('dstate', 'r0')).toMatchObject({ status: 0, stdout: 'Inconsistent/DUnknown\n' });
    expect(command('adjust', 'all')).toMatchObject({ status: 0, stdout: '', plain: false });
    expect(command('down', 'all')).toMatchObject({ status: 0, stdout: '', plain: false });
  } finally {
    process.kill(Number(fs.readFileSync(path.join(folder, 'run/drbdd.pid'), 'latin1')), 'SIGTERM');
  }
});

test('back ends are in the snapshot, not compiled, where a socket cannot have so long a path', async () => {
  env.XDG_CACHE_HOME = path.join(folder, 'long-'.repeat(20));
  fs.mkdirSync(env.XDG_CACHE_HOME);
  expect(run(running)).toMatchObject({ status: 20, plain: true });
  const made = (end: string): boolean =>
    fs.existsSync(path.join(env.XDG_CACHE_HOME ?? '', `udrbd/drbdadm-run.${end}`));
  for (let i = 0; i < 600 && (!made('state') || made('lock')); i++) await pause(50);
  expect(run(running)).toMatchObject({ status: 20, plain: false });
  expect(fs.readdirSync(folder).sort()).toEqual(['bin', 'long-'.repeat(20)]);
});

test('a launcher reached through a symbolic link, and one called by a relative name, find it as well', async () => {
  await withSnapshot();
  const link = path.join(folder, 'my-drbdadm');
  fs.symlinkSync(launcher, link);
  expect(run(shown, {}, link)).toMatchObject({ stdout: 'r0\nr1\n', plain: false });
  expect(run([], {}, link).stdout).toContain('my-drbdadm');
  const result = spawnSync('./bin/drbdadm', shown, { cwd: root, env, encoding: 'latin1' });
  expect(result.stdout).toBe('r0\nr1\n');
});

test('a snapshot that may not fit is left alone, and made again', async () => {
  await withSnapshot();
  const state = inCache('drbdadm.state');
  const spoil: (readonly [string, (good: readonly string[], blob: string) => void])[] = [
    ['another boot', ([key = '', ...rest]) => fs.writeFileSync(state, [`x${key}`, ...rest].join('\n'))],
    [
      'other flags',
      ([key = '', ...rest]) => fs.writeFileSync(state, [`${key} --jitless`, ...rest].join('\n')),
    ],
    ['another PATH', ([boot, , ...rest]) => fs.writeFileSync(state, [boot, '/n/node', ...rest].join('\n'))],
    ['an empty state', () => fs.writeFileSync(state, '')],
    ['half a state', (good) => fs.writeFileSync(state, good.slice(0, 3).join('\n'))],
    ['another blob', (_, blob) => fs.appendFileSync(blob, 'x')],
    ['no blob', (_, blob) => fs.rmSync(blob)],
    ['no time of Node', (_, blob) => fs.rmSync(`${blob}.0`)],
    ['Node at another time', (_, blob) => fs.utimesSync(`${blob}.0`, 1, 1)],
    ['the bundle at another time', (_, blob) => fs.utimesSync(`${blob}.1`, 1, 1)],
    ['another inode', (good) => fs.writeFileSync(state, good.with(3, '1 1').join('\n'))],
    ['no Node', (good) => fs.writeFileSync(state, good.join('\n').replaceAll(process.execPath, '/n/node'))],
  ];
  for (const [what, how] of spoil) {
    const good = fs.readFileSync(state, 'latin1').split('\n');
    how(good, good[6] ?? '');
    expect([what, run(shown)]).toMatchObject([what, { status: 0, stdout: 'r0\nr1\n', plain: true }]);
    for (let i = 0; i < 300 && run(shown).plain; i++) await pause(100);
    expect([what, run(shown)]).toMatchObject([what, { stdout: 'r0\nr1\n', plain: false }]);
    await awaitBuild();
  }
});

test('a kernel that shows no inodes is asked by stat', async () => {
  await withSnapshot();
  const state = inCache('drbdadm.state');
  const lines = fs.readFileSync(state, 'latin1').split('\n');
  fs.writeFileSync(state, lines.with(3, 'stat').join('\n'));
  expect(run(shown)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: false });
  fs.writeFileSync(state, lines.with(3, 'stat').with(4, '1:2').join('\n'));
  expect(run(shown)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: true });
  await pause(200);
  await awaitBuild();
});

/** Changes a file and keeps all that a shell can see of it. */
function changeUnseen(file: string, text: string): void {
  const { atime } = fs.statSync(file);
  const mark = path.join(folder, 'time');
  spawnSync('touch', ['-r', file, mark]);
  fs.appendFileSync(file, text);
  spawnSync('touch', ['-m', '-r', mark, file]);
  expect(fs.statSync(file).atime).toEqual(atime);
}

test('what the launcher cannot see the program finds out, and starts again without', async () => {
  const copy = path.join(folder, 'tree');
  fs.cpSync(path.join(root, 'bin'), path.join(copy, 'bin'), { recursive: true });
  fs.mkdirSync(path.join(copy, 'dist'));
  for (const name of fs.readdirSync(path.join(root, 'dist')))
    if (/^drbdadm.*\.cjs$/.test(name))
      fs.copyFileSync(path.join(root, 'dist', name), path.join(copy, 'dist', name));
  fs.cpSync(path.join(root, 'fixtures/config'), path.join(copy, 'fixtures/config'), { recursive: true });
  const node = path.join(folder, 'bin/real-node');
  fs.copyFileSync(process.execPath, node);
  fs.writeFileSync(path.join(folder, 'bin/node'), `#!/bin/sh\necho "$*" >>${log}\nexec ${node} "$@"\n`);
  const program = path.join(copy, 'bin/drbdadm');
  const fast = async (): Promise<void> => {
    const before = stateOfSnapshot();
    expect(run(shown, {}, program)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: true });
    await awaitBuild(before);
    expect(run(shown, {}, program)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: false });
  };
  await fast();
  changeUnseen(path.join(copy, 'dist/drbdadm.cjs'), '\n');
  expect(run(shown, {}, program)).toMatchObject({ status: 0, stdout: 'r0\nr1\n', plain: true });
  expect(fs.existsSync(inCache('drbdadm.state'))).toBe(false);
  await fast();
  changeUnseen(node, '\n');
  expect(run(['-c', '/none', 'dump'], {}, program)).toMatchObject({ status: 20, stdout: '', plain: true });
  await fast();
  // Another Node at the same place with the same time: this the launcher sees.
  fs.renameSync(node, `${node}.old`);
  spawnSync('cp', ['-p', `${node}.old`, node]);
  await fast();
});

test('no flag goes to a Node that was not seen to take it', async () => {
  await withSnapshot();
  run(shown, { UDRBD_SNAPSHOT: 'no' });
  expect(fs.readFileSync(log, 'latin1')).toMatch(/^\/[^ ]*\/bin\/start\.cjs drbdadm [^\n]*\n$/);
  const { stderr } = spawnSync(process.execPath, [launcher, ...shown], { env, encoding: 'latin1' });
  expect(stderr).not.toMatch(/flag|option/);
  for (const flag of (stateOfSnapshot().split('\n')[5] ?? '').split(' ').filter((word) => word !== ''))
    expect([flag, spawnSync(process.execPath, [flag, '-e', '0']).status]).toEqual([flag, 0]);
});

// The builder knows what Node 20's snapshots look like; those of other versions stay as Node makes them.
const slims = process.versions.node.startsWith('20.');
if (!slims)
  process.stderr.write(`SKIPPED: snapshots of Node ${process.versions.node} are not made slimmer\n`);
(slims ? test : test.skip)(
  "a snapshot is slimmer than Node makes it, has a seed of its own, and commands find Node's modules",
  async () => {
    await withSnapshot();
    const lines = fs.readFileSync(inCache('drbdadm.state'), 'latin1').split('\n');
    const blob = fs.readFileSync(lines[6] ?? '');
    expect(lines[5]?.split(' ')).toContain('--no-rehash-snapshot');
    expect(blob.length).toBeLessThan(4_000_000);
    // The hash of a word lies before its length.
    const word = 'sh-resources';
    const hash = (bytes: Buffer): number =>
      bytes.readUInt32LE(bytes.indexOf(`\x0c\0\0\0${word}`, 0, 'latin1') - 4);
    fs.rmSync(inCache('drbdadm.state'));
    await withSnapshot();
    const next = fs.readFileSync(inCache('drbdadm.state'), 'latin1').split('\n')[6] ?? '';
    expect(hash(fs.readFileSync(next))).not.toBe(hash(blob));
  },
);

test('options of Node in the environment, another user and missing places mean no snapshot', async () => {
  await withSnapshot();
  expect(run(shown, { NODE_OPTIONS: '--no-deprecation' })).toMatchObject({ stdout: 'r0\nr1\n', plain: true });
  expect(run(shown, { HOME: '', XDG_CACHE_HOME: '' })).toMatchObject({ stdout: 'r0\nr1\n', plain: true });
  expect(run(shown, { HOME: '/proc', XDG_CACHE_HOME: '/proc/x' })).toMatchObject({
    status: 0,
    stdout: 'r0\nr1\n',
    plain: true,
  });
  if (process.getuid?.() !== 0) {
    process.stderr.write('SKIPPED: not root, no file of another user was tried\n');
    return;
  }
  const state = inCache('drbdadm.state');
  fs.chownSync(state, 12345, 12345);
  expect(run(shown)).toMatchObject({ stdout: 'r0\nr1\n', plain: true });
  await pause(200);
  await awaitBuild();
});

test('many first calls at the same time make one snapshot', async () => {
  const calls = Array.from({ length: 5 }, async () => {
    const child = spawn(launcher, shown, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    return [code, text];
  });
  for (const call of calls) expect(await call).toEqual([0, 'r0\nr1\n']);
  await awaitBuild();
  await pause(500);
  await awaitBuild();
  expect(run(shown)).toMatchObject({ stdout: 'r0\nr1\n', plain: false });
  expect(fs.existsSync(inCache('drbdadm.failed'))).toBe(false);
});

test('where no snapshot can be made it is not tried again and again', async () => {
  fs.mkdirSync(inCache(''), { recursive: true, mode: 0o700 });
  fs.writeFileSync(inCache('drbdadm.failed'), '');
  expect(run(shown)).toMatchObject({ stdout: 'r0\nr1\n', plain: true });
  await pause(300);
  expect(fs.readdirSync(inCache(''))).toEqual(['drbdadm.failed']);
});

test('making a folder where none can be made ends', () => {
  const words = [path.join(root, 'bin/build-snapshot.cjs'), '/proc/nowhere/udrbd', 'node', 'key'];
  const result = spawnSync(process.execPath, words, { env, timeout: 60_000 });
  expect([result.status, result.signal]).toEqual([1, null]);
});
