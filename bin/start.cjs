'use strict';
// Runs dist/NAME.cjs with V8's compiled code kept beside it, in dist/cache/. A cache belongs to one Node and one build of
// the bundle; V8 itself refuses it on another processor or under other flags. Where there is none, or it cannot be
// written, the program runs without. It holds the functions that the commands used so far needed, so a command that is
// new to it adds its own.
const [major, minor] = process.versions.node.split('.', 2);
if (Number(major) < 20 || (major === '20' && Number(minor) < 19)) require('./check-node.cjs');
const fs = require('node:fs');
const vm = require('node:vm');

const dist = `${__dirname.slice(0, __dirname.lastIndexOf('/'))}/dist`;
/** A short name for the flags of this process: V8 refuses what was compiled under other ones. */
function flagsName() {
  let number = 0;
  for (const flag of process.execArgv) {
    // A file follows.
    if (flag === '--snapshot-blob') break;
    for (let i = 0; i < flag.length; i++) number = (number * 31 + flag.charCodeAt(i)) >>> 0;
  }
  return number.toString(36);
}
const flags = flagsName();
/** Source of the program: what is a command, and what only looks like one. */
let vocabulary;
/** Rewriting ends somewhere, whatever words come. */
const MOST_WORDS = 48;

/** The file is V8's data, the commands as JSON, and the length of the JSON in four bytes. */
function read(file) {
  try {
    const bytes = fs.readFileSync(file);
    const end = bytes.length - 4;
    const start = end - bytes.readUInt32LE(end);
    return { data: bytes.subarray(0, start), words: JSON.parse(bytes.toString('latin1', start, end)) };
  } catch {
    return { data: undefined, words: [] };
  }
}

/** Command words of this call that the cache has not seen. */
function unseen(words) {
  // Options and most file names are none at first sight; the expression takes time to be compiled.
  const isNew = (word) =>
    word[0] >= 'a' &&
    word[0] <= 'z' &&
    /^[a-z][a-z-]{1,30}$/.test(word) &&
    (vocabulary.includes(`"${word}"`) || vocabulary.includes(`${word}:`));
  return process.argv.slice(2, 12).filter((word) => !words.includes(word) && isNew(word));
}

/** Keeps what V8 has compiled. V8 trusts its data blindly, so no reader may ever see half a file. */
function keep(script, file, prefix, words) {
  const path = require('node:path');
  const folder = path.dirname(file);
  const mine = `${file}.${process.pid}`;
  try {
    const json = Buffer.from(JSON.stringify(words), 'latin1');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(json.length);
    fs.mkdirSync(folder, { recursive: true });
    const bytes = Buffer.concat([script.createCachedData(), json, length]);
    fs.writeFileSync(mine, bytes, { flag: 'wx', flush: true });
    fs.renameSync(mine, file);
    for (const name of fs.readdirSync(folder))
      if (name.startsWith(prefix) && !file.endsWith(name))
        fs.rmSync(path.join(folder, name), { force: true });
  } catch {
    try {
      fs.rmSync(mine, { force: true });
    } catch {
      // There is none, or nothing can be done about it.
    }
  }
}

const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const TAIL = '\n})';

/** The bundle as a function. It is put together as bytes, so that V8 need not copy half a megabyte again. */
function sourceOf(filename, size) {
  const bytes = Buffer.allocUnsafeSlow(HEAD.length + size + TAIL.length);
  let at = bytes.write(HEAD, 'latin1');
  const fd = fs.openSync(filename, 'r');
  for (let end = at + size, count = -1; at < end && count !== 0; at += count)
    count = fs.readSync(fd, bytes, at, end - at);
  fs.closeSync(fd);
  at += bytes.write(TAIL, at, 'latin1');
  // The bundles are ASCII.
  return bytes.toString('latin1', 0, at);
}

/** Runs a bundle; `require` finds the other bundles, too. The value is what it exports. */
function load(program) {
  const filename = `${dist}/${program}.cjs`;
  const { mtimeMs, size } = fs.statSync(filename);
  const prefix = `${program}-${process.version}-${process.arch}-${flags}-`;
  const cache = `${dist}/cache/${prefix}${mtimeMs.toString(36)}-${size}`;
  const { data, words } = read(cache);
  const source = sourceOf(filename, size);
  const script = new vm.Script(source, { filename, cachedData: data });
  vocabulary ??= source;
  const added = words.length < MOST_WORDS ? unseen(words) : [];
  if (data === undefined || script.cachedDataRejected || added.length > 0)
    process.on('exit', () => keep(script, cache, prefix, [...words, ...added]));
  const module = { exports: {} };
  const find = (name) =>
    name.startsWith('./') ? exports.load(name.slice(2, -'.cjs'.length)) : require(name);
  script.runInThisContext().call(module.exports, module.exports, find, module, filename, dist);
  return module.exports;
}

const loaded = new Map();
exports.load = function (program) {
  if (!loaded.has(program)) loaded.set(program, load(program));
  return loaded.get(program);
};
exports.start = exports.load;

// Launchers that are shell scripts call this file itself, which Node finds sooner: start.cjs PROGRAM LAUNCHER ARGUMENT...
if (require.main === module) exports.load(process.argv.splice(1, 2)[1]);
