/** Scheduled work that runs ahead looks as if it had been done stage by stage. */
import { type CallOrder } from '../../src/drbdadm/back-ends';
import { type DeferredEntry, type Plan, type Stage } from '../../src/drbdadm/plan';
import { levelsAhead } from '../../src/drbdadm/run-ahead';
import { runDeferred, type Perform } from '../../src/drbdadm/run-deferred';

const stageOf: Readonly<Record<string, Stage>> = {
  'new-resource': 'prerequisites',
  'new-minor': 'disk-up',
  'new-peer': 'net-up',
  'net-options': 'net',
  attach: 'disk',
  connect: 'connect',
};

/** Words such as `attach-a`: command and resource. */
function entries(...names: readonly string[]): DeferredEntry[] {
  return names.map((name, id) => {
    const resource = name.slice(name.lastIndexOf('-') + 1);
    const command = name.slice(0, name.lastIndexOf('-'));
    return { id, command, resource, stage: stageOf[command] ?? 'disk', steps: [] };
  });
}

/** A daemon that does what was asked for level by level, once nothing more comes for a turn. */
class Daemon {
  readonly did: string[] = [];
  /** What was asked for while something before it was not done. */
  ahead = 0;
  private waiting: { level: number; name: string; order: CallOrder; end: (code: number) => void }[] = [];
  private failed = Infinity;

  constructor(private readonly failing: Readonly<Record<string, number>>) {}

  ask(name: string, order: CallOrder): Promise<number> {
    if (this.waiting.some(({ level }) => level < order.level)) this.ahead += 1;
    return new Promise((end) => {
      this.waiting.push({ level: order.level, name, order, end });
      order.onSent();
      if (this.waiting.length === 1) setTimeout(() => this.work(), 5);
    });
  }
  private work(): void {
    for (const { level, name, order, end } of this.waiting.splice(0).sort((a, b) => a.level - b.level)) {
      if (level > this.failed) {
        order.onSkipped();
        end(20);
        continue;
      }
      this.did.push(name);
      const code = this.failing[name] ?? 0;
      if (code !== 0) this.failed = Math.min(this.failed, level);
      end(code);
    }
  }
}

interface Result {
  readonly code: number | string;
  readonly text: string;
  /** What was done, sorted: work of one stage may be done in any order. */
  readonly did: readonly string[];
  readonly ahead: number;
}

/** `failing`: exit codes. Those in `refused` fail before they ask, those in `broken` throw. */
async function run(
  deferred: readonly DeferredEntry[],
  mayRunAhead: boolean,
  failing: Readonly<Record<string, number>> = {},
  refused: readonly string[] = [],
  broken: readonly string[] = [],
): Promise<Result> {
  const daemon = new Daemon(failing);
  let text = '';
  const did: string[] = [];
  const perform: Perform = async (entry, output, order) => {
    const name = `${entry.command}-${entry.resource}`;
    if (order !== undefined && !mayRunAhead) {
      order.onSkipped();
      return 20;
    }
    await Promise.resolve();
    if (refused.includes(name)) {
      output.stderr(`refused ${name}\n`);
      return 10;
    }
    if (broken.includes(name)) throw new Error(name);
    let code = failing[name] ?? 0;
    if (order === undefined) did.push(name);
    else code = await daemon.ask(name, order);
    output.stdout(`${name} `);
    return code;
  };
  const plan: Plan = { command: 'up', bare: false, groups: [], deferred, progress: false };
  const output = {
    stdout: (piece: string) => void (text += piece),
    stderr: (piece: string) => void (text += piece),
  };
  const code = await runDeferred(plan, { quiet: false, together: true }, output, perform).catch(
    (error: Error) => error.message,
  );
  return { code, text, did: [...did, ...daemon.did].sort(), ahead: daemon.ahead };
}

const up = entries(
  ...['new-resource', 'new-minor', 'new-peer', 'attach', 'connect'].flatMap((command) =>
    ['a', 'b', 'c'].map((resource) => `${command}-${resource}`),
  ),
);

test('everything is asked for before the first answer', async () => {
  const { code, ahead, did } = await run(up, true);
  expect(code).toBe(0);
  expect(did).toHaveLength(15);
  expect(ahead).toBe(12);
});

