import { InputQueue } from '../../src/daemon/input-queue';

const tick = (ms = 5): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const throwing = (error: unknown): void => {
  throw error;
};

describe('the input queue', () => {
  test('runs an input to completion, then its tasks, then the next input', () => {
    const seen: string[] = [];
    const queue = new InputQueue(throwing);
    queue.input(() => {
      queue.soon({ run: () => seen.push('task 1') });
      queue.input(() => seen.push('second input'));
      queue.soon({
        run: () => {
          seen.push('task 2');
          queue.soon({ run: () => seen.push('task of a task') });
        },
      });
      seen.push('first input');
    });
    expect(seen).toEqual(['first input', 'task 1', 'task 2', 'task of a task', 'second input']);
  });
  test('sends before it starts disk operations, and both after all inputs of the round', () => {
    const seen: string[] = [];
    const queue = new InputQueue(throwing);
    queue.input(() => {
      queue.afterWriters({ endRound: () => seen.push('disk') });
      queue.afterInputs({ endRound: () => seen.push('network') });
      queue.later(() => seen.push('completion'));
    });
    expect(seen).toEqual(['network', 'disk', 'completion']);
  });
  test('sends a few bytes at the end of the turn, with what the disk operations lead to', () => {
    const seen: string[] = [];
    const queue = new InputQueue(throwing);
    queue.input(() => {
      queue.afterTurn({ endRound: () => seen.push('acknowledgements') });
      queue.afterWriters({
        endRound: () => {
          seen.push('disk');
          queue.laterTask({ run: () => seen.push('completion') });
        },
      });
      queue.afterInputs({ endRound: () => seen.push('network') });
    });
    expect(seen).toEqual(['network', 'disk', 'completion', 'acknowledgements']);
  });
  test('a few bytes to send outside of a turn leave too', async () => {
    const queue = new InputQueue(throwing);
    let sent = 0;
    queue.afterTurn({ endRound: () => sent++ });
    expect(sent).toBe(0);
    await tick();
    expect(sent).toBe(1);
  });
  test('later never runs within the call', async () => {
    const seen: string[] = [];
    const queue = new InputQueue(throwing);
    queue.later(() => seen.push('later'));
    expect(seen).toEqual([]);
    await tick();
    expect(seen).toEqual(['later']);
  });
  test('tasks asked for outside of an input run too', async () => {
    const queue = new InputQueue(throwing);
    let ran = false;
    queue.soon({ run: () => (ran = true) });
    await tick();
    expect(ran).toBe(true);
  });
  test('timers come as inputs, not early, and not after cancel', async () => {
    const queue = new InputQueue(throwing);
    const began = queue.now();
    let fired = 0;
    let late = Infinity;
    queue.after(20, {
      onTimer: () => {
        fired++;
        late = queue.now() - began;
      },
    });
    const cancelled = queue.after(10, { onTimer: () => (fired += 100) });
    cancelled.cancel();
    await tick(60);
    expect(fired).toBe(1);
    expect(late).toBeGreaterThanOrEqual(20);
  });
  test('lets the operating system speak while inputs keep coming', async () => {
    const queue = new InputQueue(throwing);
    let rounds = 0;
    let stop = false;
    const again = (): void => {
      rounds++;
      if (!stop) queue.later(again);
    };
    queue.input(again);
    await tick(50);
    stop = true;
    const reached = rounds;
    await tick(30);
    expect(reached).toBeGreaterThan(10);
  });
  test('after an input threw nothing runs any more', async () => {
    const faults: unknown[] = [];
    const queue = new InputQueue((error) => faults.push(error));
    let ran = false;
    queue.input(() => {
      queue.later(() => (ran = true));
      throw new Error('engine fault');
    });
    queue.input(() => (ran = true));
    await tick();
    expect(faults).toHaveLength(1);
    expect(ran).toBe(false);
  });
});
