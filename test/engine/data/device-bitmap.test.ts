import fc from 'fast-check';
import { DeviceBitmap } from '../../../src/engine/data/device-bitmap';
import { bitmapBytePosition } from '../../../src/metadata/bitmap-geometry';

/** The rules of engine.md 11.2, one boolean per block. */
class PlainBits {
  readonly bits: boolean[];
  constructor(readonly sectors: number) {
    this.bits = new Array<boolean>(Math.ceil(sectors / 8)).fill(false);
  }
  set(sector: number, sectors: number): void {
    this.bits.forEach((_, bit) => {
      if (bit * 8 < sector + sectors && (bit + 1) * 8 > sector) this.bits[bit] = true;
    });
  }
  clear(sector: number, sectors: number, guard?: PlainBits): void {
    this.bits.forEach((_, bit) => {
      const end = Math.min((bit + 1) * 8, this.sectors);
      if (guard?.bits[bit] === true) return;
      if (bit * 8 >= sector && end <= sector + sectors) this.bits[bit] = false;
    });
  }
}

const operation = fc.record({
  set: fc.boolean(),
  slot: fc.nat(2),
  guard: fc.option(fc.nat(2), { nil: -1 }),
  sector: fc.nat(4095),
  sectors: fc.integer({ min: 1, max: 700 }),
});

test('what was there when the disk was attached is old, until something is newly set', () => {
  const bitmap = new DeviceBitmap(4096, 2, 4096);
  expect(bitmap.isOld(0)).toBe(true);
  bitmap.setRange(0, 8, 8);
  expect([bitmap.isOld(0), bitmap.isOld(1)]).toEqual([false, true]);
  bitmap.clearAll(0);
  expect(bitmap.isOld(0)).toBe(false);
});

test('ranges widen when set, shrink when cleared, and counts stay exact', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 64, max: 4096 }),
      fc.array(operation, { maxLength: 60 }),
      (size, operations) => {
        const bitmap = new DeviceBitmap(size, 3, 4096);
        const plain = [0, 1, 2].map(() => new PlainBits(size));
        for (const { set, slot, guard, sector, sectors } of operations) {
          if (sector >= size) continue;
          const length = Math.min(sectors, size - sector);
          if (set) bitmap.setRange(slot, sector, length);
          else bitmap.clearRangeWhereClear(slot, guard, sector, length);
          if (set) plain[slot]?.set(sector, length);
          else plain[slot]?.clear(sector, length, guard === slot ? undefined : plain[guard]);
        }
        plain.forEach((model, slot) => {
          expect(bitmap.count(slot)).toBe(model.bits.filter(Boolean).length);
          const found: number[] = [];
          for (let bit = bitmap.findNext(slot, 0); bit >= 0; bit = bitmap.findNext(slot, bit + 1))
            found.push(bit);
          expect(found).toEqual(model.bits.flatMap((on, bit) => (on ? [bit] : [])));
          const firstClear = model.bits.indexOf(false);
          expect(bitmap.findNextClear(slot, 0)).toBe(firstClear < 0 ? model.bits.length : firstClear);
        });
      },
    ),
  );
});

test('a bit is where the layout of the disk puts it, and only its page gets dirty', () => {
  const bitmap = new DeviceBitmap(8 * 40000, 3, 4096);
  bitmap.setBits(2, 33333, 33334);
  const { byte, mask } = bitmapBytePosition(33333, 2, 3);
  expect(bitmap.bytes[byte]).toBe(mask);
  expect(bitmap.dirtyPages).toBe(1);
  expect(bitmap.pageMarks(Math.floor(byte / 4096))).toBe(1);
  const page = new Uint8Array(4096);
  bitmap.takePage(Math.floor(byte / 4096), page);
  expect(page[byte % 4096]).toBe(mask);
  expect(bitmap.dirtyPages).toBe(0);
});

test('words read from disk are cut at the end of the device', () => {
  const bitmap = new DeviceBitmap(8 * 100 - 3, 2, 4096);
  bitmap.words.fill(0xffffffff);
  bitmap.adoptLoadedWords();
  expect([bitmap.count(0), bitmap.count(1), bitmap.bits]).toEqual([100, 100, 100]);
  expect(bitmap.findNext(1, 100)).toBe(-1);
  expect(bitmap.allSet()).toBe(true);
});

test('a slot can be merged into another, which keeps its own bits', () => {
  const bitmap = new DeviceBitmap(8 * 100, 3, 4096);
  bitmap.setBits(0, 10, 20);
  bitmap.setBits(1, 15, 40);
  bitmap.setBits(2, 90, 100);
  bitmap.mergeSlot(0, 1);
  expect([bitmap.count(0), bitmap.count(1), bitmap.count(2)]).toEqual([10, 30, 10]);
  expect([bitmap.findNext(1, 0), bitmap.findNextClear(1, 10)]).toEqual([10, 40]);
});

test('a slot can be copied, merged from words, and carried into a larger bitmap', () => {
  const bitmap = new DeviceBitmap(8 * 100, 2, 4096);
  bitmap.setBits(0, 10, 20);
  bitmap.copySlot(0, 1);
  expect(bitmap.count(1)).toBe(10);
  bitmap.orSlotWord(1, 3, 0xffffffff);
  expect(bitmap.count(1)).toBe(14);
  const larger = new DeviceBitmap(8 * 200, 2, 4096);
  larger.adoptFrom(bitmap, true);
  expect([larger.count(0), larger.count(1)]).toEqual([110, 114]);
  expect(larger.findNext(0, 20)).toBe(100);
  expect(larger.dirtyPages).toBe(larger.pages);
});
