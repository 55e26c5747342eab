/*
 * Cuts the power after every single write of a command, with and without what was not flushed yet, and looks at what is
 * left.
 */
import fs from 'node:fs';
import path from 'node:path';
import { DeviceFlag, PeerFlag } from '../../src/metadata/superblock-flags';
import { decodeSuperblock09, encodeSuperblock09 } from '../../src/metadata/superblock-09';
import { type BlockStore } from '../../src/drbdmeta/block-store';
import {
  layoutFor,
  Random,
  randomActivityLog,
  randomBitmap,
  meaningfulBitmapBytes,
  type Geometry,
} from './generated-images';
import { runHere, ScratchHost } from './scratch-host';

jest.setTimeout(180_000);

const scratch = new ScratchHost();
afterAll(() => scratch.remove());

class PowerCut extends Error {}

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A device in memory that loses power after `budget` writes; unflushed writes may be lost. */
class MemoryStore implements BlockStore {
  readonly isBlockDevice = true;
  readonly isPlainFile = false;
  readonly sectorSize = 512;
  readonly writes: Write[] = [];
  private flushed = 0;

  constructor(
    readonly image: Uint8Array,
    private readonly budget = Infinity,
  ) {}

  get size(): number {
    return this.image.length;
  }
  read(target: Uint8Array, offset: number): number {
    const part = this.current().subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }
  private current(): Uint8Array {
    return apply(this.image, this.writes);
  }
  write(bytes: Uint8Array, offset: number): number {
    if (this.writes.length >= this.budget) throw new PowerCut();
    this.writes.push({ offset, bytes: bytes.slice() });
    return bytes.length;
  }
  zeroOut(offset: number, length: number): boolean {
    this.write(new Uint8Array(length), offset);
    return true;
  }
  punchHole(): boolean {
    return false;
  }
  flush(): void {
    this.flushed = this.writes.length;
  }
  close(): void {}

  /** What may be on the medium: everything, only what was flushed, or that and any one of the rest. */
  possibleImages(): readonly Uint8Array[] {
    const certain = this.writes.slice(0, this.flushed);
    const pending = this.writes.slice(this.flushed);
    return [
      apply(this.image, this.writes),
      apply(this.image, certain),
      ...pending.map((write) => apply(this.image, [...certain, write])),
    ];
  }
}

function apply(image: Uint8Array, writes: readonly Write[]): Uint8Array {
  const result = image.slice();
  for (const { offset, bytes } of writes) result.set(bytes, offset);
  return result;
}

const argv = (geometry: Geometry, ...words: string[]) => [
  '--force',
  '5',
  geometry.format,
  'disk',
  geometry.indexWord,
  ...words,
];

async function runOn(image: Uint8Array, words: readonly string[], budget = Infinity): Promise<MemoryStore> {
  const store = new MemoryStore(image, budget);
  try {
    await runHere(scratch, words, { openStore: () => store });
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
  }
  return store;
}

/** Calls `check` with every image that a power cut during the command can leave; returns how many. */
async function everyCut(
  image: Uint8Array,
  words: readonly string[],
  prepare: () => void,
  check: (left: Uint8Array, complete: Uint8Array, label: string) => Promise<void> | void,
): Promise<number> {
  prepare();
  const whole = await runOn(image, words);
  const complete = apply(image, whole.writes);
  let cuts = 0;
  for (let budget = 0; budget <= whole.writes.length; budget++) {
    prepare();
    const store = await runOn(image, words, budget);
    for (const left of store.possibleImages()) {
      await check(left, complete, `${words.join(' ')} cut after ${budget} of ${whole.writes.length} writes`);
      cuts++;
    }
  }
  return cuts;
}

const geometry: Geometry = {
  format: 'v09',
  indexWord: 'internal',
  index: -3,
  deviceBytes: 3 * 2 ** 20,
  maxPeers: 3,
  alStripes: 1,
  alStripeSize4k: 8,
};
const layout = layoutFor(geometry);

