import { type DeferredEntry, type Plan } from '../../src/drbdadm/plan';
import { runDeferred, type Perform } from '../../src/drbdadm/run-deferred';

function entry(id: number, command: string, resource: string): DeferredEntry {
  return { id, command, resource, stage: 'disk', steps: [] };
}

interface Run {
  readonly code: number;
  readonly text: string;
  readonly events: readonly string[];
}

/** Each piece of work takes as long as told, says its name on both streams and has the code that was told. */
async function run(
  entries: readonly DeferredEntry[],
  told: Readonly<Record<string, { ms: number; code?: number; fails?: boolean }>>,
): Promise<Run> {
  let text = '';
  const events: string[] = [];
  const output = {
    stdout: (piece: string) => void (text += `1${piece}`),
    stderr: (piece: string) => void (text += `2${piece}`),
  };
  const perform: Perform = async (each, mine) => {
    const name = `${each.command}-${each.resource}`;
    events.push(`begin ${name}`);
    mine.stdout(`${name} `);
    const how = told[name] ?? { ms: 0 };
    await new Promise((resolve) => setTimeout(resolve, how.ms));
    if (how.fails === true) throw new Error(name);
    mine.stderr(`${name} `);
    events.push(`end ${name}`);
    return how.code ?? 0;
  };
  const plan: Plan = { command: 'up', bare: false, groups: [], deferred: entries, progress: false };
  const mode = { quiet: false, together: true };
  const code = await runDeferred(plan, mode, output, perform).catch((error: Error) => {
    events.push(`threw ${error.message}`);
    return -1;
  });
  return { code, text, events };
}

test('resources are worked on at the same time, and what they say comes out in order', async () => {
  const slowFirst = { 'attach-a': { ms: 30 }, 'attach-b': { ms: 1 } };
  const { code, text, events } = await run([entry(0, 'attach', 'a'), entry(1, 'attach', 'b')], slowFirst);
  expect(code).toBe(0);
  expect(events).toEqual(['begin attach-a', 'begin attach-b', 'end attach-b', 'end attach-a']);
  expect(text).toBe('1attach-a 2attach-a 1attach-b 2attach-b ');
});

test('entries of one resource wait for each other; a failed one spares the rest', async () => {
  const entries = [0, 1].map((id) => ({ ...entry(id, `new-minor-${id}`, 'a'), stage: 'disk-up' as const }));
  const other = { ...entry(2, 'new-minor', 'b'), stage: 'disk-up' as const };
  const { code, text, events } = await run([...entries, other], {
    'new-minor-0-a': { ms: 20, code: 10 },
  });
  expect(code).toBe(1);
  expect(events).toEqual([
    'begin new-minor-0-a',
    'begin new-minor-b',
    'end new-minor-b',
    'end new-minor-0-a',
  ]);
  expect(text).toBe(
    '1new-minor-0-a 2new-minor-0-a 2drbdadm: new-minor-1 a: skipped due to earlier error\n' +
      '1new-minor-b 2new-minor-b ',
  );
});

test('the first that throws ends the run, after everything before it has been said', async () => {
  const entries = [entry(0, 'attach', 'a'), entry(1, 'attach', 'b'), entry(2, 'attach', 'c')];
  const { text, events } = await run(entries, {
    'attach-a': { ms: 20 },
    'attach-b': { ms: 1, fails: true },
    'attach-c': { ms: 2, fails: true },
  });
  expect(events.at(-1)).toBe('threw attach-b');
  expect(text).toBe('1attach-a 2attach-a 1attach-b ');
});

test('many resources are not all worked on at once', async () => {
  let most = 0;
  let now = 0;
  const entries = Array.from({ length: 300 }, (_, id) => entry(id, 'attach', `r${id}`));
  const plan: Plan = { command: 'up', bare: false, groups: [], deferred: entries, progress: false };
  const silent = { stdout: () => undefined, stderr: () => undefined };
  const code = await runDeferred(plan, { quiet: false, together: true }, silent, async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    return 0;
  });
  expect(code).toBe(0);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(64);
});
