/** Meta-data that were being moved when the power or the disk failed (engine.md 9.9). */
import { distrustful } from '../../../src/engine/data/superblock-writer';
import { encodeSuperblock09, type Superblock09 } from '../../../src/metadata/superblock-09';
import { superblockByte } from '../../../src/metadata/layout';
import { PeerFlag } from '../../../src/metadata/superblock-flags';
import {
  applyActivityLog,
  followLastKnownSize,
  readBitmap,
  readSuperblock,
} from '../../../src/simulation/metadata-tool';
import { DISK, grow, inSync, pattern, placeOf, resizeTo, SMALL } from './grown-disks';
import { type TestHost } from './two-hosts';

function superblockOf(host: TestHost): Superblock09 {
  const superblock = readSuperblock(placeOf(host));
  if ('defect' in superblock) throw new Error(superblock.defect);
  return superblock;
}
const demandsFullSync = (host: TestHost, nodeId: number): boolean =>
  ((superblockOf(host).peers[nodeId]?.flags ?? 0) & PeerFlag.FULL_SYNC) !== 0;

test('the demand for a full sync leaves the meta-data only when all bits are there', () => {
  const { world, a, b } = inSync(1);
  for (const host of [a, b]) world.crash(host.name);
  const place = placeOf(b);
  const superblock = superblockOf(b);
  place.medium.writeNow(
    superblockByte(place.medium.size, place.index),
    encodeSuperblock09(distrustful(superblock)),
  );
  b.start();
  b.up([a]);
  expect(world.runUntil(() => !demandsFullSync(b, a.nodeId), 20_000)).toBe(true);
  const words = new Uint32Array(readBitmap(place, superblock).slice().buffer);
  const slot = superblock.peers[a.nodeId]?.bitmapIndex ?? -1;
  const blocks = superblock.effectiveSize / 8;
  const slots = superblock.bmMaxPeers;
  const whole = words.filter((_, at) => at % slots === slot).subarray(0, Math.floor(blocks / 32));
  expect(whole.length).toBeGreaterThan(100);
  expect(whole.every((word) => word === 0xffffffff)).toBe(true);
});

/** The disk fails now and then from `steps` events after the resize began. */
function failDuringMove(seed: number, steps: number): void {
  const { world, a, b } = inSync(seed);
  const lastKnown = a.machine.medium(DISK).size;
  grow([a, b], SMALL);
  a.write(a.open(true), 100 * 4096, pattern(11));
  a.machine.input(() => a.sendOnly(resizeTo(), () => undefined));
  for (let step = 0; step < steps; step++) world.step();
  a.machine.faults(DISK).writeError = 0.6;
  world.run(30_000);
  world.crash(a.name);
  const place = placeOf(a);
  if ('defect' in readSuperblock(place)) expect(followLastKnownSize(place, lastKnown)).toBe(true);
  expect(applyActivityLog(place)).toHaveProperty('hotExtents');
}

test('a disk that fails while its meta-data move has meta-data that can be used again', () => {
  for (let seed = 1; seed <= 4; seed++)
    for (let steps = 1; steps < 40; steps += 3) failDuringMove(seed, steps);
});
