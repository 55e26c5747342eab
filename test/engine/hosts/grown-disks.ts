import { type Resize } from '../../../src/control/contract/requests';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';
import { followLastKnownSize, readSuperblock } from '../../../src/simulation/metadata-tool';
import { type World } from '../../../src/simulation/world/world';
import { twoHosts, type TestHost } from './two-hosts';

/** Two hosts in sync with data on them, whose disks then grow (engine.md 9.9). */
export const DISK = '/dev/sda';
export const MIB = 1 << 20;
/** Less than the meta-data need, so that old and new place overlap. */
export const SMALL = 12288;
/** So many events after the answer the sizes are on disk and the new storage is being synced. */
const AFTERMATH = 60;

export const resizeTo = (more: Partial<Resize> = {}): Resize => ({
  command: 'resize',
  minor: 0,
  assumePeerHasSpace: false,
  assumeClean: false,
  ...more,
});
export const placeOf = (host: TestHost) => ({ medium: host.machine.medium(DISK), index: INDEX_INTERNAL });
export const sizeOf = (host: TestHost): number => host.engine.minors.get(0)?.size ?? 0;
export const grow = (hosts: readonly TestHost[], bytes: number): void => {
  for (const host of hosts) host.machine.medium(DISK).size += bytes;
};
export const pattern = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 65536 }, (_, i) => (i * seed) & 255);

export function inSync(seed: number): { world: World; a: TestHost; b: TestHost } {
  const { world, a, b } = twoHosts(seed);
  a.up([b]);
  b.up([a]);
  world.run(15_000);
  a.primary(true);
  const ok = world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000);
  if (!ok) throw new Error(`not in sync\n${a.kernelLog()}\n${b.kernelLog()}`);
  const file = a.open(true);
  for (let at = 1; at < 8; at++) a.write(file, at * 2 * MIB, pattern(at));
  return { world, a, b };
}
export function expectData(host: TestHost): void {
  for (let at = 1; at < 8; at++) {
    const found = host.machine.medium(DISK).readNow(at * 2 * MIB, 65536);
    expect(Buffer.from(found).equals(Buffer.from(pattern(at)))).toBe(true);
  }
}
export function expectMetadata(host: TestHost): void {
  const superblock = readSuperblock(placeOf(host));
  if ('defect' in superblock) throw new Error(`${host.name}: ${superblock.defect}`);
  expect(superblock.effectiveSize).toBe(sizeOf(host));
  // On disk there may be more: bits that a handshake cleared are written with the next ones.
  expect(host.engine.minors.get(0)?.backing?.bitmap.count(0)).toBe(0);
}
export const contentsOf = (host: TestHost): Buffer =>
  Buffer.from(host.machine.medium(DISK).readNow(0, sizeOf(host) * 512));

/** Restarts what the power cut left, as drbdadm up does: drbdmeta first. */
function restart(host: TestHost, lastKnown: number): void {
  const place = placeOf(host);
  if ('defect' in readSuperblock(place) && !followLastKnownSize(place, lastKnown))
    throw new Error(`${host.name}: no meta-data, neither here nor where they were`);
  host.start();
}

/** The power of `victim` fails `step` events after the resize began; false when that had ended before. */
function cutAt(step: number, bytes: number, victim: 'a' | 'b', request: Resize): boolean {
  const { world, a, b } = inSync(7);
  if (request.alStripes !== undefined) a.must(resizeTo({ size: 30000 }));
  const lastKnown = a.machine.medium(DISK).size;
  grow([a, b], bytes);
  const file = a.open(true);
  a.write(file, 100 * 4096, pattern(11));
  let answered = false;
  a.machine.input(() => a.sendOnly(request, () => (answered = true)));
  let since = 0;
  for (let i = 0; i < step; i++) {
    world.step();
    if (answered) since++;
  }
  const [lost, other] = victim === 'a' ? [a, b] : [b, a];
  world.crash(lost.name);
  world.run(2000);
  restart(lost, lastKnown);
  lost.up([other]);
  const ok = world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 120_000);
  if (!ok) throw new Error(`cut at ${step}: not in sync\n${a.kernelLog()}\n---\n${b.kernelLog()}`);
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
  // The operator tries again; who survived may not have looked at its disk yet.
  a.must(request);
  if (!world.runUntil(() => a.inSyncWith(b) && b.inSyncWith(a), 60_000))
    throw new Error(`second try after ${step}`);
  world.run(6000);
  for (const host of [a, b]) {
    expectData(host);
    expectMetadata(host);
  }
  expect(contentsOf(a).equals(contentsOf(b))).toBe(true);
  return since < AFTERMATH;
}

/** Cuts at every `stride`-th step until the resize is over before; returns the number of steps. */
export function cutsUntilDone(stride: number, bytes: number, victim: 'a' | 'b', request: Resize): number {
  let step = 0;
  while (cutAt(step, bytes, victim, request)) step += stride;
  return step;
}
