import fc from 'fast-check';
import { type Interval, IntervalKind, IntervalSet } from '../../../src/engine/data/interval-set';

const range = fc.record({
  sector: fc.nat(3000),
  sectors: fc.integer({ min: 1, max: 900 }),
  kind: fc.constantFrom(IntervalKind.AppWrite, IntervalKind.PeerWrite, IntervalKind.Verify),
  removes: fc.nat(10),
});

test('overlaps are found as by comparing with every range', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 40 }), (ranges) => {
      const set = new IntervalSet();
      const model: Interval[] = [];
      for (const { sector, sectors, kind, removes } of ranges) {
        const interval = { sector, sectors, intervalKind: kind, serial: 0 };
        set.insert(interval);
        const kinds = IntervalKind.AppWrite | IntervalKind.Verify;
        const hits = model.filter(
          (other) =>
            (other.intervalKind & kinds) !== 0 &&
            other.sector < sector + sectors &&
            sector < other.sector + other.sectors,
        );
        expect(set.mustWait(interval, kinds)).toBe(hits.length > 0);
        const seen: Interval[] = [];
        set.forEach(sector, sectors, kinds, (other) => void (other !== interval && seen.push(other)));
        expect(new Set(seen)).toEqual(new Set(hits));
        expect(seen.length).toBe(hits.length);
        model.push(interval);
        if (removes < 4) {
          const [gone] = model.splice(removes % model.length, 1);
          if (gone) set.remove(gone);
        }
        expect(set.size).toBe(model.length);
      }
      for (const interval of model) set.remove(interval);
      expect(set.size).toBe(0);
      expect(set.find(0, 1e6, 255)).toBeUndefined();
    }),
  );
});
