'use strict';
// The floors of docs/architecture.md: a room imports only what its row names.
const may = {
  language: [],
  metadata: [],
  wire: [],
  options: [],
  config: ['language', 'options'],
  control: ['options'],
  engine: ['wire', 'metadata', 'control/contract', 'options'],
  drbdsetup: ['control', 'options'],
  drbdmeta: ['metadata', 'control', 'options'],
  drbdmon: ['control'],
  drbdadm: ['config', 'language', 'options', 'control', 'drbdsetup', 'drbdmeta'],
  daemon: ['engine', 'wire', 'metadata', 'control', 'options'],
  simulation: ['engine', 'wire', 'metadata', 'control', 'options'],
  lab: ['config', 'drbdadm', 'daemon/block-device'],
};
const rooms = Object.entries(may).map(([room, allowed]) => ({
  name: `room-${room}`,
  comment: `src/${room} may import from: ${allowed.join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [room, ...allowed].map((name) => `^src/${name}/`) },
}));
// Exactly what design.md section 2 lists; language reads files through one port.
const pure = ['engine', 'wire', 'metadata', 'options', 'language', 'control/contract'];
const nodeModules = `^(${require('node:module')
  .builtinModules.filter((name) => !name.includes('/'))
  .join('|')})$`;
const pureRules = pure.map((room) => ({
  name: `no-node-${room.replace('/', '-')}`,
  comment: `nothing from node: is reachable from src/${room}`,
  severity: 'error',
  from: { path: `^src/${room}/`, pathNot: '^src/language/read-files\\.ts$' },
  to: { path: nodeModules, reachable: true },
}));
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    ...rooms,
    ...pureRules,
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.cjs', '.json'] },
  },
};
