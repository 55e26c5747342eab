import { BurstLength } from '../../../src/daemon/block-device/fuse-channel';

/** Plays `bursts` with so many requests waiting each time; returns how often nothing was found. */
function play(burst: BurstLength, waiting: number, bursts: number): number {
  let found = 0;
  for (let i = 0; i < bursts; i++) {
    const length = Math.min(waiting, burst.expected);
    const empty = length < burst.expected;
    if (empty) found++;
    burst.was(length, empty);
  }
  return found;
}

test('one request at a time is hardly ever followed by a look for a second one', () => {
  expect(play(new BurstLength(), 1, 1000)).toBeLessThan(25);
});

test('where many wait the length grows, and goes on growing after a quiet time', () => {
  const burst = new BurstLength();
  play(burst, 32, 100);
  expect(burst.expected).toBe(16);
  expect(play(burst, 32, 100)).toBe(0);
  play(burst, 1, 1000);
  expect(burst.expected).toBeLessThanOrEqual(2);
  play(burst, 32, 200);
  expect(burst.expected).toBe(16);
});
