import fs from 'node:fs';
import { goldenImages, goldenRegion } from '../metadata/golden-images';
import { Random, randomBitmap, randomGeometry, layoutFor, meaningfulBitmapBytes } from './generated-images';
import { runHere, ScratchHost } from './scratch-host';

jest.setTimeout(180_000);

const scratch = new ScratchHost();
afterAll(() => scratch.remove());

function wipe(name: string, bytes: number): void {
  scratch.blank(name, bytes);
}

async function roundTrip(format: string, index: string, bytes: number, label: string): Promise<void> {
  const argv = (...words: string[]) => ['--force', '-', format, 'disk.img', index, ...words];
  const text = await runHere(scratch, argv('dump-md'));
  const json = await runHere(scratch, argv('dump-md', '--json'));
  expect([label, json.status]).toEqual([label, 0]);
  const parsed: { version: string; bitmaps: unknown[] } = JSON.parse(json.stdout);
  expect(parsed.version).toBe(format);
  fs.writeFileSync(scratch.file('dump.json'), json.stdout, 'latin1');
  const verified = await runHere(scratch, argv('verify-dump', 'dump.json'));
  expect([label, verified.status, verified.stderr]).toEqual([label, 0, '']);
  wipe('disk.img', bytes);
  const restored = await runHere(scratch, argv('restore-md', 'dump.json'));
  expect([label, restored.status]).toEqual([label, 0]);
  expect(restored.stdout).toMatch(/Successfully restored meta data\n$/);
  const again = await runHere(scratch, argv('dump-md'));
  const body = (dump: string) => dump.replace(/^# (\d{4}-|\S+> |al-extents ).*$/gm, '');
  expect([label, body(again.stdout)]).toEqual([label, body(text.stdout)]);
}

test('a JSON dump restores every clean golden image to the same text dump', async () => {
  let trips = 0;
  for (const image of goldenImages()) {
    if (image.dump === undefined || image.dump.stderr.includes('unclean') || image.format === 'v07') continue;
    scratch.blank('disk.img', image.device_bytes);
    const fd = fs.openSync(scratch.file('disk.img'), 'r+');
    fs.writeSync(fd, goldenRegion(image), 0, undefined, image.region_offset);
    fs.closeSync(fd);
    await roundTrip(image.format, image.index, image.device_bytes, image.id);
    trips++;
  }
  process.stderr.write(`drbdmeta: ${trips} golden images through JSON and back\n`);
  expect(trips).toBeGreaterThanOrEqual(35);
});

test('a JSON dump restores random bitmaps of any number of slots', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const random = new Random(seed);
    const geometry = randomGeometry(random);
    if (geometry.format === 'v07') continue;
    const layout = layoutFor(geometry);
    const sectors = Math.min(layout.usableSectors, 2 ** 20);
    wipe('disk.img', geometry.deviceBytes);
    const peers = geometry.format === 'v09' ? [String(geometry.maxPeers)] : [];
    const stripes = ['-s', String(geometry.alStripes), '-z', String(4 * geometry.alStripeSize4k)];
    const argv = ['--force', '-', geometry.format, 'disk.img', geometry.indexWord, 'create-md', ...peers];
    await runHere(scratch, [...argv, ...stripes, '-Z', `${sectors}s`, '-b', 'skip']);
    const fd = fs.openSync(scratch.file('disk.img'), 'r+');
    fs.writeSync(
      fd,
      randomBitmap(random, meaningfulBitmapBytes(geometry, sectors)),
      0,
      undefined,
      layout.bitmapByte,
    );
    fs.closeSync(fd);
    await roundTrip(geometry.format, geometry.indexWord, geometry.deviceBytes, `seed ${seed}`);
  }
});

test('JSON that is no dump is refused with a reason and without a write', async () => {
  scratch.blank('disk.img', 2 ** 26);
  const argv = ['--force', '-', 'v09', 'disk.img', 'internal'];
  await runHere(scratch, [...argv, 'create-md', '1']);
  const good = (await runHere(scratch, [...argv, 'dump-md', '--json'])).stdout;
  const bad: readonly (readonly [string, RegExp])[] = [
    ['{}', /JSON dump/],
    ['{', /JSON dump/],
    [good.replace('"v09"', '"v99"'), /"version"/],
    [
      good.replace('"unclean":false', '"unclean":true').replace('"unclean": false', '"unclean": true'),
      /apply-al/,
    ],
    [good.replace('"max-peers": 1', '"max-peers": 2'), /keyword 'bitmap' expected/],
    [good.replace('"current-uuid": "0x', '"current-uuid": "0x1'), /Parse error/],
    [good.replace('"history-uuids": [', '"history-uuids": ["0x0000000000000000",'), /list of 32/],
    [good.replace(/"bitmaps"[^]*$/, '"x": 1}'), /"bitmaps"/],
    ['{"a":'.repeat(1000), /nesting/],
    [`${good} more`, /the end/],
  ];
  for (const [text, reason] of bad) {
    fs.writeFileSync(scratch.file('bad.json'), text, 'latin1');
    const result = await runHere(scratch, [...argv, 'restore-md', 'bad.json']);
    expect([result.status, result.changes]).toEqual([10, 0]);
    expect(result.stderr).toMatch(reason);
  }
});
