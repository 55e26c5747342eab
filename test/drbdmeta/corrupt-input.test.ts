/*
 * No superblock, activity log or dump text, however corrupt, makes the tool crash, hang, or write where no meta data is.
 */
import fs from 'node:fs';
import { openBlockStore, type BlockStore, type OpenFlags } from '../../src/drbdmeta/block-store';
import { goldenImages, goldenRegion, goldenText, type GoldenImage } from '../metadata/golden-images';
import { Random } from './generated-images';
import { runHere, ScratchHost } from './scratch-host';

jest.setTimeout(180_000);

const scratch = new ScratchHost();
afterAll(() => scratch.remove());

const KNOWN_STATUS = new Set([0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 255]);
const READING = [
  ['dump-md'],
  ['dump-md', '--json'],
  ['dstate'],
  ['get-gi'],
  ['show-gi'],
  ['dump-superblock', '-o', 'json'],
  ['read-dev-uuid'],
];
const WRITING = [
  ['apply-al'],
  ['repair-md'],
  ['check-resize'],
  ['set-gi', '1:2:3:4:1'],
  ['invalidate'],
  ['outdate'],
  ['forget-peer'],
  ['create-md', '2'],
];
const WITH_NODE = new Set(['get-gi', 'show-gi', 'set-gi', 'forget-peer']);
const ROUNDS = Number(process.env.DRBDMETA_FUZZ ?? 250);

const images = goldenImages().filter(
  (image) => image.device_bytes <= 2 ** 28 && image.region_bytes <= 2 ** 21,
);

function place(image: GoldenImage, random: Random): void {
  scratch.blank('disk.img', image.device_bytes);
  const region = goldenRegion(image).slice();
  const external = image.index === 'flex-external' || image.index === '0';
  const superblock = external
    ? 0
    : Math.floor((image.device_bytes - image.region_offset) / 4096) * 4096 - 4096;
  for (let i = 0; i <= random.below(6); i++) {
    // Mostly the fields of the superblock, else anywhere.
    const at = random.chance(0.6) ? superblock + random.below(1400) : random.below(region.length);
    const value = random.pick([0, 0xff, 0x80, 1, random.below(256)]);
    const length = random.pick([1, 1, 4, 8, 4096]);
    region.fill(value, at, Math.min(at + length, region.length));
  }
  const fd = fs.openSync(scratch.file('disk.img'), 'r+');
  fs.writeSync(fd, region, 0, undefined, image.region_offset);
  fs.closeSync(fd);
}

/** Fails the test at the first byte that is written before `start`. */
function guarded(start: number, writes: { count: number }) {
  return (name: string, flags: OpenFlags): BlockStore => {
    const store = openBlockStore(name, flags);
    const { write } = store;
    store.write = (bytes, offset) => {
      writes.count++;
      if (offset < start) throw new Error(`write of ${bytes.length} bytes at ${offset}, before ${start}`);
      return write.call(store, bytes, offset);
    };
    return store;
  };
}

test('mutated images: a known status, no exception, no write outside the meta data, none at all by readers', async () => {
  let runs = 0;
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    const image = random.pick(images);
    place(image, random);
    for (const [list, writer] of [
      [READING, false],
      [WRITING, true],
    ] as const) {
      const words = random.pick<string[]>(list);
      const [command = ''] = words;
      const node = WITH_NODE.has(command) ? ['-i', String(random.below(32))] : [];
      const writes = { count: 0 };
      // Any meta data of this device lies in its last part, or everywhere if the device is meta data only.
      const start = image.index.includes('internal') ? image.device_bytes - 2 ** 22 : 0;
      const started = Date.now();
      const result = await runHere(
        scratch,
        ['--force', ...node, '-', image.format, 'disk.img', image.index, ...words],
        {
          openStore: guarded(start, writes),
        },
      );
      const label = `seed ${seed} ${image.id} ${words.join(' ')}`;
      expect([label, KNOWN_STATUS.has(result.status)]).toEqual([label, true]);
      expect([label, Date.now() - started < 20_000]).toEqual([label, true]);
      if (!writer) expect([label, writes.count]).toEqual([label, 0]);
      runs++;
    }
  }
  process.stderr.write(`drbdmeta: ${runs} commands on mutated images\n`);
  expect(runs).toBe(2 * ROUNDS);
});

function mutate(random: Random, text: string): string {
  let result = text;
  for (let i = 0; i <= random.below(3); i++) {
    const at = random.below(result.length);
    const insert = random.pick([
      '',
      ' ',
      ';',
      '}',
      '{',
      '"',
      '0x',
      '99999999999999999 times',
      '-1',
      '[',
      ']',
      '\0',
      'ü',
      '#',
      ',',
      'peer[3]',
      '\n',
    ]);
    result = result.slice(0, at) + insert + result.slice(at + random.below(random.pick([1, 2, 30, 2000])));
  }
  return result;
}

test('mutated dumps, text and JSON: a known status, and a device that is untouched unless the dump was good', async () => {
  const size = 2 ** 26;
  scratch.blank('disk.img', size);
  const argv = ['--force', '-', 'v09', 'disk.img', 'internal'];
  await runHere(scratch, [...argv, 'create-md', '3']);
  fs.writeFileSync(scratch.file('in.txt'), goldenText('v09-dirty-al-after-head.dump.txt'), 'latin1');
  await runHere(scratch, [...argv, 'restore-md', 'in.txt']);
  const sources = [
    (await runHere(scratch, [...argv, 'dump-md'])).stdout,
    (await runHere(scratch, [...argv, 'dump-md', '--json'])).stdout,
  ];
  let good = 0;
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    fs.writeFileSync(scratch.file('bad.txt'), mutate(random, random.pick(sources)), 'latin1');
    const result = await runHere(scratch, [...argv, 'restore-md', 'bad.txt']);
    expect([seed, [0, 10, 255].includes(result.status)]).toEqual([seed, true]);
    if (result.status === 10) expect([seed, result.changes]).toEqual([seed, 0]);
    else good++;
    if (result.status === 10)
      expect(result.stderr).toMatch(
        /error in line|JSON dump|you requested|Invalid value|al-stripe|max-peers/,
      );
  }
  process.stderr.write(`drbdmeta: ${ROUNDS} mutated dumps, ${good} of them still good\n`);
});

test('a run count beyond all bounds costs neither time nor memory', async () => {
  scratch.blank('disk.img', 2 ** 26);
  const argv = ['--force', '-', 'v09', 'disk.img', 'internal'];
  await runHere(scratch, [...argv, 'create-md', '1']);
  const dump = (await runHere(scratch, [...argv, 'dump-md'])).stdout;
  const huge = dump.replace('bitmap[0] {', 'bitmap[0] { 9999999999999999999 times 0xFFFFFFFFFFFFFFFF;');
  fs.writeFileSync(scratch.file('huge.txt'), huge, 'latin1');
  const started = Date.now();
  const result = await runHere(scratch, [...argv, 'restore-md', 'huge.txt']);
  expect(result.status).toBe(0);
  expect(result.stderr).toContain('Bitmap info too large, truncated!');
  expect(Date.now() - started).toBeLessThan(10_000);
});
