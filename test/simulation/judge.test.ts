import { join } from 'node:path';
import { runBundled } from './run-bundled';
import { type ToyVerdict } from './judge-toys';
import { toyBugs } from './toy-mirror';

function judge(bug: string, seeds: number, mode = ''): ToyVerdict {
  return JSON.parse(runBundled(join(__dirname, 'judge-toys.ts'), [bug, String(seeds), mode]));
}

test('a simple mirror without bugs passes, and everything was tried', () => {
  const { failed, steps } = judge('none', 60);
  expect(failed).toBeUndefined();
  for (const name of [
    'power-lost',
    'cut link',
    'half-open link',
    'reset streams',
    'promote',
    'demote',
    'restart',
  ]) {
    expect(steps[`step: ${name}`]).toBeGreaterThan(20);
  }
  expect(steps['write: acknowledged']).toBeGreaterThan(3000);
});

test.each(toyBugs.filter((bug) => bug !== 'none'))('the judge finds: %s', (bug) => {
  expect(judge(bug, 300).failed).toBeDefined();
});

test('a failing run shrinks to a few steps', () => {
  const { shrunk } = judge('ack-before-disk', 10, 'shrink');
  expect(shrunk).toBeGreaterThan(0);
  expect(shrunk).toBeLessThan(30);
});
