/**
 * drbd-utils' own tests (drbdadm.md section 16), unmodified, with our programs first in PATH: all files of tests/v9 but
 * the message scripts, which test/drbdsetup/message-scripts.test.ts runs.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const bin = path.join(__dirname, '../../bin');
const clitest = '/usr/bin/clitest';
/** tests/v9 of a drbd-utils checkout. */
const folder = process.env.DRBD_UTILS_TESTS;

/** How many files and commands the tests of 9.34 have, and those of 9.22, which Debian's source package holds. */
const SIZE = { files: 34, commands: 96 };
const SIZE_OF_9_22 = { files: 13, commands: 26 };

/** The names that 9.22 gives to a proxy's connections, and today's. */
const PROXY_NAMES = [
  ['charlie-pxy-site1-pxy\\ 192.168.31.4:7800', 'charlie-alpha\\ 192.168.31.4:7800'],
  ['charlie-pxy-site1-pxy\\ 192.168.31.4:7802', 'charlie-bravo\\ 192.168.31.4:7802'],
  ['site1-pxy-charlie-pxy\\ 192.168.31.5:7800', 'alpha-charlie\\ 192.168.31.5:7800'],
  ['site1-pxy-charlie-pxy\\ 192.168.31.5:7802', 'bravo-charlie\\ 192.168.31.5:7802'],
] as const;

/** What a test of 9.22 would expect of 9.34: repair-md before every apply-al of an "up" (drbdadm.md section 15). */
function asIn934(text: string): string {
  const repaired = text.replace(/^(drbdmeta \d+ .*) apply-al$/gm, '$1 repair-md\n$1 apply-al');
  return PROXY_NAMES.reduce((all, [old, now]) => all.replaceAll(old, now), repaired);
}

/** Releases before 9.26 have a harness for events2 alone. */
function isOf922(place: string): boolean {
  const script = path.join(place, 'events2-no-resources.test');
  return fs.readFileSync(script, 'utf8').includes('drbdsetup_events2_instrumented');
}

function missing(): string | undefined {
  if (folder === undefined) return 'DRBD_UTILS_TESTS is not set';
  return [clitest, '/usr/bin/jq'].filter((file) => !fs.existsSync(file)).map((file) => `no ${file}`)[0];
}

const reason = missing();
if (reason !== undefined)
  process.stderr.write(`SKIPPED: drbd-utils' own 34 test files for drbdadm and drbdmeta: ${reason}\n`);

(reason === undefined ? test : test.skip)(
  "drbd-utils' own test files for drbdadm and drbdmeta pass",
  () => {
    const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'drbd-utils-tests-'));
    try {
      // One of the tests names its file by way of ../../tests/v9.
      const place = path.join(copy, 'tests/v9');
      fs.cpSync(folder ?? '', place, { recursive: true });
      for (const name of ['drbdadm', 'drbdmeta']) {
        fs.rmSync(path.join(place, name), { force: true });
        fs.symlinkSync(path.join(bin, name), path.join(place, name));
      }
      const files = fs.readdirSync(place).filter((file) => /^(?!events2-|show-).*\.test$/.test(file));
      const size = isOf922(place) ? SIZE_OF_9_22 : SIZE;
      if (size === SIZE_OF_9_22) {
        for (const file of files.map((name) => path.join(place, name)))
          fs.writeFileSync(file, asIn934(fs.readFileSync(file, 'utf8')));
      }
      const result = spawnSync('bash', [clitest, ...files], {
        cwd: place,
        encoding: 'utf8',
        env: {
          PATH: `.:${path.dirname(process.execPath)}:/usr/bin:/bin`,
          __DRBD_NODE__: 'undertest',
          DRBD_DRIVER_VERSION_OVERRIDE: '9.0.0',
          LC_ALL: 'C',
          LANG: 'C',
          TZ: 'UTC',
        },
      });
      const summary = /^OK: (\d+) of (\d+) tests passed$/m.exec(result.stdout);
      if (summary === null) process.stderr.write(result.stdout);
      process.stderr.write(`drbd-utils' own tests: ${files.length} files, ${summary?.[0] ?? 'failed'}\n`);
      expect(files.length).toBeGreaterThanOrEqual(size.files);
      expect(summary?.[1]).toBe(summary?.[2]);
      expect(Number(summary?.[1])).toBeGreaterThanOrEqual(size.commands);
      expect(result.status).toBe(0);
    } finally {
      fs.rmSync(copy, { recursive: true, force: true });
    }
  },
  300_000,
);
