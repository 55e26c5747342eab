'use strict';
// `drbdadm up all` of many resources: ours with its in-process back ends and an answering daemon, against the real
// drbdadm with /bin/true in place of drbdsetup and drbdmeta (P7).
// node bench/up-all.cjs [resources] [rounds] [folder]   (build first; the folder of the disks is in memory by default, for
// the real tool's back ends do no I/O here)
const { spawnSync } = require('node:child_process');
const { performance } = require('node:perf_hooks');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.dirname(__dirname);
const count = Number(process.argv[2] ?? 100);
const rounds = Number(process.argv[3] ?? 5);
const memory = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
const folder = fs.mkdtempSync(path.join(process.argv[4] ?? memory, 'udrbd-up-'));
const configuration = path.join(folder, 'drbd.conf');
const runDirectory = path.join(folder, 'run');
const env = {
  UDRBD_RUN_DIR: runDirectory,
  UDRBD_USERMODE_HELPER: 'disabled',
  DRBD_DRIVER_VERSION_OVERRIDE: '9.1.0',
  __DRBD_NODE__: 'alpha',
  LC_ALL: 'C',
  XDG_CACHE_HOME: folder,
};

const image = (index) => path.join(folder, `r${index}.img`);
function resource(index) {
  const host = (name, id) =>
    `  on ${name} { node-id ${id}; device /dev/drbd${index} minor ${index}; disk ${image(index)}; ` +
    `meta-disk internal; address 127.0.0.${id + 1}:${21000 + index}; }\n`;
  return `resource r${index} {\n${host('alpha', 0)}${host('beta', 1)}}\n`;
}

function prepare() {
  const indexes = Array.from({ length: count }, (_, index) => index);
  const global = 'global { usage-count no; disable-ip-verification; }\n';
  fs.writeFileSync(configuration, global + indexes.map(resource).join(''));
  fs.writeFileSync(image(0), '');
  fs.truncateSync(image(0), 4 << 20);
  run('drbdmeta', [
    path.join(root, 'bin/drbdmeta'),
    '--force',
    '0',
    'v09',
    image(0),
    'internal',
    'create-md',
    '1',
  ]);
  for (const index of indexes.slice(1)) fs.copyFileSync(image(0), image(index));
  fs.mkdirSync(path.join(folder, 'bin'));
  for (const name of ['drbdsetup', 'drbdmeta']) fs.symlinkSync('/bin/true', path.join(folder, 'bin', name));
}

const pid = () => fs.readFileSync(path.join(runDirectory, 'drbdd.pid'), 'latin1').trim();
/** Processor time of the daemon so far, ms; clock ticks of 10 ms. */
function daemonTime() {
  const words = fs.readFileSync(`/proc/${pid()}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(words[11]) + Number(words[12])) * 10;
}

/** Runs a program under the name `name`: { wall, cpu } in ms, both with what it forks. */
function run(name, [program, ...args], extra = {}) {
  const script = 'name=$1; shift; (exec -a "$name" "$@" >/dev/null) || exit 1; times';
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync('/bin/bash', ['-c', script, 'bash', name, program, ...args], {
    env: { ...env, PATH: process.env.PATH, ...extra },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const wall = performance.now() - start;
  if (status !== 0) throw new Error(`${name} ${args.join(' ')}: exit ${status}\n${stderr}`);
  // The second line of `times`: what the children used, as `0m1.234s 0m0.056s`.
  const parts = [
    ...stdout
      .trim()
      .split('\n')
      .at(-1)
      .matchAll(/(\d+)m([\d.]+)s/g),
  ];
  const seconds = parts.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
  return { wall, cpu: seconds * 1000 };
}

function ours() {
  run('drbdsetup', [path.join(root, 'bin/drbdsetup'), 'new-resource', 'warm', '9']);
  const before = daemonTime();
  const { wall, cpu } = run('drbdadm', [path.join(root, 'bin/drbdadm'), '-c', configuration, 'up', 'all']);
  const daemon = daemonTime() - before;
  run('drbdsetup', [path.join(root, 'bin/drbdsetup'), 'down', 'all']);
  return { wall, cpu, daemon };
}
const forking = () =>
  run('drbdadm', ['/usr/sbin/drbdadm', '-c', configuration, 'up', 'all'], {
    PATH: `${path.join(folder, 'bin')}:${process.env.PATH}`,
  });

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
/** The first command has its snapshot made in the background: not while others are measured. */
function awaitSnapshot() {
  ours();
  const udrbd = path.join(folder, 'udrbd');
  const settled = () =>
    ['state', 'failed'].some((end) => fs.existsSync(path.join(udrbd, `drbdadm-run.${end}`)));
  for (let i = 0; i < 300 && !settled(); i++)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
}

function main() {
  prepare();
  awaitSnapshot();
  const pairs = Array.from({ length: rounds }, () => ({ mine: ours(), real: forking() }));
  const of = (pick) => median(pairs.map(pick)).toFixed(0);
  process.stdout.write(
    `up all, ${count} resources, median of ${rounds}\n` +
      `ours: ${of(({ mine }) => mine.wall)} ms, processor ${of(({ mine }) => mine.cpu)} ms, daemon ${of(({ mine }) => mine.daemon)} ms\n` +
      `real with /bin/true: ${of(({ real }) => real.wall)} ms, processor ${of(({ real }) => real.cpu)} ms\n` +
      `ratio: ${median(pairs.map(({ mine, real }) => mine.wall / real.wall)).toFixed(3)}\n`,
  );
}
try {
  main();
} finally {
  if (fs.existsSync(path.join(runDirectory, 'drbdd.pid'))) process.kill(Number(pid()), 'SIGTERM');
  fs.rmSync(folder, { recursive: true, force: true });
}
