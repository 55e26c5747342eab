import os from 'node:os';
import { EventLoopSpin } from '../../src/daemon/event-loop-spin';

const rounds = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};
/** A clock that goes on by `step` milliseconds whenever it is looked at, and counts the looks. */
class Clock {
  time = 0;
  looks = 0;
  step = 0.01;
  readonly now = (): number => {
    this.looks++;
    return (this.time += this.step);
  };
  /** How often it is looked at while `count` rounds of the event loop go by. */
  async during(count: number): Promise<number> {
    const before = this.looks;
    await rounds(count);
    return this.looks - before;
  }
}
function manyProcessors(count = 2): Clock {
  jest.spyOn(os, 'availableParallelism').mockReturnValue(count);
  return new Clock();
}
afterEach(() => jest.restoreAllMocks());

test('the loop stays awake for 50 us after data, and no longer', async () => {
  const clock = manyProcessors();
  const spin = new EventLoopSpin(clock.now);
  expect(await clock.during(5)).toBe(0);
  spin.dataCame();
  expect(await clock.during(20)).toBeGreaterThanOrEqual(4);
  expect(await clock.during(20)).toBe(0);
  expect(clock.time).toBeLessThan(0.1);
});

test('where data does not follow soon it is rarely tried', async () => {
  const clock = manyProcessors();
  const spin = new EventLoopSpin(clock.now);
  for (let i = 0; i < 100; i++) {
    clock.time += 10;
    spin.dataCame();
    await rounds(10);
  }
  const before = clock.looks;
  for (let i = 0; i < 100; i++) {
    clock.time += 10;
    spin.dataCame();
    await rounds(1);
  }
  expect(clock.looks - before).toBeLessThan(20);
});

test('where data keeps following it goes on', async () => {
  const clock = manyProcessors();
  const spin = new EventLoopSpin(clock.now);
  for (let i = 0; i < 100; i++) {
    spin.dataCame();
    await rounds(2);
  }
  expect(await clock.during(20)).toBeGreaterThan(2);
});

test('a processor that others need is left to them', async () => {
  const clock = manyProcessors();
  const spin = new EventLoopSpin(clock.now);
  spin.dataCame();
  clock.time += 3;
  expect(await clock.during(10)).toBe(1);
  clock.step = 0.0001;
  for (let i = 0; i < 20; i++) spin.dataCame();
  expect(await clock.during(10)).toBe(0);
  clock.time += 30;
  spin.dataCame();
  expect(await clock.during(10)).toBeGreaterThan(2);
});

test('a machine with one processor never spins', async () => {
  const clock = manyProcessors(1);
  const spin = new EventLoopSpin(clock.now);
  spin.dataCame();
  expect(await clock.during(10)).toBe(0);
});
