/*
 * The same commands on the same images, with the reference and with ours; bytes, standard output and status must agree.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { DeviceFlag } from '../../src/metadata/superblock-flags';
import { type Layout } from '../../src/metadata/layout';
import { type Format } from '../../src/metadata/meta-record';
import {
  layoutFor,
  meaningfulBitmapBytes,
  Random,
  randomActivityLog,
  randomBitmap,
  randomGeometry,
  type Geometry,
} from './generated-images';
import { runHere, type ScratchHost } from './scratch-host';

export const REFERENCE = '/usr/sbin/drbdmeta';

/** Why the reference cannot be compared with, or undefined. */
export function referenceMissing(): string | undefined {
  if (!fs.existsSync(REFERENCE)) return `${REFERENCE} is not installed`;
  return undefined;
}

/**
 * The reference keeps one last-known size for all devices without a minor; tests that run at the same time would meet
 * there. Only root may lock a minor, but others cannot write that file either.
 */
const REFERENCE_DEVICE = process.getuid?.() === 0 ? String(100_000 + (process.pid % 800_000)) : '-';

/** Removes what the reference remembers of the device of the last image. */
export function forgetLastKnown(): void {
  if (REFERENCE_DEVICE === '-') return;
  for (const name of [
    `/var/lib/drbd/drbd-minor-${REFERENCE_DEVICE}.lkbd`,
    `/var/lock/drbd-147-${REFERENCE_DEVICE}`,
  ])
    fs.rmSync(name, { force: true });
}

export interface Tally {
  images: number;
  commands: number;
}

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runReference(scratch: ScratchHost, argv: readonly string[]): Outcome {
  const result = spawnSync(REFERENCE, argv, {
    cwd: scratch.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  });
  return { status: result.status ?? 128, stdout: result.stdout, stderr: result.stderr };
}

