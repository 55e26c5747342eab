import { DiskPositions } from '../../../src/simulation/model/disk-positions';
import { recognise, type SectorContent, taggedSectors } from '../../../src/simulation/model/tagged-sectors';
import { type Position, WriteHistory, type WriteRecord } from '../../../src/simulation/model/write-history';

const holds = (write: number): SectorContent => ({ kind: 'written', write });

class Model {
  readonly history = new WriteHistory();
  readonly disks = new DiskPositions(this.history);
  constructor() {
    this.disks.add('a');
    this.disks.add('b');
  }
  write(nodes: readonly string[], sector = 0): WriteRecord {
    const record = this.history.issue(sector, 1, false);
    expect(this.disks.acknowledge(record, nodes)).toBeUndefined();
    return record;
  }
  allows(position: Position, content: SectorContent, sector = 0): boolean {
    return this.history.contradiction(position, this.history.now, sector, content) === undefined;
  }
}

test('a tagged sector is recognised, a torn or misplaced one is not', () => {
  const bytes = taggedSectors(7, 100, 3);
  expect(recognise(bytes, 1, 101)).toEqual(holds(7));
  expect(recognise(bytes, 1, 102).kind).toBe('other');
  bytes[1000] = 1;
  expect(recognise(bytes, 1, 101).kind).toBe('other');
  expect(recognise(new Uint8Array(512), 0, 5).kind).toBe('zeros');
});

test('an acknowledged write is what is read afterwards, and nothing older', () => {
  const model = new Model();
  const first = model.write(['a', 'b']);
  const second = model.write(['a', 'b']);
  expect(model.allows(model.disks.current('b'), holds(second.id))).toBe(true);
  expect(model.allows(model.disks.current('b'), holds(first.id))).toBe(false);
  expect(model.allows(model.disks.current('b'), { kind: 'other' })).toBe(false);
});

test('a write in flight may be there or not, until a later one is acknowledged', () => {
  const model = new Model();
  const first = model.write(['a']);
  const lost = model.history.issue(0, 1, false);
  expect(model.allows(model.disks.current('a'), holds(first.id))).toBe(true);
  expect(model.allows(model.disks.current('a'), holds(lost.id))).toBe(true);
  model.history.end(lost);
  const third = model.write(['a']);
  expect(model.allows(model.disks.current('a'), holds(lost.id))).toBe(false);
  expect(model.allows(model.disks.current('a'), holds(third.id))).toBe(true);
});

test('a disk that was left behind is bound to what it had', () => {
  const model = new Model();
  const first = model.write(['a', 'b']);
  const second = model.write(['a']);
  expect(model.allows(model.disks.current('b'), holds(first.id))).toBe(true);
  expect(model.allows(model.disks.current('b'), holds(second.id))).toBe(true);
  expect(model.disks.isNewest('a')).toBe(true);
  expect(model.disks.isNewest('b')).toBe(false);
  expect(model.disks.meet('a', 'b')).toBe('caught-up');
  expect(model.allows(model.disks.current('b'), holds(first.id))).toBe(false);
});

test('two disks that were both written to alone are a split brain', () => {
  const model = new Model();
  model.write(['a', 'b']);
  model.write(['a']);
  model.write(['b']);
  expect(model.disks.meet('a', 'b')).toBe('split-brain');
});

test('an operator may resolve a split brain by discarding one side', () => {
  const model = new Model();
  const kept = model.write(['a']);
  const given = model.write(['b']);
  model.disks.discard('b');
  expect(model.disks.meet('a', 'b')).toBe('split-brain-resolved');
  expect(model.allows(model.disks.current('b'), holds(kept.id))).toBe(true);
  expect(model.disks.current('b')).toBe(model.disks.current('a'));
  expect(given.acknowledged).toBe(true);
});

test('after a loss of power only flushed writes are certain', () => {
  const model = new Model();
  const first = model.write(['a']);
  model.disks.flushed('a', model.disks.current('a'));
  model.write(['a']);
  model.disks.powerLost('a', true);
  expect(model.allows(model.disks.current('a'), holds(first.id))).toBe(true);
  expect(model.allows(model.disks.current('a'), { kind: 'other' })).toBe(false);
});

