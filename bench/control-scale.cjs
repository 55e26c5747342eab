'use strict';
// One daemon with many resources of two peers: time of the queries, cost of one more resource, memory per resource.
// node bench/control-scale.cjs [resources]   (build first)
const { spawnSync } = require('node:child_process');
const { performance } = require('node:perf_hooks');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const esbuild = require('esbuild');

const root = path.dirname(__dirname);
const count = Number(process.argv[2] ?? 1000);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-scale-'));
Object.assign(process.env, {
  UDRBD_RUN_DIR: path.join(folder, 'run'),
  __DRBD_NODE__: 'alpha',
  UDRBD_USERMODE_HELPER: 'disabled',
  UDRBD_DRBDD: path.join(root, 'bin/drbdd'),
});
const bundle = path.join(folder, 'run.cjs');
esbuild.buildSync({
  absWorkingDir: root,
  entryPoints: ['src/drbdsetup/run.ts'],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  logLevel: 'warning',
});
const { runDrbdsetup } = require(bundle);
const io = {
  stdout: () => undefined,
  stderr: (text) => process.stderr.write(text),
  env: process.env,
  programName: 'drbdsetup',
};

function commands(index) {
  const resource = `r${index}`;
  const peers = [1, 2].flatMap((id) => [
    ['new-peer', resource, `${id}`, `--_name=peer${id}`],
    ['new-path', resource, `${id}`, `127.0.0.1:${20000 + index}`, `127.0.0.${id + 1}:${20000 + index}`],
  ]);
  return [['new-resource', resource, '0'], ['new-minor', resource, `${index}`, '0'], ...peers];
}

async function add(index) {
  const start = performance.now();
  for (const words of commands(index)) {
    const status = await runDrbdsetup(words, io);
    if (status !== 0) throw new Error(`${words.join(' ')}: exit ${status}`);
  }
  return performance.now() - start;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const pid = () => fs.readFileSync(path.join(process.env.UDRBD_RUN_DIR, 'drbdd.pid'), 'latin1').trim();
const resident = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid()}/status`, 'latin1'))[1]);

/** Processor time of the daemon so far, ms; clock ticks of 10 ms. */
function daemonTime() {
  const words = fs.readFileSync(`/proc/${pid()}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(words[11]) + Number(words[12])) * 10;
}

function query(...words) {
  const script = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>/dev/null; exit $?';
  const before = daemonTime();
  const start = performance.now();
  const program = [process.execPath, path.join(root, 'bin/drbdsetup'), ...words];
  const { status, stderr } = spawnSync('/bin/bash', ['-c', script, 'bash', ...program], { encoding: 'utf8' });
  const wall = performance.now() - start;
  const [user = NaN, system = NaN] = stderr.trim().split(/\s+/).map(Number);
  const cpu = `${(1000 * (user + system)).toFixed(0)} ms, daemon ${daemonTime() - before} ms`;
  process.stdout.write(`${words.join(' ')}: ${wall.toFixed(0)} ms, processor ${cpu}, exit ${status}\n`);
}

async function main() {
  const times = [await add(0)];
  const before = resident();
  const marks = [];
  for (let index = 1; index < count; index++) {
    marks.push(daemonTime());
    times.push(await add(index));
  }
  marks.push(daemonTime());
  const share = Math.min(200, Math.floor(count / 2));
  const each = (from, to) => ((marks[to] - marks[from]) / (to - from)).toFixed(2);
  const last = marks.length - 1;
  const [early, late] = [median(times.slice(10, 60)), median(times.slice(-50))];
  process.stdout.write(
    `adding a resource: ${early.toFixed(2)} ms at first, ${late.toFixed(2)} ms with ${count}; ` +
      `processor of the daemon ${each(0, share)} ms and ${each(last - share, last)} ms\n`,
  );
  process.stdout.write(`memory: ${((resident() - before) / (count - 1)).toFixed(0)} KiB per idle resource\n`);
  query('status', '--json');
  query('events2', '--now');
  query('show');
  query('role', 'r1');
  process.kill(Number(pid()), 'SIGTERM');
  fs.rmSync(folder, { recursive: true, force: true });
}
main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
