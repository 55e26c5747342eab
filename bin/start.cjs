'use strict';
// Runs dist/NAME.cjs with V8's compiled code kept beside it, in dist/cache/. A cache belongs to one Node and one build of
// the bundle; V8 itself refuses it on another processor or under other flags. Whatever is wrong with it: do without.
require('./check-node.cjs');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const dist = path.join(path.dirname(__dirname), 'dist');

function read(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}

/** What V8 compiled in this run, for the next one. A reader never sees half a file. */
function keep(script, file) {
  const mine = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(mine, script.createCachedData(), { flag: 'wx', flush: true });
    fs.renameSync(mine, file);
    const [program] = path.basename(file).split('-');
    for (const name of fs.readdirSync(path.dirname(file)))
      if (name.startsWith(`${program}-${process.version}-`) && name !== path.basename(file))
        fs.rmSync(path.join(path.dirname(file), name), { force: true });
  } catch {
    fs.rmSync(mine, { force: true });
  }
}

exports.start = function start(program) {
  const filename = path.join(dist, `${program}.cjs`);
  const { mtimeMs, size } = fs.statSync(filename);
  const key = `${program}-${process.version}-${process.arch}-${mtimeMs.toString(36)}-${size}`;
  const cache = path.join(dist, 'cache', key);
  const cachedData = read(cache);
  // The bundles are ASCII.
  const source = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(filename, 'latin1')}\n})`;
  const script = new vm.Script(source, { filename, cachedData });
  if (cachedData === undefined || script.cachedDataRejected) process.on('exit', () => keep(script, cache));
  const module = { exports: {} };
  script.runInThisContext().call(module.exports, module.exports, require, module, filename, dist);
};
