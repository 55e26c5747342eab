/*
 * Odd command lines: the same complaint on standard error and the same status as the reference.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { REFERENCE, referenceMissing } from '../drbdmeta/compare-with-reference';
import { runHere, ScratchHost } from '../drbdmeta/scratch-host';
import { goldenImages, goldenRegion } from '../metadata/golden-images';

jest.setTimeout(180_000);

const missing = referenceMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: odd command lines of drbdmeta: ${missing}\n`);
const compare = missing === undefined ? test : test.skip;

const scratch = new ScratchHost();
afterAll(() => scratch.remove());

/** After `--force - v09 disk.img internal`. */
const TAILS: readonly string[] = [
  '--al-str 2 create-md 1',
  '--al-stripes',
  '--al-stripes= create-md 1',
  '--al-stripes=2x create-md 1',
  '--al-stripes=2xx create-md 1',
  '--al-stripes 18446744073709551616 create-md 1',
  '-s',
  '-s2 -z32 create-md 1',
  '-fs2 create-md 1',
  '-x dump-md',
  '-fx dump-md',
  '--forc dump-md',
  '--force=1 dump-md',
  '--no dump-md',
  '--al dump-md',
  '--node-id',
  '--node-id=-1 get-gi',
  '--node-id=1k get-gi',
  '--node-id=x get-gi',
  '-i 31 get-gi',
  '-i 32 get-gi',
  '-i 1 outdate',
  '-p 1048577 create-md 1',
  '-p 1M get-gi -i 1',
  '-p 12q create-md 1',
  '-z 5M create-md 1',
  '-z 31 create-md 1',
  '-z 32769 create-md 1',
  '-z 1G create-md 1',
  '-s 0 -z 0 create-md 1',
  'create-md +3',
  'create-md  -1',
  'create-md 1s',
  'create-md 0x3',
  'create-md 3 4 5',
  'Create-md 3',
  'get-gi',
  'get-gi 1',
  'set-gi',
  'set-gi -i 1',
  'write-dev-uuid',
  'restore-md /nonexistent/file',
  'verify-dump /nonexistent/file',
  'outdate now',
  'dump-md -- --force',
  '-- dump-md',
  '--verbose --verbos dump-md',
  '--ignore get-gi -i 0',
];
const WHOLE: readonly string[] = [
  'x v09 disk.img internal dstate',
  '--force /dev/drbdx v09 disk.img internal dstate',
  '--force - v09 disk.img INTERNAL dstate',
  '--force - v09 disk.img flex-internal dstate',
  '--force - v09 disk.img flexible dstate',
  '--force - v09 disk.img 07 dstate',
  '--force - v09 disk.img 08 dstate',
  '--force - v09 disk.img 0x0 dstate',
  '--force - v09 disk.img 0x100 dstate',
  '--force - v09 disk.img 255 dstate',
  '--force - v09 nowhere.img internal dstate',
  '--force - v09 . internal dstate',
  '--force - v09 /dev/null internal dstate',
  '--force - v08 disk.img flex-external dstate',
  '--force - v07 disk.img 0 dstate',
  '--force - v07 disk.img internal dstate',
  '--force - v06 3 dstate',
  '--force - v06 256 dstate',
  '--force - v06 03x dstate',
  '--force - v09 disk.img internal',
  '--force - v5 disk.img internal dstate',
  '- v09 disk.img internal dstate',
];

