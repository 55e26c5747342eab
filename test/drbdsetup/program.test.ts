// The built program with a daemon that has no engine: processes, pipes, exit statuses.
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { runningPid } from '../../src/control/channel/run-directory';

const root = path.join(__dirname, '../..');
let folder: string;
let directory: string;
let env: Record<string, string>;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-program-'));
  directory = path.join(folder, 'run');
  buildSync({
    absWorkingDir: root,
    entryPoints: { drbdd: 'test/control/fake-daemon.ts', drbdsetup: 'src/drbdsetup/main.ts' },
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    banner: { js: '#!/usr/bin/env node' },
    logLevel: 'silent',
  });
  for (const name of ['drbdd.cjs', 'drbdsetup.cjs']) fs.chmodSync(path.join(folder, name), 0o755);
  fs.renameSync(path.join(folder, 'drbdsetup.cjs'), path.join(folder, 'drbdsetup'));
  env = {
    PATH: `${folder}:${process.env.PATH ?? ''}`,
    UDRBD_RUN_DIR: directory,
    UDRBD_DRBDD: path.join(folder, 'drbdd.cjs'),
  };
});
afterAll(() => {
  const pid = runningPid(directory);
  if (pid !== undefined) process.kill(pid, 'SIGTERM');
  fs.rmSync(folder, { recursive: true, force: true });
});

const run = (...argv: string[]): SpawnSyncReturns<string> =>
  spawnSync('drbdsetup', argv, { env, encoding: 'utf8', timeout: 30_000 });