/** What differs between the released reference and its later versions, which ours follows. */
function comparable(outcome: Outcome): { status: number; stdout: string } {
  return {
    status: outcome.status === 255 || outcome.status === 2 ? 1 : outcome.status,
    stdout: outcome.stdout
      .replace(/^# \d{4}-.*$/m, '# DATE')
      .replace(/^# \S+> drbdmeta .*$/m, '# COMMAND')
      .replace(/^members 0x[0-9A-F]{16};\n/m, '')
      // 9.22 prints the flags of v08 as zero.
      .replace(/^ {4}flags 0x[0-9A-F]{8};\n}/m, '    flags;\n}'),
  };
}

class Comparison {
  readonly layout: Layout;

  constructor(
    private readonly scratch: ScratchHost,
    private readonly geometry: Geometry,
    private readonly label: string,
    private readonly tally: Tally,
  ) {
    this.layout = layoutFor(geometry);
  }

  patch(offset: number, bytes: Uint8Array): void {
    for (const name of ['ours.img', 'theirs.img']) {
      const fd = fs.openSync(this.scratch.file(name), 'r+');
      fs.writeSync(fd, bytes, 0, bytes.length, offset);
      fs.closeSync(fd);
    }
  }

  read(name: string, offset: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    const fd = fs.openSync(this.scratch.file(name), 'r');
    const count = fs.readSync(fd, buffer, 0, length, offset);
    fs.closeSync(fd);
    return buffer.subarray(0, count);
  }

  superblock(): Buffer {
    return this.read('ours.img', this.layout.superblockByte, 4096);
  }

  /** Runs on both; returns the reference's output after everything was compared. */
  async both(
    words: readonly string[],
    options: readonly string[] = [],
    format: Format = this.geometry.format,
  ): Promise<Outcome> {
    const argv = (name: string, device: string) => [
      '--force',
      ...options,
      device,
      format,
      name,
      this.geometry.indexWord,
      ...words,
    ];
    const theirs = runReference(this.scratch, argv('theirs.img', REFERENCE_DEVICE));
    const ours = await runHere(this.scratch, argv('ours.img', '-'));
    this.tally.commands++;
    const rename = (outcome: Outcome) => ({
      ...comparable(outcome),
      stdout: comparable(outcome).stdout.replace(/(ours|theirs)\.img/g, 'disk.img'),
    });
    const label = `${this.label}: ${[...options, ...words].join(' ')}`;
    expect({ label, ...rename(ours) }).toEqual({ label, ...rename(theirs) });
    this.sameBytes(label);
    return theirs;
  }

  /** The meta data area and a piece before it; the rest of the device is never written. */
  sameBytes(label: string): void {
    const { superblockByte, alByte, bitmapByte } = this.layout;
    const start = Math.max(0, Math.min(superblockByte, alByte, bitmapByte) - 65536);
    const limit = 2 ** 21;
    const length = Math.min(this.geometry.deviceBytes - start, limit);
    expect([
      label,
      this.read('ours.img', start, length).equals(this.read('theirs.img', start, length)),
    ]).toEqual([label, true]);
    const tail = Math.max(start, this.geometry.deviceBytes - 65536);
    expect([
      label,
      this.read('ours.img', tail, 131072).equals(this.read('theirs.img', tail, 131072)),
    ]).toEqual([label, true]);
  }
}

/** One generated image through a row of commands. */
export async function compareGenerated(scratch: ScratchHost, seed: number, tally: Tally): Promise<void> {
  forgetLastKnown();
  fs.rmSync(scratch.host.stateFolder, { recursive: true, force: true });
  const random = new Random(seed);
  const geometry = randomGeometry(random);
  scratch.blank('ours.img', geometry.deviceBytes);
  scratch.blank('theirs.img', geometry.deviceBytes);
  const label = `seed ${seed} ${geometry.format} ${geometry.indexWord} ${geometry.deviceBytes} P=${geometry.maxPeers} ${geometry.alStripes}x${geometry.alStripeSize4k}`;
  const pair = new Comparison(scratch, geometry, label, tally);
  const stripes = ['-s', String(geometry.alStripes), '-z', String(geometry.alStripeSize4k * 4)];
  const skip = geometry.index >= -2 && geometry.index !== -1 ? ['-b', 'skip'] : [];
  const create = geometry.format === 'v09' ? ['create-md', String(geometry.maxPeers)] : ['create-md'];
  await pair.both(create, [...(geometry.format === 'v07' ? [] : stripes), ...skip]);
  await pair.both(['dump-md']);
  await identifiers(random, geometry, pair);
  await recovery(random, geometry, pair);
  await dumpAndRestore(random, geometry, pair, scratch);
  await ending(random, geometry, pair, create);
  forgetLastKnown();
  tally.images++;
}

async function identifiers(random: Random, geometry: Geometry, pair: Comparison): Promise<void> {
  const node = () => (geometry.format === 'v09' ? ['-i', String(random.below(32))] : []);
  const uuid = () => (random.chance(0.2) ? '' : random.hex64());
  const bit = () => random.pick(['', '0', '1', '0x1', '00']);
  const counters = geometry.format === 'v07';
  const fields = counters
    ? [bit(), ...Array.from({ length: 4 }, () => String(random.below(1000))), bit(), bit(), bit()]
    : [uuid(), uuid(), uuid(), uuid(), ...Array.from({ length: 12 }, bit)];
  await pair.both(['set-gi', fields.slice(0, 1 + random.below(fields.length)).join(':')], node());
  await pair.both(['get-gi'], node());
  await pair.both(['show-gi'], node());
  await pair.both(['write-dev-uuid', random.hex64()]);
  await pair.both(['read-dev-uuid']);
  await pair.both(['dstate']);
  if (random.chance(0.3)) await pair.both(['outdate']);
  if (random.chance(0.3)) await pair.both(['invalidate']);
}

/** A crashed primary: random log and bitmap below a superblock that says so. */
async function recovery(random: Random, geometry: Geometry, pair: Comparison): Promise<void> {
  if (geometry.format === 'v07') return;
  const { layout } = pair;
  const sectors =
    Math.min(layout.usableSectors, random.pick([2 ** 17, 2 ** 19, 2 ** 21])) - 8 * random.below(1000);
  const superblock = pair.superblock();
  superblock.writeBigUInt64BE(BigInt(Math.max(sectors, 0)), 0);
  const { CONSISTENT, PRIMARY_IND, WAS_UP_TO_DATE } = DeviceFlag;
  superblock.writeUInt32BE(random.chance(0.8) ? CONSISTENT | PRIMARY_IND | WAS_UP_TO_DATE : CONSISTENT, 56);
  if (geometry.format === 'v08') superblock.writeUInt32BE(0x8374026c, 60);
  pair.patch(layout.superblockByte, superblock);
  const extents = Math.ceil(sectors / 8192) + (random.chance(0.2) ? 3 : 0);
  pair.patch(layout.alByte, randomActivityLog(random, geometry, Math.max(extents, 1)));
  pair.patch(layout.bitmapByte, randomBitmap(random, meaningfulBitmapBytes(geometry, sectors)));
  await pair.both(['dump-md']);
  await pair.both(['apply-al']);
  await pair.both(['apply-al']);
}

async function dumpAndRestore(
  random: Random,
  geometry: Geometry,
  pair: Comparison,
  scratch: ScratchHost,
): Promise<void> {
  if (geometry.format === 'v07') return;
  const dump = await pair.both(['dump-md']);
  fs.writeFileSync(scratch.file('dump.txt'), dump.stdout, 'latin1');
  pair.patch(pair.layout.bitmapByte, randomBitmap(random, 4096));
  await pair.both(['restore-md', 'dump.txt']);
  await pair.both(['verify-dump', 'dump.txt']);
  await pair.both(['dump-md']);
  const broken = breakText(random, dump.stdout);
  fs.writeFileSync(scratch.file('broken.txt'), broken, 'latin1');
  await pair.both(['verify-dump', 'broken.txt']);
}

function breakText(random: Random, text: string): string {
  const at = random.below(text.length);
  const piece = random.pick(['', ';', '{', 'x', '0x', '"', ' 7 ', '\n', '}', 'peer']);
  return text.slice(0, at) + piece + text.slice(at + random.below(4));
}

async function ending(
  random: Random,
  geometry: Geometry,
  pair: Comparison,
  create: readonly string[],
): Promise<void> {
  if (random.chance(0.3) && geometry.format !== 'v07' && geometry.index === -3) {
    const other = geometry.format === 'v09' ? 'v08' : 'v09';
    const stripes = ['-s', String(geometry.alStripes), '-z', String(geometry.alStripeSize4k * 4)];
    // The layout changes with max-peers 1; the old bitmap stays where it was.
    await pair.both(other === 'v09' ? ['create-md', '1'] : ['create-md'], stripes, other);
    return;
  }
  if (random.chance(0.5)) await pair.both(['wipe-md']);
  if (geometry.index === -3) await pair.both(create);
}
