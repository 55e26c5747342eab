'use strict';
// Makes a start-up snapshot of drbdadm: build-snapshot.cjs CACHE NODE KEY KIND, as bin/drbdadm calls it in the background.
// CACHE is a folder of this user alone; NODE is what PATH leads to, which may be a script that starts the real one; KEY
// names this boot; KIND is drbdadm, or drbdadm-run with the back ends.
require('./check-node.cjs');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { slim } = require('./slim-snapshot.cjs');

const [cache = '', found = '', key = '', kind = 'drbdadm'] = process.argv.slice(2);
const root = path.dirname(__dirname);
const source = path.join(root, 'dist', `${kind}-snapshot.cjs`);
/** What a snapshot was made by and out of. */
const origins = [process.execPath, path.join(__dirname, '..', 'dist', 'drbdadm.cjs')];
const lock = path.join(cache, `${kind}.lock`);
const MINUTE = 60_000;
/** A launcher that has just read the state may still start with a snapshot that was replaced. */
const OLD_AFTER = MINUTE;
/**
 * V8's hash tables stay as they are in the snapshot. Their seed is still a secret of this user: building the snapshot took
 * a random one.
 */
const AS_IT_IS = '--no-rehash-snapshot';
/**
 * V8 optimises later, and less at a time, and looks for garbage later: a command is over before that pays. Planning runs
 * the same few functions again and again, back ends many different ones, and another program wants the other processor.
 */
const WANTED = [
  `--interrupt-budget=${kind === 'drbdadm' ? 150_000 : 400_000}`,
  '--max-inlined-bytecode-size-cumulative=300',
  '--initial-old-space-size=256',
  '--min-semi-space-size=4',
];

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

function output(program, ...words) {
  const { stdout, status } = spawnSync(program, words, { encoding: 'latin1' });
  if (status !== 0) throw new Error(`${program} failed`);
  return stdout;
}

/** What the launcher asks stat(1) for where it has to. */
function statTexts(...files) {
  return output('stat', '-L', '--printf', '%d:%i:%s:%.9Y:%.9Z;', '--', ...files);
}

/** The inode of each file as the launcher reads it without another program; 'stat': this kernel does not show it. */
function inodeNumbers(files) {
  const numbers = files.map((file) => {
    const fd = fs.openSync(file, 'r');
    const found = /^ino:\s+(\d+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
    fs.closeSync(fd);
    return found?.[1];
  });
  return numbers.includes(undefined) ? 'stat' : numbers.join(' ');
}

/** What the program checks once it has started (start-up-snapshot.ts). */
function originsNow() {
  return JSON.stringify(
    origins.map((file) => {
      const { dev, ino, size, mtimeNs, ctimeNs } = fs.statSync(file, { bigint: true });
      return [file, [dev, ino, size, mtimeNs, ctimeNs].join(':')];
    }),
  );
}

/** Flags come and go with V8's versions, and Node ends at once where it does not know one (those of 20 are not all in 22). */
function known(wanted) {
  const takes = (flags) =>
    spawnSync(process.execPath, [...flags, '-e', '0'], { stdio: 'ignore' }).status === 0;
  return takes(wanted) ? wanted : wanted.filter((flag) => takes([flag]));
}

function run(words, env = {}) {
  const { status } = spawnSync(process.execPath, words, {
    stdio: 'ignore',
    env: { ...process.env, ...env },
  });
  return status === 0;
}

/** Node does not fall back when it dislikes a snapshot, so it has to show that it takes this one. */
function starts(blob, flags) {
  return run([...flags, '--snapshot-blob', blob, path.join(root, 'bin/drbdadm'), '--version']);
}

/** Makes the snapshot that was made with these flags quicker if that is possible; the flags that it wants then. */
function hasten(blob, flags) {
  const slimmer = `${blob}.slim`;
  const all = [...flags, AS_IT_IS];
  const tag = (words) => Number(output(process.execPath, ...words, '-p', 'v8.cachedDataVersionTag()'));
  try {
    fs.writeFileSync(slimmer, slim(fs.readFileSync(blob), tag(flags), tag(all)), { mode: 0o600 });
    if (!starts(slimmer, all)) throw new Error('unfit');
    fs.renameSync(slimmer, blob);
    return all;
  } catch {
    fs.rmSync(slimmer, { force: true });
    return flags;
  }
}

/** The back ends run in a folder of their own. Returns the flags that the snapshot wants. */
function make(blob, before) {
  const flags = known(WANTED);
  const scratch = fs.mkdtempSync(path.join(cache, 'warm-'));
  try {
    const made = run([...flags, '--snapshot-blob', blob, '--build-snapshot', source], {
      UDRBD_SNAPSHOT_SAMPLE: path.join(root, 'fixtures/config/start-up.conf'),
      UDRBD_SNAPSHOT_ORIGINS: before,
      UDRBD_SNAPSHOT_SCRATCH: scratch,
    });
    if (!made) throw new Error('no snapshot');
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
  const wants = hasten(blob, flags);
  if (wants === flags && !starts(blob, flags)) throw new Error('unfit');
  return wants;
}

/** Snapshots that nobody starts from any more, with what lies beside them. */
function removeOthers(blob) {
  const ours = new RegExp(`^${kind}-\\d+-\\w+\\.blob$`);
  const names = fs.readdirSync(cache);
  for (const other of names.filter((name) => ours.test(name))) {
    const file = path.join(cache, other);
    if (file === blob || !isOlder(file, OLD_AFTER)) continue;
    for (const name of names) if (name.startsWith(other)) fs.rmSync(path.join(cache, name), { force: true });
  }
}

function build() {
  const blob = path.join(cache, `${kind}-${process.pid}-${Date.now().toString(36)}.blob`);
  const before = originsNow();
  const wants = make(blob, before);
  // Shells compare times, but do not show them.
  for (const [i, file] of origins.entries()) output('touch', '-r', file, '--', `${blob}.${i}`);
  const inodes = inodeNumbers(origins);
  const texts = statTexts(...origins, blob);
  if (originsNow() !== before) throw new Error('replaced meanwhile');
  const lines = [key, found, process.execPath, inodes, texts, wants.join(' '), blob];
  if (lines.some((line) => line.includes('\n') || line.includes('\\'))) throw new Error('odd names');
  const state = path.join(cache, `${kind}.state`);
  fs.writeFileSync(`${state}.${process.pid}`, `${lines.join('\n')}\n`);
  fs.renameSync(`${state}.${process.pid}`, state);
  removeOthers(blob);
}

prepare();
if (take()) {
  try {
    build();
  } catch (error) {
    fs.writeFileSync(path.join(cache, `${kind}.failed`), `${error.stack}\n`);
  } finally {
    fs.rmSync(lock, { force: true });
  }
}