describe('the program drbdsetup', () => {
  it('needs no daemon for help and for questions', () => {
    expect(run('help').stdout).toContain('USAGE: drbdsetup command {arguments} [options]');
    expect(run('status').stdout).toBe('# No currently configured DRBD found.\n');
    expect(runningPid(directory)).toBeUndefined();
  });

  it('starts the daemon with the first configuring request, and returns at once from $(...)', () => {
    const { stdout, stderr, status } = spawnSync(
      '/bin/sh',
      ['-c', 'x=$(drbdsetup new-resource r0 0); echo "<$x>"'],
      {
        env,
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    // The fake daemon answers every request with its name as an information.
    expect({ stdout, stderr, status }).toEqual({
      stdout: '<>\n',
      stderr: 'warnings from kernel:\nnew-resource\n',
      status: 0,
    });
    expect(runningPid(directory)).toBeDefined();
  });

  it('answers from the daemon, exits by itself and keeps stdout and stderr apart', () => {
    expect(run('role', 'r0')).toMatchObject({ stdout: 'Secondary\n', stderr: '', status: 0 });
    expect(run('dstate', '1')).toMatchObject({ stdout: 'UpToDate/UpToDate/UpToDate\n', status: 0 });
    expect(run('events2', '--now').stdout.trim().split('\n')).toHaveLength(12);
    expect(run('primary')).toMatchObject({ status: 20, stderr: 'Missing argument 1 to command\n' });
  });

  it('writes everything to a pipe that is read slowly, and ends with a reader that goes away', () => {
    const sh = (command: string): string =>
      spawnSync('/bin/sh', ['-c', command], { env, encoding: 'utf8' }).stdout;
    const many = 'for i in 1 2 3; do drbdsetup show --json --show-defaults; done';
    expect(sh(`{ ${many}; } | { sleep 0.3; cat; }`).length).toBe(3 * run('show', '--json').stdout.length);
    expect(sh('drbdsetup events2 --now | head -1').split('\n')).toHaveLength(2);
  });

  const linux = process.platform === 'linux';
  if (!linux) process.stderr.write('SKIPPED: only Linux tells when a pipe has lost its reader\n');
  (linux ? it : it.skip)('ends soon when a reader of live events goes away, without an event', () => {
    const started = Date.now();
    const { stdout, status } = spawnSync(
      '/bin/bash',
      ['-c', 'drbdsetup events2 | head -1; echo ${PIPESTATUS[0]}'],
      {
        env,
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    // As the real one does: it looks after its pipe, and dies of it if it has a line to write just then.
    expect(stdout).toMatch(/^exists .*\n(0|141)\n$/);
    expect(status).toBe(0);
    expect(Date.now() - started).toBeLessThan(15_000);
  });

  const state = (pid: number | undefined): string =>
    fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0] ?? '';
  const kib = (pid: number): number =>
    Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

  it('status takes colours back when a signal ends it', async () => {
    const daemon = runningPid(directory) ?? 0;
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
      process.kill(daemon, 'SIGSTOP');
      const status = spawn('drbdsetup', ['status'], { env });
      let stdout = '';
      status.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      const ended = new Promise<unknown>((resolve) => status.on('close', (_code, reason) => resolve(reason)));
      // SIGHUP is the last that it catches; Node catches the others from its start.
      const caught = (): boolean =>
        /SigCgt:\s+[0-9a-f]*?([0-9a-f]{4})$/m
          .exec(fs.readFileSync(`/proc/${status.pid}/status`, 'latin1'))?.[1]
          ?.at(-1) === '3' || state(status.pid) === 'Z';
      for (let i = 0; i < 400 && !caught(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
      status.kill(signal);
      const outcome = await ended.finally(() => process.kill(daemon, 'SIGCONT'));
      expect([outcome, stdout]).toEqual([signal, '\u001b[0m']);
    }
  }, 60_000);

  it('a stopped reader of events costs the daemon little and others nothing', async () => {
    const stopped = spawn('drbdsetup', ['events2'], { env });
    const ended = new Promise((resolve) => stopped.on('close', (_code, reason) => resolve(reason)));
    await new Promise<void>((resolve) => stopped.stdout.once('data', () => resolve()));
    stopped.kill('SIGSTOP');
    const daemon = runningPid(directory) ?? 0;
    run('rename-resource', 'r0', '10');
    const before = kib(daemon);
    // 100 MB of events.
    expect(run('rename-resource', 'r0', '200')).toMatchObject({ status: 0 });
    for (let i = 0; i < 5; i++) expect(run('role', 'r0')).toMatchObject({ stdout: 'Secondary\n', status: 0 });
    expect(kib(daemon) - before).toBeLessThan(60_000);
    // When it goes on it gets the present state: nothing is to be told about one that has not changed.
    let heard = '';
    stopped.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString().slice(-2000)));
    stopped.kill('SIGCONT');
    expect(run('new-resource', 'r1', '0')).toMatchObject({ status: 0 });
    run('rename-resource', 'r0', '1');
    for (let i = 0; i < 400 && !heard.includes('rename resource'); i++)
      await new Promise((resolve) => setTimeout(resolve, 25));
    expect(heard).toContain('rename resource name:r0');
    stopped.kill('SIGTERM');
    expect(await ended).toBe('SIGTERM');
  }, 60_000);

  it('waits for another program that works on the minor, and gives up after a second', () => {
    const lock = path.join(directory, 'lock/drbd-147-1.udrbd');
    expect(run('detach', '1')).toMatchObject({ status: 0 });
    expect(fs.existsSync(lock)).toBe(false);
    fs.writeFileSync(lock, `${process.pid}\n`);
    expect(run('detach', '1')).toMatchObject({
      status: 20,
      stderr: `lock on ${lock.replace('.udrbd', '')} currently held by pid:${process.pid}\n`,
    });
    expect(run('dstate', '1')).toMatchObject({ status: 0 });
    fs.rmSync(lock);
  });

  const isRoot = process.geteuid?.() === 0;
  if (!isRoot) process.stderr.write('SKIPPED: not root, drbdsetup was not run as a second user\n');
  (isRoot ? it : it.skip)('does nothing for a second user', () => {
    fs.chmodSync(folder, 0o755);
    for (const argv of [['secondary', 'r0'], ['status'], ['events2', '--now'], ['down', 'all']]) {
      const result = spawnSync('drbdsetup', argv, { env, uid: 65534, gid: 65534, encoding: 'utf8' });
      expect([argv, result.status, result.stdout]).toEqual([argv, 20, '']);
      expect(result.stderr).toContain(`Run directory ${directory} belongs to user 0, not to user 65534`);
    }
  });

  it('follows events until its input ends with --poll, and until the daemon goes', async () => {
    const polled = spawnSync('drbdsetup', ['events2', '--poll', '--now'], {
      env,
      input: 'n\nq',
      encoding: 'utf8',
    });
    expect(polled.stdout.match(/^exists -$/gm)).toHaveLength(2);
    const stream = spawn('drbdsetup', ['events2', 'r0'], { env });
    let stderr = '';
    stream.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const dumped = new Promise<void>((resolve) => {
      let heard = '';
      stream.stdout.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
        if (heard.includes('exists -')) resolve();
      });
    });
    await dumped;
    process.kill(runningPid(directory) ?? 0, 'SIGTERM');
    const status = await new Promise((resolve) => stream.on('close', resolve));
    expect([status, stderr]).toEqual([121, 'r0: module unloaded\n']);
    expect(run('status', 'r0')).toMatchObject({ status: 10, stderr: 'r0: No such resource\n' });
  });
});
