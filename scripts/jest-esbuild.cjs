'use strict';
// Types are checked by tsc; jest only needs them stripped.
const crypto = require('node:crypto');
const esbuild = require('esbuild');

module.exports = {
  getCacheKey: (source, path) =>
    crypto
      .createHash('sha1')
      .update(esbuild.version + ' no import(), fields assigned')
      .update(path)
      .update('\0')
      .update(source)
      .digest('hex'),
  process(source, path) {
    const { code, map } = esbuild.transformSync(source, {
      loader: 'ts',
      format: 'cjs',
      target: 'node20',
      tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
      // jest's sandbox knows require only: import() becomes a promise of it, as in the bundles.
      supported: { 'dynamic-import': false },
      sourcemap: 'external',
      sourcefile: path,
    });
    return { code, map };
  },
};
