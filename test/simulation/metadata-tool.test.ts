import { INDEX_INTERNAL } from '../../src/metadata/layout';
import {
  applyActivityLog,
  createMetadata,
  diskSizeFor,
  readSuperblock,
} from '../../src/simulation/metadata-tool';
import { DiskMedium } from '../../src/simulation/world/disk-medium';

function fresh(dataSectors: number, maxPeers: number): { medium: DiskMedium; usable: number } {
  const medium = new DiskMedium('d', diskSizeFor(dataSectors, maxPeers), 512, 77);
  return { medium, usable: createMetadata({ medium, index: INDEX_INTERNAL }, maxPeers) };
}

test('new meta-data is valid, clean and leaves the wanted room for data', () => {
  for (const sectors of [2048, 8192, 700000]) {
    for (const maxPeers of [1, 3, 7]) {
      const { medium, usable } = fresh(sectors, maxPeers);
      expect(usable).toBe(sectors);
      const place = { medium, index: INDEX_INTERNAL };
      expect(readSuperblock(place)).toMatchObject({ currentUuid: 4n, bmMaxPeers: maxPeers, nodeId: -1 });
      expect(applyActivityLog(place)).toEqual({ hotExtents: [], corruptBlocks: 0 });
    }
  }
});

test('a damaged superblock is noticed', () => {
  const { medium } = fresh(2048, 1);
  const place = { medium, index: INDEX_INTERNAL };
  medium.writeNow(medium.size - 4096, new Uint8Array(512));
  expect(readSuperblock(place)).toHaveProperty('defect');
  expect(applyActivityLog(place)).toHaveProperty('defect');
});
