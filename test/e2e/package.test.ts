/** What is shipped: the package runs without what the repository has, the units are sound. */
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const root = path.resolve(__dirname, '../..');
const execute = promisify(execFile);
let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-package-'))));
afterEach(() => fs.rmSync(folder, { recursive: true }));

test('the package plays the demo from another place, without development dependencies', async () => {
  await execute('npm', ['pack', '--silent', '--pack-destination', folder, '--ignore-scripts'], { cwd: root });
  const [archive = ''] = fs.readdirSync(folder);
  await execute('tar', ['xf', path.join(folder, archive), '-C', folder]);
  const unpacked = path.join(folder, 'package');
  const description = JSON.parse(fs.readFileSync(path.join(unpacked, 'package.json'), 'utf8'));
  expect(description.dependencies ?? {}).toEqual({});
  for (const file of Object.values<string>(description.bin)) {
    expect(fs.statSync(path.join(unpacked, file)).mode & 0o111).toBe(0o111);
  }
  expect(fs.readdirSync(path.join(unpacked, 'man'))).toEqual(
    expect.arrayContaining(['drbdadm.8', 'drbdd.8']),
  );
  const { stdout } = await execute(path.join(unpacked, 'bin/udrbd'), ['demo'], {
    cwd: folder,
    env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, TMPDIR: folder, HOME: folder },
  });
  expect(stdout).toMatch(/All as it should be/);
}, 120_000);

const analyzeMissing = spawnSync('which', ['systemd-analyze']).status !== 0;
if (analyzeMissing) process.stderr.write('SKIPPED (no systemd-analyze here): units\n');
(analyzeMissing ? test.skip : test)(
  'systemd finds nothing wrong with the units',
  async () => {
    const units = fs.readdirSync(path.join(root, 'packaging/systemd'));
    for (const unit of units) {
      const text = fs.readFileSync(path.join(root, 'packaging/systemd', unit), 'utf8');
      // The programs are not installed here; those of the repository stand in.
      fs.writeFileSync(path.join(folder, unit), text.replaceAll('/usr/bin/', `${root}/bin/`));
    }
    const names = units.map((unit) => path.join(folder, unit.replace('@.', '@r0.')));
    for (const unit of units.filter((name) => name.includes('@.')))
      fs.symlinkSync(unit, path.join(folder, unit.replace('@.', '@r0.')));
    const { stderr } = await execute('systemd-analyze', ['verify', '--man=no', ...names], {
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
    });
    expect(stderr.split('\n').filter((line) => line.includes(folder) || /drbd/.test(line))).toEqual([]);
  },
  60_000,
);

const tmpfilesMissing = spawnSync('which', ['systemd-tmpfiles']).status !== 0 || process.getuid?.() !== 0;
if (tmpfilesMissing) process.stderr.write('SKIPPED (not root, or no systemd-tmpfiles here): run directory\n');
(tmpfilesMissing ? test.skip : test)('systemd makes a run directory that is for root only', async () => {
  const rules = path.join(root, 'packaging/tmpfiles.d/udrbd.conf');
  await execute('systemd-tmpfiles', [`--root=${folder}`, '--create', rules]);
  expect(fs.statSync(path.join(folder, 'run/udrbd')).mode & 0o7777).toBe(0o700);
});
