'use strict';
// Compiles the JSON Schemas of the control messages to plain code (ajv standalone): compiling them at every start
// of a command would take longer than the command (220 ms against 3 ms).
const Module = require('node:module');
const path = require('node:path');
const esbuild = require('esbuild');
const Ajv = require('ajv').default;
const standalone = require('ajv/dist/standalone').default;
const root = path.dirname(__dirname);

function loadSchemas() {
  const { outputFiles } = esbuild.buildSync({
    absWorkingDir: root,
    entryPoints: ['src/control/contract/schemas.ts'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    logLevel: 'warning',
  });
  const loaded = new Module('schemas.cjs');
  loaded._compile(outputFiles[0].text, 'schemas.cjs');
  return loaded.exports;
}

function generate() {
  const { clientMessageSchema, serverMessageSchema } = loadSchemas();
  const ajv = new Ajv({
    discriminator: true,
    allowUnionTypes: true,
    inlineRefs: false,
    code: { source: true, optimize: 2 },
  });
  ajv.addSchema(clientMessageSchema, 'clientMessage');
  ajv.addSchema(serverMessageSchema, 'serverMessage');
  const source = standalone(ajv, {
    validateClientMessage: 'clientMessage',
    validateServerMessage: 'serverMessage',
  });
  // Bundling drops the copies of the schemas that the code does not use.
  esbuild.buildSync({
    stdin: { contents: source, resolveDir: root, loader: 'js' },
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    outfile: path.join(root, 'dist/control-validators.cjs'),
    logLevel: 'warning',
  });
}

module.exports = { generate };
if (require.main === module) generate();
