'use strict';
// The newer versions of Node that people have: fetches each (an npm package) into a folder of its own and runs the
// tests of what users start with it. A version that cannot be fetched is skipped loudly.
//   node scripts/other-nodes.cjs [MAJOR...]
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.dirname(__dirname);
const majors = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24'];
const TESTS = [
  'test/e2e/(bad-input|clean-end|daemon-start|demo|failures|kill-both|package|stacked|start-up-snapshot)',
  'test/drbdadm',
  'test/control',
];
const MINUTE = 60_000;

function fetchNode(major, folder) {
  fs.writeFileSync(path.join(folder, 'package.json'), '{}');
  const name = `node-${process.platform}-${process.arch}`;
  const words = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${major}`];
  const { status } = spawnSync('npm', words, { cwd: folder, stdio: 'inherit', timeout: 5 * MINUTE });
  const program = path.join(folder, 'node_modules', name, 'bin/node');
  return status === 0 && fs.existsSync(program) ? program : undefined;
}

function runTests(program) {
  const env = { ...process.env, PATH: `${path.dirname(program)}:${process.env.PATH}` };
  const jest = path.join(root, 'node_modules/jest/bin/jest.js');
  const { status } = spawnSync(program, [jest, ...TESTS], {
    cwd: root,
    env,
    stdio: 'inherit',
    timeout: 20 * MINUTE,
  });
  return status === 0;
}

function tryMajor(major) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `udrbd-node-${major}-`));
  // Tests start it as another user, too.
  fs.chmodSync(folder, 0o755);
  try {
    const program = fetchNode(major, folder);
    if (program === undefined) {
      process.stderr.write(`SKIPPED: Node ${major} could not be fetched, nothing was run with it\n`);
      return true;
    }
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'latin1' });
    process.stdout.write(`Node ${stdout.trim()}\n`);
    return runTests(program);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = majors.map(tryMajor).every(Boolean) ? 0 : 1;
