/*
 * Loop devices with sectors of 512 and 4096 bytes: ours and the reference make the same bytes and read each other's.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { REFERENCE, referenceMissing } from '../drbdmeta/compare-with-reference';
import { runHere, ScratchHost } from '../drbdmeta/scratch-host';

function attach(file: string, sector: number): string | undefined {
  const result = spawnSync('losetup', ['-f', '--show', '-b', String(sector), file], { encoding: 'latin1' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

function noLoop(): string | undefined {
  const scratch = new ScratchHost();
  scratch.blank('probe.img', 2 ** 20);
  const device = attach(scratch.file('probe.img'), 512);
  if (device !== undefined) spawnSync('losetup', ['-d', device]);
  scratch.remove();
  return device === undefined ? 'no loop devices here (root needed)' : undefined;
}

const missing = referenceMissing() ?? noLoop();
if (missing !== undefined) process.stderr.write(`SKIPPED: drbdmeta on loop devices: ${missing}\n`);
const onLoop = missing === undefined ? test : test.skip;

const scratch = new ScratchHost();
const attached: string[] = [];
afterAll(() => {
  for (const device of attached) spawnSync('losetup', ['-d', device]);
  scratch.remove();
});

function loopDevice(name: string, bytes: number, sector: number): string {
  scratch.blank(name, bytes);
  const device = attach(scratch.file(name), sector);
  if (device === undefined) throw new Error('losetup failed');
  attached.push(device);
  return device;
}

function reference(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(REFERENCE, argv, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });
}

const sameDump = (text: string) => text.replace(/^# .*$/gm, '').replace(/^members .*\n/m, '');
const content = (name: string) => fs.readFileSync(scratch.file(name));

onLoop.each([
  [512, 'internal'],
  [4096, 'internal'],
  [512, 'flex-external'],
  [4096, 'flex-external'],
])(
  'sectors of %i bytes, %s: same bytes, each accepts what the other made',
  async (sector, index) => {
    const bytes = 40 * 2 ** 20;
    const ours = loopDevice(`ours-${sector}-${index}.img`, bytes, sector);
    const theirs = loopDevice(`theirs-${sector}-${index}.img`, bytes, sector);
    const names = [`ours-${sector}-${index}.img`, `theirs-${sector}-${index}.img`] as const;
    let compared = 0;
    const both = async (...words: string[]) => {
      const here = await runHere(scratch, ['--force', '-', 'v09', ours, index, ...words]);
      const there = reference('--force', '-', 'v09', theirs, index, ...words);
      expect([words, here.status]).toEqual([words, there.status]);
      expect([words, content(names[0]).equals(content(names[1]))]).toEqual([words, true]);
      compared++;
      return [here, there] as const;
    };
    const [here, there] = await both('create-md', '3');
    expect(here.stdout).toBe(there.stdout);
    expect(here.stderr).not.toContain('BLKSSZGET');
    await both('write-dev-uuid', 'ABCDEF');
    await both('set-gi', '-i', '2', '10:20:30:40:1:1:1');
    await both('apply-al');
    await both('invalidate');
    // Crossed: each dumps and restores the other's device.
    const dumpOfOurs = reference('-', 'v09', ours, index, 'dump-md');
    const dumpOfTheirs = await runHere(scratch, ['-', 'v09', theirs, index, 'dump-md']);
    expect([dumpOfOurs.status, dumpOfTheirs.status]).toEqual([0, 0]);
    expect(sameDump(dumpOfOurs.stdout)).toBe(sameDump(dumpOfTheirs.stdout));
    fs.writeFileSync(scratch.file('dump.txt'), dumpOfOurs.stdout, 'latin1');
    await both('restore-md', scratch.file('dump.txt'));
    await both('wipe-md');
    process.stderr.write(
      `drbdmeta: ${compared} commands on loop devices of ${sector} byte sectors, ${index}\n`,
    );
    expect(compared).toBe(7);
  },
  60_000,
);

onLoop(
  'create-md --dry-run changes nothing on a block device (the reference zeroes the bitmap)',
  async () => {
    const device = loopDevice('dry.img', 40 * 2 ** 20, 512);
    fs.writeFileSync(device, Buffer.alloc(4096, 0x55), { flag: 'r+' });
    await runHere(scratch, ['--force', '-', 'v09', device, 'internal', 'create-md', '1', '-b', 'set-all']);
    const before = content('dry.img');
    const result = await runHere(scratch, [
      '--force',
      '--dry-run',
      '-',
      'v09',
      device,
      'internal',
      'create-md',
      '1',
    ]);
    expect(result.status).toBe(0);
    expect(result.stderr).toContain('SKIPPED DUE TO DRY-RUN');
    expect(content('dry.img').equals(before)).toBe(true);
  },
);

onLoop('a device that somebody holds exclusively is only touched on demand', async () => {
  const device = loopDevice('busy.img', 40 * 2 ** 20, 512);
  await runHere(scratch, ['--force', '-', 'v09', device, 'internal', 'create-md', '1']);
  const held = fs.openSync(device, fs.constants.O_RDONLY | fs.constants.O_EXCL);
  try {
    for (const [words, force] of [
      [['dstate'], []],
      [['apply-al'], []],
      [['dstate'], ['--force']],
    ] as const) {
      const here = await runHere(scratch, [...force, '-', 'v09', device, 'internal', ...words]);
      const there = reference(...force, '-', 'v09', device, 'internal', ...words);
      expect([words, force, here.status, here.stdout, here.stderr]).toEqual([
        words,
        force,
        there.status,
        there.stdout,
        there.stderr,
      ]);
    }
  } finally {
    fs.closeSync(held);
  }
});
