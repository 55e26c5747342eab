'use strict';
// Makes a fresh clone ready: checks Node, installs what is locked, builds what is stale. Node's own modules only.
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const root = path.dirname(__dirname);
require('../bin/check-node.cjs');

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) {
    process.stderr.write(`setup: '${command} ${args.join(' ')}' failed\n`);
    process.exit(result.status ?? 1);
  }
}
function newest(dir) {
  let time = 0;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const name = path.join(dir, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(name) : fs.statSync(name).mtimeMs);
  }
  return time;
}
const mtime = (name) =>
  fs.existsSync(path.join(root, name)) ? fs.statSync(path.join(root, name)).mtimeMs : 0;

if (mtime('node_modules/.package-lock.json') < mtime('package-lock.json'))
  run('npm', ['ci', '--ignore-scripts', '--no-fund', '--no-audit']);
const sources = Math.max(
  ...['src', 'grammar', 'scripts'].map((dir) => newest(path.join(root, dir))),
  mtime('package.json'),
);
if (mtime('dist/.built') < sources) run(process.execPath, ['scripts/build.cjs']);
