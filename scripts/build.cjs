'use strict';
// One CommonJS bundle a program, run by bin/start.cjs; ESM-only packages also as files of their own, for jest (performance.md 1.3).
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const esbuild = require('esbuild');
const root = path.dirname(__dirname);
const dist = path.join(root, 'dist');
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
  legalComments: 'none',
  // For chevrotain; see there.
  alias: { 'lodash-es': require.resolve('./small-lodash.mjs') },
  define: { __UDRBD_VERSION__: JSON.stringify(require('../package.json').version) },
};
const programs = {
  drbdadm: 'src/drbdadm/main.ts',
  'drbdadm-config': 'src/config/load-config.ts',
  'drbdadm-more': 'src/drbdadm/more-commands.ts',
  'drbdadm-tools': 'src/drbdadm/in-process-tools.ts',
  'drbdadm-programs': 'src/drbdadm/other-programs.ts',
  'drbdadm-picture': 'src/drbdadm/graph/svg-picture.ts',
  'drbdadm-snapshot': 'src/drbdadm/main.ts',
  'drbdadm-run-snapshot': 'src/drbdadm/main.ts',
  drbdsetup: 'src/drbdsetup/main.ts',
  drbdmeta: 'src/drbdmeta/main.ts',
  drbdd: 'src/daemon/main.ts',
  udrbd: 'src/lab/main.ts',
  'drbd-module': 'src/lab/kernel-module/main.ts',
  simulate: 'src/simulation/main.ts',
};
/** Loaded by what needs them: each takes milliseconds, and the daemon needs them all at once anyway. */
const lazy = ['child_process', 'crypto', 'net', 'os', 'stream', 'stream/promises', 'util', 'url', 'events'];
const lazyBuiltins = {
  name: 'lazy-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:)?(${lazy.join('|')})$`) }, ({ path: name, namespace, kind }) =>
      namespace === 'lazy' || kind !== 'import-statement'
        ? { path: name, external: true }
        : { path: name, namespace: 'lazy' },
    );
    onLoad({ filter: /./, namespace: 'lazy' }, ({ path: name }) => ({
      contents: `for (const name of ${JSON.stringify(Object.keys(require(name)))})
        Object.defineProperty(exports, name, { enumerable: true, get: () => require(${JSON.stringify(name)})[name] });`,
    }));
  },
};
/**
 * Node's modules as our sources import them: as they are, where esbuild would copy all their names in every module that
 * imports one; what few commands need is loaded when it is called.
 */
const builtins = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path: name, kind, importer }) =>
      kind === 'import-statement' && importer.startsWith(path.join(root, 'src'))
        ? { path: name, namespace: 'builtin' }
        : undefined,
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path: name }) => {
      const found = `require(${JSON.stringify(name)})`;
      const names = Object.keys(require(name)).filter((key) => /^[a-z]\w*$/.test(key) && key !== 'default');
      const functions = names.map((key) => `export const ${key} = (...words) => ${found}.${key}(...words);`);
      const whole = ['node:fs', 'node:path'].includes(name)
        ? found
        : `new Proxy({}, { get: (_, key) => ${found}[key] })`;
      return { contents: `export default /* @__PURE__ */ ${whole};\n${functions.join('\n')}` };
    });
  },
};
/** Parts of drbdadm that are bundles of their own; bin/start.cjs finds them. */
const parts = new Map([
  ['../config/load-config', './drbdadm-config.cjs'],
  ['./more-commands', './drbdadm-more.cjs'],
  ['./in-process-tools', './drbdadm-tools.cjs'],
  ['./other-programs', './drbdadm-programs.cjs'],
  ['./svg-picture', './drbdadm-picture.cjs'],
]);
/** The configuration is in the start-up snapshots, and in one of them the back ends; all else is loaded late there, too. */
const separate = (program) => ({
  name: 'separate',
  setup({ onResolve }) {
    if (program === 'drbdadm-run-snapshot')
      onResolve({ filter: /\/snapshot-contents$/ }, ({ resolveDir }) => ({
        path: path.join(resolveDir, 'snapshot-back-ends.ts'),
      }));
    onResolve(
      { filter: /^\.\.?\/(config\/load-config|more-commands|in-process-tools|other-programs|svg-picture)$/ },
      ({ path: name, kind }) =>
        kind === 'require-call' && !(program.endsWith('-snapshot') && name.includes('config'))
          ? { path: parts.get(name), external: true }
          : undefined,
    );
  },
});
/** What programs read less of at every start: chevrotain's lexer, for we have our own, and remarks in the catalogue. */
const unused = ['title', 'basedOn', 'fields', 'numberSuffixes', 'sectionContexts'];
const slimJson = (name) =>
  JSON.stringify(JSON.parse(fs.readFileSync(name, 'utf8')), (key, value) =>
    unused.includes(key) ? undefined : value,
  );
