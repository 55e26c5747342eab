import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { goldenFolder, goldenImages, goldenRegion } from '../metadata/golden-images';
import { runHere, ScratchHost } from './scratch-host';

jest.setTimeout(180_000);

interface GoldenResult {
  readonly rc: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly image_changed: boolean;
  readonly image_sha256?: string;
  readonly lkbd?: Readonly<Record<string, string>>;
}
interface GoldenCase {
  readonly n: number;
  readonly image: string;
  readonly patch: readonly (readonly [number, string] | readonly ['dev', number, string])[] | null;
  readonly args: readonly string[];
  readonly files: Readonly<
    Record<string, { readonly replacements: readonly (readonly [string, string])[] }>
  > | null;
  readonly 'lkbd_drbd-minor-905': string | null;
  readonly results: Readonly<Partial<Record<'both' | '9.22.0' | 'HEAD', GoldenResult>>>;
}

const golden: { restore_base: string; cases: GoldenCase[] } = JSON.parse(
  zlib.gunzipSync(fs.readFileSync(path.join(goldenFolder, 'cli-golden.json.gz'))).toString('latin1'),
);

type Expectation = ReturnType<typeof expected>;

const TELLS_MARKED = (wanted: Expectation): Expectation => ({
  ...wanted,
  stderr: wanted.stderr.replace('additional 0 KB', 'additional 84 MB'),
});
const WRITES_NOTHING = (wanted: Expectation): Expectation => ({ ...wanted, sha256: 'unchanged' });

/** Command lines whose result differs on purpose (docs/differences.md), and what it is instead. */
const DIFFERENT = new Map<number, (wanted: Expectation) => Expectation>([
  [165, TELLS_MARKED],
  [201, TELLS_MARKED],
  [202, TELLS_MARKED],
  [306, WRITES_NOTHING],
  [308, WRITES_NOTHING],
  [322, WRITES_NOTHING],
  // Another bitmap block size: the layout is computed anew.
  [
    314,
    (wanted) => ({
      rc: 0,
      stdout: 'Successfully restored meta data\n',
      stderr: wanted.stderr.replace(/strange bm_offset[^]*$/, ''),
      sha256: '9bb8f535f8417555052442effc3f2b576e7fd370ee09208176a3f00590d2ca7f',
      lkbd: { 'drbd-minor--1.lkbd': '67108864\tdisk.img\n' },
    }),
  ],
]);

const images = new Map(goldenImages().map((image) => [image.id, image]));
const scratch = new ScratchHost();
afterAll(() => scratch.remove());

function prepare(test: GoldenCase): void {
  const disk = scratch.file('disk.img');
  const blank = /^blank:([0-9]+)$/.exec(test.image)?.[1];
  const image = images.get(test.image);
  const size = blank === undefined ? (image?.device_bytes ?? 0) : Number(blank);
  scratch.blank('disk.img', size);
  const fd = fs.openSync(disk, 'r+');
  if (image !== undefined) fs.writeSync(fd, goldenRegion(image), 0, undefined, image.region_offset);
  const superblock = test.args.includes('flex-external') ? 0 : Math.floor(size / 4096) * 4096 - 4096;
  for (const patch of test.patch ?? []) {
    const [at, hex] = patch[0] === 'dev' ? [patch[1], patch[2]] : [superblock + patch[0], patch[1]];
    fs.writeSync(fd, Buffer.from(String(hex), 'hex'), 0, undefined, Number(at));
  }
  fs.closeSync(fd);
  for (const [name, { replacements }] of Object.entries(test.files ?? {})) {
    let text = golden.restore_base;
    for (const [from, to] of replacements) text = text.split(from).join(to);
    fs.writeFileSync(scratch.file(name), text, 'latin1');
  }
  fs.rmSync(scratch.host.stateFolder, { recursive: true, force: true });
  fs.mkdirSync(scratch.host.stateFolder);
  const lkbd = test['lkbd_drbd-minor-905'];
  if (lkbd !== null && lkbd !== undefined)
    fs.writeFileSync(path.join(scratch.host.stateFolder, 'drbd-minor-905.lkbd'), lkbd);
}

function normal(text: string): string {
  return text
    .replace(/^# \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [-+]\d{4} \[\d+\]$/m, '# <DATE>')
    .replace(/^# \S+> drbdmeta/m, '# <HOST>> drbdmeta')
    .replace(/"dump_time_utc": "[^"]*"/, '"dump_time_utc": "<DATE>Z"')
    .replace(/"dump_host": "[^"]*"/, '"dump_host": "<HOST>"');
}

function sha256(file: string): string {
  const hash = crypto.createHash('sha256');
  const fd = fs.openSync(file, 'r');
  const buffer = Buffer.alloc(1 << 18);
  for (let count = fs.readSync(fd, buffer); count > 0; count = fs.readSync(fd, buffer))
    hash.update(buffer.subarray(0, count));
  fs.closeSync(fd);
  return hash.digest('hex');
}

function lastKnownFiles(): Record<string, string> {
  const folder = scratch.host.stateFolder;
  return Object.fromEntries(
    fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name), 'latin1')]),
  );
}

async function outcome(test: GoldenCase): Promise<object> {
  prepare(test);
  const result = await runHere(scratch, test.args);
  return {
    rc: result.status,
    stdout: normal(result.stdout),
    stderr: result.stderr,
    sha256: result.changes === 0 ? 'unchanged' : sha256(scratch.file('disk.img')),
    lkbd: lastKnownFiles(),
  };
}

function expected(result: GoldenResult) {
  return {
    rc: result.rc,
    stdout: normal(result.stdout),
    stderr: result.stderr,
    sha256: result.image_changed ? result.image_sha256 : 'unchanged',
    lkbd: result.lkbd ?? {},
  };
}

const timeout = 300_000;
test(
  'every recorded command line gives the recorded streams, status, image and last-known size',
  async () => {
    let compared = 0;
    const wrong: unknown[] = [];
    for (const test of golden.cases) {
      const wanted = test.results.both ?? test.results.HEAD;
      if (wanted === undefined) continue;
      compared++;
      const actual = await outcome(test);
      const adjust = DIFFERENT.get(test.n) ?? ((same: Expectation) => same);
      try {
        expect(actual).toEqual(adjust(expected(wanted)));
      } catch (error) {
        wrong.push(`#${test.n} ${test.image} ${test.args.join(' ')}: ${String(error)}`);
      }
    }
    process.stderr.write(
      `drbdmeta: ${compared} of ${golden.cases.length} recorded command lines compared, ${DIFFERENT.size} of them differ on purpose\n`,
    );
    expect(wrong.slice(0, 3).join('\n')).toBe('');
    expect(compared).toBeGreaterThanOrEqual(334);
  },
  timeout,
);