compare('odd command lines get the complaint and status of the reference', async () => {
  scratch.blank('disk.img', 2 ** 26);
  const lines = [...TAILS.map((tail) => `--force - v09 disk.img internal ${tail}`), ...WHOLE];
  const wrong: string[] = [];
  for (const line of lines) {
    const argv = line.split(' ').filter((word) => word !== '');
    const theirs = spawnSync(REFERENCE, argv, {
      cwd: scratch.folder,
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Each starts from a blank device.
    scratch.blank('disk.img', 2 ** 26);
    const ours = await runHere(scratch, argv);
    scratch.blank('disk.img', 2 ** 26);
    // 9.22 knows only one complaint about numbers, and keeps the files of v06 elsewhere.
    const complaint = ours.stderr
      .replace('is not a valid unit', 'is not a valid number')
      .replace(scratch.host.stateFolder, '/var/lib/drbd');
    // 9.22 turns every status that is not an exit into 1; later versions keep it, and so do we.
    const status = ours.status === 255 ? 1 : ours.status;
    if (status !== theirs.status || complaint !== theirs.stderr)
      wrong.push(
        `${line}\n  ours ${ours.status} ${JSON.stringify(ours.stderr)}\n  theirs ${theirs.status} ${JSON.stringify(theirs.stderr)}`,
      );
  }
  process.stderr.write(`drbdmeta: ${lines.length} odd command lines compared\n`);
  expect(wrong.join('\n')).toBe('');
  expect(lines.length).toBeGreaterThanOrEqual(70);
});

const root = process.getuid?.() === 0 && missing === undefined;
if (!root && missing === undefined) process.stderr.write('SKIPPED: files of v06 need root\n');

/** The reference has the files of v06 in a fixed folder. */
(root ? test : test.skip)('every command on a counter file of v06 answers as the reference', async () => {
  const minor = 199;
  const counters = Buffer.from('000000030000000500000006000000070000000883740269', 'hex');
  const theirFile = `/var/lib/drbd/drbd${minor}`;
  fs.mkdirSync(scratch.host.stateFolder, { recursive: true });
  fs.mkdirSync(path.dirname(theirFile), { recursive: true });
  const commands = [
    'get-gi',
    'show-gi',
    'dump-md',
    '--force dump-md',
    'dstate',
    'outdate',
    'invalidate',
    'apply-al',
    'wipe-md',
    '--force wipe-md',
    'set-gi 1:2:3:4:5:0:1:0',
    '--force set-gi 1:2',
    'read-dev-uuid',
    'create-md',
    '--force create-md',
  ];
  const plain = (text: string) => text.replace(/^# (\d{4}-|\S+> ).*$/gm, '');
  try {
    for (const command of commands) {
      fs.writeFileSync(theirFile, counters);
      fs.writeFileSync(path.join(scratch.host.stateFolder, `drbd${minor}`), counters);
      const argv = ['-', 'v06', String(minor), ...command.split(' ')];
      const theirs = spawnSync(REFERENCE, argv, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe'] });
      const ours = await runHere(scratch, argv);
      expect([command, ours.status === 255 ? 1 : ours.status, plain(ours.stdout), ours.stderr]).toEqual([
        command,
        theirs.status,
        plain(theirs.stdout),
        theirs.stderr,
      ]);
    }
  } finally {
    fs.rmSync(theirFile, { force: true });
  }
});

compare('the activity log at the end of a verbose dump is the one of the reference', async () => {
  let compared = 0;
  for (const image of goldenImages()) {
    if (image.format !== 'v09' || !/kernel|al-|options/.test(image.id) || image.id.includes('bm')) continue;
    scratch.blank('disk.img', image.device_bytes);
    const fd = fs.openSync(scratch.file('disk.img'), 'r+');
    fs.writeSync(fd, goldenRegion(image), 0, undefined, image.region_offset);
    fs.closeSync(fd);
    const argv = ['--force', '-vvvvvvvvvv', '-', 'v09', 'disk.img', image.index, 'dump-md'];
    const theirs = spawnSync(REFERENCE, argv, {
      cwd: scratch.folder,
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 2 ** 26,
    });
    const ours = await runHere(scratch, argv);
    const log = (text: string) => text.slice(text.indexOf('# al {'));
    expect([image.id, log(ours.stdout)]).toEqual([image.id, log(theirs.stdout)]);
    compared++;
  }
  process.stderr.write(`drbdmeta: ${compared} activity logs shown as the reference does\n`);
  expect(compared).toBeGreaterThanOrEqual(20);
});