/**
 * Chevrotain's way of putting its parser together, which is run at every start, for methods only, and without those that a
 * grammar with more than five of a kind in one rule would call. Deleting something makes V8 keep a table for the object,
 * where it would copy the list of all methods for each one that is added.
 */
const mixins = `
const isUnused = (name) => name >= 'A' && name < '_' && '56789'.includes(name.at(-1));
export function applyMixins(derived, bases) {
  const target = derived.prototype;
  target.first = target.second = 0;
  delete target.first;
  delete target.second;
  for (const { prototype } of bases)
    for (const name of Object.getOwnPropertyNames(prototype))
      if (name !== 'constructor' && !isUnused(name))
        Object.defineProperty(target, name, Object.getOwnPropertyDescriptor(prototype, name));
}`;
const slimmer = {
  name: 'slimmer',
  setup({ onLoad }) {
    onLoad({ filter: /chevrotain\/lib\/src\/scan\/lexer_public\.js$/ }, () => ({
      contents: 'export const Lexer = { NA: /NOT_APPLICABLE/ }; export const LexerDefinitionErrorType = {};',
    }));
    onLoad({ filter: /grammar\/options\.json$/ }, ({ path: name }) => ({
      contents: `module.exports = JSON.parse(${JSON.stringify(slimJson(name))});`,
    }));
    onLoad({ filter: /chevrotain\/lib\/src\/parse\/parser\/utils\/apply_mixins\.js$/ }, () => ({
      contents: mixins,
    }));
  },
};
/** What `analyse-grammar.ts` finds out, as the bundles' constant (prepared-grammar.ts). */
async function preparedGrammar() {
  const { outputFiles } = await esbuild.build({
    ...common,
    entryPoints: ['src/language/analyse-grammar.ts'],
    plugins: [slimmer],
    write: false,
  });
  const analysis = { exports: {} };
  vm.runInThisContext(`(function (module, exports, require) {${outputFiles[0].text}\n})`)(
    analysis,
    analysis.exports,
    require,
  );
  return JSON.stringify(analysis.exports.analyseGrammar());
}
const vendored = ['chevrotain', 'chalk', 'execa'];

async function build() {
  fs.rmSync(path.join(dist, 'cache'), { recursive: true, force: true });
  fs.mkdirSync(path.join(dist, 'vendor'), { recursive: true });
  require('./generate-control-validators.cjs').generate();
  const present = Object.entries(programs).filter(([, entry]) => fs.existsSync(path.join(root, entry)));
  const define = { ...common.define, __UDRBD_GRAMMAR__: JSON.stringify(await preparedGrammar()) };
  const jobs = present.map(([name, entry]) =>
    esbuild.build({
      ...common,
      define,
      entryPoints: [entry],
      outfile: `dist/${name}.cjs`,
      minifySyntax: true,
      minifyWhitespace: true,
      sourcemap: false,
      plugins: [
        separate(name),
        slimmer,
        ...(name === 'drbdd' || name === 'simulate' ? [] : [builtins, lazyBuiltins]),
      ],
    }),
  );
  for (const name of vendored) {
    jobs.push(
      esbuild.build({
        ...common,
        entryPoints: [require.resolve('./vendor-entry.cjs')],
        outfile: `dist/vendor/${name}.cjs`,
        alias: { ...common.alias, vendored: name },
      }),
    );
  }
  await Promise.all(jobs);
  fs.writeFileSync(path.join(dist, '.built'), '');
}
build().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
