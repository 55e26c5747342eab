import { DeviceFlag, MAGIC_08 } from '../../../src/metadata/superblock-flags';
import { decodeSuperblock09, type Superblock09 } from '../../../src/metadata/superblock-09';
import { FakeClock, FakeDisk } from './fake-machine';
import { attach, createMetaData, open } from './fake-backing';

const MIB = 1 << 20;
function machine(edit?: (sb: Superblock09) => void) {
  const clock = new FakeClock();
  const disk = new FakeDisk(clock, 16 * MIB);
  createMetaData(disk, 3, edit);
  return { clock, disk };
}

test.each<[string, (sb: Superblock09) => void, number, string | undefined]>([
  ['no magic', (sb) => (sb.magic = 0), 119, 'Meta data magic not found. Did you "drbdadm create-md"?'],
  [
    'old magic',
    (sb) => (sb.magic = MAGIC_08),
    119,
    'Found old meta data magic. Did you "drbdadm create-md"?',
  ],
  ['unclean log', (sb) => (sb.flags = 0), 165, 'Found unclean meta data. Did you "drbdadm apply-al"?'],
  ['other node', (sb) => (sb.nodeId = 3), 119, 'ambiguous node id: meta-data: 3, config: 0'],
  ['wrong offsets', (sb) => (sb.alOffset = -8), 119, undefined],
  [
    'a slot used twice',
    (sb) => [1, 2].forEach((n) => Object.assign(sb.peers[n] ?? {}, { bitmapIndex: 0 })),
    119,
    undefined,
  ],
])('attach refuses meta-data with %s', (_name, edit, code, info) => {
  const { clock, disk } = machine(edit);
  const { failure } = open(clock, disk);
  expect(failure?.code).toBe(code);
  expect(failure?.info).toBe(info);
  expect(disk.closed).toBe(true);
});

test('attach refuses a disk that is smaller than configured or than the device is', () => {
  const { clock, disk } = machine();
  expect(open(clock, disk, {}, { diskSize: 40000 }).failure).toEqual({
    code: 111,
    info: 'max capacity 32688 smaller than disk size 40000',
  });
  expect(open(clock, disk, {}, { currentSize: 32696 }).failure?.info).toBe(
    'Current (diskless) capacity 32696, cannot attach smaller (32688) disk',
  );
});

test('a changed superblock is written with a flush before it, after 5 s at the latest, once per change', () => {
  const { clock, disk } = machine();
  const backing = attach(clock, disk);
  backing.superblock.flags = DeviceFlag.CONSISTENT;
  backing.markDirty();
  clock.advance(4900);
  expect(disk.trace).toEqual([]);
  clock.advance(200);
  expect(disk.trace.map(({ kind }) => kind)).toEqual(['flush', 'fua']);
  const at = backing.layout.superblockByte;
  expect(decodeSuperblock09(disk.stable.subarray(at, at + 4096)).flags).toBe(DeviceFlag.CONSISTENT);
  let synced = 0;
  for (let i = 0; i < 3; i++) {
    backing.superblock.flags = i;
    backing.markDirty();
    backing.syncSuperblock({ onDiskDone: () => void synced++ });
    clock.step();
  }
  clock.settle();
  expect(synced).toBe(3);
  expect(decodeSuperblock09(disk.stable.subarray(at, at + 4096)).flags).toBe(2);
  clock.advance(20000);
  expect(disk.trace.filter(({ kind }) => kind === 'fua').length).toBeLessThanOrEqual(4);
});

test('a page with cleared bits is only written after the data it vouches for was flushed', () => {
  const { clock, disk } = machine();
  const backing = attach(clock, disk);
  backing.bitmap.setAll(1);
  backing.bitmapWriter.writeDirty();
  clock.settle();
  expect(disk.trace.map(({ kind }) => kind)).toEqual(['write']);
  backing.bitmap.clearRange(1, 0, 80);
  backing.bitmapWriter.writeDirty();
  clock.settle();
  expect(disk.trace.map(({ kind }) => kind)).toEqual(['write', 'flush', 'write']);
  expect(backing.bitmapWriter.bmWrites).toBe(2);
});

test('what was written is what the next attach loads', () => {
  const { clock, disk } = machine();
  const backing = attach(clock, disk);
  backing.bitmap.setRange(2, 1000, 50);
  backing.bitmap.setRange(0, 0, 1);
  backing.superblock.flags |= DeviceFlag.AL_CLEAN;
  backing.writeAll({ onDiskDone: () => undefined });
  clock.settle();
  disk.bytes.set(disk.stable);
  const again = attach(clock, disk);
  expect([0, 1, 2].map((slot) => again.bitmap.count(slot))).toEqual([1, 0, 7]);
});

test('an error of meta-data I/O reaches the owner and the waiter', () => {
  const { clock, disk } = machine();
  const { backing, errors } = open(clock, disk);
  disk.failWrites = 5;
  let error = 0;
  backing?.markDirty();
  backing?.syncSuperblock({ onDiskDone: (code) => void (error = code) });
  clock.settle();
  expect([error, errors]).toEqual([5, ['drbd_md_write']]);
});
