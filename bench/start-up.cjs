'use strict';
// Start-up: every program against an empty script on the same Node, in turn. The CPU time (user and system) is what to
// compare on a busy machine. Usage: node bench/start-up.cjs [ROUNDS]; needs a built dist/.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const root = path.dirname(__dirname);
const rounds = Number(process.argv[2] ?? 25);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'start-up-'));
const env = { ...process.env, __DRBD_NODE__: 'a', UDRBD_RUN_DIR: folder, XDG_CACHE_HOME: folder };
// Node 20 reads the whole file at every start.
delete env.NODE_EXTRA_CA_CERTS;

function configuration(resources) {
  const hosts = ['a', 'b', 'c'];
  let text = 'global { usage-count no; }\n';
  for (let i = 0; i < resources; i++) {
    text += `resource r${i} {\n options { auto-promote no; }\n net { protocol C; }\n`;
    hosts.forEach((host, id) => {
      text += ` on ${host} { node-id ${id}; address 10.0.0.${id + 1}:${7000 + i};`;
      text += ` volume 0 { device /dev/drbd${i} minor ${i}; disk /dev/sd${i}; meta-disk internal; } }\n`;
    });
    text += ` connection-mesh { hosts ${hosts.join(' ')}; }\n}\n`;
  }
  return text;
}

/** Wall and CPU milliseconds of one run. */
function run(words, extra = {}) {
  const script = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>/dev/null';
  const started = process.hrtime.bigint();
  const { stderr } = spawnSync('/bin/bash', ['-c', script, 'bash', ...words], {
    env: { ...env, ...extra },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const wall = Number(process.hrtime.bigint() - started) / 1e6;
  const [user = NaN, system = NaN] = String(stderr).trim().split(/\s+/).map(Number);
  return { wall, cpu: 1000 * (user + system) };
}

const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function main() {
  const empty = path.join(folder, 'empty.js');
  const conf = path.join(folder, 'ten.conf');
  fs.writeFileSync(empty, "'use strict';\n");
  fs.writeFileSync(conf, configuration(10));
  const ours = (name, ...words) => [process.execPath, path.join(root, 'bin', name), ...words];
  const launched = (...words) => [path.join(root, 'bin/drbdadm'), ...words];
  const plain = { UDRBD_SNAPSHOT: 'no' };
  const rows = [
    ['empty script', [process.execPath, empty]],
    ['drbdadm sh-resources, 10', launched('-c', conf, 'sh-resources'), plain],
    ['... with its snapshot', launched('-c', conf, 'sh-resources')],
    ['drbdadm --version', launched('--version'), plain],
    ['... with its snapshot', launched('--version')],
    ['drbdsetup usage', ours('drbdsetup')],
    ['drbdmeta usage', ours('drbdmeta')],
  ];
  // The first run compiles, the second uses what the first kept.
  for (const [, words, extra] of rows) for (let i = 0; i < 2; i++) run(words, extra);
  for (let i = 0; i < 300 && !fs.existsSync(path.join(folder, 'udrbd/drbdadm.state')); i++)
    spawnSync('sleep', ['0.1']);
  const results = rows.map(() => []);
  for (let i = 0; i < rounds; i++)
    rows.forEach(([, words, extra], row) => results[row].push(run(words, extra)));
  const [base] = results;
  results.forEach((list, row) => {
    const column = (key) => {
      const value = middle(list.map((result) => result[key]));
      return `${value.toFixed(1).padStart(8)} ms ${(value / middle(base.map((r) => r[key]))).toFixed(2)}x`;
    };
    process.stdout.write(`${rows[row][0].padEnd(28)} wall${column('wall')}   cpu${column('cpu')}\n`);
  });
}

try {
  main();
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
