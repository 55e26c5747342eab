import { AL_EXTENT_SECTORS } from '../../../src/engine/data/activity-log';
import { replayActivityLog } from '../../../src/metadata/activity-log-replay';
import { FakeClock, FakeDisk } from './fake-machine';
import { attach, createMetaData } from './fake-backing';

const MIB = 1 << 20;
const EXTENT_BYTES = AL_EXTENT_SECTORS * 512;

function machine(seed: number, alExtents = 67, extents = 100) {
  const clock = new FakeClock(seed);
  const disk = new FakeDisk(clock, 4 * extents * MIB);
  createMetaData(disk, 2);
  const backing = attach(clock, disk, { alExtents });
  return { clock, disk, backing };
}
/** The extents that apply-al would find after a crash. */
function hotAfterCrash(image: Uint8Array, backing: ReturnType<typeof attach>): Set<number> {
  const { alByte, alBytes } = backing.layout;
  return new Set(replayActivityLog(image.subarray(alByte, alByte + alBytes), backing.superblock).hotExtents);
}

test('requests of one turn share one transaction, known extents need none', () => {
  const { clock, backing } = machine(1);
  const log = backing.activityLog;
  let active = 0;
  const waiter = { onExtentsActive: () => void active++ };
  expect(log.begin(0, 8, waiter)).toBe(false);
  expect(log.begin(AL_EXTENT_SECTORS - 4, 8, waiter)).toBe(false);
  clock.settle();
  expect(active).toBe(2);
  expect(log.writes).toBe(1);
  expect(log.begin(16, 8, waiter)).toBe(true);
  log.end(16, 8);
  log.end(0, 8);
  log.end(AL_EXTENT_SECTORS - 4, 8);
  expect(log.begin(AL_EXTENT_SECTORS, 8, waiter)).toBe(true);
  expect(log.writes).toBe(1);
});

test('the first extent takes the highest slot', () => {
  const { clock, disk, backing } = machine(1);
  backing.activityLog.begin(13 * AL_EXTENT_SECTORS, 8, { onExtentsActive: () => undefined });
  clock.settle();
  const at = backing.layout.alByte;
  const view = new DataView(disk.stable.buffer, at, 4096);
  expect(view.getUint16(36)).toBe(66);
  expect(view.getUint32(164)).toBe(13);
});

test('when all slots are referenced, requests wait for a release and say so', () => {
  const { clock, backing } = machine(1);
  const log = backing.activityLog;
  let starving = 0;
  log.onStarving = () => void starving++;
  const order: number[] = [];
  for (let extent = 0; extent < 68; extent++)
    log.begin(extent * AL_EXTENT_SECTORS, 8, { onExtentsActive: () => void order.push(extent) });
  clock.settle();
  expect(order.length).toBe(67);
  expect(starving).toBeGreaterThan(0);
  log.end(5 * AL_EXTENT_SECTORS, 8);
  clock.settle();
  expect(order[67]).toBe(67);
});

test('after a crash at any moment every write on the disk is in the log or in the bitmap', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { clock, disk, backing } = machine(seed, 4, 10);
    const log = backing.activityLog;
    let outstanding = 0;
    const finished: number[] = [];
    for (let i = 0; i < 40 + clock.below(120); i++) {
      const extent = clock.below(9);
      const sector = extent * AL_EXTENT_SECTORS + 8 * clock.below(100);
      const write = () => {
        outstanding++;
        disk.write(sector * 512, new Uint8Array(4096).fill(0xaa), false, {
          onDiskDone: () => {
            // No peer has it: the bit is set before the reference goes.
            backing.bitmap.setRange(0, sector, 8);
            log.end(sector, 8);
            outstanding--;
            finished.push(sector);
          },
        });
      };
      if (log.begin(sector, 8, { onExtentsActive: write })) write();
      for (let steps = clock.below(6); steps > 0; steps--) clock.step();
    }
    if (seed % 4 === 0) clock.settle();
    const image = disk.crash();
    const hot = hotAfterCrash(image, backing);
    const { bitmapByte } = backing.layout;
    for (let block = 0; block < (9 * EXTENT_BYTES) / 4096; block++) {
      if (image[block * 4096] !== 0xaa) continue;
      const byte = (Math.floor(block / 32) * 2 * 32) / 8 + ((block % 32) >> 3);
      const inBitmap = ((image[bitmapByte + byte] ?? 0) >> (block & 7)) & 1;
      const covered = hot.has(Math.floor(block / 1024)) || inBitmap === 1;
      if (!covered) throw new Error(`seed ${seed}: block ${block} is forgotten`);
    }
    expect(outstanding).toBeGreaterThanOrEqual(0);
  }
});
