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
  spawnSync('drbdsetup', argv, { env, encoding: 'utf8' });

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
