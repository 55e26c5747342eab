import { type BackEndCall, type DeferredEntry, type Plan, type Stage } from '../../src/drbdadm/plan';
import { runDeferred } from '../../src/drbdadm/run-deferred';

const call: BackEndCall = {
  tool: 'drbdsetup',
  words: [],
  resource: '',
  limit: 'short',
  errors: 'shown',
  environment: {},
};

function entry(id: number, command: string, resource: string, stage: Stage, after?: number): DeferredEntry {
  const base = { id, command, resource, stage, steps: [{ kind: 'call' as const, call }] };
  return after === undefined ? base : { ...base, after };
}

async function run(
  entries: readonly DeferredEntry[],
  progress: boolean,
  codes: Readonly<Record<string, number>> = {},
): Promise<{ code: number; stdout: string; stderr: string; order: readonly string[] }> {
  const plan: Plan = { command: 'adjust', bare: false, groups: [], deferred: entries, progress };
  let stdout = '';
  let stderr = '';
  const order: string[] = [];
  const output = {
    stdout: (text: string) => void (stdout += text),
    stderr: (text: string) => void (stderr += text),
  };
  const code = await runDeferred(plan, { quiet: false }, output, (each) => {
    order.push(`${each.command} ${each.resource}`);
    return Promise.resolve(codes[`${each.command} ${each.resource}`] ?? 0);
  });
  return { code, stdout, stderr, order };
}

test('stages run in order across resources, entries of a stage in the order of scheduling', async () => {
  const entries = [
    entry(0, 'connect', 'a', 'connect'),
    entry(1, 'new-resource', 'a', 'prerequisites'),
    entry(2, 'new-resource', 'b', 'prerequisites'),
  ];
  expect((await run(entries, false)).order).toEqual(['new-resource a', 'new-resource b', 'connect a']);
});

test('an entry waits for the one it depends on, over several passes', async () => {
  const entries = [
    entry(0, 'del-peer', 'a', 'net-down', 2),
    entry(1, 'new-peer', 'a', 'net-up'),
    entry(2, 'connect', 'a', 'connect', 1),
  ];
  expect((await run(entries, false)).order).toEqual(['new-peer a', 'connect a', 'del-peer a']);
});

test('a failed stage is finished, then nothing more is run', async () => {
  const entries = [
    entry(0, 'new-minor', 'a', 'disk-up'),
    entry(1, 'new-minor', 'b', 'disk-up'),
    entry(2, 'attach', 'b', 'disk'),
  ];
  const result = await run(entries, false, { 'new-minor a': 10 });
  expect(result).toMatchObject({ code: 1, order: ['new-minor a', 'new-minor b'] });
});

test('progress: all stages run, one line a stage, failures and what they cost are named', async () => {
  const entries = [
    entry(0, 'new-resource', 'r0', 'prerequisites'),
    entry(1, 'new-resource', 'r1', 'prerequisites'),
    entry(2, 'new-minor', 'r0', 'disk-up'),
    entry(3, 'new-minor', 'r1', 'disk-up'),
    entry(4, 'new-peer', 'r0', 'net-up'),
    entry(5, 'new-peer', 'r1', 'net-up'),
    entry(6, 'connect', 'r0', 'connect'),
    entry(7, 'wait-connect', 'r0', 'wait-connect'),
  ];
  const result = await run(entries, true, { 'new-minor r1': 10 });
  expect(result.code).toBe(1);
  expect(result.stdout).toBe(
    [
      '[',
      '     create res: r0 r1',
      '   prepare disk: r0 r1:failed(new-minor:10)',
      '    prepare net: r0 [skipped:r1]',
      'attempt to connect: r0',
      'wait for connect: r0',
      ']',
      '',
    ].join('\n'),
  );
});
