import { twoHosts, type TestHost } from './two-hosts';
import { type World } from '../../../src/simulation/world/world';

const bytes = new Uint8Array(4096).fill(3);

function inSync(seed: number): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.primary(true);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000)) throw new Error('not in sync');
  return { world, a, b };
}

test('a refused demotion names the openers, newest first, and from the tenth on the oldest', () => {
  const { a } = inSync(1);
  a.open(true);
  a.open(false);
  const secondary = { command: 'secondary', resource: 'r0', force: false } as const;
  const two = a.request(secondary);
  expect(two.code).toBe(-12);
  const opened = /^drbd0 opened by test \(pid 1\) at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\n$/;
  expect(two.infoTexts[0]).toBe('/dev/drbd0 open_cnt:2, writable:1; list of openers follows\n');
  expect(two.infoTexts.slice(1)).toEqual([expect.stringMatching(opened), expect.stringMatching(opened)]);
  for (let i = 0; i < 10; i++) a.open(false);
  const many = a.request(secondary).infoTexts;
  expect(many).toHaveLength(1 + 9 + 1);
  expect(many[10]).toMatch(/^\[\.\.\.\]\ndrbd0 opened by test/);
});

test('suspend-io is answered when the writes under way are; resume-io lets the next ones go', () => {
  const { world, a, b } = inSync(2);
  const file = a.open(true);
  a.write(file, 0, bytes);
  b.machine.faults('/dev/sda').slowest = 800;
  const done: string[] = [];
  a.machine.input(() => file.write(4096, bytes, false, { onIoDone: () => done.push('written') }));
  a.machine.input(() =>
    a.sendOnly({ command: 'suspend-io', minor: 0 }, () => {
      done.push('suspended');
    }),
  );
  expect(world.runUntil(() => done.length === 2, 20_000)).toBe(true);
  expect(done).toEqual(['written', 'suspended']);
  a.machine.input(() => file.write(8192, bytes, false, { onIoDone: () => done.push('late') }));
  world.run(5000);
  expect(done).toHaveLength(2);
  a.must({ command: 'resume-io', minor: 0 });
  expect(world.runUntil(() => done.length === 3, 20_000)).toBe(true);
});

test('resume-io begins no generation that is not owed: who stood alone meets the other one in sync', () => {
  const { world, a, b } = inSync(2);
  const generations = (): readonly unknown[] =>
    [a, b].map((host) => host.engine.minors.get(0)?.backing?.superblock.currentUuid);
  a.must({ command: 'secondary', resource: 'r0', force: false });
  const before = generations();
  b.must({ command: 'disconnect', resource: 'r0', peerNodeId: 0, force: false });
  for (const host of [a, b])
    for (const command of ['suspend-io', 'resume-io'] as const) host.must({ command, minor: 0 });
  world.run(5000);
  expect(generations()).toEqual(before);
});
