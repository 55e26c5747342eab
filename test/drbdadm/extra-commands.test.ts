import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findExtraCommand } from '../../src/drbdadm/extra-commands';
import { type Answer, drbdadm } from './run-drbdadm';

let directory = '';
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-extra-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function written(text: string): string {
  const file = path.join(fs.realpathSync(directory), 'drbd.conf');
  fs.writeFileSync(file, text);
  return file;
}

const good = `global { usage-count no; disable-ip-verification; }
common { net { protocol C; } }
resource r0 {
  device minor 0; disk /dev/a;
  net { shared-secret "0123456789abcdef"; cram-hmac-alg sha256; }
  on alpha { node-id 0; address 10.0.0.1:7789; }
  on beta { node-id 1; address 10.0.0.2:7789; }
}
`;

test('the words are recognised in front of the command grammar of the real tool, and only there', () => {
  expect(findExtraCommand(['-c', 'check', 'up', 'r0'])).toBeUndefined();
  expect(findExtraCommand(['up', 'check'])).toBeUndefined();
  expect(findExtraCommand(['--', 'check'])).toBeUndefined();
  expect(findExtraCommand(['-c', 'f', 'check', '--format', 'json'])).toMatchObject({
    name: 'check',
    configFile: 'f',
  });
  expect(findExtraCommand(['--config-file=f', 'explain', 'r0'])).toMatchObject({
    name: 'explain',
    configFile: 'f',
  });
});

describe('check', () => {
  const check = (file: string, ...options: readonly string[]): Promise<Answer> =>
    drbdadm('alpha', ['-c', file, 'check', ...options]);

  test('a good configuration: nothing to say, exit 0', async () => {
    expect(await check(written(good))).toEqual({ exit: 0, stdout: '0 errors, 0 warnings\n', stderr: '' });
  });

  test('all errors of one run, each with its place; exit 1', async () => {
    const file = written(
      good
        .replace('protocol C', 'protocl C')
        .replace('on beta { node-id 1; address', 'on beta { node-id 1; adress'),
    );
    const answer = await check(file);
    expect(answer.exit).toBe(1);
    expect(answer.stdout).toContain(`${file}:2: Parse error`);
    expect(answer.stdout).toContain(`${file}:7: Parse error`);
    expect(answer.stdout).toContain("did you mean 'protocol'?");
    expect(answer.stdout).toContain('2 errors, 0 warnings\n');
  });

  test.each([
    ['weak-shared-secret', '0123456789abcdef', 'short'],
    ['secret-without-digest', ' cram-hmac-alg sha256;', ''],
    ['protocol-a-blocks', 'protocol C;', 'protocol A; on-congestion block;'],
    ['pull-ahead-without-a', 'protocol C;', 'protocol C; on-congestion pull-ahead;'],
    ['two-primaries-without-fencing', 'protocol C;', 'protocol C; allow-two-primaries yes;'],
    ['fencing-without-handler', 'protocol C;', 'protocol C; fencing resource-only;'],
    ['quorum-without-tiebreaker', 'common {', 'common { options { quorum majority; }'],
    ['no-disk', 'disk /dev/a;', 'disk none;'],
    ['unreachable-option', 'on alpha {', 'on alpha { options { auto-promote no; }'],
    ['unreachable-option', 'protocol C;', 'protocol C; congestion-fill 1M;'],
    ['unreachable-option', 'common {', 'common { options { on-no-quorum io-error; }'],
  ])('a reviewer warns: %s', async (id, from, to) => {
    const answer = await check(written(good.replace(from, to)), '--format', 'json');
    expect(answer.exit).toBe(0);
    expect((JSON.parse(answer.stdout) as readonly { id: string }[]).map((found) => found.id)).toEqual([id]);
  });

  test('SARIF for code scanners', async () => {
    const file = written(good.replace('protocol C', 'protocl C'));
    const answer = await check(file, '--format=sarif');
    const log = JSON.parse(answer.stdout) as {
      version: string;
      runs: readonly { results: readonly unknown[] }[];
    };
    expect(log.version).toBe('2.1.0');
    expect(log.runs[0]?.results).toMatchObject([
      {
        ruleId: 'unknown-option',
        level: 'error',
        locations: [
          {
            physicalLocation: {
              artifactLocation: { uri: `file://${file}` },
              region: { startLine: 2, startColumn: 16, endColumn: 23 },
            },
          },
        ],
      },
    ]);
  });

  test('an unknown format is refused', async () => {
    expect(await check(written(good), '--format', 'xml')).toMatchObject({ exit: 1, stdout: '' });
  });
});

describe('explain', () => {
  test('each option with the place it comes from', async () => {
    const file = written(good);
    const answer = await drbdadm('alpha', ['-c', file, 'explain', 'r0', 'protocol']);
    expect(answer).toMatchObject({
      exit: 0,
      stdout: `connection beta net  protocol  C  ${file}:2 (inherited)\n`,
    });
  });

  test('an option that is not set, and a resource that is not there', async () => {
    const file = written(good);
    expect(await drbdadm('alpha', ['-c', file, 'explain', 'r0', 'ping-int'])).toMatchObject({
      exit: 1,
      stdout: '',
    });
    expect(await drbdadm('alpha', ['-c', file, 'explain', 'nope'])).toMatchObject({ exit: 1, stdout: '' });
  });
});

test('plan: the calls of a command as JSON, nothing is run', async () => {
  const answer = await drbdadm('alpha', ['-c', written(good), 'plan', 'primary', '--force', 'r0', '--json']);
  expect(answer.exit).toBe(0);
  expect(JSON.parse(answer.stdout)).toMatchObject({
    command: 'primary',
    groups: [
      {
        resource: 'r0',
        steps: [{ kind: 'call', call: { tool: 'drbdsetup', words: ['primary', 'r0', '--force'] } }],
      },
    ],
    deferred: [],
  });
});

test('fmt: canonical layout, comments kept; --check only tells', async () => {
  const file = written('resource r0 { device minor 0; # why\ndisk /dev/a; }\n');
  expect(await drbdadm('alpha', ['fmt', '--check', file])).toMatchObject({ exit: 1, stdout: `${file}\n` });
  expect(await drbdadm('alpha', ['fmt', file])).toMatchObject({ exit: 0, stdout: '' });
  expect(fs.readFileSync(file, 'utf8')).toBe(
    'resource r0 {\n    device minor 0; # why\n    disk /dev/a;\n}\n',
  );
  expect(await drbdadm('alpha', ['fmt', '--check', file])).toMatchObject({ exit: 0, stdout: '' });
  fs.writeFileSync(file, 'resource {');
  expect(await drbdadm('alpha', ['fmt', file])).toMatchObject({ exit: 1 });
});
