import { type Disk, type DiskOpenFailure, type EnginePorts, Errno } from '../../../src/engine/ports';
import { World } from '../../../src/simulation/world/world';

const sector = (value: number, count = 1): Uint8Array => new Uint8Array(512 * count).fill(value);

function open(world: World, ports: EnginePorts, path: string, claim = 'test'): Disk | DiskOpenFailure {
  let result: Disk | DiskOpenFailure | undefined;
  ports.disks.open(path, claim, {
    onDiskOpened: (disk) => (result = disk),
    onDiskOpenFailed: (failure) => (result = failure),
  });
  world.run(5);
  if (result === undefined) throw new Error('open never answered');
  return result;
}
function disk(world: World, ports: EnginePorts, path = 'd'): Disk {
  const result = open(world, ports, path);
  if ('kind' in result) throw new Error(result.kind);
  return result;
}
function start(seed: number): { world: World; ports: EnginePorts } {
  const world = new World(seed);
  world.addHost('alpha', ['10.0.0.1']).addDisk('d', 1 << 20);
  return { world, ports: world.host('alpha').start() };
}

test('a completion never comes from within the call', () => {
  const { world, ports } = start(1);
  const opened = disk(world, ports);
  let done = false;
  opened.write(0, sector(1), false, { onDiskDone: () => (done = true) });
  expect(done).toBe(false);
  world.run(10);
  expect(done).toBe(true);
});

test('what was flushed or written through survives a loss of power, the rest by chance and sector by sector', () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const { world, ports } = start(seed);
    const opened = disk(world, ports);
    const done = { onDiskDone: (): void => undefined };
    opened.write(0, sector(1), false, done);
    world.run(10);
    opened.flush(done);
    world.run(10);
    opened.write(512, sector(2), true, done);
    opened.write(8192, sector(3, 2), false, done);
    world.run(10);
    world.crash('alpha');
    const medium = world.host('alpha').medium('d');
    expect(medium.readNow(0, 512)).toEqual(sector(1));
    expect(medium.readNow(512, 512)).toEqual(sector(2));
    const unflushed = [medium.readNow(8192, 512), medium.readNow(8704, 512)];
    for (const found of unflushed) expect(found.every((byte) => byte === found[0])).toBe(true);
    outcomes.add(unflushed.map((found) => found[0]).join(','));
  }
  expect([...outcomes].sort()).toEqual(['0,0', '0,3', '3,0', '3,3']);
});

test('a written-through sector is not undone by an older cached write', () => {
  for (let seed = 0; seed < 100; seed++) {
    const { world, ports } = start(seed);
    const opened = disk(world, ports);
    const done = { onDiskDone: (): void => undefined };
    opened.write(0, sector(1), false, done);
    world.run(10);
    opened.write(0, sector(2), true, done);
    world.run(10);
    world.crash('alpha');
    expect(world.host('alpha').medium('d').readNow(0, 512)).toEqual(sector(2));
  }
});

test('a flush does not cover what had not completed when it was asked for', () => {
  let lost = 0;
  for (let seed = 0; seed < 200; seed++) {
    const { world, ports } = start(seed);
    const opened = disk(world, ports);
    let flushed = false;
    opened.write(0, sector(1), false, { onDiskDone: (): void => undefined });
    opened.flush({ onDiskDone: () => (flushed = true) });
    world.run(10);
    expect(flushed).toBe(true);
    world.crash('alpha');
    if (world.host('alpha').medium('d').readNow(0, 1)[0] === 0) lost++;
  }
  expect(lost).toBeGreaterThan(20);
});

test('a killed process keeps what the kernel was given', () => {
  const { world, ports } = start(3);
  const opened = disk(world, ports);
  opened.write(0, sector(1), false, { onDiskDone: (): void => undefined });
  world.run(10);
  world.crash('alpha', 'process-killed');
  expect(world.host('alpha').medium('d').readNow(0, 512)).toEqual(sector(1));
});

test('claims: the same owner twice, nobody else until the last close', () => {
  const { world, ports } = start(4);
  const one = disk(world, ports);
  expect('kind' in open(world, ports, 'd')).toBe(false);
  expect(open(world, ports, 'd', 'other')).toEqual({ kind: 'claimed' });
  expect(open(world, ports, 'nowhere')).toEqual({ kind: 'cannot-open', errno: Errno.ENOENT });
  one.close({ onDiskDone: (): void => undefined });
  world.run(5);
  expect(open(world, ports, 'd', 'other')).toEqual({ kind: 'claimed' });
});

test('discarded and zeroed ranges read as zeros, also on a disk that came with garbage', () => {
  const world = new World(5);
  const host = world.addHost('alpha', ['10.0.0.1']);
  const medium = host.addDisk('d', 1 << 20, 0x1234);
  expect(medium.readNow(4096, 64).some((byte) => byte !== 0)).toBe(true);
  const opened = disk(world, host.start());
  opened.discard(4096, 4096, { onDiskDone: (): void => undefined });
  opened.zeroOut(9216, 512, true, { onDiskDone: (): void => undefined });
  world.run(10);
  expect(medium.readNow(4096, 4096).every((byte) => byte === 0)).toBe(true);
  expect(medium.readNow(9216, 512).every((byte) => byte === 0)).toBe(true);
  expect(medium.readNow(9728, 64).some((byte) => byte !== 0)).toBe(true);
});

test('injected errors reach the waiter', () => {
  const { world, ports } = start(6);
  const opened = disk(world, ports);
  world.host('alpha').faults('d').readError = 1;
  const errors: number[] = [];
  opened.read(0, sector(0), { onDiskDone: (error) => errors.push(error) });
  world.run(10);
  expect(errors).toEqual([Errno.EIO]);
});

test('a crash in the middle of an input keeps what was asked for before it', () => {
  const seen = new Set<number>();
  for (let seed = 0; seed < 60; seed++) {
    const { world, ports } = start(seed);
    const host = world.host('alpha');
    const opened = disk(world, ports);
    host.crashSoon(3, 'power-lost');
    host.input(() => {
      for (let i = 0; i < 4; i++)
        opened.write(i * 512, sector(9), true, { onDiskDone: (): void => undefined });
    });
    expect(host.alive).toBe(false);
    for (let i = 0; i < 4; i++) if (host.medium('d').readNow(i * 512, 1)[0] === 9) seen.add(i);
  }
  expect([...seen].sort()).toEqual([0, 1]);
});
