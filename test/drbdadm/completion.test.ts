import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { commandSummaries } from '../../src/drbdadm/command-summaries';
import { commands } from '../../src/drbdadm/command-table';
import { completionScript } from '../../src/drbdadm/completion';
import { drbdadm } from './run-drbdadm';

const packaged = { bash: 'drbdadm', zsh: '_drbdadm' } as const;
let directory = '';
beforeAll(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-completion-'));
  // Stands in for drbdadm: knows two resources of this host, and one in another file.
  const fake =
    '#!/bin/sh\ncase "$*" in "-c other sh-resources") echo r9;; sh-resources) echo r0; echo r1;; esac\n';
  fs.writeFileSync(path.join(directory, 'drbdadm'), fake, { mode: 0o755 });
  fs.writeFileSync(path.join(directory, 'some.conf'), '');
});
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

test('every command has a summary, and nothing else', () => {
  expect(Object.keys(commandSummaries).sort()).toEqual(commands.map(({ name }) => name).sort());
});

test.each(['bash', 'zsh'] as const)(
  'the packaged script for %s is what the command prints',
  async (shell) => {
    const file = path.join(__dirname, '../../packaging/completions', packaged[shell]);
    const answer = await drbdadm('alpha', ['completion', shell]);
    expect(answer).toEqual({ exit: 0, stdout: fs.readFileSync(file, 'utf8'), stderr: '' });
  },
);

test('other shells have none', async () => {
  expect(await drbdadm('alpha', ['completion', 'fish'])).toMatchObject({ exit: 1, stdout: '' });
  expect(await drbdadm('alpha', ['completion'])).toMatchObject({ exit: 1, stdout: '' });
});

/** What bash is offered for the last of these words; `=` is a word of its own for bash. */
function bash(...words: readonly string[]): readonly string[] {
  const script = `${completionScript('bash') ?? ''}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _drbdadm; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const result = spawnSync('bash', ['--norc', '-c', script, 'bash', 'drbdadm', ...words], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: `${directory}:/usr/bin:/bin` },
  });
  expect(result.stderr).toBe('');
  return result.stdout.split('\n').filter((line) => line !== '');
}

describe('bash', () => {
  test.each([
    [['mig'], ['migrate']],
    [
      ['-c', 'x', 'sh-res'],
      ['sh-resource', 'sh-resources'],
    ],
    [
      ['up', ''],
      ['all', 'r0', 'r1'],
    ],
    [['-c', 'other', 'up', 'r'], ['r9']],
    [['--config-file', '=', 'other', 'up', 'r'], ['r9']],
    [['primary', '--fo'], ['--force']],
    [['attach', '--si'], ['--size=']],
    [
      ['net-options', '--protocol', '=', ''],
      ['A', 'B', 'C'],
    ],
    [
      ['net-options', '--protocol', '='],
      ['A', 'B', 'C'],
    ],
    [['net-options', '--tcp-cork', '=', 'n'], ['no']],
    [
      ['check', '--format', ''],
      ['text', 'json', 'sarif'],
    ],
    [['check', '--format', '=', 's'], ['sarif']],
    [['check', 'so'], ['some.conf']],
    [['-c', 'so'], ['some.conf']],
    [
      ['explain', ''],
      ['r0', 'r1'],
    ],
    [['plan', 'prim'], ['primary']],
    [
      ['plan', 'up', 'r'],
      ['r0', 'r1'],
    ],
    [['help', 'outd'], ['outdate']],
    [
      ['completion', ''],
      ['bash', 'zsh'],
    ],
    [['sh-nop', ''], []],
  ])('%j', (words, expected) => {
    expect(bash(...words)).toEqual(expected);
  });

  test('every command but handlers is offered', () => {
    const hidden = commands
      .filter(({ level }) => level === 'kernel' || level === 'unlisted')
      .map(({ name }) => name);
    const all = bash('');
    expect(commands.map(({ name }) => name).filter((name) => !all.includes(name))).toEqual(
      commands.map(({ name }) => name).filter((name) => hidden.includes(name)),
    );
  });
});

/** Runs the function of the script for zsh with stand-ins for the functions of its completion system. */
function zsh(...words: readonly string[]): readonly string[] | undefined {
  const script = `compdef() { : }
_files() { print files }
compset() { if [[ $1 == -P ]]; then cur="\${cur#*=}"; fi }
_describe() { print -l -- "\${(@P)2}" }
compadd() {
  local -a list
  while [[ $1 == -* ]]; do case $1 in (-a) list=("\${(@P)2}"); shift 2;; (-S) shift 2;; (--) shift; break;; esac; done
  list+=("$@"); print -l -- $list
}
${completionScript('zsh') ?? ''}
words=("$@"); CURRENT=$#; _drbdadm`;
  const result = spawnSync('zsh', ['-f', '-c', script, 'zsh', 'drbdadm', ...words], {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: `${directory}:/usr/bin:/bin` },
  });
  if (result.error !== undefined) return undefined;
  expect(result.stderr).toBe('');
  return result.stdout.split('\n').filter((line) => line !== '');
}

test('zsh: the script is sound, and offers what the one for bash does', () => {
  if (zsh('completion', '') === undefined) {
    process.stderr.write('SKIPPED: completion in zsh: there is no zsh\n');
    return;
  }
  expect(zsh('completion', '')).toEqual(['bash', 'zsh']);
  expect(zsh('up', '')).toEqual(['r0', 'r1', 'all']);
  expect(zsh('-c', 'other', 'explain', '')).toEqual(['r9']);
  expect(zsh('check', '--format=')).toEqual(['text', 'json', 'sarif']);
  expect(zsh('check', '')).toEqual(['files']);
  expect(zsh('attach', '--')).toEqual(
    expect.arrayContaining(['--size=', '--disk-barrier', '--dry-run', '--config-file=']),
  );
  expect(zsh('')).toEqual(
    expect.arrayContaining(['migrate:turn a configuration of DRBD 8.3 or 8.4 into one of DRBD 9']),
  );
  expect(zsh('sh-nop', '')).toEqual([]);
});
