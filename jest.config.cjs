'use strict';
// ESM-only packages are mapped to one pre-bundled CommonJS file each (scripts/build.cjs makes them).
const vendored = ['chevrotain', 'chalk', 'execa'];
const common = {
  rootDir: __dirname,
  transform: { '\\.ts$': '<rootDir>/scripts/jest-esbuild.cjs' },
  moduleFileExtensions: ['ts', 'js', 'cjs', 'json'],
  moduleNameMapper: Object.fromEntries(
    vendored.map((name) => [`^${name}$`, `<rootDir>/dist/vendor/${name}.cjs`]),
  ),
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/package'],
};
module.exports = {
  ...common,
  // Suites that take minutes have a script of their own: npm run test:NAME.
  testPathIgnorePatterns: [
    '/node_modules/',
    ...(process.env.UDRBD_SUITE
      ? []
      : ['<rootDir>/test/slow/', '<rootDir>/test/kernel-peer/', '<rootDir>/test/soak/']),
  ],
  setupFilesAfterEnv: ['<rootDir>/test/fixed-seed.ts'],
  testTimeout: 30000,
  maxWorkers: 2,
};
