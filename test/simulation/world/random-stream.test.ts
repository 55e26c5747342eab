import { RandomStream } from '../../../src/simulation/world/random-stream';

test('one seed gives one sequence, another seed another', () => {
  const draw = (seed: number): number[] => {
    const stream = RandomStream.fromSeed(seed);
    return [stream.u32(), stream.u32(), stream.below(1000)];
  };
  expect(draw(5)).toEqual(draw(5));
  expect(draw(5)).not.toEqual(draw(6));
  expect(draw(5)).not.toEqual(draw(5 + 2 ** 32));
});

test('a split stream does not depend on what was drawn before', () => {
  const one = RandomStream.fromSeed(7);
  const two = RandomStream.fromSeed(7);
  two.u32();
  expect(one.split('disk').u64()).toBe(two.split('disk').u64());
  expect(one.split('disk').u64()).not.toBe(one.split('network').u64());
});

test('numbers spread evenly over 16 buckets', () => {
  const stream = RandomStream.fromSeed(11);
  const buckets = new Array<number>(16).fill(0);
  for (let i = 0; i < 16000; i++) {
    const bucket = stream.below(16);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