test('time limits count from when everything before has ended', async () => {
  const events: string[] = [];
  const ends: (() => void)[] = [];
  const plan: Plan = {
    command: 'up',
    bare: false,
    groups: [],
    deferred: entries('attach-a', 'attach-b', 'connect-a'),
    progress: false,
  };
  const silent = { stdout: () => undefined, stderr: () => undefined };
  const all = runDeferred(plan, { quiet: false, together: true }, silent, (entry, _output, order) => {
    const name = `${entry.command}-${entry.resource}`;
    void order?.before.then(() => events.push(`${name} counts`));
    order?.onSent();
    return new Promise((resolve) => {
      ends.push(() => resolve(0));
    });
  });
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  await turn();
  expect(ends).toHaveLength(3);
  ends[0]?.();
  await turn();
  expect(events).toEqual(['attach-a counts', 'attach-b counts']);
  ends[1]?.();
  await turn();
  expect(events.at(-1)).toBe('connect-a counts');
  ends[2]?.();
  expect(await all).toBe(0);
});

describe('the same is done and said as stage by stage', () => {
  interface Case {
    readonly deferred: readonly DeferredEntry[];
    readonly failing?: Readonly<Record<string, number>>;
    readonly refused?: readonly string[];
    readonly broken?: readonly string[];
  }
  const twice = ['new-resource-a', 'new-minor-a', 'new-minor-a', 'new-minor-b', 'new-minor-b', 'attach-a'];
  const between = ['new-resource-a', 'new-peer-a', 'net-options-b', 'attach-a', 'connect-a'];
  const cases: Readonly<Record<string, Case>> = {
    'without a failure': { deferred: up },
    'when the first stage fails': { deferred: up, failing: { 'new-resource-b': 10 } },
    'when a stage in the middle fails': { deferred: up, failing: { 'new-peer-b': 10, 'new-peer-c': 10 } },
    'when the last stage fails': { deferred: up, failing: { 'connect-a': 10 } },
    'when a disk fails': { deferred: up, failing: { 'attach-a': 10 } },
    'when a call is refused before it asks': { deferred: up, refused: ['new-minor-b'] },
    'when the last call is refused': { deferred: up, refused: ['connect-c'] },
    'when a call throws': { deferred: up, broken: ['new-peer-b'] },
    'when one throws and another failed': {
      deferred: up,
      failing: { 'new-peer-c': 10 },
      broken: ['new-peer-b'],
    },
    'with several entries of a resource in a stage': { deferred: entries(...twice) },
    'with several entries, of which one fails': {
      deferred: entries(...twice),
      failing: { 'new-minor-a': 10 },
    },
    'with a command in between that must not run ahead': {
      deferred: entries(...between),
      failing: { 'net-options-b': 10 },
    },
  };
  it.each(Object.entries(cases))('%s', async (_name, { deferred, failing, refused, broken }) => {
    const ahead = await run(deferred, true, failing, refused, broken);
    const staged = await run(deferred, false, failing, refused, broken);
    expect({ ...ahead, ahead: 0 }).toEqual(staged);
  });
});

test('levels follow the stages, and the entries of one resource in one stage follow each other', () => {
  const names = (list: readonly string[]): readonly (readonly string[])[] =>
    levelsAhead([
      entries(...list.slice(0, 1)),
      entries(...list.slice(1, 4)),
      [],
      entries(...list.slice(4)),
    ]).map((level) => level.map(({ command, resource }) => `${command}-${resource}`));
  expect(names(['new-resource-a', 'new-minor-a', 'new-minor-b', 'new-minor-a', 'attach-a'])).toEqual([
    ['new-resource-a'],
    ['new-minor-a', 'new-minor-b'],
    ['new-minor-a'],
    ['attach-a'],
  ]);
  expect(names(['new-resource-a', 'net-options-a', 'new-minor-b', 'new-minor-c', 'attach-a'])).toEqual([]);
});

test('very many entries are left to the stages', () => {
  const many = Array.from({ length: 3000 }, (_, index) => `attach-r${index}`);
  expect(levelsAhead([entries(...many), entries(...many)])).toEqual([]);
});
