'use strict';
// Runs dist/NAME.cjs with V8's compiled code kept beside it, in dist/cache/. A cache belongs to one Node and one build of
// the bundle; V8 itself refuses it on another processor or under other flags. Where there is none, or it cannot be
// written, the program runs without. It holds the functions that the commands used so far needed, so a command that is
// new to it adds its own.
if (!/^v(20\.(19|[2-9]\d)|2[1-9]|[3-9]\d)\./.test(process.version)) require('./check-node.cjs');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const dist = path.join(path.dirname(__dirname), 'dist');
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
  const isNew = (word) =>
    /^[a-z][a-z-]{1,30}$/.test(word) &&
    !words.includes(word) &&
    (vocabulary.includes(`"${word}"`) || vocabulary.includes(`${word}:`));
  return process.argv.slice(2, 12).filter(isNew);
}

/** Keeps what V8 has compiled. V8 trusts its data blindly, so no reader may ever see half a file. */
function keep(script, file, prefix, words) {
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
    fs.rmSync(mine, { force: true });
  }
}

/** Runs a bundle; `require` finds the other bundles, too. The value is what it exports. */
function load(program) {
  const filename = path.join(dist, `${program}.cjs`);
  const { mtimeMs, size } = fs.statSync(filename);
  // V8 refuses what was compiled under other flags.
  const flags = process.execArgv.join('').replace(/[^a-z0-9]/g, '');
  const prefix = `${program}-${process.version}-${process.arch}${flags}-`;
  const cache = path.join(dist, 'cache', `${prefix}${mtimeMs.toString(36)}-${size}`);
  const { data, words } = read(cache);
  // The bundles are ASCII.
  const source = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(filename, 'latin1')}\n})`;
  const script = new vm.Script(source, { filename, cachedData: data });
  vocabulary ??= source;
  const added = words.length < MOST_WORDS ? unseen(words) : [];
  if (data === undefined || script.cachedDataRejected || added.length > 0)
    process.on('exit', () => keep(script, cache, prefix, [...words, ...added]));
  const module = { exports: {} };
  const find = (name) => (name.startsWith('./') ? exports.load(path.basename(name, '.cjs')) : require(name));
  script.runInThisContext().call(module.exports, module.exports, find, module, filename, dist);
  return module.exports;
}

const loaded = new Map();
exports.load = function (program) {
  if (!loaded.has(program)) loaded.set(program, load(program));
  return loaded.get(program);
};
exports.start = exports.load;
