'use strict';
// Makes drbdadm's start-up snapshot: build-snapshot.cjs CACHE NODE KEY, as bin/drbdadm calls it in the background.
// CACHE is a folder of this user alone; NODE is what PATH leads to, which may be a script that starts the real one; KEY
// names this boot and the flags that Node was started with.
require('./check-node.cjs');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const [cache = '', found = '', key = ''] = process.argv.slice(2);
const root = path.dirname(__dirname);
const bundle = path.join(root, 'dist', 'drbdadm-snapshot.cjs');
const lock = path.join(cache, 'drbdadm.lock');
const MINUTE = 60_000;
/** A launcher that has just read the state may still start with a snapshot that was replaced. */
const OLD_AFTER = MINUTE;

/** A folder of this user alone. Not more than two are made: Node never ends making many where it may make none. */
function prepare() {
  for (const folder of [path.dirname(cache), cache])
    if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 });
  const { uid, mode } = fs.lstatSync(cache);
  if (uid !== process.geteuid() || (mode & 0o022) !== 0) throw new Error('not ours alone');
}

function isOlder(file, age) {
  try {
    return Date.now() - fs.statSync(file).mtimeMs > age;
  } catch {
    return false;
  }
}

/** False: somebody else is at it. */
function take() {
  if (isOlder(lock, MINUTE)) fs.rmSync(lock, { force: true });
  try {
    fs.writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

/** What the launcher asks stat(1) for. */
function identity(...files) {
  const { stdout, status } = spawnSync('stat', ['-L', '--printf', '%d:%i:%s:%.9Y:%.9Z;', '--', ...files], {
    encoding: 'latin1',
  });
  if (status !== 0) throw new Error('stat failed');
  return stdout;
}

function run(...words) {
  const env = { ...process.env, UDRBD_SNAPSHOT_SAMPLE: path.join(root, 'fixtures/config/start-up.conf') };
  const { status } = spawnSync(process.execPath, [...process.execArgv, ...words], { stdio: 'ignore', env });
  return status === 0;
}

function build() {
  const blob = path.join(cache, `drbdadm-${process.pid}-${Date.now().toString(36)}.blob`);
  if (!run('--snapshot-blob', blob, '--build-snapshot', bundle)) throw new Error('no snapshot');
  // Node does not fall back when it dislikes a snapshot, so it has to show that it takes this one.
  if (!run('--snapshot-blob', blob, path.join(root, 'bin/drbdadm'), '--version')) throw new Error('unfit');
  const launched = path.join(__dirname, '..', 'dist', 'drbdadm.cjs');
  const lines = [key, found, process.execPath, blob, identity(process.execPath, launched, blob)];
  if (lines.some((line) => line.includes('\n') || line.includes('\\'))) throw new Error('odd names');
  const state = path.join(cache, 'drbdadm.state');
  fs.writeFileSync(`${state}.${process.pid}`, `${lines.join('\n')}\n`);
  fs.renameSync(`${state}.${process.pid}`, state);
  for (const name of fs.readdirSync(cache)) {
    const file = path.join(cache, name);
    if (/^drbdadm-.*\.blob$/.test(name) && file !== blob && isOlder(file, OLD_AFTER)) fs.rmSync(file);
  }
}

prepare();
if (take()) {
  try {
    build();
  } catch (error) {
    fs.writeFileSync(path.join(cache, 'drbdadm.failed'), `${error.stack}\n`);
  } finally {
    fs.rmSync(lock, { force: true });
  }
}
