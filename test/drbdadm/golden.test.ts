import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { drbdadm, withoutAnnouncement } from './run-drbdadm';

interface GoldenRun {
  readonly node: string;
  readonly args: readonly string[];
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}
interface GoldenCase {
  readonly name: string;
  readonly config: string;
  readonly runs: readonly GoldenRun[];
}
interface Golden {
  readonly cases: readonly GoldenCase[];
}

// Committed counts: more is progress, less is a regression.
const expectedRuns = 2431;
const expectedEqual = 2431;
const expectedEqualMessages = 2431;

const file = path.join(__dirname, '../../fixtures/drbdadm/golden-9.34.json.gz');

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** What we say about legacy forms and the real tool does not. */
function withoutLegacyWarnings(stderr: string): string {
  return stderr.replace(/^.*: Warning: .* is deprecated, write .*\n/gm, '');
}

test('2,431 recorded runs of drbdadm 9.34: standard output and exit code are the same', async () => {
  const golden = JSON.parse(zlib.gunzipSync(fs.readFileSync(file)).toString('utf8')) as Golden;
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-golden-'));
  const home = process.cwd();
  const differing: string[] = [];
  let runs = 0;
  let equal = 0;
  let equalMessages = 0;
  try {
    process.chdir(directory);
    const show = path.join(directory, 'nothing-runs');
    fs.writeFileSync(show, '');
    for (const { name, config, runs: recorded } of golden.cases) {
      fs.writeFileSync('drbd.conf', config);
      for (const run of recorded) {
        runs += 1;
        const answer = await drbdadm(run.node, ['-c', 'drbd.conf', ...run.args], {
          FAKE_DRBDSETUP_SHOW: show,
        });
        const here = (text: string): string => latin1(text).replaceAll('@DIR@', fs.realpathSync(directory));
        const same = answer.exit === run.exit && answer.stdout === here(run.stdout);
        if (same) equal += 1;
        else differing.push(`${name}: [${run.node}] ${run.args.join(' ')}`);
        const messages = withoutAnnouncement(here(run.stderr)).trimEnd();
        if (withoutLegacyWarnings(answer.stderr).trimEnd() === messages) equalMessages += 1;
        else if (process.env.UDRBD_SHOW_MESSAGES)
          differing.push(`message ${name}: [${run.node}] ${run.args.join(' ')}`);
      }
    }
  } finally {
    process.chdir(home);
    fs.rmSync(directory, { recursive: true, force: true });
  }
  process.stderr.write(
    `golden drbdadm runs: ${runs}, equal ${equal}, messages equal ${equalMessages}\n` +
      differing
        .slice(0, Number(process.env.UDRBD_SHOW ?? 20))
        .map((line) => `  differs: ${line}\n`)
        .join(''),
  );
  expect(runs).toBe(expectedRuns);
  expect(equal).toBeGreaterThanOrEqual(expectedEqual);
  expect(equalMessages).toBeGreaterThanOrEqual(expectedEqualMessages);
}, 120000);