/** Meta data of a crashed primary with a random log and bitmap. */
async function crashedImage(seed: number): Promise<Uint8Array> {
  const random = new Random(seed);
  const made = await runOn(new Uint8Array(geometry.deviceBytes), argv(geometry, 'create-md', '3'));
  const image = apply(made.image, made.writes);
  const sb = decodeSuperblock09(image.subarray(layout.superblockByte));
  sb.effectiveSize = layout.usableSectors;
  sb.currentUuid = 0x1234567890abcdefn;
  sb.deviceUuid = 0x77n;
  sb.flags = DeviceFlag.CONSISTENT | DeviceFlag.PRIMARY_IND | DeviceFlag.WAS_UP_TO_DATE;
  image.set(encodeSuperblock09(sb), layout.superblockByte);
  image.set(randomActivityLog(random, geometry, 1), layout.alByte);
  const bytes = meaningfulBitmapBytes(geometry, layout.usableSectors);
  image.set(randomBitmap(random, bytes).subarray(0, bytes / 2), layout.bitmapByte);
  return image;
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const noPreparation = () => undefined;

test('apply-al can be cut anywhere and repeated to the same end', async () => {
  let cuts = 0;
  for (let seed = 1; seed <= 4; seed++) {
    const image = await crashedImage(seed);
    cuts += await everyCut(
      image,
      argv(geometry, 'apply-al'),
      noPreparation,
      async (left, complete, label) => {
        const again = await runOn(left, argv(geometry, 'apply-al'));
        expect([label, same(apply(left, again.writes), complete)]).toEqual([label, true]);
      },
    );
  }
  process.stderr.write(`power cut: ${cuts} states after apply-al\n`);
  expect(cuts).toBeGreaterThan(12);
});

function hasSuperblock(image: Uint8Array): boolean {
  return image.subarray(layout.superblockByte, layout.superblockByte + 4096).some((byte) => byte !== 0);
}

/** Old, none at all, or new: never an old superblock with a new bitmap or log. */
function oldNoneOrNew(old: Uint8Array): (left: Uint8Array, complete: Uint8Array, label: string) => void {
  return (left, complete, label) => {
    const fine = same(left, old) || same(left, complete) || !hasSuperblock(left);
    expect([label, fine]).toEqual([label, true]);
  };
}

test('create-md over existing meta data leaves the old, none or the new', async () => {
  const image = await crashedImage(7);
  for (const words of [
    ['create-md', '2'],
    ['create-md', '7'],
    ['create-md', '3', '-b', 'set-all'],
    ['create-md', '1', '-b', 'pwrite'],
  ])
    expect(
      await everyCut(image, argv(geometry, ...words), noPreparation, oldNoneOrNew(image)),
    ).toBeGreaterThan(4);
});

test('restore-md over existing meta data leaves the old, none or the new', async () => {
  const image = await crashedImage(8);
  // Another bitmap than the one in place.
  const other = await crashedImage(11);
  const clean = apply(other, (await runOn(other, argv(geometry, 'apply-al'))).writes);
  let dump = '';
  await runHere(scratch, argv(geometry, 'dump-md'), {
    openStore: () => new MemoryStore(clean),
    stdout: (text) => (dump += text),
  });
  fs.writeFileSync(scratch.file('dump.txt'), dump, 'latin1');
  const cuts = await everyCut(
    image,
    argv(geometry, 'restore-md', 'dump.txt'),
    noPreparation,
    oldNoneOrNew(image),
  );
  expect(cuts).toBeGreaterThan(3);
});

test('commands that change the superblock only are one write: old or new', async () => {
  const image = await crashedImage(9);
  const commands = [
    ['set-gi', '1:2:3:4:1:1:1', '-i', '1'],
    ['outdate'],
    ['invalidate'],
    ['write-dev-uuid', '99'],
    ['forget-peer', '-i', '2'],
    ['wipe-md'],
  ];
  for (const words of commands) {
    await everyCut(image, argv(geometry, ...words), noPreparation, (left, complete, label) => {
      expect([label, same(left, image) || same(left, complete)]).toEqual([label, true]);
    });
  }
});

test('a conversion is one write: old or new', async () => {
  const v08: Geometry = { ...geometry, format: 'v08', maxPeers: 1 };
  const made = await runOn(new Uint8Array(geometry.deviceBytes), argv(v08, 'create-md'));
  const image = apply(made.image, made.writes);
  await everyCut(image, argv(geometry, 'create-md', '1'), noPreparation, (left, complete, label) => {
    expect([label, same(left, image) || same(left, complete)]).toEqual([label, true]);
  });
});

/** Grown by much: old and new areas are apart; by little: they overlap. */
test.each([1 << 20, 65536, 8192, 4096])(
  'moving meta data after growing by %i bytes loses nothing',
  async (growth) => {
    const old = await crashedImage(growth);
    const image = new Uint8Array(old.length + growth);
    image.set(old);
    const remember = () => {
      fs.mkdirSync(scratch.host.stateFolder, { recursive: true });
      fs.writeFileSync(path.join(scratch.host.stateFolder, 'drbd-minor-5.lkbd'), `${old.length}\tdisk\n`);
    };
    const superblockAt = layoutFor({ ...geometry, deviceBytes: image.length }).superblockByte;
    let conservative = 0;
    const cuts = await everyCut(
      image,
      argv(geometry, 'check-resize'),
      remember,
      async (left, complete, label) => {
        remember();
        const again = await runOn(left, argv(geometry, 'check-resize'));
        const end = apply(left, again.writes);
        const area = superblockAt - 100_000;
        if (same(end.subarray(Math.max(area, old.length)), complete.subarray(Math.max(area, old.length)))) {
          expect([label, same(end.subarray(superblockAt), complete.subarray(superblockAt))]).toEqual([
            label,
            true,
          ]);
          if (growth >= 65536) return;
        }
        const sb = decodeSuperblock09(end.subarray(superblockAt));
        const wanted = decodeSuperblock09(complete.subarray(superblockAt));
        expect([label, sb.currentUuid]).toEqual([label, wanted.currentUuid]);
        const exact = same(
          end.subarray(layoutFor({ ...geometry, deviceBytes: image.length }).bitmapByte),
          complete.subarray(layoutFor({ ...geometry, deviceBytes: image.length }).bitmapByte),
        );
        if (exact) return;
        conservative++;
        expect([label, sb.peers.every((peer) => (peer.flags & PeerFlag.FULL_SYNC) !== 0)]).toEqual([
          label,
          true,
        ]);
      },
    );
    process.stderr.write(
      `power cut: ${cuts} states while moving by ${growth}, ${conservative} end in a full resync\n`,
    );
    if (growth >= 1 << 20) expect(conservative).toBe(0);
  },
);
