'use strict';
// drbdadm on generated configurations against the real one, in turns in one run: P1 and P3 to P6 of docs/performance.md.
// Usage: node bench/config.cjs [--runs N] [--sizes 10,1000,10000] [--real PATH]; needs a built dist/.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const root = path.dirname(__dirname);
const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const runs = Number(option('--runs', '5'));
const sizes = option('--sizes', '10,1000,10000').split(',').map(Number);
const real = option('--real', '/usr/sbin/drbdadm');
const commands = [['sh-resources'], ['-d', 'up', 'all'], ['dump']];

if (!fs.existsSync(path.join(root, 'dist/drbdadm.cjs'))) {
  process.stderr.write('dist/drbdadm.cjs is missing: run node scripts/build.cjs first\n');
  process.exit(1);
}
// Node 20 reads this file at every start, which is not what is compared here.
delete process.env.NODE_EXTRA_CA_CERTS;
const hasReal = fs.existsSync(real);
if (!hasReal)
  process.stderr.write(`SKIPPED: no ${real}: own numbers only, no ratios, outputs not compared\n`);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'config-bench-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));

function host(number, resource) {
  return `  on node${number} {
    node-id ${number - 1};
    address 10.0.0.${number}:${7000 + resource};
    volume 0 {
      device /dev/drbd${resource} minor ${resource};
      disk /dev/vg/lv${resource};
      meta-disk internal;
    }
  }
`;
}

function configuration(count) {
  let text = 'global { usage-count no; }\ncommon { net { protocol C; } }\n';
  for (let at = 0; at < count; at++)
    text += `resource r${at} {\n${host(1, at)}${host(2, at)}${host(3, at)}  connection-mesh {\n    hosts node1 node2 node3;\n  }\n}\n`;
  return text;
}

// CPU time and peak memory need GNU time.
const gnuTime = fs.existsSync('/usr/bin/time') ? '/usr/bin/time' : undefined;
const times = path.join(folder, 'times');
const output = path.join(folder, 'output');

function run(words) {
  const out = fs.openSync(output, 'w');
  const all = gnuTime === undefined ? words : [gnuTime, '-q', '-f', '%U %S %M', '-o', times, ...words];
  const started = process.hrtime.bigint();
  const result = spawnSync(all[0], all.slice(1), {
    stdio: ['ignore', out, 'ignore'],
    env: {
      ...process.env,
      __DRBD_NODE__: 'node1',
      DRBD_DRIVER_VERSION_OVERRIDE: '9.0.0',
      XDG_CACHE_HOME: folder,
    },
  });
  const wall = Number(process.hrtime.bigint() - started) / 1e6;
  fs.closeSync(out);
  if (result.error !== undefined || result.status === null) throw result.error ?? new Error(words.join(' '));
  const [user, system, kib] =
    gnuTime === undefined ? [NaN, NaN, NaN] : fs.readFileSync(times, 'latin1').trim().split(' ').map(Number);
  return { wall, cpu: (user + system) * 1000, rss: kib / 1024, status: result.status };
}

/** The real tool of Debian is older: its `up` has no repair-md. It names back ends by their paths. */
function sameOutput(ours, theirs) {
  const comparable = (text) =>
    text
      .toString('latin1')
      .replace(/^\/\S*\//gm, '')
      .replace(/^drbdmeta .* repair-md.*\n/gm, '');
  return comparable(ours) === comparable(theirs);
}

function median(list, field) {
  return list.map((each) => each[field]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

function line(label, ours, theirs) {
  const cells = [];
  for (const [field, unit, digits] of [
    ['wall', 'ms', 0],
    ['cpu', 'ms', 0],
    ['rss', 'MB', 0],
  ]) {
    const own = median(ours, field);
    const other = theirs.length === 0 ? NaN : median(theirs, field);
    const ratio = !(own / other < 1e4) ? '' : ` / ${other.toFixed(digits)} = ${(own / other).toFixed(2)}`;
    cells.push(`${field} ${own.toFixed(digits)} ${unit}${ratio}`);
  }
  process.stdout.write(`${label.padEnd(22)} ${cells.join('   ')}\n`);
}

const ours = [path.join(root, 'bin/drbdadm')];
const empty = path.join(folder, 'empty.cjs');
fs.writeFileSync(empty, '');
process.stdout.write(
  `Node ${process.version}, ${os.cpus().length} processors, ${runs} runs each, medians, ours / real\n`,
);
run([...ours, '--version']);
for (let i = 0; i < 300 && !fs.existsSync(path.join(folder, 'udrbd/drbdadm.state')); i++)
  spawnSync('sleep', ['0.1']);
for (const size of sizes) {
  const file = path.join(folder, `${size}.conf`);
  fs.writeFileSync(file, configuration(size));
  run([...ours, '-c', file, 'sh-resources']);
  for (const command of commands) {
    const own = [];
    const other = [];
    for (let turn = 0; turn < runs; turn++) {
      own.push(run([...ours, '-c', file, ...command]));
      const said = fs.readFileSync(output);
      if (!hasReal) continue;
      other.push(run([real, '-c', file, ...command]));
      if (!sameOutput(said, fs.readFileSync(output)))
        throw new Error(`${size} resources, ${command.join(' ')}: not what the real tool prints`);
    }
    line(`${size} ${command.join(' ')}`, own, other);
  }
}
// P1: what ten resources cost on top of Node itself.
const ten = path.join(folder, 'ten.conf');
fs.writeFileSync(ten, configuration(10));
const small = [];
const nothing = [];
for (let turn = 0; turn < runs * 2; turn++) {
  small.push(run([...ours, '-c', ten, 'sh-resources']));
  nothing.push(run([process.execPath, empty]));
}
line('10 / empty script', small, nothing);