test('a crashed Primary may win over unflushed writes of the survivor, but not once that was written to', () => {
  const crash = (goesOn: boolean): boolean => {
    const model = new Model();
    const first = model.write(['a', 'b']);
    model.disks.flushed('a', model.disks.current('a'));
    model.write(['a', 'b']);
    model.disks.powerLost('a', true);
    if (goesOn) model.write(['b'], 1);
    expect(model.disks.meet('a', 'b')).toBe('caught-up');
    return model.allows(model.disks.current('b'), holds(first.id));
  };
  expect(crash(false)).toBe(true);
  expect(crash(true)).toBe(false);
});

test('a write that went to disks of different data is noticed', () => {
  const model = new Model();
  model.write(['a']);
  expect(model.disks.acknowledge(model.history.issue(0, 1, false), ['a', 'b'])).toMatch(/same data/);
  expect(model.disks.acknowledge(model.history.issue(0, 1, false), [])).toMatch(/no disk/);
});

test('nothing becomes durable on a failed disk because its peer overtakes it', () => {
  const model = new Model();
  const first = model.write(['a', 'b']);
  model.disks.flushed('a', model.disks.current('a'));
  model.write(['a', 'b']);
  model.write(['a']);
  model.disks.overtaken('a', 'b');
  expect(model.allows(model.disks.current('a'), holds(first.id))).toBe(false);
  expect(model.allows(model.disks.durable('a'), holds(first.id))).toBe(true);
});

/** Both have both writes, the first one on stable storage; then the disk of the Primary `a` fails (engine.md 9.3, 11.1). */
function failedDisk(
  order: 'power first' | 'disk first',
  goesOn = false,
): (id: 'first' | 'second') => boolean {
  const model = new Model();
  const first = model.write(['a', 'b']);
  model.disks.flushed('b', model.disks.current('b'));
  const second = model.write(['a', 'b']);
  if (order === 'power first') model.disks.powerLost('b', false);
  model.disks.failedUnderPrimary('a', ['b']);
  if (goesOn) model.write(['b'], 1);
  if (order === 'disk first') model.disks.powerLost('b', false);
  model.disks.meet('a', 'b');
  return (id) => model.allows(model.disks.current('b'), holds(id === 'first' ? first.id : second.id));
}

test.each(['power first', 'disk first'] as const)(
  'what was on a failed disk and in a lost cache may be gone, or not: %s',
  (order) => {
    const allows = failedDisk(order);
    expect([allows('first'), allows('second')]).toEqual([true, true]);
  },
);

test('what is complete is not lost when the Primary has gone on without its failed disk', () => {
  const allows = failedDisk('disk first', true);
  expect([allows('first'), allows('second')]).toEqual([false, true]);
});

test('a disk that did not fail, or whose peer kept its power, loses nothing', () => {
  const model = new Model();
  const first = model.write(['a', 'b']);
  model.disks.flushed('b', model.disks.current('b'));
  model.write(['a', 'b']);
  model.disks.powerLost('b', false);
  expect(model.disks.meet('a', 'b')).toBe('caught-up');
  expect(model.allows(model.disks.current('b'), holds(first.id))).toBe(false);
  const second = model.write(['a', 'b']);
  model.write(['a', 'b']);
  model.disks.failedUnderPrimary('a', ['b']);
  model.disks.meet('a', 'b');
  expect(model.allows(model.disks.current('b'), holds(second.id))).toBe(false);
});

test('a disk that was brought up to date after its failure counts as any other', () => {
  const model = new Model();
  model.write(['a', 'b']);
  model.disks.failedUnderPrimary('a', ['b']);
  model.write(['b'], 1);
  model.disks.meet('a', 'b');
  model.disks.flushed('b', model.disks.current('b'));
  const first = model.write(['a', 'b']);
  model.write(['a', 'b']);
  model.disks.powerLost('b', false);
  model.disks.meet('a', 'b');
  expect(model.allows(model.disks.current('b'), holds(first.id))).toBe(false);
});
